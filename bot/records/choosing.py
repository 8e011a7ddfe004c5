"""What of the log is asked for by name and weight. Pure."""

from collections.abc import Sequence

from bot.errors import UsageError
from bot.records.cycle import CycleStatus
from bot.records.event_kinds import EVENTS, Weight

CYCLE = "cycle"
_SIGNAL = "signal"
_WEIGHTS = {
    CycleStatus.HELD: Weight.WARNING,
    CycleStatus.DENIED: Weight.WARNING,
    CycleStatus.HALTED: Weight.ALARM,
}


def kinds_asked(names: Sequence[str], severity: str | None) -> list[str] | None:
    """Names of the events to read; None: all, those that nobody knows of too.

    Raises:
        UsageError: there is no such event, or no such weight.
    """
    for name in names:
        if name != CYCLE and name not in EVENTS:
            raise UsageError(f"--event {name}: must be cycle or one of {', '.join(EVENTS)}")
    if severity is None:
        return [one for one in names if one != CYCLE] if names else None
    least = _least(severity)
    return [
        name
        for name, kind in EVENTS.items()
        if (not names or name in names) and (kind.weight.rank >= least or name == _SIGNAL)
    ]


def statuses_asked(names: Sequence[str], severity: str | None) -> list[str] | None:
    """Statuses of the cycles to read; None: all.

    Raises:
        UsageError: there is no such weight.
    """
    if names and CYCLE not in names:
        return []
    if severity is None:
        return None
    least = _least(severity)
    return [one.value for one in CycleStatus if _WEIGHTS.get(one, Weight.NOTE).rank >= least]


def signal_weights_asked(severity: str | None) -> list[str] | None:
    """Weights of the signals to read, which say their own; None: all."""
    if severity is None:
        return None
    return [one.value for one in Weight if one.rank >= _least(severity)]


def _least(severity: str) -> int:
    try:
        return Weight(severity).rank
    except ValueError:
        raise UsageError(f"--severity {severity}: must be note, warning or alarm") from None
