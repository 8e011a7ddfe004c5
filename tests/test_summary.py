"""What a cycle saw and did, as the records of its document."""

import json
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from bot.measuring.assessment import Assessment, Screen, assess
from bot.measuring.estimation import MarketModel
from bot.measuring.universe import Universe
from bot.records.summary import (
    correlation_record,
    crowding_record,
    exposure_record,
    fill_records,
    hedge_vector,
    leg_records,
    limits_record,
    order_records,
    proposal_record,
    shares,
    usd,
)
from bot.trading.execution import PlaceResult
from bot.trading.orders import Fill, OrderRequest, OrderState, Side
from risk.errors import DataError
from risk.limits.caps import RiskLimits
from risk.returns import HOUR_MS
from strategies.inputs import HedgeChoices
from strategies.minimum_risk import MinimumRisk
from strategies.proposal import HedgeProposal
from tests.panel_market import (
    BTC,
    ETH,
    FET,
    NEAR,
    START_MS,
    SYMBOLS,
    TAO,
    WLD,
    PanelMarket,
    closes,
    observation,
    payments,
)
from tests.strategies_cases import free, two_tokens

HOURS = 20 * 24


async def assessment() -> Assessment:
    market = PanelMarket(closes(HOURS))
    market.payments[NEAR] = payments(NEAR, 3e-4, HOURS)
    model = MarketModel(market, backfill_days=30, shrinkage=0.2)
    view = await model.refresh(SYMBOLS, START_MS + HOUR_MS * HOURS)
    look = observation(market, {FET: 10_000.0, WLD: 6_000.0}, {NEAR: -3_000.0})
    universe = Universe((FET, NEAR, TAO, WLD), (BTC, ETH), ())
    screen = Screen(14.0, 1e6, frozenset(SYMBOLS))
    return assess(look, view, universe, screen, turnover_used_usd=0.0)


def test_money_and_shares_are_rounded_to_what_can_be_told():
    assert usd(np.float64(1.23456)) == 1.2346
    assert type(usd(np.float64(1.0))) is float
    assert shares({"net_usd": 1 / 3}) == {"net_usd": 0.333333}


def test_hedges_at_these_prices_in_the_order_of_the_facts():
    facts = two_tokens(50_000.0, 0.0, 0.0)
    own = {
        ("C", "SHORT"): Decimal("-3"),
        ("C", "LONG"): Decimal("1"),
        ("B", "BOTH"): Decimal("-2.5"),
        ("gone", "BOTH"): Decimal(0),
    }
    price = {"A": 1.0, "B": 10.0, "C": 100.0}
    assert list(hedge_vector(facts, own, price)) == [0.0, -25.0, -200.0]


def test_a_hedge_out_of_nowhere_is_told_not_dropped():
    with pytest.raises(DataError, match=r"^D: a hedge of -1 came up in the middle of the cycle$"):
        hedge_vector(two_tokens(), {("D", "BOTH"): Decimal(-1)}, {"A": 1.0, "B": 1.0})


async def test_exposure_tells_what_each_position_adds():
    seen = await assessment()
    record = exposure_record(seen)
    assert record.net_usd == 13_000.0
    assert set(record.contributions_usd) == {FET, NEAR, WLD}
    assert record.contributions_usd[NEAR] < 0 < record.contributions_usd[FET]
    total = sum(record.contributions_usd.values())
    assert total == pytest.approx(seen.exposure.volatility_daily_usd, abs=1e-3)
    assert record.diversification_ratio is not None
    assert record.diversification_ratio > 1


async def test_unknown_crowding_is_none_not_zero():
    record = crowding_record(await assessment())
    assert record[NEAR] == 0.0, "the only one with funding: no dispersion"
    assert record[FET] is None


async def test_correlations_stand_in_the_order_of_the_clusters():
    seen = await assessment()
    record = correlation_record(seen)
    assert sorted(record["symbols"]) == sorted(SYMBOLS)
    assert [s for cluster in record["clusters"] for s in cluster] == record["symbols"]
    assert record["held"] == [FET, WLD]
    i, j = record["symbols"].index(FET), record["symbols"].index(BTC)
    a, b = seen.estimate.column(FET), seen.estimate.column(BTC)
    assert record["matrix"][i][j] == pytest.approx(seen.estimate.correlation[a, b], abs=1e-4)
    assert record["matrix"][i][i] == 1.0
    json.dumps(record, allow_nan=False)


