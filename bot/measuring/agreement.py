"""A change that others make is acted upon once two reads agree on it.

One reply with a position that is missing, or a thousand times too large, must not move a hedge.
So what changed much since it was last believed is read again before it is believed.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from bot.journal.journal import Journal
from bot.ports import Clock
from risk.errors import DataError

T = TypeVar("T")

Quantities = Mapping[tuple[str, str], Decimal]
"""Signed base units by (symbol, position side)."""

_ZERO = Decimal(0)
_MORE_READS = 2
"""Than are needed where all agree, before a look is given up."""


@dataclass(frozen=True, slots=True)
class AgreementRule:
    """When a change is believed.

    Attributes:
        reads: how many reads in a row must agree; 1 believes every read.
        change_share: a change up to this share of the position needs no second read.
        pause_ms: between two reads.
    """

    reads: int = 2
    change_share: float = 0.2
    pause_ms: int = 1000


def changes(before: Quantities, now: Quantities, share: float) -> dict[tuple[str, str], str]:
    """What differs by more than ``share`` of the larger quantity, in words; new and gone always."""
    found = {}
    for key in sorted(before.keys() | now.keys()):
        old, new = before.get(key, _ZERO), now.get(key, _ZERO)
        if abs(new - old) > Decimal(repr(share)) * max(abs(old), abs(new)):
            found[key] = f"{old} to {new}"
    return found


class Agreement:
    """What one reader told last that was believed, and whether what it tells now may be."""

    def __init__(self, what: str, rule: AgreementRule, journal: Journal, clock: Clock) -> None:
        """``what`` is read, for people: ``source bot-a`` for instance."""
        self._what = what
        self._rule = rule
        self._journal = journal
        self._clock = clock
        self._believed: Quantities | None = None

    async def agreed(
        self, read: Callable[[], Awaitable[T]], quantities: Callable[[T], Quantities]
    ) -> T:
        """The first read where little changed, else a later one that the one before confirms.

        The first of all is read twice as well: nothing is known that it could be held against.

        Raises:
            DataError: no two reads agree; the next look begins anew.
        """
        last, agreeing = await read(), 1
        first, most = quantities(last), self._rule.reads + _MORE_READS
        for number in range(1, most + 1):
            now = quantities(last)
            if not self._news(now) or agreeing >= self._rule.reads:
                self._believe(first, now, agreeing)
                return last
            if number < most:
                await self._clock.sleep(self._rule.pause_ms / 1000)
                last = await read()
                same = not changes(now, quantities(last), self._rule.change_share)
                agreeing = agreeing + 1 if same else 1
        raise DataError(
            f"{self._what}: of {most} reads of its positions no {self._rule.reads} in a row agree"
        )

    def _news(self, now: Quantities) -> bool:
        before = self._believed
        return before is None or bool(changes(before, now, self._rule.change_share))

    def _believe(self, first: Quantities, now: Quantities, reads: int) -> None:
        """What was confirmed, or refuted, by a second read is written down."""
        before, self._believed = self._believed, now
        if before is None:
            return
        share = self._rule.change_share
        confirmed, refuted = changes(before, now, share), changes(now, first, share)
        if not (confirmed or refuted):
            return
        document = {
            "what": self._what,
            "confirmed": {_name(key): text for key, text in confirmed.items()},
            "refuted": {_name(key): text for key, text in refuted.items()},
            "reads": reads,
        }
        self._journal.record_event("external_positions", document)


def _name(key: tuple[str, str]) -> str:
    symbol, side = key
    return symbol if side == "BOTH" else f"{symbol} {side}"
