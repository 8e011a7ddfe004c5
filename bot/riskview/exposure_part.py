"""The ``exposure`` of a risk document: the whole book, its clusters, tail and stresses. Pure."""

from collections.abc import Mapping
from typing import Any

from bot.records.ending import Look
from bot.riskview.figures import by_symbol, share, usd
from bot.riskview.measured import Measured
from risk.exposure.report import ClusterExposure
from risk.tail.stress import StressResult
from risk.tail.var_es import TailRisk

Document = dict[str, Any]


def exposure_part(
    look: Look, found: Measured, aside: Mapping[str, tuple[float | None, str]]
) -> Document:
    """The whole book; ``aside`` are the positions that could not be measured, USD and why."""
    report, bets = look.assessment.exposure, found.effective_bets
    held = report.position_usd != 0
    tail, facts, errors = found.tail, look.assessment.facts, found.known.errors
    document: Document = {
        "gross_usd": usd(report.gross_usd),
        "net_usd": usd(report.net_usd),
        "sector": {
            "gross_usd": usd(found.sector_gross_usd),
            "net_usd": usd(report.sector_net_usd),
        },
        "cae_usd": usd(report.cae_usd),
        "cae_se_usd": usd(errors.cae_usd),
        "beta_net_usd": usd(report.beta_net_usd),
        "beta_net_se_usd": usd(found.known.beta_net_error_usd),
        "volatility_daily_usd": usd(report.volatility_daily_usd),
        "volatility_daily_se_usd": usd(errors.volatility_daily_usd),
        "volatility_unhedged_daily_usd": usd(look.unhedged.volatility_daily_usd),
        "systematic_daily_usd": usd(report.systematic_daily_usd),
        "specific_daily_usd": usd(report.specific_daily_usd),
        "volatility_btc_daily": share(look.assessment.facts.volatility_btc_daily, 8),
        "diversification_ratio": share(report.diversification_ratio),
        "effective_bets": None if bets is None else share(bets.number),
        "positions": by_symbol(report.symbols, report.position_usd, held, 4),
        "hedges": by_symbol(facts.symbols, facts.hedge_usd, facts.hedge_usd != 0, 4),
        "contributions": by_symbol(report.symbols, report.component_daily_usd, held, 4),
        "contributions_se": by_symbol(report.symbols, errors.component_daily_usd, held, 4),
        "marginal": by_symbol(report.symbols, report.marginal_daily_usd, held, 8),
        "unmeasured": {
            symbol: {"notional_usd": usd(notional_usd), "reason": reason}
            for symbol, (notional_usd, reason) in sorted(aside.items())
        },
    }
    for name in ("var95_usd", "es95_usd", "var99_usd", "es99_usd"):
        document[name] = None if tail is None else usd(getattr(tail, name))
    document["tail"] = _tail(tail, found)
    document["kurtosis_hourly"] = share(found.known.kurtosis)
    document["history"] = _history(look, found)
    document["clusters"] = [_cluster(one) for one in report.clusters if one.gross_usd]
    document["stress"] = [_stress(one) for one in found.stress]
    document["stress_unknown"] = dict(found.stress_unknown)
    return document


def _history(look: Look, found: Measured) -> Document:
    """What is known of each position held, and how well."""
    estimate, about = look.assessment.estimate, found.known
    rows: Document = {}
    for symbol in found.held:
        i = estimate.column(symbol)
        rows[symbol] = {
            "observed_bars": int(estimate.observed_bars[i]),
            "effective_bars": share(float(estimate.effective_bars[i]), 1),
            "volatility_daily": share(float(estimate.volatility_daily[i]), 8),
            "volatility_daily_se": share(float(about.volatility_error_daily[i]), 8),
            "short_history": about.short_history[i],
        }
    return rows


def _tail(tail: TailRisk | None, found: Measured) -> Document:
    if tail is None:
        return {"unknown": found.tail_unknown}
    return {
        "unknown": None,
        "worst_usd": usd(tail.worst_usd),
        "scenarios": tail.scenarios,
        "independent": share(tail.independent, 1),
        "dropped": tail.dropped,
        "filled_by_symbol": dict(tail.filled_by_symbol),
        "stand_in": list(tail.stand_in),
        "stand_in_share": share(tail.stand_in_share),
        "history_days": share(found.history_days, 1),
    }


def _cluster(one: ClusterExposure) -> Document:
    return {
        "name": one.name,
        "symbols": list(one.symbols),
        "gross_usd": usd(one.gross_usd),
        "net_usd": usd(one.net_usd),
        "cae_usd": usd(one.cae_usd),
        "variance_share": share(one.variance_share),
    }


def _stress(one: StressResult) -> Document:
    return {
        "name": one.name,
        "loss_usd": usd(one.loss_usd),
        "volatility_daily_usd": usd(one.volatility_usd),
        "detail": one.detail,
    }
