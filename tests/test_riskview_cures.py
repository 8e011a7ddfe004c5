"""Who causes a breach, and the smallest single reduction that cures it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.book import FloatArray
from risk.errors import DataError
from risk.limits.caps import LimitBreach, RiskLimits, check_limits
from risk.limits.cures import Explanation, explain
from risk.limits.measures import Standing

SYMBOLS = ("A", "B", "C")
SIGMA = np.array([0.05, 0.06, 0.02])
RHO = np.array([[1.0, 0.7, 0.5], [0.7, 1.0, 0.4], [0.5, 0.4, 1.0]])
COVARIANCE = RHO * np.outer(SIGMA, SIGMA)
BETA = np.array([1.25, 1.2, 1.0])


def market(bot: FloatArray, hedge: FloatArray, equity: float) -> dict[str, Any]:
    return {
        "bot_usd": bot,
        "hedge_usd": hedge,
        "covariance_daily": COVARIANCE,
        "volatility_btc_daily": 0.02,
        "beta_btc": BETA,
        "in_sector": np.array([True, True, False]),
        "cluster": np.array([0, 0, 1]),
        "initial_margin_rate": np.array([0.1, 0.2, 0.05]),
        "equity_usd": equity,
    }


def breaches(limits: RiskLimits, book: dict[str, Any]) -> tuple[LimitBreach, ...]:
    may = np.ones(3, dtype=np.bool_)
    return check_limits(
        limits, symbols=SYMBOLS, may_hedge=may, cluster_names=("one", "two"), **book
    ).breaches


def explained(
    limits: RiskLimits, bot: list[float], hedge: list[float], equity: float = 1000.0
) -> tuple[list[Explanation], dict[str, Any]]:
    book = market(np.array(bot, float), np.array(hedge, float), equity)
    standing = Standing(SYMBOLS, *book.values(), cluster_names=("one", "two"))
    return [explain(one, standing) for one in breaches(limits, book)], book


def test_a_net_cap_is_cured_by_the_excess() -> None:
    (one,), _ = explained(RiskLimits(net_usd=500), [600, 300, -100], [0, 0, 0])
    assert one.parts == (("A", 600.0), ("B", 300.0), ("C", -100.0))
    assert one.cure is not None
    assert (one.cure.symbol, one.cure.reduce_usd) == ("A", pytest.approx(300))


def test_a_net_short_book_counts_shorts_as_the_cause() -> None:
    (one,), _ = explained(RiskLimits(net_usd=100), [-600, 50, 0], [0, 0, 0])
    assert one.parts == (("A", 600.0), ("B", -50.0))
    assert one.cure is not None
    assert one.cure.reduce_usd == pytest.approx(450)


def test_beta_takes_the_position_that_needs_the_fewest_dollars() -> None:
    (one,), _ = explained(RiskLimits(beta_net_usd=1000), [500, 600, 100], [0, 0, 0])
    assert one.cure is not None
    assert one.cure.symbol == "A"
    assert one.cure.reduce_usd == pytest.approx((625 + 720 + 100 - 1000) / 1.25)


def test_no_single_position_may_be_enough() -> None:
    (one,), _ = explained(RiskLimits(net_usd=100), [300, 300, 300], [0, 0, 0])
    assert one.cure is None


def test_margin_without_equity_has_no_cure() -> None:
    (one,), _ = explained(RiskLimits(margin_use=0.5), [0, 0, 0], [-100, 0, 0], equity=0.0)
    assert one.cure is None


def test_hedge_caps_look_at_hedges_alone() -> None:
    (one,), _ = explained(RiskLimits(hedge_gross_usd=500), [9000, 0, 0], [0, -400, -300])
    assert one.parts == (("B", 400.0), ("C", 300.0))
    assert one.cure is not None
    assert (one.cure.symbol, one.cure.reduce_usd) == ("B", pytest.approx(200))


def test_correlation_adjusted_exposure_is_cured_by_the_root() -> None:
    (one,), book = explained(RiskLimits(cae_usd=2000), [800, 500, -300], [0, 0, 0])
    assert one.cure is not None
    i = SYMBOLS.index(one.cure.symbol)

    def value(usd: float) -> float:
        x = book["bot_usd"].copy()
        x[i] -= np.sign(x[i]) * usd
        return float(np.sqrt(x @ COVARIANCE @ x)) / 0.02

    grid = np.linspace(0, abs(book["bot_usd"][i]), 200_001)
    first = next(usd for usd in grid.tolist() if value(usd) <= 2000)
    assert one.cure.reduce_usd == pytest.approx(first, abs=0.01)


def test_an_unknown_scope_is_an_error() -> None:
    standing = Standing(SYMBOLS, *market(np.ones(3), np.zeros(3), 1.0).values(), cluster_names=())
    for cap, scope in (("token_usd", "Z"), ("cluster_net_usd", "none"), ("adv_share", "A")):
        with pytest.raises(DataError, match=scope if cap != "adv_share" else cap):
            explain(LimitBreach(cap, scope, 2.0, 1.0, True, True), standing)


USD = st.floats(-1000, 1000).map(lambda v: round(v, 2))
EVERY_CAP = RiskLimits(
    token_usd=300,
    hedge_gross_usd=200,
    net_usd=300,
    sector_net_usd=250,
    cluster_net_usd=250,
    cluster_gross_usd=150,
    beta_net_usd=300,
    cae_usd=500,
    margin_use=0.05,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(USD, min_size=3, max_size=3), st.lists(USD, min_size=3, max_size=3))
def test_parts_sum_to_the_value_and_the_cure_brings_it_to_the_cap(
    bot: list[float], hedge: list[float]
) -> None:
    found, book = explained(EVERY_CAP, bot, hedge)
    for one in found:
        assert sum(part for _, part in one.parts) == pytest.approx(one.breach.value, rel=1e-9)
        if one.cure is None:
            continue
        i = SYMBOLS.index(one.cure.symbol)
        on_hedges = one.breach.cap in ("hedge_gross_usd", "cluster_gross_usd", "margin_use")
        side = "hedge_usd" if on_hedges else "bot_usd"
        held = book["hedge_usd"][i] if on_hedges else book["bot_usd"][i] + book["hedge_usd"][i]
        assert 0 < one.cure.reduce_usd <= abs(held) * (1 + 1e-9)
        for usd, is_cured in ((one.cure.reduce_usd, True), (0.99 * one.cure.reduce_usd, False)):
            moved = {**book, side: book[side].copy()}
            moved[side][i] -= np.sign(held) * usd
            limit = {one.breach.cap: one.breach.limit * (1 + 1e-7)}
            left = [b for b in breaches(RiskLimits(**limit), moved) if b.scope == one.breach.scope]
            assert (not left) == is_cured
