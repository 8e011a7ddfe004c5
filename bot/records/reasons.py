"""Why a proposal is as it is, for its record: what else was weighed, what bad days do. Pure."""

from typing import Any

from bot.records.cycle import AlternativeRecord
from strategies.proposal import Conflict, Deleveraging, HedgeProposal, VarianceSplit


def reasons_of(proposal: HedgeProposal) -> dict[str, Any]:
    """Fields of ProposalRecord, by name."""
    return {
        "es95_before_usd": _usd_or_none(proposal.before.es95_usd),
        "expected_es95_usd": _usd_or_none(proposal.after.es95_usd),
        "alternatives": tuple(
            AlternativeRecord(
                name=one.name,
                objective_usd=_usd(one.objective_usd),
                volatility_daily_usd=_usd(one.volatility_daily_usd),
                trade_cost_usd=_usd(one.trade_cost_usd),
                reason=one.reason,
            )
            for one in proposal.alternatives
        ),
        "variance": _variance(proposal.variance),
        "stress_before_usd": {one.name: _usd(one.taken_before_usd) for one in proposal.stresses},
        "stress_after_usd": {one.name: _usd(one.taken_after_usd) for one in proposal.stresses},
        "deleveraging": _deleveraging(proposal.deleveraging),
        "conflict": _conflict(proposal.conflict),
    }


def _variance(split: VarianceSplit | None) -> dict[str, float | None] | None:
    if split is None:
        return None
    removed = split.systematic_removed
    return {
        "systematic_bot_usd2": _usd(split.systematic_bot_usd2),
        "systematic_after_usd2": _usd(split.systematic_after_usd2),
        "specific_bot_usd2": _usd(split.specific_bot_usd2),
        "specific_added_usd2": _usd(split.specific_added_usd2),
        "systematic_removed": None if removed is None else round(removed, 6),
    }


def _deleveraging(told: Deleveraging | None) -> dict[str, Any] | None:
    if told is None:
        return None
    return {
        "share": told.share,
        "volatility_daily_usd": _usd(told.volatility_daily_usd),
        "stress": told.stress,
        "loss_usd": _usd_or_none(told.loss_usd),
    }


def _conflict(told: Conflict | None) -> dict[str, Any] | None:
    if told is None:
        return None
    caps = [{"cap": one.cap, "scope": one.scope} for one in told.caps]
    return {"caps": caps, "bot_alone": list(told.bot_alone)}


def _usd(value: float) -> float:
    return round(float(value), 4)


def _usd_or_none(value: float | None) -> float | None:
    return None if value is None else _usd(value)
