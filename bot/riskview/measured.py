"""The figures of one moment that a cycle does not need and a person does. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.measuring.assessment import Assessment
from bot.measuring.universe import base_of
from bot.records.ending import Look
from bot.riskview.known import Known, known
from risk.book import FloatArray, Owner
from risk.correlation.report import CorrelationReport, correlation_report
from risk.crowding.funding import excess_annual, is_pinned
from risk.crowding.funding_extras import (
    FundingBreadth,
    FundingDifferential,
    funding_breadth,
    funding_differentials,
    is_capped,
    reversion,
)
from risk.crowding.report import FundingSeries
from risk.errors import MissingDataError, PerphedgeError
from risk.exclusion import Excluded
from risk.exposure.torsion import EffectiveBets, effective_bets, torsion
from risk.limits.cures import Explanation, explain
from risk.limits.measures import Standing
from risk.returns import BARS_PER_DAY, BarPanel, log_returns, without_faults
from risk.signals.activity import listing_signals
from risk.signals.episodes import Signal, SignalKind
from risk.tail.history import price_history
from risk.tail.scenarios import filtered_scenarios
from risk.tail.stand_in import with_stand_ins
from risk.tail.stress import (
    StressResult,
    auto_deleveraging,
    correlation_to_one,
    sector_gap,
    worst_window,
)
from risk.tail.var_es import TailRisk, tail_risk

WEEK_BARS = 7 * BARS_PER_DAY
DELEVERAGED_SHARE = 0.5
NEW_DAYS = 7
LISTINGS = (SignalKind.NEW_LISTING, SignalKind.DELISTING)


@dataclass(frozen=True, slots=True)
class FundingExtra:
    """What funding tells of one token beside its crowding; None where not known."""

    interval_hours: float | None = None
    capped: bool | None = None
    half_life_hours: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures beside those of the look itself.

    Attributes:
        held: symbols with a position, sorted.
        benchmarks: symbol by the name it has in the document, ``btc`` first.
        correlation: of the liquid tokens, in plain rolling windows.
        effective_bets: of the positions held; None for a book without risk.
        tail: over the history; None with the reason in ``tail_unknown``.
        stress, stress_unknown: those that could be computed, and why the others could not.
        breaches: of the caps on the standing book, explained.
        excluded: who is left out of the statistics, and why.
        listings: tokens of the sector whose bars began or ended lately.
        history_days: how far the bars go back.
        known: how well the figures of the book are known.
    """

    held: tuple[str, ...]
    benchmarks: Mapping[str, str]
    correlation: CorrelationReport
    effective_bets: EffectiveBets | None
    tail: TailRisk | None
    tail_unknown: str | None
    stress: tuple[StressResult, ...]
    stress_unknown: Mapping[str, str]
    sector_gross_usd: float
    breaches: tuple[Explanation, ...]
    excluded: Mapping[str, str]
    funding_extras: Mapping[str, FundingExtra]
    funding_breadth: FundingBreadth | None
    differentials: tuple[FundingDifferential, ...]
    listings: tuple[Signal, ...]
    history_days: float
    known: Known


def measured(look: Look, history: BarPanel) -> Measured:
    """Compute them.

    Args:
        history: bars of the look's symbols until now, at least those of its own panel.

    Raises:
        DataError, EstimationError: the data do not allow even correlations.
    """
    assessment = look.assessment
    universe, view = assessment.universe, assessment.view
    if base_of(universe.benchmarks[0]) != "BTC":
        raise MissingDataError(
            "BTC has no price, and exposure is told in it; the first benchmark there is "
            f"{universe.benchmarks[0]}"
        )
    held = look.observation.book.symbols()
    correlation = correlation_report(
        view.panel,
        benchmarks=universe.benchmarks,
        min_daily_volume_usd=assessment.screen.min_daily_volume_usd,
    )
    clean, faulty = _usable_history(history, view.panel)
    in_sector = np.array([universe.in_sector(s) for s in assessment.estimate.symbols])
    x = assessment.exposure.position_usd
    tail, tail_unknown = _tail(clean, assessment, x)
    stress, stress_unknown = _stresses(look, clean, in_sector)
    scores = [token.score_annual for token in assessment.crowding.tokens]
    symbols = assessment.estimate.symbols
    now_ms = look.observation.book.timestamp_ms
    paid = {s: one for s, one in view.funding.items() if not _stands_in(one)}
    return Measured(
        held=held,
        benchmarks={base_of(s).lower(): s for s in universe.benchmarks},
        correlation=correlation,
        effective_bets=_bets(assessment, x),
        tail=tail,
        tail_unknown=tail_unknown,
        stress=stress,
        stress_unknown=stress_unknown,
        sector_gross_usd=float(np.abs(x[in_sector]).sum()),
        breaches=_explained(look),
        excluded=_excluded(assessment, correlation, faulty),
        funding_extras={s: _extra(view.funding.get(s), now_ms) for s in symbols},
        funding_breadth=funding_breadth(
            np.array([np.nan if s is None else s for s in scores], dtype=np.float64)[in_sector]
        ),
        differentials=funding_differentials(paid, symbols, assessment.estimate.correlation, now_ms),
        listings=_listings(clean, look),
        history_days=float((~np.isnan(clean.close)).any(axis=1).sum()) / BARS_PER_DAY,
        known=known(assessment, clean),
    )


