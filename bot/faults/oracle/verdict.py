"""All invariants of RELIABILITY's list, asked one after another."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bot.faults.oracle import booking, journal, orders, rest, sends, streams, styles
from bot.faults.oracle.evidence import Evidence

Check = Callable[[Evidence], Iterator[str]]

INVARIANTS: Mapping[str, tuple[Check, ...]] = {
    "I1": (orders.once_per_client_id, orders.within_intent),
    "I2": (orders.durable_before_sent,),
    "I3": (orders.none_beside_unresolved,),
    "I4": (sends.caps_hold,),
    "I5": (
        booking.fills_are_real,
        booking.booked_once,
        booking.no_fill_denied,
        booking.filled_as_told,
        booking.closes_are_real,
    ),
    "I6": (sends.never_over_hedged,),
    "I7": (booking.hands_off_others,),
    "I8": (sends.halt_holds,),
    "I9": (booking.exchange_cash, booking.journal_cash, booking.funding_booked),
    "I10": (journal.sound, journal.replays),
    "I11": (orders.legal_steps,),
    "I12": (journal.no_secret,),
    "I13": (rest.inside_or_halted, rest.halt_is_told),
    "I14": (rest.paper_changes_nothing,),
    "styles": (
        styles.nothing_else_is_sent,
        styles.rests_before_it_takes,
        styles.nothing_is_left_resting,
    ),
    "streams": (streams.silence_is_noticed,),
    "one engine": (rest.one_engine,),
    "no defect": (rest.no_defect,),
}
"""By name; to add one, write a check that yields a line for each thing that is wrong."""

OF_PAPER = ("I3", "I10", "I11", "I12", "I13", "I14", "one engine", "no defect")
"""What can be told of an engine on paper, whose exchange ends with its process."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise: which invariant, and what was seen."""

    invariant: str
    text: str


def judge(evidence: Evidence) -> list[Violation]:
    """Everything that is wrong."""
    return [
        Violation(name, text)
        for name, checks in INVARIANTS.items()
        if name in OF_PAPER or not evidence.paper
        for check in checks
        for text in check(evidence)
    ]
