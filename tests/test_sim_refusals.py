"""What the simulated exchange refuses, and with which of Binance's codes."""

import math
import re
from decimal import Decimal

import pytest

from bot.trading.orders import Side
from bot.venues.sim.errors import HTTP_STATUS, MESSAGES, Code, VenueReject, reject
from bot.venues.sim.filters import check_price, check_quantity, decimals, symbol_filters
from bot.venues.sim.market import MOST_PRICE_USD, check_quote
from bot.venues.sim.records import MarginType, OrderStatus, SelfTradePrevention, TimeInForce
from bot.venues.sim.settings import DEFAULT_SETTINGS, ExchangeSettings
from risk.errors import DataError
from tests.execute_scene import quote
from tests.sim_scene import BTC, FET, TAO, Scene, instrument, order, refused

BUY, SELL = Side.BUY, Side.SELL


@pytest.mark.parametrize(
    ("symbol", "side", "quantity", "price", "code"),
    [
        ("NOPE/USDT:USDT", BUY, "10", "1", -1121),
        (FET, BUY, "NaN", "1", -1102),
        (FET, BUY, "10", "NaN", -1102),
        (FET, BUY, "10", "Infinity", -1102),
        (FET, BUY, "0", "1", -4003),
        (FET, SELL, "-5", "1", -4003),
        (FET, BUY, "10", "0", -4001),
        (FET, BUY, "10", "-1", -4001),
        (FET, BUY, "10.5", "1", -1111),
        (BTC, BUY, "0.0015", "50000", -1111),
        (FET, BUY, "10", "1.00005", -1111),
        (BTC, BUY, "0.001", "50000.05", -1111),
        (FET, BUY, "100000000000", "1", -4005),
        (FET, BUY, "10", "2000000", -4002),
        (FET, BUY, "10", "1.1501", -4016),
        (FET, SELL, "10", "0.8499", -4024),
        (FET, BUY, "4", "1", -4164),
        (FET, BUY, "4", None, -4164),
        (BTC, BUY, "0.001", "4000", -4164),
    ],
)
def test_filters(symbol: str, side: Side, quantity: str, price: str | None, code: int) -> None:
    scene = Scene()
    account = scene.account()
    with refused(code):
        scene.exchange.place(account, order(symbol, side, quantity, price))
    assert scene.exchange.counters.orders_received == scene.exchange.counters.rejected == 1
    assert account.orders == {}


def test_prices_at_the_edge_of_the_band_pass() -> None:
    scene = Scene()
    account = scene.account()
    assert scene.limit(account, FET, BUY, "10", "1.15").status is OrderStatus.FILLED
    assert scene.limit(account, FET, BUY, "10", "0.5").status is OrderStatus.NEW


def test_steps_that_decimals_alone_do_not_show() -> None:
    scene = Scene()
    filters = scene.exchange.filters(FET)
    assert (filters.price_decimals, filters.quantity_decimals) == (4, 0)
    assert decimals(Decimal("0.0500")) == 2
    assert decimals(Decimal("1E+3")) == 0


def test_price_of_a_market_order_is_not_wanted() -> None:
    scene = Scene()
    wanted = order(FET, BUY, "10", None)
    with refused(-1106):
        scene.exchange.place(
            scene.account(), type(wanted)(FET, BUY, wanted.type, Decimal(10), Decimal(1))
        )


@pytest.mark.parametrize("client_id", ["has space", "x" * 37, "ümlaut", "semi;colon"])
def test_client_ids_of_other_characters(client_id: str) -> None:
    scene = Scene()
    with refused(-4015):
        scene.limit(scene.account(), FET, BUY, "10", "0.9", client_id=client_id)


def test_a_client_id_is_unique_among_open_orders_only() -> None:
    scene = Scene()
    account, other = scene.account(), scene.account("other")
    first = scene.limit(account, FET, BUY, "10", "0.9", client_id="same")
    with refused(-4116):
        scene.limit(account, FET, BUY, "10", "0.8", client_id="same")
    scene.limit(other, FET, BUY, "10", "0.9", client_id="same")
    scene.exchange.cancel(account, FET, client_id="same")
    again = scene.limit(account, FET, BUY, "10", "0.8", client_id="same")
    assert again.order_id > first.order_id
    assert scene.exchange.find_order(account, FET, client_id="same") == again
    filled = scene.limit(account, FET, BUY, "10", "1.01", client_id="at-once")
    assert filled.status is OrderStatus.FILLED
    assert (
        scene.limit(account, FET, BUY, "10", "1.01", client_id="at-once").order_id > filled.order_id
    )