def _usable_history(history: BarPanel, panel: BarPanel) -> tuple[BarPanel, tuple[Excluded, ...]]:
    """The long history; of a symbol with a fault in it, the bars of the panel, if they have none.

    Both end with the same bar.
    """
    clean, faulty = without_faults(history)
    mended = [item.symbol for item in faulty if item.symbol in without_faults(panel)[0].symbols]
    if not mended:
        return clean, faulty
    bars = min(len(panel.open_ms), len(history.open_ms))
    near = panel.subset(mended)
    far = np.full((len(history.open_ms) - bars, len(mended)), np.nan)
    close = np.vstack([far, near.close[-bars:]])
    volume = np.vstack([far, near.quote_volume_usd[-bars:]])
    return BarPanel(
        (*clean.symbols, *mended),
        history.open_ms,
        np.hstack([clean.close, close]),
        np.hstack([clean.quote_volume_usd, volume]),
    ), faulty


def _bets(assessment: Assessment, x: FloatArray) -> EffectiveBets | None:
    """Over the positions held: with others in, a lone position would count as several bets."""
    held = np.flatnonzero(x)
    if not len(held):
        return None
    covariance = assessment.estimate.covariance_daily[np.ix_(held, held)]
    return effective_bets(x[held], torsion(covariance))


def _tail(
    clean: BarPanel, assessment: Assessment, x: FloatArray
) -> tuple[TailRisk | None, str | None]:
    symbols = [s for s in assessment.estimate.symbols if s in clean.symbols]
    columns = [assessment.estimate.column(s) for s in symbols]
    try:
        scenarios = filtered_scenarios(log_returns(clean.subset(symbols)), symbols)
        in_sector = np.array([assessment.universe.in_sector(s) for s in symbols], dtype=np.bool_)
        whole = with_stand_ins(scenarios, assessment.estimate, in_sector)
        return tail_risk(x[columns], whole), None
    except PerphedgeError as error:
        return None, str(error)


def _stresses(
    look: Look, clean: BarPanel, in_sector: NDArray[np.bool_]
) -> tuple[tuple[StressResult, ...], dict[str, str]]:
    assessment, book = look.assessment, look.observation.book
    estimate, x = assessment.estimate, assessment.exposure.position_usd
    bot = book.notional_usd(estimate.symbols, Owner.BOT)
    hedge = book.notional_usd(estimate.symbols, Owner.HEDGE)
    past = price_history(clean, estimate)
    share = DELEVERAGED_SHARE
    stresses: dict[str, Callable[[], StressResult]] = {
        "correlation to one": lambda: correlation_to_one(x, estimate),
        "sector gap": lambda: sector_gap(x, estimate, in_sector),
        "worst day": lambda: worst_window(x, past, estimate, BARS_PER_DAY),
        "worst week": lambda: worst_window(x, past, estimate, WEEK_BARS),
        "worst week 2": lambda: worst_window(x, past, estimate, WEEK_BARS, 2),
        "worst week 3": lambda: worst_window(x, past, estimate, WEEK_BARS, 3),
        "auto-deleveraging": lambda: auto_deleveraging(
            bot, hedge, past, estimate, share=share, window_bars=BARS_PER_DAY
        ),
    }
    found, unknown = [], {}
    for name, stress in stresses.items():
        try:
            found.append(stress())
        except PerphedgeError as error:
            unknown[name] = str(error)
    return tuple(found), unknown


def _listings(clean: BarPanel, look: Look) -> tuple[Signal, ...]:
    """News that one look alone cannot have, from the bars: they began within a week, or ended more
    than a day ago."""
    sector = [s for s in look.assessment.universe.sector if s in clean.symbols]
    there = ~np.isnan(clean.subset(sector).close)
    early, recent = there[: -NEW_DAYS * BARS_PER_DAY], there[-BARS_PER_DAY:]
    before = {symbol for i, symbol in enumerate(sector) if early[:, i].any()}
    now = {symbol for i, symbol in enumerate(sector) if recent[:, i].any()}
    book = look.observation.book
    known = {one.symbols for one in look.signals if one.kind in LISTINGS}
    found = listing_signals(before, now, book.timestamp_ms, set(book.symbols())) if now else ()
    return tuple(one for one in found if one.symbols not in known)


def _explained(look: Look) -> tuple[Explanation, ...]:
    facts = look.assessment.facts
    standing = Standing(
        facts.symbols,
        facts.bot_usd,
        facts.hedge_usd,
        facts.covariance_daily,
        facts.volatility_btc_daily,
        facts.beta_btc,
        facts.in_sector,
        facts.cluster,
        facts.initial_margin_rate,
        facts.equity_usd,
        facts.cluster_names,
        look.choices.beta_doubt(facts),
        facts.stress,
        facts.bot_free_margin_usd,
        facts.token,
    )
    return tuple(explain(breach, standing) for breach in look.before.breaches)


def _excluded(
    assessment: Assessment, correlation: CorrelationReport, faulty: tuple[Excluded, ...]
) -> dict[str, str]:
    reasons = {f"{base}/USDT:USDT": "not listed" for base in assessment.universe.unlisted}
    far = {item.symbol: f"before the last days: {item.reason}" for item in faulty}
    near = {item.symbol: item.reason for item in correlation.excluded}
    return reasons | far | near | dict(assessment.view.unusable)


def _stands_in(series: FundingSeries) -> bool:
    """Nothing but the base rate, for want of anything that was paid."""
    return series.substitute and bool(is_pinned(series).all())


def _extra(series: FundingSeries | None, now_ms: int) -> FundingExtra:
    settled = None if series is None else series.until(now_ms)
    if settled is None or not len(settled.rate) or _stands_in(settled):
        return FundingExtra()
    step_hours = float(settled.interval_hours.max())
    back = reversion(settled.time_ms, excess_annual(settled), step_hours)
    return FundingExtra(
        interval_hours=float(settled.interval_hours[-1]),
        capped=bool(is_capped(settled)[-1]),
        half_life_hours=None if back is None else back.half_life_hours,
    )
