"""Seeded cycle documents as a run leaves them, for the tests of report and tables."""

import json
from typing import Any

import numpy as np

from bot.records.cycle import (
    CycleRecord,
    CycleStatus,
    ExposureRecord,
    FillRecord,
    LegRecord,
    OrderRecord,
    ProposalRecord,
    iso_utc,
)
from risk.limits.caps import LimitBreach

BOT = ("FET", "RENDER", "TAO", "WLD")
HEDGES = ("BTC", "ETH", "NEAR", "ICP", "GRT", "AKT")
OTHERS = ("AR", "AIOZ", "ARKM", "VIRTUAL")
PRICES = {"BTC": 84210.5, "ETH": 2210.4, "FET": 0.6123, "TAO": 311.2, "AIOZ": 0.00003412}
LIMITS = {
    "token_usd": 26000.0,
    "hedge_gross_usd": 75000.0,
    "net_usd": 28000.0,
    "cluster_net_usd": 18000.0,
    "beta_net_usd": 32000.0,
    "cae_usd": 62000.0,
    "turnover_daily_usd": 90000.0,
    "adv_share": 0.01,
    "margin_use": 0.5,
    "sector_net_usd": None,
    "cluster_gross_usd": None,
}
START_MS = 1_740_787_200_000  # 2025-03-01 00:00 UTC


def perpetual(base: str) -> str:
    """Unified symbol."""
    return f"{base}/USDT:USDT"


def sample_documents(cycles: int = 12, seed: int = 7) -> list[dict[str, Any]]:
    """Documents after a JSON round trip: a bot that piles up longs, one cycle held, one denied."""
    rng = np.random.default_rng(seed)
    hedges = dict.fromkeys(HEDGES, 0.0)
    records = []
    for i in range(cycles):
        stamp = START_MS + i * 4 * 3_600_000
        if i == cycles // 2 and cycles > 3:
            records.append(_held(i, stamp))
            continue
        bot = {name: 2300.0 * min(i + 1, 8) * (0.7 + 0.2 * k) for k, name in enumerate(BOT)}
        records.append(_cycle(rng, i, stamp, bot, hedges, denied=i == cycles - 3))
    return [json.loads(json.dumps(record.document())) for record in records]


def _held(i: int, stamp: int) -> CycleRecord:
    reason = "account data is 95 s old, 60 s is the most that is trusted"
    return CycleRecord(f"c{i:04d}", iso_utc(stamp), stamp, CycleStatus.HELD, reason)


def _cycle(
    rng: np.random.Generator,
    i: int,
    stamp: int,
    bot: dict[str, float],
    hedges: dict[str, float],
    *,
    denied: bool,
) -> CycleRecord:
    gross = sum(bot.values())
    wanted = {name: -gross * share for name, share in zip(HEDGES, _shares(rng), strict=True)}
    before = dict(hedges)
    if not denied:
        hedges.update(wanted)
    alone = gross * 0.052 * float(rng.uniform(0.95, 1.05))
    share_before = min(1.0, sum(map(abs, before.values())) / (0.72 * gross))
    share_after = min(1.0, sum(map(abs, hedges.values())) / (0.72 * gross))
    volatility = {
        "before": alone * (1 - 0.6 * share_before),
        "after": alone * (1 - 0.6 * share_after),
    }
    use_before, use_after = (
        _use(volatility[w] / 0.028, gross, h) for w, h in (("before", before), ("after", hedges))
    )
    return CycleRecord(
        cycle_id=f"c{i:04d}",
        timestamp=iso_utc(stamp),
        timestamp_ms=stamp,
        status=CycleStatus.DENIED if denied else CycleStatus.HEDGED,
        reason="price collar: ETH limit 2.4 % off the mark, 1 % allowed"
        if denied
        else "cut volatility",
        bot_gross_usd=gross,
        hedge_gross_usd=sum(map(abs, hedges.values())),
        equity_usd=60000.0,
        volatility_unhedged_daily_usd=alone,
        volatility_before_daily_usd=volatility["before"],
        volatility_after_daily_usd=volatility["after"],
        cae_before_usd=volatility["before"] / 0.028,
        cae_after_usd=volatility["after"] / 0.028,
        cap_use_before=use_before,
        cap_use_after=use_after,
        limits=dict(LIMITS),
        breaches_before=_breaches(use_before),
        breaches_after=_breaches(use_after),
        exposure=_exposure(bot, before, volatility["before"]),
        crowding={perpetual(name): float(rng.normal(0.8, 1.0)) for name in (*BOT, *HEDGES)},
        excluded={perpetual("VIRTUAL"): "listed 9 days ago, 14 days are needed"},
        correlation=_correlation(rng),
        legs=_legs(bot, before, hedges),
        proposal=_proposal(volatility["after"]),
        orders=_orders(i, before, wanted, denied=denied),
        fills=() if denied else _fills(i, before, wanted),
    )