def test_unknown_orders() -> None:
    scene = Scene()
    account, other = scene.account(), scene.account("other")
    mine = scene.limit(account, FET, BUY, "10", "0.9")
    for ids in ({"order_id": 5}, {"client_id": "never"}):
        with refused(-2011):
            scene.exchange.cancel(account, FET, **ids)
        with refused(-2013):
            scene.exchange.find_order(account, FET, **ids)
    with refused(-2013):
        scene.exchange.find_order(other, FET, order_id=mine.order_id)
    with refused(-2013):
        scene.exchange.find_order(account, BTC, order_id=mine.order_id)
    with refused(-1102):
        scene.exchange.find_order(account, FET)
    scene.exchange.cancel(account, FET, order_id=mine.order_id)
    with refused(-2011):
        scene.exchange.cancel(account, FET, order_id=mine.order_id)


def test_margin() -> None:
    scene = Scene()
    poor = scene.account(wallet="100")
    with refused(-2019):
        scene.limit(poor, FET, BUY, "2001", "1")
    assert scene.limit(poor, FET, BUY, "2000", "1").status is OrderStatus.NEW
    with refused(-2019):
        scene.limit(poor, FET, BUY, "10", "1")


def test_position_beyond_the_bracket_of_the_leverage() -> None:
    scene = Scene()
    rich = scene.account(wallet="10000000")
    scene.limit(rich, FET, BUY, "200000", "0.9")
    with refused(-2027):
        scene.limit(rich, FET, BUY, "100000", "0.9")
    scene.exchange.set_leverage(rich, FET, 10)
    scene.limit(rich, FET, BUY, "100000", "0.9")


def test_reduce_only() -> None:
    scene = Scene()
    account = scene.account()
    with refused(-2022):
        scene.market(account, FET, SELL, "10", reduce_only=True)
    scene.market(account, FET, BUY, "100")
    with refused(-2022):
        scene.market(account, FET, BUY, "10", reduce_only=True)
    scene.limit(account, FET, SELL, "100", "1.1", reduce_only=True)
    with refused(-2022):
        scene.limit(account, FET, SELL, "10", "1.1", reduce_only=True)


def test_position_side_that_does_not_fit_the_mode() -> None:
    scene = Scene()
    account = scene.account()
    with refused(-4061):
        scene.market(account, FET, BUY, "10", position_side="LONG")
    scene.exchange.set_position_mode(account, hedge=True)
    with refused(-4061):
        scene.market(account, FET, BUY, "10")
    with refused(-1106):
        scene.market(account, FET, SELL, "10", position_side="LONG", reduce_only=True)
    with refused(-2022):
        scene.market(account, FET, SELL, "10", position_side="LONG")
    scene.market(account, FET, BUY, "10", position_side="LONG")
    with refused(-2022):
        scene.market(account, FET, SELL, "11", position_side="LONG")


def test_post_only_that_would_take() -> None:
    scene = Scene()
    account = scene.account()
    with refused(-5022):
        scene.limit(account, FET, BUY, "1000", "1.0005", TimeInForce.GTX)
    assert account.orders == {}
    resting = scene.limit(account, FET, BUY, "1000", "1", TimeInForce.GTX)
    assert resting.status is OrderStatus.NEW


def test_number_of_open_orders() -> None:
    scene = Scene(ExchangeSettings(max_open_orders=2))
    account = scene.account()
    scene.limit(account, FET, BUY, "10", "0.9")
    scene.limit(account, FET, BUY, "10", "0.9")
    with refused(-2025):
        scene.limit(account, FET, BUY, "10", "0.9")


def test_market_order_against_a_far_book() -> None:
    scene = Scene()
    account = scene.account()
    scene.update(mark=0.5)
    with refused(-4131):
        scene.market(account, FET, BUY, "100")


def test_symbols_that_do_not_trade() -> None:
    scene = Scene()
    account = scene.account()
    scene.market(account, FET, BUY, "100")
    del scene.prices[FET]
    scene.update()
    for act in (
        lambda: scene.market(account, FET, SELL, "100"),
        lambda: scene.exchange.quote(FET),
        lambda: scene.exchange.depth(FET, 5),
        lambda: scene.exchange.set_leverage(account, FET, 5),
    ):
        with refused(-4141):
            act()
    assert not scene.exchange.trading(FET)
    assert scene.exchange.positions(account)[0].mark_price == 1
    scene.update({FET: 1.1})
    assert scene.market(account, FET, SELL, "100").status is OrderStatus.FILLED


