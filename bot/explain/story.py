"""A cycle told in order: what it saw, what bound it, weighed, did, paid, and what came. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.explain.afterwards import came_of_it
from bot.explain.deeds import cost_lines, deed_lines
from bot.explain.outcome import Outcome
from bot.explain.seen import cap_lines, seen_lines
from bot.explain.weighed import weighed_lines
from bot.report import words

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """One question and its answer, a sentence a line."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """Everything that the records know of one cycle.

    Attributes:
        cycle: its document.
        events: of the cycle, oldest first, each with ``event``.
        later_costs: what its orders cost that ended in later cycles.
        outcome: what came of it; None while nobody knows.
    """

    cycle: Document
    events: Sequence[Document] = ()
    later_costs: Sequence[Document] = ()
    outcome: Outcome | None = None


_SECTIONS: tuple[tuple[str, Callable[[Told], list[str]]], ...] = (
    ("What it saw", lambda told: seen_lines(told.cycle, told.events)),
    ("Which caps bound", lambda told: cap_lines(told.cycle)),
    ("What it considered", lambda told: weighed_lines(told.cycle)),
    ("What it did", lambda told: deed_lines(told.cycle, told.events)),
    ("What it cost", lambda told: cost_lines(told.cycle, told.later_costs)),
    ("What came of it", lambda told: came_of_it(told.cycle, told.outcome)),
)


def headline(cycle: Document) -> str:
    """``2026-01-01 06:00 UTC: hedged. Sell 7,058 USD …``."""
    when = words.clock_text(cycle, "%Y-%m-%d %H:%M:%S")
    reason = words.plain(cycle.get("reason") or "")
    return f"{when} UTC: {words.status_words(cycle.get('status'))}. {reason}".strip()


def story_of(told: Told) -> list[Section]:
    """The sections that have something to say."""
    made = ((title, tuple(lines(told))) for title, lines in _SECTIONS)
    return [Section(title, lines) for title, lines in made if lines]
