"""Which limits a changed configuration raises. Pure."""

from collections.abc import Mapping

from config.settings import Settings

Limits = Mapping[str, float | None]

_AUTONOMY = "autonomy"
_RANKS: Mapping[str, float] = {"propose": 0.0, "approve": 1.0, "auto": 2.0}
"""How much an engine does by itself; more of it is a risk that was raised."""

_LOWER_IS_RISKIER = frozenset(
    {
        "controls.min_free_margin",
        "controls.min_liquidation_distance",
        "controls.slippage_window_seconds",
        "controls.repeat_window_seconds",
        "controls.repeat_progress",
        "controls.duplicate_window_seconds",
        "universe.min_daily_volume_usd",
        "universe.min_history_days",
    }
)


def limits_of(settings: Settings) -> dict[str, float | None]:
    """Every number of ``caps``, ``controls`` and ``approval``; None is no limit.

    And what a hedge must have behind it, and how far the engine acts by itself, as a rank.
    """
    universe = settings.universe
    found: dict[str, float | None] = {
        _AUTONOMY: _RANKS[settings.autonomy],
        "universe.min_daily_volume_usd": universe.min_daily_volume_usd,
        "universe.min_history_days": universe.min_history_days,
    }
    sections = {"caps": settings.caps, "controls": settings.controls, "approval": settings.approval}
    for name, section in sections.items():
        for key, value in section.model_dump().items():
            if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
                found[f"{name}.{key}"] = value
    return found


def raised(before: Limits, now: Limits) -> list[str]:
    """What allows more than before, one line each; a limit that is new allows less."""
    lines = []
    for key in sorted(before.keys() & now.keys()):
        was, value = before[key], now[key]
        if was is None or was == value:
            continue
        looser = value is None or (value < was) == (key in _LOWER_IS_RISKIER)
        if looser:
            lines.append(f"{key} from {_shown(key, was)} to {_shown(key, value)}")
    return lines


def _shown(key: str, value: float | None) -> str:
    if value is None:
        return "none"
    names = {rank: name for name, rank in _RANKS.items()} if key == _AUTONOMY else {}
    return names.get(value, f"{value:g}")
