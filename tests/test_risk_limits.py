"""Caps: each by hand, at the edge, alone with the bot, and curable or not."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.errors import DataError
from risk.limits.caps import LimitBreach, LimitReport, RiskLimits, check_limits, check_trade_limits

SYMBOLS = ("A", "B", "C", "BTC")


def book(**changes: Any) -> dict[str, Any]:
    """Longs in A and B, shorts in B, C and BTC; uncorrelated, σ 10 % a day, BTC 5 %."""
    facts: dict[str, Any] = {
        "symbols": SYMBOLS,
        "bot_usd": np.array([6000.0, 4000.0, 0.0, 0.0]),
        "hedge_usd": np.array([0.0, -1000.0, -2000.0, -3000.0]),
        "covariance_daily": np.diag([0.01, 0.01, 0.01, 0.0025]),
        "volatility_btc_daily": 0.05,
        "beta_btc": np.array([1.5, 2.0, 1.0, 1.0]),
        "in_sector": np.array([True, True, True, False]),
        "cluster": np.array([0, 0, 1, -1]),
        "initial_margin_rate": np.array([0.2, 0.2, 0.1, 0.05]),
        "equity_usd": 2000.0,
        "may_hedge": np.array([False, False, True, True]),
    }
    return facts | changes


def check(limits: RiskLimits, **changes: Any) -> LimitReport:
    return check_limits(limits, **book(**changes))


MEASURED = {
    "token_usd": (6000.0, 6000.0),
    "hedge_gross_usd": (6000.0, 0.0),
    "net_usd": (4000.0, 10000.0),
    "sector_net_usd": (7000.0, 10000.0),
    "cluster_net_usd": (9000.0, 10000.0),
    "cluster_gross_usd": (2000.0, 0.0),
    "beta_net_usd": (9000 + 6000 - 2000 - 3000.0, 17000.0),
    "cae_usd": (
        np.sqrt(0.01 * (6000**2 + 3000**2 + 2000**2) + 0.0025 * 3000**2) / 0.05,
        np.sqrt(0.01 * (6000**2 + 4000**2)) / 0.05,
    ),
    "margin_use": ((200 + 200 + 150) / 2000.0, 0.0),
}


@pytest.mark.parametrize("cap", MEASURED)
def test_each_cap_by_hand(cap: str) -> None:
    value, alone = MEASURED[cap]
    report = check(RiskLimits(**{cap: 0.9 * value}))
    assert report.cap_use == {cap: pytest.approx(1 / 0.9)}
    assert report.cap_use_bot_alone == {cap: pytest.approx(alone / (0.9 * value))}
    (breach,) = report.breaches
    assert (breach.cap, breach.limit) == (cap, 0.9 * value)
    assert breach.value == pytest.approx(value)
    assert breach.bot_alone == (alone > 0.9 * value)


@pytest.mark.parametrize("cap", MEASURED)
def test_exactly_at_the_cap_is_inside(cap: str) -> None:
    value, _ = MEASURED[cap]
    assert check(RiskLimits(**{cap: value})).breaches == ()
    assert check(RiskLimits(**{cap: value * (1 - 1e-10)})).breaches == ()
    assert len(check(RiskLimits(**{cap: value * (1 - 1e-8)})).breaches) == 1


def test_no_cap_measures_nothing() -> None:
    assert check(RiskLimits()) == LimitReport((), {}, {})


def test_every_cap_is_measured_somewhere() -> None:
    everything = RiskLimits(**{field.name: 1.0 for field in fields(RiskLimits)})
    standing = check(everything).cap_use.keys()
    trades = check_trade_limits(
        everything,
        symbols=["A"],
        trade_usd=np.ones(1),
        adv_usd=np.ones(1),
        turnover_used_usd=0.0,
    ).cap_use.keys()
    assert standing | trades == {field.name for field in fields(RiskLimits)}
    assert not standing & trades


def test_scopes_are_named() -> None:
    report = check(RiskLimits(token_usd=2500.0), cluster_names=("compute", "data"))
    assert [b.scope for b in report.breaches] == ["A", "B", "BTC"]
    limits = RiskLimits(cluster_net_usd=100.0)
    assert [b.scope for b in check(limits).breaches] == ["cluster 0", "cluster 1"]
    named = check(limits, cluster_names=("compute", "data")).breaches
    assert [b.scope for b in named] == ["compute", "data"]


def test_a_token_that_may_not_be_hedged_is_not_curable() -> None:
    (breach,) = check(RiskLimits(token_usd=5000.0)).breaches
    assert breach == LimitBreach("token_usd", "A", 6000.0, 5000.0, bot_alone=True, curable=False)
    (breach,) = check(RiskLimits(token_usd=5000.0), may_hedge=np.ones(4, dtype=bool)).breaches
    assert breach.curable


def test_a_hedge_that_is_too_large_can_always_shrink() -> None:
    nothing = np.zeros(4, dtype=bool)
    hedge = np.array([0.0, -9000.0, 0.0, 0.0])
    for cap in ("token_usd", "hedge_gross_usd", "cluster_gross_usd"):
        report = check(RiskLimits(**{cap: 4500.0}), hedge_usd=hedge, may_hedge=nothing)
        assert [(b.scope in {"B", "", "cluster 0"}, b.curable) for b in report.breaches[-1:]] == [
            (True, True)
        ]


def test_only_an_allowed_direction_cures() -> None:
    """The bot is short: with shorts only nothing helps, with longs allowed it does."""
    short = {"bot_usd": np.array([-6000.0, 0, 0, 0]), "hedge_usd": np.zeros(4)}
    for cap in ("net_usd", "sector_net_usd", "beta_net_usd", "cae_usd"):
        limits = RiskLimits(**{cap: 100.0})
        everything = np.ones(4, dtype=bool)
        assert not check(limits, **short, may_hedge=everything).breaches[0].curable
        free = check(limits, **short, may_hedge=everything, shorts_only=False)
        assert free.breaches[0].curable


def test_correlation_decides_whether_a_hedge_cures_the_correlated_exposure() -> None:
    limits = RiskLimits(cae_usd=1000.0)
    only_c = np.array([False, False, True, False])
    flat = {"hedge_usd": np.zeros(4), "may_hedge": only_c}
    assert not check(limits, **flat).breaches[0].curable
    related = np.diag([0.01, 0.01, 0.01, 0.0025])
    related[0, 2] = related[2, 0] = 0.006
    assert check(limits, **flat, covariance_daily=related).breaches[0].curable


def test_a_cap_of_zero() -> None:
    report = check(RiskLimits(hedge_gross_usd=0.0))
    assert report.cap_use["hedge_gross_usd"] == np.inf
    assert len(report.breaches) == 1
    empty = check(RiskLimits(hedge_gross_usd=0.0), hedge_usd=np.zeros(4))
    assert empty.cap_use["hedge_gross_usd"] == 0
    assert empty.breaches == ()


def test_margin_without_equity() -> None:
    report = check(RiskLimits(margin_use=0.5), equity_usd=0.0)
    assert report.breaches[0].value == np.inf
    assert check(RiskLimits(margin_use=0.5), equity_usd=-5.0, hedge_usd=np.zeros(4)).breaches == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bot_usd": np.array([1.0, np.nan, 0, 0])}, "bot_usd holds a number that is not finite"),
        ({"hedge_usd": np.zeros(3)}, "hedge_usd has shape"),
        ({"covariance_daily": np.full((4, 4), np.inf)}, "covariance_daily holds"),
        ({"covariance_daily": np.eye(3)}, "covariance_daily has shape"),
        ({"equity_usd": float("nan")}, "equity_usd holds"),
        ({"volatility_btc_daily": 0.0}, "volatility of BTC is 0"),
        ({"volatility_btc_daily": float("nan")}, "volatility of BTC is nan"),
        ({"beta_btc": np.full(4, np.nan)}, "beta_btc holds"),
    ],
)
def test_unknown_numbers_are_refused_and_never_inside(change: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        check(RiskLimits(net_usd=1e9), **change)


def test_trades_by_hand() -> None:
    limits = RiskLimits(turnover_daily_usd=1000.0, adv_share=0.01)
    report = check_trade_limits(
        limits,
        symbols=["A", "B", "C"],
        trade_usd=np.array([-500.0, 300.0, 0.0]),
        adv_usd=np.array([50_000.0, 20_000.0, np.nan]),
        turnover_used_usd=400.0,
    )
    assert report.cap_use == {
        "turnover_daily_usd": pytest.approx(1.2),
        "adv_share": pytest.approx(1.5),
    }
    turnover, share = report.breaches
    assert turnover == LimitBreach("turnover_daily_usd", "", 1200.0, 1000.0, False, True)
    assert share.scope == "B"
    assert share.value == pytest.approx(0.015)


def test_turnover_already_used_up_is_not_curable() -> None:
    report = check_trade_limits(
        RiskLimits(turnover_daily_usd=100.0),
        symbols=["A"],
        trade_usd=np.zeros(1),
        adv_usd=np.ones(1),
        turnover_used_usd=200.0,
    )
    assert [b.curable for b in report.breaches] == [False]


@pytest.mark.parametrize("adv", [np.nan, 0.0, -1.0])
def test_a_trade_without_known_volume_is_refused(adv: float) -> None:
    with pytest.raises(DataError, match="A: daily volume"):
        check_trade_limits(
            RiskLimits(adv_share=0.01),
            symbols=["A"],
            trade_usd=np.ones(1),
            adv_usd=np.array([adv]),
            turnover_used_usd=0.0,
        )


def test_unknown_trades_are_refused() -> None:
    for trade, used in ((np.nan, 0.0), (1.0, np.nan), (1.0, -1.0)):
        with pytest.raises(DataError):
            check_trade_limits(
                RiskLimits(turnover_daily_usd=1.0),
                symbols=["A"],
                trade_usd=np.array([trade]),
                adv_usd=np.ones(1),
                turnover_used_usd=used,
            )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(0.01, 100.0))
def test_order_and_unit_of_money_do_not_matter(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    n = 6
    root = rng.normal(size=(n, n)) * 0.05
    money: dict[str, Any] = {
        "bot_usd": rng.normal(size=n) * 1e4,
        "hedge_usd": -rng.uniform(0, 1e4, n),
    }
    facts: dict[str, Any] = {
        "beta_btc": rng.uniform(0.5, 2, n),
        "in_sector": rng.random(n) < 0.7,
        "cluster": rng.integers(-1, 3, n),
        "initial_margin_rate": rng.uniform(0.05, 0.5, n),
        "may_hedge": rng.random(n) < 0.5,
    }
    caps = {name: float(v) for name, v in zip(MEASURED, rng.uniform(1e3, 2e4, 9), strict=True)}
    caps["margin_use"] = 0.5
    common: dict[str, Any] = {"volatility_btc_daily": 0.03}
    names = [f"T{i}" for i in range(n)]
    plain = check_limits(
        RiskLimits(**caps), symbols=names, covariance_daily=root @ root.T, equity_usd=5e3,
        **money, **facts, **common,
    )  # fmt: skip
    order = rng.permutation(n)
    other = check_limits(
        RiskLimits(**{k: v if k == "margin_use" else scale * v for k, v in caps.items()}),
        symbols=[names[i] for i in order],
        covariance_daily=(root @ root.T)[np.ix_(order, order)],
        equity_usd=scale * 5e3,
        **{k: scale * v[order] for k, v in money.items()},
        **{k: v[order] for k, v in facts.items()},
        **common,
    )
    assert other.cap_use == pytest.approx(plain.cap_use)
    assert other.cap_use_bot_alone == pytest.approx(plain.cap_use_bot_alone)
    assert {(b.cap, b.scope, b.bot_alone, b.curable) for b in other.breaches} == {
        (b.cap, b.scope, b.bot_alone, b.curable) for b in plain.breaches
    }


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_curable_means_that_some_small_allowed_move_lowers_the_value(seed: int) -> None:
    """The flag against brute force: every allowed move of one hedge by a dollar."""
    rng = np.random.default_rng(seed)
    n = 4
    root = rng.normal(size=(n, n)) * 0.05
    facts: dict[str, Any] = {
        "symbols": [f"T{i}" for i in range(n)],
        "bot_usd": rng.normal(size=n) * 1e4,
        "hedge_usd": -rng.uniform(100, 1e4, n) * (rng.random(n) < 0.5),
        "covariance_daily": root @ root.T,
        "volatility_btc_daily": 0.03,
        "beta_btc": rng.uniform(0.5, 2, n),
        "in_sector": rng.random(n) < 0.7,
        "cluster": np.zeros(n, dtype=np.int64),
        "initial_margin_rate": rng.uniform(0.05, 0.5, n),
        "equity_usd": 5e3,
        "may_hedge": rng.random(n) < 0.4,
    }
    moves = [facts["hedge_usd"] - step for step in np.eye(n)[facts["may_hedge"]]]
    moves += [facts["hedge_usd"] + step for step in np.eye(n)[facts["hedge_usd"] < 0]]
    for cap in MEASURED:
        if cap == "token_usd":
            continue  # many scopes, tested by hand
        limits = RiskLimits(**{cap: 1e-3})
        for breach in check_limits(limits, **facts).breaches:
            values = [
                check_limits(limits, **(facts | {"hedge_usd": move})).cap_use[cap] * 1e-3
                for move in moves
            ]
            assert breach.curable == any(v < breach.value - 1e-9 for v in values), cap
