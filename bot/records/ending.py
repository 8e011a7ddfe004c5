"""The record of a cycle: what its look found, how it ended, and what the log says of it. Pure."""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

from bot.measuring.assessment import Assessment
from bot.measuring.basis import bases
from bot.measuring.bot_margin import bot_margin
from bot.measuring.monitor import Observation
from bot.outlook.tightening import Outside
from bot.records.cycle import CycleRecord, CycleStatus, SignalRecord, iso_utc
from bot.records.summary import (
    correlation_record,
    crowding_record,
    exposure_record,
    funding_record,
    leg_records,
    limits_record,
    marks_of_closed,
    proposal_record,
    shares,
    usd,
)
from bot.trading.execution import ExecutionReport
from bot.trading.planner import Skipped
from risk.quick_init import quick_init, quick_replace
from risk.signals.episodes import Severity, Signal
from strategies.inputs import HedgeChoices
from strategies.proposal import HedgeProposal, RiskState

MOST_NOTES = 10
"""Signals of one kind without any urgency that a record keeps."""


@quick_init
@dataclass(frozen=True, slots=True)
class Look:
    """What one look found: everything a decision rests on.

    Attributes:
        unhedged: risk of the bot alone.
        before: risk of bot and hedges as they stand.
        signals: what goes on in the market and outside of it.
        signals_unknown: which rules of the market have no word, or not of every token, and why.
        outside: what tightens the caps; ``choices`` has them as they are then.
    """

    observation: Observation
    assessment: Assessment
    choices: HedgeChoices
    unhedged: RiskState
    before: RiskState
    signals: tuple[Signal, ...] = ()
    outside: Outside = field(default_factory=Outside)
    signals_unknown: Mapping[str, str] = field(default_factory=dict)


def described(
    blank: CycleRecord, look: Look, *, correlated: bool = True, lately: Collection[str] = ()
) -> CycleRecord:
    """The record with what the look found.

    Args:
        correlated: with correlations and funding, which change with the bars.
        lately: what was held at the look before, of which the record tells the price it has now.
    """
    assessment, before = look.assessment, look.before
    return quick_replace(
        blank,
        bot_gross_usd=usd(np.abs(assessment.facts.bot_usd).sum()),
        equity_usd=usd(look.observation.account.state.equity_usd),
        volatility_unhedged_daily_usd=usd(look.unhedged.volatility_daily_usd),
        volatility_before_daily_usd=usd(before.volatility_daily_usd),
        cae_before_usd=usd(before.cae_usd),
        cap_use_before=shares(before.cap_use),
        limits=limits_record(look.choices.limits),
        breaches_unhedged=look.unhedged.breaches,
        breaches_before=before.breaches,
        exposure=exposure_record(assessment),
        crowding=crowding_record(assessment),
        excluded=dict(assessment.excluded),
        correlation=correlation_record(assessment) if correlated else None,
        funding_annual=funding_record(assessment) if correlated else {},
        closed_marks=marks_of_closed(look.observation, lately),
        signals=tuple(signal_record(one) for one in _worth_keeping(look.signals)),
        caps_factor=look.outside.factor,
        caps_reasons=look.outside.reasons,
        bot_margin=bot_margin(look.observation).document(),
        unmapped=tuple(one.document() for one in look.observation.left_out),
        elsewhere=tuple(one.document() for one in bases(look.observation, assessment.view)),
    )


def signal_record(signal: Signal) -> SignalRecord:
    """A signal in plain JSON types."""
    return SignalRecord(
        kind=signal.kind.value,
        symbols=signal.symbols,
        value=signal.value if math.isfinite(signal.value) else None,
        threshold=signal.threshold,
        since=iso_utc(signal.since_ms),
        severity=signal.severity.value,
        sentence=signal.sentence,
    )


def _worth_keeping(signals: Sequence[Signal]) -> list[Signal]:
    """All but the weaker notes: a close-knit sector has a hundred pairs that are alike."""
    seen: Counter[str] = Counter()
    kept = []
    for signal in signals:  # the strongest of each kind come first
        seen[signal.kind] += signal.severity is Severity.NOTE
        if signal.severity is not Severity.NOTE or seen[signal.kind] <= MOST_NOTES:
            kept.append(signal)
    return kept


def ended(
    seen: CycleRecord,
    look: Look,
    status: CycleStatus,
    reason: str,
    proposal: HedgeProposal | None = None,
    *,
    after: RiskState | None = None,
) -> CycleRecord:
    """The record with its end; without trades the book afterwards is the book before."""
    state = after or look.before
    facts = look.assessment.facts
    return quick_replace(
        seen,
        status=status,
        reason=reason,
        hedge_gross_usd=usd(state.hedge_gross_usd),
        volatility_after_daily_usd=usd(state.volatility_daily_usd),
        cae_after_usd=usd(state.cae_usd),
        cap_use_after=shares(state.cap_use),
        breaches_after=state.breaches,
        legs=leg_records(facts, proposal, facts.hedge_usd),
        proposal=None if proposal is None else proposal_record(proposal),
    )


def outcome(
    report: ExecutionReport, proposal: HedgeProposal, skipped: Sequence[Skipped]
) -> tuple[CycleStatus, str]:
    """How a plan that was carried out ended, and why."""
    left_out = [f"{s.symbol}: {s.reason}" for s in skipped]
    if report.fills:
        open_ends = [*(r.detail for r in report.results if r.detail), *left_out]
        tail = f" Not all of it was done: {open_ends[0]}." if open_ends else ""
        return CycleStatus.HEDGED, proposal.sentence + tail
    if report.results and len(report.denials) == len(report.results):
        return CycleStatus.DENIED, f"denied: {report.denials[0].detail}"
    if report.halted:
        return CycleStatus.HALTED, report.stopped
    if report.stopped:
        return CycleStatus.HELD, f"stopped: {report.stopped}"
    if not report.results and left_out:
        return CycleStatus.HELD, f"nothing could be ordered: {left_out[0]}"
    details = [r.detail for r in report.results if r.detail]
    return CycleStatus.HELD, details[0] if details else "no order was filled"


def headline(record: CycleRecord) -> dict[str, Any]:
    """What the log says of a cycle; the whole document is in the journal under its id."""
    return {
        "status": record.status.value,
        "reason": record.reason,
        "bot_gross_usd": record.bot_gross_usd,
        "hedge_gross_usd": record.hedge_gross_usd,
        "volatility_unhedged_daily_usd": record.volatility_unhedged_daily_usd,
        "volatility_before_daily_usd": record.volatility_before_daily_usd,
        "volatility_after_daily_usd": record.volatility_after_daily_usd,
        "cae_before_usd": record.cae_before_usd,
        "cae_after_usd": record.cae_after_usd,
        "breaches_before": [b.cap for b in record.breaches_before],
        "breaches_after": [b.cap for b in record.breaches_after],
        "orders": len(record.orders),
        "fills": len(record.fills),
    }


def quantities(held: Mapping[tuple[str, str], Decimal]) -> dict[str, str]:
    """By symbol, with its position side in hedge mode."""
    return {
        symbol if side == "BOTH" else f"{symbol} {side}": str(quantity)
        for (symbol, side), quantity in held.items()
    }


def cycle_id(now_ms: int, count: int) -> str:
    """Sortable by time, never the same twice in one journal."""
    second = iso_utc(now_ms)[:19].replace("-", "").replace(":", "")
    return f"{second}-{count + 1:06d}"
