"""One moment's risk as a document of plain JSON types. Pure; a figure that is not known is null."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from bot.measuring.basis import bases
from bot.measuring.bot_margin import bot_margin
from bot.outlook.signal_board import LISTINGS
from bot.records.cycle import iso_utc
from bot.records.ending import Look, signal_record
from bot.riskview.exposure_part import exposure_part
from bot.riskview.figures import share, usd
from bot.riskview.measured import Measured, measured
from risk.correlation.benchmark_beta import BenchmarkBeta
from risk.correlation.report import LONG_DAYS, CorrelationMatrix
from risk.crowding.funding_extras import FundingDifferential
from risk.crowding.report import TokenCrowding
from risk.limits.cures import Explanation
from risk.returns import BarPanel
from risk.signals.episodes import Severity

Document = dict[str, Any]

_URGENCY = {Severity.ALARM: 0, Severity.WARNING: 1, Severity.NOTE: 2}


def risk_document(
    look: Look,
    history: BarPanel,
    unmeasured: Mapping[str, tuple[float, str]] | None = None,
) -> Document:
    """Everything that ``perphedge risk --json`` prints; docs/risk.md names every field.

    Args:
        look: one look of the engine.
        history: bars of the look's symbols until now, at least those of its own panel; tail,
            stresses and signals look back as far as it goes.
        unmeasured: notional, USD, and reason of positions that the look does not know of.

    Raises:
        DataError, EstimationError: the data do not allow it; one line.
    """
    found = measured(look, history)
    aside: dict[str, tuple[float | None, str]] = dict(unmeasured or {})
    for one in look.observation.left_out:
        aside[one.symbol] = None, f"source {one.source}: {one.base_quantity} units; {one.reason}"
    excluded = dict(found.excluded) | {symbol: reason for symbol, (_, reason) in aside.items()}
    return {
        "timestamp": iso_utc(look.observation.book.timestamp_ms),
        "timestamp_ms": look.observation.book.timestamp_ms,
        "exposure": exposure_part(look, found, aside),
        "correlation": _correlation(found),
        "clusters": _clusters(found),
        "beta": _betas(look, found),
        "crowding": _crowding(look, found),
        "funding": _funding(found),
        "signals": _signals(look, found),
        "signals_unknown": _signals_unknown(look),
        "excluded": dict(sorted(excluded.items())),
        "excluded_from_hedging": dict(sorted(look.assessment.excluded.items())),
        "breaches": [_breach(one) for one in found.breaches],
        "limits": _limits(look),
        "caps_factor": look.outside.factor,
        "caps_reasons": list(look.outside.reasons),
        "troubles": [f"{one.name}: {one.reason}" for one in look.outside.troubles],
        "cap_use": {cap: share(use) for cap, use in look.before.cap_use.items()},
        "bot_margin": bot_margin(look.observation).document(),
        "elsewhere": [one.document() for one in bases(look.observation, look.assessment.view)],
    }


def _correlation(found: Measured) -> Document:
    report = found.correlation
    order = report.clusters.order.tolist()
    document: Document = {
        name: _matrix(one, order)
        for name, one in (
            ("30d", report.hourly_30d),
            ("7d", report.hourly_7d),
            ("daily_30d", report.daily_30d),
        )
    }
    document["volume_weighted"] = [
        {
            "symbols": [one.one, one.other],
            "plain": share(one.plain),
            "weighted": share(one.weighted),
            "standard_error": share(one.standard_error),
        }
        for one in report.disagreements
    ]
    return document


def _matrix(one: CorrelationMatrix, order: Sequence[int]) -> Document:
    """In the order of the clustering, so that every matrix reads like the heatmap."""
    chosen = one.matrix[np.ix_(order, order)]
    return {
        "symbols": [one.symbols[i] for i in order],
        "matrix": [[share(value, 8) for value in row] for row in chosen.tolist()],
    }


def _clusters(found: Measured) -> list[list[str]]:
    """Clusters and their members in the order of the heatmap."""
    report = found.correlation
    groups: dict[int, list[str]] = {}
    for i in report.clusters.order.tolist():
        groups.setdefault(int(report.clusters.labels[i]), []).append(report.symbols[i])
    return list(groups.values())


def _betas(look: Look, found: Measured) -> Document:
    """By regression over 30 days, and as the hedge and the caps take it (``hedge_btc``)."""
    report, hedge = found.correlation, look.assessment.beta
    estimate = look.assessment.estimate
    rows: Document = {}
    for symbol in sorted({*report.symbols, *found.held}):
        row: Document = {}
        for name, benchmark in found.benchmarks.items():
            row |= _beta(report.betas.get((benchmark, LONG_DAYS)), symbol, name)
        k = estimate.symbols.index(symbol) if symbol in estimate.symbols else None
        row["hedge_btc"] = None if k is None else share(hedge.value[k], 8)
        row["hedge_btc_se"] = None if k is None else share(found.known.beta_error[k], 8)
        rows[symbol] = row
    return rows


def _beta(one: BenchmarkBeta | None, symbol: str, name: str) -> Document:
    values: list[float | None] = [None] * 6
    if one is not None and symbol in one.symbols:
        i = one.symbols.index(symbol)
        arrays = (
            one.beta,
            one.beta_robust_error,
            one.beta_standard_error,
            one.correlation,
            one.correlation_robust_error,
            one.correlation_standard_error,
        )
        values = [float(array[i]) for array in arrays]
    correlation = f"correlation_{name}"
    errors = (f"{correlation}_se", f"{correlation}_se_plain")
    keys = (name, f"{name}_se", f"{name}_se_plain", correlation, *errors)
    return {key: share(value, 8) for key, value in zip(keys, values, strict=True)}


def _crowding(look: Look, found: Measured) -> Document:
    return {token.symbol: _token(token, found) for token in look.assessment.crowding.tokens}


def _token(token: TokenCrowding, found: Measured) -> Document:
    extra = found.funding_extras[token.symbol]
    return {
        "annual_rate": share(token.funding_annual, 8),
        "score": share(token.crowding),
        "cluster_score": share(token.cluster_crowding),
        "persistence": share(token.persistence),
        "interval_hours": extra.interval_hours,
        "pinned": token.pinned,
        "source": token.source,
        "capped": extra.capped,
        "half_life_hours": share(extra.half_life_hours, 2),
        "score_annual": share(token.score_annual, 8),
        "z_sector": share(token.z_sector),
        "z_own": share(token.z_own),
        "z_open_interest": share(token.z_open_interest),
        "substitute": token.substitute,
        "unknown": token.unknown,
    }


def _funding(found: Measured) -> Document:
    breadth = found.funding_breadth
    return {
        "breadth": None
        if breadth is None
        else {
            "tokens": breadth.tokens,
            "long_share": share(breadth.long_share),
            "neutral_share": share(breadth.neutral_share),
            "short_share": share(breadth.short_share),
        },
        "differentials": [_differential(one) for one in found.differentials],
    }


def _differential(one: FundingDifferential) -> Document:
    return {
        "long_symbol": one.long_symbol,
        "short_symbol": one.short_symbol,
        "correlation": share(one.correlation),
        "annual": share(one.annual),
        "standard_error": share(one.standard_error),
        "substitute": one.substitute,
    }


def _signals(look: Look, found: Measured) -> list[Document]:
    """The most urgent first."""
    every = sorted((*look.signals, *found.listings), key=lambda one: _URGENCY[one.severity])
    return [
        asdict(signal_record(one))
        | {
            "symbols": list(one.symbols),
            "value": share(one.value),
            "since_earlier": one.since_earlier,
        }
        for one in every
    ]


def _signals_unknown(look: Look) -> dict[str, str]:
    unknown = dict(look.signals_unknown)
    if LISTINGS in unknown:
        unknown[LISTINGS] += "; told only from where bars begin and end"
    return unknown


def _breach(one: Explanation) -> Document:
    breach, cure = one.breach, one.cure
    return {
        "cap": breach.cap,
        "scope": breach.scope,
        "value": usd(breach.value),
        "limit": usd(breach.limit),
        "bot_alone": breach.bot_alone,
        "curable": breach.curable,
        "positions": [{"symbol": s, "contribution": usd(part)} for s, part in one.parts],
        "cure": None
        if cure is None
        else {"symbol": cure.symbol, "reduce_usd": usd(cure.reduce_usd)},
    }


def _limits(look: Look) -> Document:
    limits = look.choices.limits
    return {name: getattr(limits, name) for name in type(limits).__dataclass_fields__}
