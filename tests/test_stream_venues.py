"""Messages as exchanges send them, through each one's own ccxt.pro client, to news of ours."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from bot.streaming import MARKET_CALLS, USER_CALLS
from bot.trading.orders import OrderState, Side
from bot.trading.venue_closes import CloseKind
from bot.venues.clients import make_client
from bot.venues.streams.from_ccxt import read_extra, read_news, says_expired
from bot.venues.streams.news import (
    MarginNews,
    MoneyNews,
    OrderNews,
    PositionNews,
    SettingsNews,
    StreamNews,
    TradeNews,
)
from bot.venues.streams.tap import Tap

FET = "FET/USDT:USDT"
OURS = "h1abcdefghijklmnopqrstuvwx"
IDS = {"binanceusdm": "FETUSDT", "bybit": "FETUSDT", "okx": "FET-USDT-SWAP"}
SIZES = {"okx": Decimal(10)}
AT_MS = 1_750_000_000_123


class Ears:
    """Takes what a tap tells, as news."""

    def __init__(self, venue: str) -> None:
        self.venue = venue
        self.news: list[StreamNews] = []
        self.errors: list[BaseException] = []

    def opened(self) -> None: ...

    def lost(self, error: BaseException | None) -> None: ...

    def frame(self, message: object) -> None: ...

    def broken(self, error: BaseException) -> None:
        self.errors.append(error)

    def made(self, row: Mapping[str, Any]) -> None:
        size = SIZES.get(self.venue, Decimal(1))
        found = read_news(self.venue, row, lambda _: size, AT_MS)
        if found is not None and found not in self.news:
            self.news.append(found)


def market(exchange: Any, venue: str) -> Any:
    size = float(SIZES.get(venue, Decimal(1)))
    return exchange.safe_market_structure(
        {
            "id": IDS[venue], "lowercaseId": IDS[venue].lower(), "symbol": FET,
            "base": "FET", "quote": "USDT", "settle": "USDT", "baseId": "FET", "quoteId": "USDT",
            "settleId": "USDT", "type": "swap", "swap": True, "spot": False, "contract": True,
            "linear": True, "inverse": False, "active": True, "contractSize": size,
            "precision": {"amount": 1.0, "price": 0.0001},
        }
    )  # fmt: skip


async def told(venue: str, *messages: dict[str, Any]) -> tuple[list[StreamNews], Ears]:
    """What our ears hear when the exchange says this to a client that was never connected."""
    exchange, ears = make_client(venue, streams=True), Ears(venue)
    exchange.set_markets([market(exchange, venue)])
    tap = Tap(exchange, ears, ping_ms=5_000, timers=False)
    try:
        client = exchange.client("wss://127.0.0.1/none")
        client.subscriptions["linear"] = True
        exchange.balance["linear"] = {}
        for message in messages:
            exchange.handle_message(client, message)
    finally:
        await tap.close()
    return ears.news, ears


def of(kind: type, news: list[StreamNews]) -> Any:
    found = [one for one in news if isinstance(one, kind)]
    assert found, news
    return found[-1]


def binance_order(**changes: Any) -> dict[str, Any]:
    row = {
        "s": "FETUSDT", "c": OURS, "S": "SELL", "o": "LIMIT", "f": "IOC", "q": "300", "p": "1.2",
        "ap": "1.21", "sp": "0", "x": "TRADE", "X": "PARTIALLY_FILLED", "i": 77, "l": "100",
        "z": "100", "L": "1.21", "N": "USDT", "n": "0.06", "T": AT_MS, "t": 5, "m": False,
        "R": False, "wt": "CONTRACT_PRICE", "ot": "LIMIT", "ps": "BOTH", "cp": False, "rp": "0",
    }  # fmt: skip
    return {"e": "ORDER_TRADE_UPDATE", "E": AT_MS + 2, "T": AT_MS, "o": {**row, **changes}}


async def test_binance_tells_orders_trades_positions_and_money() -> None:
    update = {
        "e": "ACCOUNT_UPDATE", "E": AT_MS + 2, "T": AT_MS,
        "a": {
            "m": "ORDER",
            "B": [{"a": "USDT", "wb": "999.5", "cw": "999.5", "bc": "0"}],
            "P": [{"s": "FETUSDT", "pa": "-100", "ep": "1.21", "cr": "0", "up": "0",
                   "mt": "cross", "iw": "0", "ps": "BOTH"}],
        },
    }  # fmt: skip
    news, ears = await told("binanceusdm", binance_order(), update)
    assert not ears.errors
    order, trade = of(OrderNews, news), of(TradeNews, news)
    assert (order.state, order.filled_quantity) == (OrderState.PARTIAL, Decimal(100))
    assert (order.client_id, order.venue_order_id, order.forced) == (OURS, "77", None)
    assert order.transaction_ms == AT_MS
    assert (trade.trade_id, trade.client_id, trade.side) == ("5", OURS, Side.SELL)
    assert (trade.quantity, trade.price) == (Decimal(100), Decimal("1.21"))
    position, money = of(PositionNews, news), of(MoneyNews, news)
    assert (position.position_side, position.base_quantity) == ("BOTH", Decimal(-100))
    assert (money.reason, money.wallet_usd) == ("ORDER", Decimal("999.5"))


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"c": "autoclose-123", "o": "LIQUIDATION", "x": "CALCULATED"}, CloseKind.LIQUIDATION),
        ({"c": "adl_autoclose"}, CloseKind.ADL),
        ({"c": "settlement_autoclose-9"}, CloseKind.SETTLEMENT),
        ({"c": "web_abc"}, None),
    ],
)
async def test_binance_names_its_own_orders(
    changes: dict[str, str], kind: CloseKind | None
) -> None:
    news, _ = await told("binanceusdm", binance_order(**changes))
    assert of(OrderNews, news).forced is kind


async def test_two_fills_in_one_breath_are_both_heard() -> None:
    news, _ = await told(
        "binanceusdm",
        binance_order(t=5),
        binance_order(t=6, l="200", z="300", X="FILLED"),
    )
    assert [one.trade_id for one in news if isinstance(one, TradeNews)] == ["5", "6"]
    assert of(OrderNews, news).state is OrderState.FILLED


def test_binance_extras_that_ccxt_passes_over() -> None:
    times = {"E": AT_MS + 2, "T": AT_MS}
    unified = {"FETUSDT": FET}.__getitem__
    leverage = {"e": "ACCOUNT_CONFIG_UPDATE", **times, "ac": {"s": "FETUSDT", "l": 25}}
    assert read_extra(leverage, unified) == SettingsNews(
        AT_MS + 2, AT_MS, FET, "leverage", "25"
    )  # fmt: skip
    modes = {"e": "ACCOUNT_CONFIG_UPDATE", **times, "ai": {"j": True}}
    found = read_extra(modes, unified)
    assert isinstance(found, SettingsNews)
    assert (found.symbol, found.setting) == ("", "multi_assets")
    call = {"e": "MARGIN_CALL", "E": AT_MS, "cw": "3.1", "p": [{"s": "FETUSDT", "ps": "LONG"}]}
    assert read_extra(call, unified) == MarginNews(AT_MS, AT_MS, (FET,))
    for nothing in (None, [], "pong", {"e": "markPriceUpdate"}, {}):
        assert read_extra(nothing, unified) is None
        assert not says_expired(nothing)
    assert says_expired({"e": "listenKeyExpired", "E": AT_MS, "listenKey": "x"})


async def test_bybit_tells_orders_trades_and_positions() -> None:
    shared = {"category": "linear", "symbol": "FETUSDT", "orderId": "o-1", "orderLinkId": OURS}
    order = {
        **shared, "side": "Sell", "orderType": "Limit", "price": "1.2", "qty": "300",
        "timeInForce": "IOC", "orderStatus": "PartiallyFilledCanceled", "cumExecQty": "100",
        "cumExecValue": "121", "avgPrice": "1.21", "cumExecFee": "0.06", "leavesQty": "0",
        "createdTime": str(AT_MS - 5), "updatedTime": str(AT_MS), "positionIdx": 0,
    }  # fmt: skip
    execution = {
        **shared, "execFee": "0.06", "execId": "e-1", "execPrice": "1.21", "execQty": "100",
        "execType": "Trade", "execValue": "121", "isMaker": False, "side": "Sell",
        "execTime": str(AT_MS), "orderPrice": "1.2", "orderQty": "300", "orderType": "Limit",
        "leavesQty": "0",
    }  # fmt: skip
    position = {
        "category": "linear", "symbol": "FETUSDT", "side": "Sell", "size": "100",
        "positionIdx": 0, "entryPrice": "1.21", "positionValue": "121", "leverage": "5",
        "markPrice": "1.2", "createdTime": str(AT_MS), "updatedTime": str(AT_MS), "tradeMode": 0,
    }  # fmt: skip
    news, ears = await told(
        "bybit",
        {"topic": "order", "creationTime": AT_MS, "data": [order]},
        {"topic": "execution", "creationTime": AT_MS, "data": [execution]},
        {"topic": "position", "creationTime": AT_MS, "data": [position]},
    )
    assert not ears.errors
    seen, trade, held = of(OrderNews, news), of(TradeNews, news), of(PositionNews, news)
    assert (seen.state.final, seen.filled_quantity, seen.client_id) == (True, Decimal(100), OURS)
    assert (trade.trade_id, trade.client_id, trade.quantity) == ("e-1", OURS, Decimal(100))
    assert (trade.forced, held.base_quantity) == (None, Decimal(-100))
    forced, _ = await told(
        "bybit",
        {"topic": "execution", "data": [{**execution, "execType": "AdlTrade", "orderLinkId": ""}]},
    )
    adl = [one.forced for one in forced if isinstance(one, TradeNews)]
    assert adl == [CloseKind.ADL]


async def test_okx_counts_in_contracts_and_is_heard_in_base_units() -> None:
    row = {
        "instType": "SWAP", "instId": "FET-USDT-SWAP", "ordId": "9", "clOrdId": OURS,
        "side": "sell", "posSide": "net", "ordType": "ioc", "px": "1.2", "sz": "30",
        "accFillSz": "10", "fillSz": "10", "fillPx": "1.21", "avgPx": "1.21", "tradeId": "4",
        "state": "canceled", "fee": "-0.06", "feeCcy": "USDT", "fillFee": "-0.06",
        "fillFeeCcy": "USDT", "execType": "T", "cTime": str(AT_MS - 5), "uTime": str(AT_MS),
        "fillTime": str(AT_MS), "category": "normal", "tdMode": "cross", "lever": "5",
        "reduceOnly": "false", "pnl": "0",
    }  # fmt: skip
    arg = {"channel": "orders", "instType": "SWAP"}
    news, ears = await told("okx", {"arg": arg, "data": [row]})
    assert not ears.errors
    order, trade = of(OrderNews, news), of(TradeNews, news)
    assert (order.filled_quantity, order.state) == (Decimal(100), OrderState.CANCELED)
    assert (trade.trade_id, trade.quantity, trade.client_id) == ("4", Decimal(100), OURS)
    forced, _ = await told(
        "okx", {"arg": arg, "data": [{**row, "clOrdId": "", "category": "full_liquidation"}]}
    )
    assert of(OrderNews, forced).forced is CloseKind.LIQUIDATION


@pytest.mark.parametrize("venue", sorted(IDS))
async def test_nonsense_breaks_nothing_and_is_told(venue: str) -> None:
    wrong: list[dict[str, Any]] = [
        {"e": "ORDER_TRADE_UPDATE", "o": {"s": None, "X": "FILLED", "z": "nan", "i": 1}},
        {"topic": "order", "data": [{"symbol": 5, "orderStatus": []}]},
        {"arg": {"channel": "orders"}, "data": [{"instId": None, "sz": "x", "state": "?"}]},
        {"data": 17}, {},
    ]  # fmt: skip
    news, _ = await told(venue, *wrong)
    assert not [one for one in news if isinstance(one, TradeNews)]


@pytest.mark.parametrize(
    "venue", ["binanceusdm", "bybit", "okx", "hyperliquid", "bitget", "gate", "bingx"]
)
async def test_every_client_has_what_the_tap_holds_on_to(venue: str) -> None:
    exchange = make_client(venue, streams=True)
    tap = Tap(exchange, Ears(venue), ping_ms=1_000, timers=False)
    client = exchange.client("wss://127.0.0.1/none")
    assert client.keepAlive == 1_000
    assert exchange.delay(10, exchange.load_markets) is None  # no timer of ccxt's own
    assert all(exchange.has.get(has) for has, _ in USER_CALLS)
    assert all(hasattr(exchange, method) for _, method in MARKET_CALLS)
    await tap.close()