def test_leverage_margin_type_and_position_mode() -> None:
    scene = Scene()
    exchange, account = scene.exchange, scene.account()
    for leverage in (0, 51, -3):
        with refused(-4028):
            exchange.set_leverage(account, FET, leverage)
    with refused(-4046):
        exchange.set_margin_type(account, FET, MarginType.CROSSED)
    with refused(-4059):
        exchange.set_position_mode(account, hedge=False)
    resting = scene.limit(account, FET, BUY, "10", "0.9")
    with refused(-4047):
        exchange.set_margin_type(account, FET, MarginType.ISOLATED)
    with refused(-4067):
        exchange.set_position_mode(account, hedge=True)
    exchange.cancel(account, FET, order_id=resting.order_id)
    scene.market(account, FET, BUY, "10")
    with refused(-4048):
        exchange.set_margin_type(account, FET, MarginType.ISOLATED)
    with refused(-4068):
        exchange.set_position_mode(account, hedge=True)
    exchange.set_margin_type(account, TAO, MarginType.ISOLATED)
    scene.market(account, TAO, BUY, "1")
    with refused(-4161):
        exchange.set_leverage(account, TAO, 10)
    exchange.set_leverage(account, TAO, 25)


def test_leverage_that_position_or_margin_do_not_allow() -> None:
    scene = Scene()
    account = scene.account(wallet="12000")
    scene.exchange.set_leverage(account, FET, 10)
    scene.market(account, FET, BUY, "110000")
    with refused(-2027):
        scene.exchange.set_leverage(account, FET, 25)
    with refused(-2028):
        scene.exchange.set_leverage(account, FET, 5)
    assert scene.exchange.symbol_config(account, FET).leverage == 10


def test_self_trade_expires_what_the_order_says() -> None:
    expected = {
        SelfTradePrevention.EXPIRE_TAKER: (OrderStatus.NEW, OrderStatus.EXPIRED_IN_MATCH),
        SelfTradePrevention.EXPIRE_MAKER: (OrderStatus.EXPIRED_IN_MATCH, OrderStatus.FILLED),
        SelfTradePrevention.EXPIRE_BOTH: (
            OrderStatus.EXPIRED_IN_MATCH,
            OrderStatus.EXPIRED_IN_MATCH,
        ),
        SelfTradePrevention.NONE: (OrderStatus.FILLED, OrderStatus.FILLED),
    }
    for prevention, statuses in expected.items():
        scene = Scene()
        account = scene.account()
        maker = scene.limit(account, FET, SELL, "10", "1")
        taker = scene.limit(account, FET, BUY, "10", "1.1", self_trade_prevention=prevention)
        maker = scene.exchange.find_order(account, FET, order_id=maker.order_id)
        assert (maker.status, taker.status) == statuses, prevention


def test_every_code_has_a_message_and_a_status() -> None:
    assert set(MESSAGES) == set(Code)
    assert all(code in MESSAGES for code in HTTP_STATUS)
    for code in Code:
        fields = dict.fromkeys(re.findall(r"{(\w+)}", MESSAGES[code]), "X")
        refusal = reject(code, **fields)
        assert isinstance(refusal, VenueReject)
        assert (refusal.code, str(int(code)) in str(refusal)) == (int(code), True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"mark": float("nan")},
        {"bid": 0.0},
        {"ask": float("inf")},
        {"daily_volume_usd": float("nan")},
        {"daily_volume_usd": -1.0},
        {"funding_rate": float("nan")},
        {"funding_interval_hours": 0.0},
        {"volatility_daily": float("nan")},
    ],
)
def test_quotes_that_cannot_be_used(wrong: dict[str, float]) -> None:
    scene = Scene()
    with pytest.raises(DataError, match=FET.split("/")[0]):
        scene.exchange.update_market({FET: scene.quote(FET, **wrong)})


def test_quote_of_an_unknown_symbol() -> None:
    scene = Scene()
    with pytest.raises(DataError, match="NOPE"):
        scene.exchange.update_market({"NOPE/USDT:USDT": scene.quote(FET)})


def test_steps_that_are_not_a_power_of_ten() -> None:
    filters = symbol_filters(instrument(FET, "0.05", "5", 8.0), DEFAULT_SETTINGS)
    check_quantity(filters, Decimal(15))
    check_price(filters, BUY, Decimal("1.05"), Decimal(1))
    with refused(-4023):
        check_quantity(filters, Decimal(12))
    with refused(-4004):
        check_quantity(filters, Decimal(4))
    with refused(-4014):
        check_price(filters, BUY, Decimal("1.02"), Decimal(1))
    with refused(-4013):
        check_price(filters, BUY, Decimal("0.04"), Decimal(1))


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf, 1e30])
def test_no_price_is_taken_that_no_contract_can_have(price: float) -> None:
    """Beyond so many digits money could not be counted exactly any more."""
    with pytest.raises(DataError, match="mark price"):
        check_quote(quote(FET, price))
    check_quote(quote(FET, MOST_PRICE_USD / 2))
