"""Where the book stands, what it cost, and the verdict, from documents."""

from decimal import Decimal
from typing import Any

import pytest

from bot.report import history, rows
from bot.report.orders import order_rows
from tests.report_samples import perpetual, sample_documents

BREACH = {
    "cap": "net_usd",
    "scope": "",
    "value": 21_300.0,
    "limit": 20_000.0,
    "bot_alone": True,
    "curable": True,
}


def cycle(**changes: Any) -> dict[str, Any]:
    """A cycle that was measured and hedged."""
    return {
        "cycle_id": "c1",
        "timestamp": "2025-03-01T00:00:00.000Z",
        "timestamp_ms": 1_740_787_200_000,
        "status": "hedged",
        "reason": "done",
        "volatility_unhedged_daily_usd": 2000.0,
        "volatility_before_daily_usd": 1800.0,
        "volatility_after_daily_usd": 900.0,
        "cae_before_usd": 30_000.0,
        "cae_after_usd": 15_000.0,
        "cap_use_before": {"net_usd": 1.065},
        "cap_use_after": {"net_usd": 0.8, "cae_usd": 0.95},
        "breaches_before": [BREACH],
        "breaches_after": [],
    } | changes


def held(reason: str = "balance is missing") -> dict[str, Any]:
    """A cycle that measured nothing."""
    return {
        "cycle_id": "c2",
        "timestamp_ms": 1_740_801_600_000,
        "status": "held",
        "reason": reason,
        "volatility_after_daily_usd": None,
        "cap_use_after": {},
        "breaches_after": [],
    }


def test_standing_is_after_the_trades_where_that_is_known() -> None:
    state = history.standing(cycle())
    assert (state.volatility_daily_usd, state.cae_usd) == (900.0, 15_000.0)
    assert state.inside is True


def test_standing_is_before_the_trades_where_the_cycle_stopped() -> None:
    stopped = cycle(volatility_after_daily_usd=None, cap_use_after={}, breaches_after=[])
    state = history.standing(stopped)
    assert state.volatility_daily_usd == 1800.0
    assert state.inside is False
    assert state.breaches == (BREACH,)


def test_caps_that_were_not_measured_are_not_inside() -> None:
    assert history.standing(held()).inside is None
    assert history.standing(cycle(cap_use_after={}, cap_use_before={})).inside is None


def test_relief_is_the_share_of_volatility_taken_away() -> None:
    assert history.relief(cycle()) == pytest.approx(0.55)
    assert history.relief(cycle(volatility_unhedged_daily_usd=0.0)) is None
    assert history.relief(cycle(volatility_unhedged_daily_usd=None)) is None


def test_verdict_of_a_good_end() -> None:
    assert history.verdict([held(), cycle()]) == [
        "2 cycles: 1 hedged, 1 held.",
        "On a usual day (one standard deviation) the bot alone would swing by 2,000 USD; "
        "with the hedges it is 900 USD, 55 % less.",
        "2 caps measured, none exceeded; the tightest is correlation-adjusted exposure at 95 %.",
    ]


def test_verdict_of_a_bad_end() -> None:
    over = cycle(volatility_after_daily_usd=2200.0, breaches_after=[BREACH])
    told = history.verdict([over, held("balance is missing.")])
    assert told[1] == "The last cycle measured no risk; the figures are of 2025-03-01 00:00 UTC."
    assert told[2].endswith("with the hedges it is 2,200 USD, 10 % more.")
    assert told[3] == (
        "The book is over 1 cap: net exposure 21,300 USD over 20,000 USD (106 %), by the bot alone."
    )
    assert told[4] == "The last cycle was held: balance is missing."


def test_verdict_of_nothing() -> None:
    assert history.verdict([]) == ["No cycle has been recorded yet, so there is nothing to report."]


def test_cost_is_exact_and_counts_what_it_does_not_know() -> None:
    fees = ["0.1", "0.2", None]
    proposal = {"spread_usd": 1.5, "impact_usd": 0.25, "carry_usd_per_day": -3.0}
    documents = [
        cycle(fills=[{"fee_usd": fee} for fee in fees], proposal=proposal),
        cycle(status="proposed", proposal=proposal | {"carry_usd_per_day": 4.0}),
    ]
    cost = history.cost_so_far(documents)
    assert cost.fees_usd == Decimal("0.3")
    assert (cost.fees_unknown, cost.fills) == (1, 3)
    assert cost.expected_usd == 1.75
    assert cost.carry_usd_per_day == 4.0


def test_cost_of_nothing_is_no_expectation() -> None:
    cost = history.cost_so_far([held()])
    assert (cost.fees_usd, cost.expected_usd, cost.carry_usd_per_day) == (Decimal(0), None, None)


def test_cap_names_keep_the_order_of_the_caps_and_strange_ones_last() -> None:
    document = cycle(cap_use_after={"zzz": 0.1, "cae_usd": 0.2}, limits={"token_usd": 5.0})
    assert history.cap_names([document]) == ["token_usd", "net_usd", "cae_usd", "zzz"]


def test_cap_rows_tell_value_limit_and_state() -> None:
    document = cycle(limits={"net_usd": 20_000.0, "cae_usd": None, "token_usd": 500.0})
    by_label = {row.label: row for row in rows.cap_rows(document)}
    assert by_label["net exposure"].value == "16,000 USD"
    assert by_label["net exposure"].use_before == "106 %"
    assert by_label["correlation-adjusted exposure"].limit == "–"
    assert by_label["any one token"].known is False


def test_slip_is_what_was_paid_beyond_the_mark() -> None:
    order = {"client_id": "a", "symbol": perpetual("FET"), "side": "sell", "quantity": "30"}
    fills = [
        {"client_id": "a", "quantity": "10", "price": "0.99", "fee_usd": "0.01"},
        {"client_id": "a", "quantity": "20", "price": "0.9975", "fee_usd": "0.02"},
        {"client_id": "other", "quantity": "5", "price": "7", "fee_usd": "9"},
    ]
    legs = [{"symbol": perpetual("FET"), "mark_price": 1.0}]
    row = order_rows([cycle(orders=[order], fills=fills, legs=legs)], 10)[0]
    assert (row.average, row.slip, row.fee) == ("0.995", "50.0", "0.0300")


def test_an_unknown_fee_is_not_told_as_a_part_of_it() -> None:
    order = {"client_id": "a", "symbol": perpetual("FET"), "side": "sell", "quantity": "30"}
    fills = [
        {"client_id": "a", "quantity": "10", "price": "0.99", "fee_usd": "0.01"},
        {"client_id": "a", "quantity": "20", "price": "0.99", "fee_usd": None},
    ]
    assert order_rows([cycle(orders=[order], fills=fills)], 10)[0].fee == "–"


def test_troubles_are_breaches_and_stops_only() -> None:
    told = rows.trouble_rows([cycle(breaches_before=[]), cycle(), held()])
    assert [row.status for row in told] == ["held", "hedged"]
    assert told[0].before is None
    assert told[1].after == ()


def test_book_rows_put_the_bot_first_and_leave_out_what_nobody_holds() -> None:
    document = sample_documents(3)[-1]
    document["legs"].append(
        {"symbol": "X/USDT:USDT", "bot_usd": 0.0, "hedge_after_usd": 0.0, "trade_usd": 0.0}
    )
    shown = rows.book_rows(document)
    assert [row.is_bot for row in shown] == sorted((row.is_bot for row in shown), reverse=True)
    assert "X" not in {row.symbol for row in shown}
    assert len(shown) == len(document["legs"]) - 1