def proposal() -> HedgeProposal:
    answer = MinimumRisk().decide(
        two_tokens(50_000.0, -5_000.0, 0.0, taker_fee=np.array([5e-4, 5e-4, 9e-4])),
        free(net_usd=30_000.0),
    )
    assert isinstance(answer, HedgeProposal)
    return answer


def test_legs_are_what_is_held_meant_and_done():
    facts = two_tokens(50_000.0, -5_000.0, 0.0)
    done = np.array([0.0, -19_000.0, 0.0])
    rows = leg_records(facts, proposal(), done)
    assert [row.symbol for row in rows] == ["A", "B"], "nothing is held or meant in C"
    bot, hedge = rows
    assert (bot.bot_usd, bot.hedge_before_usd, bot.target_usd, bot.trade_usd) == (50_000, 0, 0, 0)
    assert (hedge.hedge_before_usd, hedge.target_usd) == (-5_000, -20_000)
    assert (hedge.trade_usd, hedge.hedge_after_usd) == (-15_000, -19_000)


def test_without_a_proposal_hedges_are_meant_to_stay():
    rows = leg_records(two_tokens(50_000.0, -5_000.0), None, np.array([0.0, -5_000.0]))
    assert [(r.target_usd, r.trade_usd, r.hedge_after_usd) for r in rows] == [
        (0.0, 0.0, 0.0),
        (-5_000.0, 0.0, -5_000.0),
    ]


def test_the_proposal_with_its_cost_and_prices():
    answer = proposal()
    record = proposal_record(answer)
    assert record.fee_usd == 7.5
    assert record.spread_usd == 3.0
    assert record.expected_cae_usd == usd(answer.after.cae_usd)
    assert record.shadow_prices["net_usd"] == pytest.approx(7e-4 / 5, abs=1e-6)
    assert record.slacks_usd == {}
    json.dumps(asdict(record), allow_nan=False)


def test_slacks_of_caps_that_cannot_be_met():
    answer = MinimumRisk().decide(two_tokens(), free(net_usd=30_000.0, hedge_gross_usd=8_000.0))
    assert isinstance(answer, HedgeProposal)
    assert proposal_record(answer).slacks_usd == pytest.approx({"net_usd": 12_000.0})


def order(state: OrderState, **changes: Any) -> PlaceResult:
    request = OrderRequest(
        client_id="x1",
        intent_id="i",
        symbol=FET,
        side=Side.SELL,
        quantity=Decimal("12.50"),
        limit_price=Decimal("1.230"),
        time_in_force="IOC",
        reduce_only=False,
    )
    return replace(PlaceResult(request, state), **changes)


def test_orders_that_were_never_sent_are_no_orders():
    sent = order(OrderState.FILLED, filled_quantity=Decimal("12.50"))
    (record,) = order_records([order(OrderState.PLANNED, detail="denied"), sent])
    assert (record.quantity, record.limit_price, record.side) == ("12.50", "1.230", "sell")
    assert (record.state, record.filled_quantity) == ("filled", "12.50")


def test_fills_are_exact_and_an_unknown_fee_is_none():
    fill = Fill(
        "7", "9", "x1", FET, Side.SELL, Decimal("12.50"), Decimal("1.2301"), None, None, False, 0
    )
    (record,) = fill_records([fill])
    assert (record.quantity, record.price, record.fee_usd) == ("12.50", "1.2301", None)
    (paid,) = fill_records([replace(fill, fee_usd=Decimal("0.00769"))])
    assert paid.fee_usd == "0.00769"
    (round_one,) = fill_records([replace(fill, quantity=Decimal("1.843E+4"))])
    assert round_one.quantity == "18430", "as people write it"


def test_every_cap_is_told_also_those_that_are_not_set():
    record = limits_record(RiskLimits(net_usd=20_000.0))
    assert record["net_usd"] == 20_000.0
    assert record["cae_usd"] is None
    assert set(record) == set(RiskLimits.__dataclass_fields__)
    assert set(limits_record(HedgeChoices(RiskLimits()).limits)) == set(record)
