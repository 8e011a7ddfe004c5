"""What an owner has decided about alerts, and when quiet hours are. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo

from bot.records.event_kinds import Weight


@dataclass(frozen=True, slots=True)
class Route:
    """One way to somebody.

    Attributes:
        least: it is told of what is at least so weighty.
        escalation: it is told only of what nobody acknowledges.
    """

    name: str
    least: Weight = Weight.WARNING
    escalation: bool = False


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A span of every day, local time; it may go over midnight.

    Attributes:
        begins, ends: the first moment of it, and the first after it.
        through: what is at least so weighty is told all the same.
    """

    begins: time
    ends: time
    zone: tzinfo
    through: Weight = Weight.ALARM

    def hush(self, weight: Weight, now_ms: int) -> bool:
        """Whether something so weighty waits now."""
        if weight.rank >= self.through.rank:
            return False
        local = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(self.zone)
        now = local.time()
        if self.begins < self.ends:
            return self.begins <= now < self.ends
        return now >= self.begins or now < self.ends


@dataclass(frozen=True, slots=True)
class Rules:
    """All of it.

    Attributes:
        repeat_ms: trouble that comes back is told again no earlier than that.
        escalate_ms: what nobody acknowledges for so long is escalated, again and again.
    """

    routes: Sequence[Route] = ()
    repeat_ms: int = 3_600_000
    escalate_ms: int = 300_000
    quiet: QuietHours | None = None

    def hushed(self, weight: Weight, now_ms: int) -> bool:
        """Whether something so weighty waits now."""
        return self.quiet is not None and self.quiet.hush(weight, now_ms)
