"""What Gate says in its own format of the order and the account that all six tell of."""

from typing import Any

from tests.venue_scene import AT_MS, T0, T1, Play, on_wire


def gate_order(**change: Any) -> dict[str, Any]:
    document = {
        "id": 42,
        "user": 7,
        "contract": "FET_USDT",
        "create_time": AT_MS / 1000,
        "finish_time": AT_MS / 1000,
        "finish_as": "ioc",
        "status": "finished",
        "size": -100,
        "iceberg": 0,
        "price": "0.5",
        "fill_price": "0.5001",
        "left": -60,
        "text": on_wire("gate"),
        "tif": "ioc",
        "is_reduce_only": False,
        "is_close": False,
        "tkfr": "0.0005",
        "mkfr": "0.0002",
    }
    return {**document, **change}


GATE_MARKET = {
    "name": "FET_USDT",
    "type": "direct",
    "quanto_multiplier": "10",
    "order_price_round": "0.0001",
    "mark_price_round": "0.0001",
    "order_size_min": 1,
    "order_size_max": 1_000_000,
    "order_price_deviate": "0.5",
    "mark_price": "0.5",
    "leverage_min": "1",
    "leverage_max": "50",
    "maintenance_rate": "0.01",
    "maker_fee_rate": "0.0002",
    "taker_fee_rate": "0.0005",
    "funding_interval": 28800,
    "in_delisting": False,
    "create_time": 1_569_398_400,
    "status": "trading",
}


GATE = Play(
    order_path="POST /api/v4/futures/usdt/orders",
    markets={
        "GET /api/v4/futures/usdt/contracts": [GATE_MARKET],
        "GET /api/v4/futures/btc/contracts": [],
    },
    taken=gate_order(),
    found=gate_order(),
    find_path=f"GET /api/v4/futures/usdt/orders/{on_wire('gate')}",
    absent=({"label": "ORDER_NOT_FOUND", "message": "No such order."}, 404),
    refusals=(
        (
            {"label": "INSUFFICIENT_AVAILABLE", "message": "Not enough."},
            400,
            "INSUFFICIENT_AVAILABLE",
        ),
        ({"label": "ORDER_POC_IMMEDIATE", "detail": "It would take."}, 400, "ORDER_POC_IMMEDIATE"),
        ({"label": "INVALID_KEY", "message": "Bad key."}, 401, "INVALID_KEY"),
    ),
    slow=(
        ({"label": "TOO_MANY_REQUESTS", "message": "Slow down."}, 429, "TOO_MANY_REQUESTS"),
        ({"label": "REQUEST_EXPIRED", "message": "Late."}, 403, "REQUEST_EXPIRED"),
    ),
    exists=None,
    unknown=(
        ({"label": "SERVER_ERROR", "message": "Broken."}, 500),
        ({"label": "TOO_BUSY", "message": "Busy."}, 400),
        ({"label": "INVALID_PARAM_VALUE", "message": "A gateway says so."}, 503),
        (gate_order(text="t-somebody-elses"), 200),
        (gate_order(id=None), 200),
    ),
)


def _gate_position(**change: Any) -> dict[str, Any]:
    document = {
        "user": 7,
        "contract": "FET_USDT",
        "size": -100,
        "leverage": "0",
        "cross_leverage_limit": "10",
        "risk_limit": "1000000",
        "leverage_max": "50",
        "maintenance_rate": "0.01",
        "value": "520",
        "margin": "50",
        "initial_margin": "50",
        "maintenance_margin": "5",
        "entry_price": "0.5",
        "mark_price": "0.52",
        "liq_price": "0.91",
        "unrealised_pnl": "-20",
        "mode": "single",
        "open_time": T0 // 1000,
        "update_time": T1 // 1000,
    }
    return {**document, **change}


def _gate_trade(**change: Any) -> dict[str, Any]:
    document = {
        "trade_id": "t1",
        "create_time": T0 / 1000,
        "contract": "FET_USDT",
        "order_id": "42",
        "size": -40,
        "price": "0.5",
        "role": "taker",
        "text": on_wire("gate"),
        "fee": "0.1",
        "point_fee": "0",
    }
    return {**document, **change}


GATE_ACCOUNT: dict[str, Any] = {
    "GET /api/v4/futures/usdt/accounts": {
        "user": 7,
        "currency": "USDT",
        "total": "10000",
        "unrealised_pnl": "-20",
        "position_margin": "50",
        "order_margin": "0",
        "available": "9930",
        "maintenance_margin": "5",
        "point": "0",
        "in_dual_mode": False,
        "enable_evolved_classic": False,
    },
    "GET /api/v4/futures/usdt/positions": [_gate_position()],
    "GET /api/v4/futures/usdt/orders": [
        gate_order(status="open", left=-100, fill_price="0", finish_as="_new")
    ],
    "GET /api/v4/futures/usdt/my_trades_timerange": [
        _gate_trade(trade_id="t2", size=-60, create_time=T1 / 1000),
        _gate_trade(),
    ],
    "GET /api/v4/futures/usdt/account_book": [
        {
            "time": T1 / 1000,
            "change": "1.25",
            "balance": "10000",
            "type": "fund",
            "text": "FET_USDT",
        }
    ],
}


GATE_HEDGED: dict[str, Any] = {
    "GET /api/v4/futures/usdt/positions": [
        _gate_position(mode="dual_long", size=0, value="0", margin="0", liq_price="0"),
        _gate_position(mode="dual_short"),
    ]
}
