"""What a service is given to show. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.alerting.board import Notice
from bot.alerting.subjects import Subject
from bot.records.cycle import iso_utc

MOST = 10  # subjects in one message; a phone shows no more
Links = Callable[[Subject], Sequence[tuple[str, str]]]
"""Words and addresses that somebody may follow from a subject."""


@dataclass(frozen=True, slots=True)
class Message:
    """A title, and lines of plain text."""

    title: str
    body: str


def message_of(told: Sequence[tuple[Subject, Notice]], *, escalated: bool, links: Links) -> Message:
    """All that a route is told of at once, the weightiest first."""
    first = told[0][0]
    more = f" and {len(told) - 1} more" if len(told) > 1 else ""
    start = "nobody has acknowledged" if escalated else str(first.weight)
    lines = [line for item in told[:MOST] for line in _lines(*item, links)]
    if len(told) > MOST:
        lines.append(f"… and {len(told) - MOST} more: perphedge alerts")
    return Message(f"perphedge: {start}{more}", "\n".join(lines))


def _lines(subject: Subject, notice: Notice, links: Links) -> list[str]:
    times = "once" if notice.again == 1 else f"{notice.again} times"
    again = f", came up {times} more" if notice.again else ""
    lines = [f"{subject.weight}: {subject.text} (since {iso_utc(subject.since_ms)}{again})"]
    if subject.ident:
        lines.append(f"  seen: perphedge ack {subject.ident}")
    return lines + [f"  {word}: {address}" for word, address in links(subject)]
