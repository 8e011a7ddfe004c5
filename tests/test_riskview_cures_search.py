"""Every cap's cure against a search: each position is shrunk step by step, on plain formulas."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from risk.book import FloatArray
from risk.limits.caps import RiskLimits, check_limits
from risk.limits.cures import Explanation, explain
from risk.limits.measures import MEASURES, Standing
from risk.limits.stresses import AccountStress

SYMBOLS = ("A", "B", "C", "D", "E")
N = len(SYMBOLS)
CLUSTER = np.array([0, 0, 0, 1, 1])
SECTOR = np.array([True, True, True, True, False])
MARGIN = np.array([0.1, 0.2, 0.05, 0.3, 0.1])
BETA = np.array([1.3, 0.8, 1.7, 1.1, 1.0])
DOUBT = np.array([0.2, 0.1, 0.4, 0.3, 0.0])
EQUITY, BOT_FREE, SIGMA_BTC = 5_000.0, 1_700.0, 0.02
ON_HEDGES = (
    "hedge_gross_usd",
    "cluster_gross_usd",
    "margin_use",
    "bot_margin_share",
    "stress_use",
)
STEPS = 500

Book = Mapping[str, FloatArray]
Value = Callable[[FloatArray, FloatArray], float]


def covariance(seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    spread = 0.02 * rng.standard_normal((N, N + 2)) + 0.04 * rng.standard_normal((1, N + 2))
    return np.asarray(spread @ spread.T)


def stress(seed: int) -> AccountStress:
    rng = np.random.default_rng(seed + 1)
    returns = 0.3 * rng.standard_normal((2, N))
    return AccountStress(("one", "two"), returns, MARGIN / 2, shared=False)


def plain_values(seed: int) -> dict[tuple[str, str], Value]:
    """What each cap measures, of bot x and hedge h together as y, written down once more."""
    sigma, moves = covariance(seed), stress(seed)
    found: dict[tuple[str, str], Value] = {
        ("net_usd", ""): lambda x, h: abs((x + h).sum()),
        ("sector_net_usd", ""): lambda x, h: abs((x + h)[:4].sum()),
        ("cluster_net_usd", "one"): lambda x, h: abs((x + h)[:3].sum()),
        ("cluster_net_usd", "two"): lambda x, h: abs((x + h)[3:].sum()),
        ("cluster_gross_usd", "one"): lambda x, h: np.abs(h[:3]).sum(),
        ("cluster_gross_usd", "two"): lambda x, h: np.abs(h[3:]).sum(),
        ("hedge_gross_usd", ""): lambda x, h: np.abs(h).sum(),
        ("margin_use", ""): lambda x, h: (MARGIN * np.abs(h)).sum() / EQUITY,
        ("bot_margin_share", ""): lambda x, h: (MARGIN * np.abs(h)).sum() / BOT_FREE,
        ("cae_usd", ""): lambda x, h: np.sqrt((x + h) @ sigma @ (x + h)) / SIGMA_BTC,
        ("beta_net_usd", ""): lambda x, h: (
            abs((BETA * (x + h)).sum()) + (DOUBT * np.abs(x + h)).sum()
        ),
    }
    found |= {("token_usd", symbol): _of_token(i) for i, symbol in enumerate(SYMBOLS)}
    found |= {
        ("stress_use", name): _of_stress(move)
        for name, move in zip(moves.names, moves.returns, strict=True)
    }
    return found


def _of_token(i: int) -> Value:
    return lambda x, h: abs((x + h)[i])


def _of_stress(move: FloatArray) -> Value:
    return lambda x, h: ((MARGIN / 2 * np.abs(h)).sum() - (move * h).sum()) / EQUITY


def searched(value: Value, limit: float, bot: FloatArray, hedge: FloatArray, cap: str) -> Any:
    """(symbol, USD) of the smallest reduction that cures, among all positions; None without."""
    best: tuple[float, str] | None = None
    held = hedge if cap in ON_HEDGES else bot + hedge
    for i in np.flatnonzero(held).tolist():
        for usd in np.linspace(0, abs(held[i]), STEPS + 1).tolist():
            moved = np.zeros(N)
            moved[i] = -np.sign(held[i]) * usd
            if value(bot, hedge + moved) <= limit * (1 + 1e-9):
                best = min(best or (np.inf, ""), (usd, SYMBOLS[i]))
                break
    return best


def explained(limits: RiskLimits, seed: int, bot: FloatArray, hedge: FloatArray) -> Any:
    market: dict[str, Any] = {
        "bot_usd": bot,
        "hedge_usd": hedge,
        "covariance_daily": covariance(seed),
        "volatility_btc_daily": SIGMA_BTC,
        "beta_btc": BETA,
        "in_sector": SECTOR,
        "cluster": CLUSTER,
        "initial_margin_rate": MARGIN,
        "equity_usd": EQUITY,
        "cluster_names": ("one", "two"),
        "beta_doubt": DOUBT,
        "stress": stress(seed),
        "bot_free_margin_usd": BOT_FREE,
    }
    report = check_limits(limits, symbols=SYMBOLS, may_hedge=np.ones(N, dtype=np.bool_), **market)
    standing = Standing(SYMBOLS, *market.values())
    return [explain(one, standing) for one in report.breaches]


def check(one: Explanation, seed: int, bot: FloatArray, hedge: FloatArray) -> bool:
    """Compare one explanation with the search; True where there was a cure."""
    cap, scope, limit = one.breach.cap, one.breach.scope, one.breach.limit
    value = plain_values(seed)[cap, scope]
    assert one.breach.value == pytest.approx(value(bot, hedge), rel=1e-12)
    assert sum(part for _, part in one.parts) == pytest.approx(one.breach.value, rel=1e-9)
    assert [part for _, part in one.parts] == sorted((p for _, p in one.parts), reverse=True)
    wanted = searched(value, limit, bot, hedge, cap)
    if one.cure is None:
        assert wanted is None, (cap, scope, wanted)
        return False
    i = SYMBOLS.index(one.cure.symbol)
    held = hedge if cap in ON_HEDGES else bot + hedge
    moved = np.zeros(N)
    moved[i] = -np.sign(held[i]) * one.cure.reduce_usd
    assert value(bot, hedge + moved) == pytest.approx(limit, rel=1e-9), "exactly at the cap"
    if wanted is not None:  # a grid may step over a cure that ends in the last cell
        usd, symbol = wanted
        step = abs(held[SYMBOLS.index(symbol)]) / STEPS
        assert usd - step <= one.cure.reduce_usd <= usd * (1 + 1e-9) + 1e-6, (cap, scope)
    return True


@pytest.mark.parametrize("cap", MEASURES)
def test_the_cure_is_the_smallest_that_a_search_finds(cap: str) -> None:
    cured, incurable = 0, 0
    for seed in range(9):
        rng = np.random.default_rng(100 + seed)
        bot = np.round(rng.uniform(-400, 1000, N), 2)
        hedge = np.round(-rng.uniform(0, 400, N), 2)
        if seed % 3 == 0:
            hedge *= -1  # long hedges, and books that are net short
            bot *= -1
        for share in (0.2, 0.75, 0.95):
            worst = max(
                value(bot, hedge) for (name, _), value in plain_values(seed).items() if name == cap
            )
            if worst <= 0:
                continue
            for one in explained(RiskLimits(**{cap: share * worst}), seed, bot, hedge):
                found = check(one, seed, bot, hedge)
                cured, incurable = cured + found, incurable + (not found)
    assert cured >= 9
    assert incurable >= (0 if cap == "token_usd" else 1), "both ways were met"