def _shares(rng: np.random.Generator) -> list[float]:
    raw = rng.uniform(0.6, 1.4, len(HEDGES)) * np.array([0.2, 0.14, 0.12, 0.1, 0.1, 0.06])
    return [float(share) for share in raw]


def _use(cae: float, gross: float, hedges: dict[str, float]) -> dict[str, float]:
    net = gross + sum(hedges.values())
    hedge_gross = sum(map(abs, hedges.values()))
    return {
        "token_usd": gross * 0.32 / 26000.0,
        "hedge_gross_usd": hedge_gross / 75000.0,
        "net_usd": abs(net) / 28000.0,
        "cluster_net_usd": abs(net) * 0.6 / 18000.0,
        "beta_net_usd": abs(net) * 1.1 / 32000.0,
        "cae_usd": cae / 62000.0,
        "turnover_daily_usd": 0.31,
        "adv_share": 0.12,
        "margin_use": hedge_gross / 60000.0 / 5 / 0.5,
    }


def _breaches(use: dict[str, float]) -> tuple[LimitBreach, ...]:
    return tuple(
        LimitBreach(
            cap,
            perpetual("WLD") if cap == "token_usd" else "",
            share * limit,
            limit,
            True,
            cap != "token_usd",
        )
        for cap, share in use.items()
        if share > 1 and (limit := LIMITS[cap]) is not None
    )


def _exposure(bot: dict[str, float], hedges: dict[str, float], volatility: float) -> ExposureRecord:
    raw = {perpetual(n): v for n, v in (bot | hedges).items() if v}
    scale = volatility / sum(raw.values())
    return ExposureRecord(
        sum(raw.values()),
        sum(raw.values()) * 1.1,
        1.31,
        {s: v * scale for s, v in raw.items()},
        0.028,
    )


def _correlation(rng: np.random.Generator) -> dict[str, Any]:
    names = [*HEDGES[:2], *BOT, *HEDGES[2:], *OTHERS]
    loadings = np.column_stack([rng.uniform(0.6, 0.85, len(names)), rng.normal(0, 0.3, len(names))])
    loadings[:2, 1], loadings[2:9, 1] = -0.3, 0.45
    matrix = loadings @ loadings.T
    np.fill_diagonal(matrix, 1.0)
    symbols = [perpetual(name) for name in names]
    return {
        "symbols": symbols,
        "matrix": matrix.tolist(),
        "clusters": [symbols[:2], symbols[2:9], symbols[9:]],
        "held": [perpetual(name) for name in BOT],
    }


def _legs(
    bot: dict[str, float], before: dict[str, float], after: dict[str, float]
) -> tuple[LegRecord, ...]:
    rows = [
        LegRecord(perpetual(n), v, 0.0, 0.0, 0.0, 0.0, PRICES.get(n, 4.2)) for n, v in bot.items()
    ]
    rows += [
        LegRecord(
            perpetual(n),
            0.0,
            before[n],
            after[n],
            after[n] - before[n],
            after[n],
            PRICES.get(n, 4.2),
        )
        for n in HEDGES
    ]
    return tuple(rows)


def _proposal(volatility: float) -> ProposalRecord:
    return ProposalRecord(
        "minimum_risk",
        "Short 6 tokens for 12,400 USD: volatility falls from 2,100 to 980 USD a day for 9 USD.",
        volatility,
        volatility / 0.028,
        6.2,
        2.1,
        0.7,
        -3.4,
        {"cae_usd": 0.0021, "net_usd": 0.0},
        {},
        12.31,
        12.34,
        "optimal",
    )


def _orders(
    i: int, before: dict[str, float], after: dict[str, float], *, denied: bool
) -> tuple[OrderRecord, ...]:
    if denied:
        return ()
    return tuple(
        OrderRecord(
            f"ph-{i:04d}-{n}",
            perpetual(n),
            "sell" if after[n] < before[n] else "buy",
            _quantity(before[n], after[n], n),
            f"{PRICES.get(n, 4.2) * 0.995:.4f}",
            after[n] > before[n],
            "filled",
            _quantity(before[n], after[n], n),
            "",
        )
        for n in HEDGES
    )


def _fills(i: int, before: dict[str, float], after: dict[str, float]) -> tuple[FillRecord, ...]:
    return tuple(
        FillRecord(
            f"ph-{i:04d}-{n}",
            f"{1000 * i + k}",
            perpetual(n),
            "sell" if after[n] < before[n] else "buy",
            _quantity(before[n], after[n], n),
            f"{PRICES.get(n, 4.2) * 0.9996:.4f}",
            f"{abs(after[n] - before[n]) * 0.0005:.6f}",
        )
        for k, n in enumerate(HEDGES)
    )


def _quantity(before: float, after: float, name: str) -> str:
    return f"{abs(after - before) / PRICES.get(name, 4.2):.3f}"
