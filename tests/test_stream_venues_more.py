"""Messages of hyperliquid, bitget and gate, through each one's own ccxt.pro client, to news."""

from decimal import Decimal
from typing import Any

import pytest

from bot.trading.orders import OrderState, Side
from bot.venues.streams.news import OrderNews, PositionNews, TradeNews
from tests import test_stream_venues as scene
from tests.test_stream_venues import AT_MS, FET, OURS, of, told

CLOID = "0x5a6c1d0e9f8b7a6c5d4e3f2a1b0c9d8e"


@pytest.fixture(autouse=True)
def _markets(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = {"hyperliquid": "FET/USDC:USDC", "bitget": "FETUSDT", "gate": "FET_USDT"}
    monkeypatch.setattr(scene, "IDS", ids)
    monkeypatch.setattr(scene, "SIZES", {"gate": Decimal(10)})


async def test_hyperliquid_tells_orders_and_trades_by_its_own_kind_of_id() -> None:
    order = {
        "order": {
            "coin": "FET", "side": "A", "limitPx": "1.2", "sz": "200.0", "oid": 77,
            "timestamp": AT_MS - 5, "origSz": "300.0", "cloid": CLOID,
        },
        "status": "canceled", "statusTimestamp": AT_MS,
    }  # fmt: skip
    fill = {
        "coin": "FET", "px": "1.21", "sz": "100.0", "side": "A", "time": AT_MS,
        "startPosition": "0.0", "dir": "Open Short", "closedPnl": "0.0", "hash": "0x0", "oid": 77,
        "crossed": True, "fee": "0.06", "tid": 5, "cloid": CLOID, "feeToken": "USDC",
    }  # fmt: skip
    news, ears = await told(
        "hyperliquid",
        {"channel": "orderUpdates", "data": [order]},
        {"channel": "userFills", "data": {"isSnapshot": False, "user": "0x1", "fills": [fill]}},
    )
    assert not ears.errors
    seen, trade = of(OrderNews, news), of(TradeNews, news)
    assert (seen.state, seen.filled_quantity) == (OrderState.CANCELED, Decimal(100))
    assert (seen.venue_order_id, seen.client_id) == ("77", CLOID)
    assert (trade.trade_id, trade.client_id, trade.side) == ("5", CLOID, Side.SELL)
    assert (trade.quantity, trade.price) == (Decimal(100), Decimal("1.21"))


def bitget_order(**changes: str) -> dict[str, Any]:
    row = {
        "accBaseVolume": "100", "cTime": str(AT_MS - 5), "clientOid": OURS, "force": "ioc",
        "feeDetail": [{"feeCoin": "USDT", "fee": "-0.06"}], "fillFee": "-0.06",
        "fillFeeCoin": "USDT", "fillNotionalUsd": "121", "fillPrice": "1.21", "baseVolume": "100",
        "fillTime": str(AT_MS), "instId": "FETUSDT", "leverage": "5", "marginCoin": "USDT",
        "marginMode": "crossed", "notionalUsd": "363", "orderId": "9", "orderType": "limit",
        "pnl": "0", "posMode": "one_way_mode", "posSide": "net", "price": "1.2", "priceAvg": "1.21",
        "reduceOnly": "no", "side": "sell", "size": "300", "status": "canceled", "tradeId": "4",
        "tradeScope": "T", "tradeSide": "sell_single", "uTime": str(AT_MS),
    }  # fmt: skip
    return {**row, **changes}


async def test_bitget_tells_orders_trades_and_positions() -> None:
    arg = {"instType": "USDT-FUTURES", "instId": "default"}
    fill = {
        "orderId": "9", "tradeId": "4", "symbol": "FETUSDT", "side": "sell", "orderType": "limit",
        "posMode": "one_way_mode", "price": "1.21", "baseVolume": "100", "quoteVolume": "121",
        "profit": "0", "tradeSide": "sell_single", "tradeScope": "taker", "clientOid": OURS,
        "feeDetail": [{"feeCoin": "USDT", "deduction": "no", "totalFee": "-0.06"}],
        "cTime": str(AT_MS), "uTime": str(AT_MS),
    }  # fmt: skip
    position = {
        "posId": "1", "instId": "FETUSDT", "marginCoin": "USDT", "marginSize": "24",
        "marginMode": "crossed", "holdSide": "short", "posMode": "one_way_mode", "total": "100",
        "available": "100", "frozen": "0", "openPriceAvg": "1.21", "leverage": 5,
        "unrealizedPL": "0", "liquidationPrice": "9", "keepMarginRate": "0.01",
        "marginRate": "0.1", "cTime": str(AT_MS), "uTime": str(AT_MS), "autoMargin": "off",
    }  # fmt: skip
    news, ears = await told(
        "bitget",
        {"action": "snapshot", "arg": {**arg, "channel": "orders"}, "data": [bitget_order()]},
        {"action": "snapshot", "arg": {**arg, "channel": "fill"}, "data": [fill]},
        {"action": "snapshot", "arg": {**arg, "channel": "positions"}, "data": [position]},
    )
    assert not ears.errors
    seen, trade, held = of(OrderNews, news), of(TradeNews, news), of(PositionNews, news)
    assert (seen.state, seen.filled_quantity) == (OrderState.CANCELED, Decimal(100))
    assert (seen.client_id, seen.venue_order_id) == (OURS, "9")
    assert (trade.trade_id, trade.quantity, trade.side) == ("4", Decimal(100), Side.SELL)
    assert (trade.client_id, trade.price) == (OURS, Decimal("1.21"))
    assert (held.position_side, held.base_quantity) == ("BOTH", Decimal(-100))


async def test_gate_counts_in_contracts_and_its_prefix_is_taken_off() -> None:
    order = {
        "contract": "FET_USDT", "create_time": AT_MS // 1000, "create_time_ms": AT_MS - 5,
        "fill_price": 1.21, "finish_as": "ioc", "finish_time": AT_MS // 1000,
        "finish_time_ms": AT_MS, "iceberg": 0, "id": 9, "is_close": False, "is_liq": False,
        "is_reduce_only": False, "left": -20, "mkfr": 0.0, "price": 1.2, "refr": 0, "refu": 0,
        "size": -30, "status": "finished", "text": f"t-{OURS}", "tif": "ioc", "tkfr": 0.0005,
        "user": "1", "update_id": 1, "update_time": AT_MS,
    }  # fmt: skip
    fill = {
        "id": "4", "create_time": AT_MS // 1000, "create_time_ms": AT_MS, "contract": "FET_USDT",
        "order_id": "9", "size": -10, "price": "1.21", "role": "taker", "text": f"t-{OURS}",
        "fee": 0.06, "point_fee": 0,
    }  # fmt: skip
    about = {"time": AT_MS // 1000, "time_ms": AT_MS, "event": "update"}
    news, ears = await told(
        "gate",
        {**about, "channel": "futures.orders", "result": [order]},
        {**about, "channel": "futures.usertrades", "result": [fill]},
    )
    assert not ears.errors
    seen, trade = of(OrderNews, news), of(TradeNews, news)
    assert seen.symbol == trade.symbol == FET
    assert (seen.state.final, seen.filled_quantity) == (True, Decimal(100))
    assert (seen.client_id, seen.venue_order_id) == (OURS, "9")
    assert (trade.trade_id, trade.quantity, trade.side) == ("4", Decimal(100), Side.SELL)
    assert (trade.client_id, trade.price) == (OURS, Decimal("1.21"))
