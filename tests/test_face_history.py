"""Windows and pages of what an account did, and numbers as they are written."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.venues.http.wire import decimals_of, fixed, plain, to_step
from tests.face_market import Market, open_market

DAY_MS = 86_400_000
FET = {"symbol": "FETUSDT"}
TRADES, ORDERS, INCOME = "/fapi/v1/userTrades", "/fapi/v1/allOrders", "/fapi/v1/income"


@pytest.fixture(scope="module")
def market() -> Market:
    """A position bought and sold every second day for twelve days."""
    market = open_market()
    for day in range(7):
        for side in ("BUY", "SELL"):
            market.did(
                "POST", "/fapi/v1/order", "bot", **FET,
                side=side, type="MARKET", quantity=50, newClientOrderId=f"{side}{day}",
            )  # fmt: skip
        for _ in range(6):
            market.advance(8 * 3_600_000)
    return market


def test_without_a_window_the_last_week_is_told(market: Market) -> None:
    now_ms = market.clock.now_ms()
    for path, field in ((TRADES, "time"), (ORDERS, "time"), (INCOME, "time")):
        times = [row[field] for row in market.get(path, "bot", **FET)]
        assert times == sorted(times)
        assert times[0] >= now_ms - 7 * DAY_MS
    assert len(market.get(ORDERS, "bot", **FET)) == 6  # three days of two orders


def test_a_start_tells_the_week_that_follows(market: Market) -> None:
    start_ms = market.clock.now_ms() - 14 * DAY_MS
    orders = market.get(ORDERS, "bot", **FET, startTime=start_ms)
    assert [row["clientOrderId"] for row in orders][:2] == ["BUY0", "SELL0"]
    assert all(start_ms <= row["time"] <= start_ms + 7 * DAY_MS for row in orders)
    assert market.get(ORDERS, "bot", **FET, startTime=start_ms, limit=2) == orders[:2]
    wide = {"startTime": start_ms, "endTime": start_ms + 8 * DAY_MS}
    assert market.ask("GET", ORDERS, "bot", **FET, **wide)[1]["code"] == -4165
    assert market.ask("GET", TRADES, "bot", **FET, **wide)[1]["code"] == -4165


def test_pages_by_id_reach_everything_once(market: Market) -> None:
    seen: list[int] = []
    from_id = 0
    while True:
        page = market.get(TRADES, "bot", **FET, fromId=from_id, limit=3)
        seen += [row["id"] for row in page]
        if len(page) < 3:
            break
        from_id = page[-1]["id"] + 1
    assert seen == sorted(set(seen))
    assert len(seen) >= 14
    both = {"fromId": 1, "startTime": 1}
    assert market.ask("GET", TRADES, "bot", **FET, **both)[1]["code"] == -1128
    first = market.get(ORDERS, "bot", **FET, startTime=market.clock.now_ms() - 14 * DAY_MS)[0]
    of_order = market.get(TRADES, "bot", **FET, orderId=first["orderId"],
                          startTime=first["time"])  # fmt: skip
    assert {row["orderId"] for row in of_order} == {first["orderId"]}
    assert market.get(ORDERS, "bot", **FET, orderId=first["orderId"], limit=1) == [first]


def test_the_wallet_is_its_start_plus_all_income(market: Market) -> None:
    start = {"startTime": market.clock.now_ms() - 20 * DAY_MS}
    pages = [market.get(INCOME, "bot", **start, limit=10, page=page) for page in range(1, 9)]
    rows = [row for page in pages for row in page]
    assert rows == market.get(INCOME, "bot", **start, limit=1000)
    wallet = market.get("/fapi/v3/balance", "bot")[0]["balance"]
    assert Decimal(wallet) == 100_000 + sum(Decimal(row["income"]) for row in rows)
    fees = market.get(INCOME, "bot", **start, incomeType="COMMISSION", limit=1000)
    assert {row["incomeType"] for row in fees} == {"COMMISSION"}
    wrong = market.ask("GET", INCOME, "bot", incomeType="GIFT")[1]
    assert wrong["code"] == -1130


def test_a_liquidation_is_a_force_order() -> None:
    market = open_market()
    price = market.exchange.quote("FET/USDT:USDT").last
    market.did("POST", "/fapi/v1/order", "thin", **FET,
               side="BUY", type="MARKET", quantity=round(4_000 / price))  # fmt: skip
    assert market.get("/fapi/v1/forceOrders", "thin") == []
    market.crash("FET/USDT:USDT", 0.9)
    rows = market.get("/fapi/v1/forceOrders", "thin")
    assert rows
    assert all(row["clientOrderId"].startswith("autoclose-") for row in rows)
    assert market.get("/fapi/v1/forceOrders", "thin", autoCloseType="ADL") == []
    assert market.get("/fapi/v3/positionRisk", "thin") == []


def test_batches_answer_each_order_on_its_own() -> None:
    market = open_market()
    for sent in (
        "[]",
        '{"a":1}',
        "[1]",
        "nonsense",
        "[" * 100_000,
        str([{}] * 6).replace("'", '"'),
    ):
        status, document = market.ask("POST", "/fapi/v1/batchOrders", "bot", batchOrders=sent)
        refused = document if isinstance(document, list) else [document]
        assert status == 400 or all(one["code"] < 0 for one in refused), sent[:20]
    ids = {**FET, "origClientOrderIdList": '["ghost"]'}
    assert market.did("DELETE", "/fapi/v1/batchOrders", "bot", **ids) == [
        {"code": -2011, "msg": "Unknown order sent."}
    ]
    wrong = {**FET, "orderIdList": '["1"]'}
    assert market.ask("DELETE", "/fapi/v1/batchOrders", "bot", **wrong)[1]["code"] == -1130
    assert market.ask("DELETE", "/fapi/v1/batchOrders", "bot", **FET)[1]["code"] == -1102


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9))
def test_numbers_are_written_without_exponent_and_without_minus_zero(value: Decimal) -> None:
    text = fixed(value, 8)
    assert "E" not in text.upper()
    assert text.partition(".")[2].isdecimal()
    assert abs(Decimal(text) - value) <= Decimal("0.5e-8")
    assert not text.startswith("-0.00000000")
    assert "E" not in plain(value).upper()


@given(st.floats(1e-6, 1e6), st.sampled_from(["0.00001", "0.0001", "0.5", "1", "10"]))
def test_a_step_is_hit_exactly(value: float, step: str) -> None:
    lot = Decimal(step)
    rounded = to_step(value, lot)
    assert rounded % lot == 0
    assert abs(rounded - Decimal(repr(value))) <= lot / 2
    assert Decimal(fixed(rounded, decimals_of(lot))) == rounded


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN")])
def test_what_is_no_number_is_never_written(value: float) -> None:
    with pytest.raises(ValueError, match="as a number"):
        fixed(value, 8)
