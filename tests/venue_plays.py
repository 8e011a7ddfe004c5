"""What six exchanges say in their own formats about one order: 1000 FET sold at 0.5.

A contract is 10 FET on okx and gate, 1 elsewhere. Every play tells of the same facts.
"""

from typing import Any

from tests.venue_scene import CLIENT_ID, Play, on_wire

AT_MS = 1_750_000_000_000


def _binance_market() -> dict[str, Any]:
    return {
        "symbol": "FETUSDT",
        "pair": "FETUSDT",
        "contractType": "PERPETUAL",
        "deliveryDate": 4_133_404_800_000,
        "onboardDate": 1_569_398_400_000,
        "status": "TRADING",
        "baseAsset": "FET",
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "pricePrecision": 4,
        "quantityPrecision": 0,
        "orderTypes": ["LIMIT"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "0.0001", "minPrice": "0.0001"},
            {"filterType": "LOT_SIZE", "stepSize": "1", "minQty": "1", "maxQty": "1000000"},
            {"filterType": "MIN_NOTIONAL", "notional": "5"},
        ],
    }


def _binance_order(**change: Any) -> dict[str, Any]:
    document = {
        "orderId": 42,
        "symbol": "FETUSDT",
        "status": "EXPIRED",
        "clientOrderId": CLIENT_ID,
        "price": "0.5",
        "avgPrice": "0.5001",
        "origQty": "1000",
        "executedQty": "400",
        "cumQuote": "200.04",
        "timeInForce": "IOC",
        "type": "LIMIT",
        "reduceOnly": False,
        "side": "SELL",
        "positionSide": "BOTH",
        "updateTime": AT_MS,
    }
    return {**document, **change}


BINANCE = Play(
    order_path="POST /fapi/v1/order",
    markets={"GET /fapi/v1/exchangeInfo": {"symbols": [_binance_market()]}},
    taken=_binance_order(),
    found=_binance_order(),
    find_path="GET /fapi/v1/order",
    absent=({"code": -2013, "msg": "No such order."}, 400),
    refusals=(
        ({"code": -2019, "msg": "Not enough margin."}, 400, "-2019"),
        ({"code": -2022, "msg": "Nothing to reduce."}, 400, "-2022"),
        ({"code": -2015, "msg": "Bad key."}, 401, "-2015"),
        ({"code": -4014, "msg": "Off the PRICE_FILTER."}, 400, "-4014"),
    ),
    slow=(
        ({"code": -1021, "msg": "Late."}, 400, "-1021"),
        ({"code": -1003, "msg": "Slow down."}, 429, "-1003"),
        ({"code": -1003, "msg": "Banned."}, 418, "-1003"),
    ),
    exists=({"code": -4116, "msg": "Used id."}, 400),
    unknown=(
        ({"code": -1007, "msg": "No answer."}, 408),
        ({"code": -1008, "msg": "Overload."}, 503),
        ({"code": -2019, "msg": "A gateway says so."}, 502),
    ),
)


def _bybit(result: Any, code: int = 0, message: str = "OK") -> dict[str, Any]:
    return {"retCode": code, "retMsg": message, "result": result, "retExtInfo": {}, "time": AT_MS}


_BYBIT_MARKET = {
    "symbol": "FETUSDT",
    "contractType": "LinearPerpetual",
    "status": "Trading",
    "baseCoin": "FET",
    "quoteCoin": "USDT",
    "settleCoin": "USDT",
    "launchTime": "1569398400000",
    "deliveryTime": "0",
    "priceScale": "4",
    "leverageFilter": {"minLeverage": "1", "maxLeverage": "50", "leverageStep": "0.01"},
    "priceFilter": {"minPrice": "0.0001", "maxPrice": "1000", "tickSize": "0.0001"},
    "lotSizeFilter": {
        "maxOrderQty": "1000000",
        "minOrderQty": "1",
        "qtyStep": "1",
        "minNotionalValue": "5",
    },
    "fundingInterval": 480,
}
_BYBIT_ORDER = {
    "orderId": "42",
    "orderLinkId": CLIENT_ID,
    "symbol": "FETUSDT",
    "price": "0.5",
    "qty": "1000",
    "side": "Sell",
    "positionIdx": 0,
    "orderStatus": "PartiallyFilledCanceled",
    "avgPrice": "0.5001",
    "leavesQty": "0",
    "cumExecQty": "400",
    "cumExecValue": "200.04",
    "cumExecFee": "0.1",
    "timeInForce": "IOC",
    "orderType": "Limit",
    "reduceOnly": False,
    "tpslMode": "Full",
    "isLeverage": "",
    "createdTime": str(AT_MS),
    "updatedTime": str(AT_MS),
}
_BYBIT_KEY = {
    "permissions": {"ContractTrade": ["Order", "Position"], "Wallet": []},
    "ips": ["192.0.2.7"],
    "readOnly": 0,
    "uta": 1,
    "unified": 0,
}

BYBIT = Play(
    order_path="POST /v5/order/create",
    markets={
        "GET /v5/market/instruments-info": _bybit(
            {"category": "linear", "list": [_BYBIT_MARKET], "nextPageCursor": ""}
        )
    },
    setup={
        "GET /v5/user/query-api": _bybit(_BYBIT_KEY),
        "GET /v5/account/info": _bybit(
            {"marginMode": "REGULAR_MARGIN", "unifiedMarginStatus": 5, "updatedTime": str(AT_MS)}
        ),
        "GET /v5/order/history": _bybit({"category": "linear", "list": []}),
    },
    taken=_bybit({"orderId": "42", "orderLinkId": CLIENT_ID}),
    found=_bybit({"category": "linear", "list": [_BYBIT_ORDER], "nextPageCursor": ""}),
    find_path="GET /v5/order/realtime",
    absent=(_bybit({"category": "linear", "list": [], "nextPageCursor": ""}), 200),
    refusals=(
        (_bybit({}, 110007, "Not enough."), 200, "110007"),
        (_bybit({}, 110017, "Nothing to reduce."), 200, "110017"),
        (_bybit({}, 10003, "Bad key."), 200, "10003"),
    ),
    slow=(
        (_bybit({}, 10002, "Late."), 200, "10002"),
        (_bybit({}, 10006, "Slow down."), 200, "10006"),
    ),
    exists=(_bybit({}, 110072, "Used id."), 200),
    unknown=(
        (_bybit({}, 10016, "Broken."), 200),
        (_bybit({}, 10000, "No answer."), 200),
        (_bybit({}, 99999, "Unheard of."), 200),
        (_bybit({"orderId": "", "orderLinkId": ""}), 200),
        (_bybit({"orderId": "42", "orderLinkId": "somebody-elses"}), 200),
    ),
)


def _okx(data: Any, code: str = "0", message: str = "") -> dict[str, Any]:
    return {"code": code, "data": data, "msg": message, "inTime": "1", "outTime": "2"}


def _okx_row(code: str, message: str, order_id: str = "") -> dict[str, Any]:
    return {
        "clOrdId": CLIENT_ID,
        "ordId": order_id,
        "sCode": code,
        "sMsg": message,
        "tag": "",
        "ts": str(AT_MS),
    }


_OKX_MARKET = {
    "instType": "SWAP",
    "instId": "FET-USDT-SWAP",
    "instFamily": "FET-USDT",
    "uly": "FET-USDT",
    "baseCcy": "",
    "quoteCcy": "",
    "settleCcy": "USDT",
    "ctVal": "10",
    "ctMult": "1",
    "ctValCcy": "FET",
    "ctType": "linear",
    "state": "live",
    "tickSz": "0.0001",
    "lotSz": "0.1",
    "minSz": "0.1",
    "maxLmtSz": "100000",
    "maxMktSz": "100000",
    "lever": "50",
    "listTime": "1569398400000",
    "expTime": "",
}
_OKX_ORDER = {
    "instType": "SWAP",
    "instId": "FET-USDT-SWAP",
    "ordId": "42",
    "clOrdId": CLIENT_ID,
    "px": "0.5",
    "sz": "100",
    "ordType": "ioc",
    "side": "sell",
    "posSide": "net",
    "tdMode": "cross",
    "accFillSz": "40",
    "fillPx": "0.5001",
    "avgPx": "0.5001",
    "state": "canceled",
    "fee": "-0.1",
    "feeCcy": "USDT",
    "reduceOnly": "false",
    "cTime": str(AT_MS),
    "uTime": str(AT_MS),
}

OKX = Play(
    order_path="POST /api/v5/trade/batch-orders",
    markets={"GET /api/v5/public/instruments": _okx([_OKX_MARKET])},
    taken=_okx([_okx_row("0", "", "42")]),
    found=_okx([_OKX_ORDER]),
    find_path="GET /api/v5/trade/order",
    absent=(_okx([], "51603", "No such order."), 200),
    refusals=(
        (_okx([_okx_row("51008", "Not enough.")], "1", "All failed."), 200, "51008"),
        (_okx([_okx_row("51006", "Too far.")], "1", "All failed."), 200, "51006"),
        (_okx([], "50113", "Bad sign."), 401, "50113"),
    ),
    slow=(
        (_okx([], "50011", "Slow down."), 429, "50011"),
        (_okx([], "50102", "Late."), 401, "50102"),
        (_okx([_okx_row("50061", "Slow down.")], "1"), 200, "50061"),
    ),
    exists=(_okx([_okx_row("51016", "Used id.")], "1"), 200),
    unknown=(
        (_okx([], "1", "All failed."), 200),
        (_okx([_okx_row("51008", "One."), _okx_row("51008", "Two.")], "1"), 200),
        (_okx([], "50004", "No answer."), 400),
        (_okx([_okx_row("50026", "Broken.")], "1"), 200),
        (_okx([_okx_row("0", "")]), 200),
        (_okx([]), 200),
    ),
)


def _hyper(*statuses: Any) -> dict[str, Any]:
    return {"status": "ok", "response": {"type": "order", "data": {"statuses": list(statuses)}}}


HYPERLIQUID = Play(
    order_path="POST /exchange",
    markets={
        "info metaAndAssetCtxs": [
            {
                "universe": [{"name": "FET", "szDecimals": 0, "maxLeverage": 10}],
                "collateralToken": 0,
            },
            [{"markPx": "0.5", "midPx": "0.5", "oraclePx": "0.5", "funding": "0.0000125"}],
        ]
    },
    setup={"info userAbstraction": "disabled"},
    taken=_hyper({"resting": {"oid": 42}}),
    found={
        "status": "order",
        "order": {
            "order": {
                "coin": "FET",
                "side": "A",
                "limitPx": "0.5",
                "sz": "600.0",
                "oid": 42,
                "timestamp": AT_MS,
                "origSz": "1000.0",
                "orderType": "Limit",
                "tif": "Ioc",
                "reduceOnly": False,
                "cloid": on_wire("hyperliquid"),
            },
            "status": "canceled",
            "statusTimestamp": AT_MS,
        },
    },
    find_path="info orderStatus",
    absent=({"status": "unknownOid"}, 200),
    refusals=(
        (_hyper({"error": "Insufficient margin to place order. asset=3"}), 200, "PerpMargin"),
        (_hyper({"error": "Price must be divisible by tick size. asset=3"}), 200, "Tick"),
        (
            _hyper({"error": "Order could not immediately match against any resting orders."}),
            200,
            "IocCancel",
        ),
        (
            {"status": "err", "response": f"User or API Wallet 0x{'ab' * 20} does not exist."},
            200,
            "UnknownWallet",
        ),
    ),
    slow=(
        (
            {"status": "err", "response": "Too many cumulative requests sent (9 > 8)."},
            200,
            "TooManyRequests",
        ),
    ),
    exists=None,
    unknown=(
        (_hyper({"error": "Something quite new."}), 200),
        (_hyper({"error": "Order has zero size."}, {"error": "Order has zero size."}), 200),
        ({"status": "err", "response": "Invalid nonce: duplicate nonce"}, 200),
        ({"status": "err", "response": {"deep": 1}}, 200),
        (_hyper(), 200),
    ),
)


def _bitget(data: Any, code: str = "00000", message: str = "success") -> dict[str, Any]:
    return {"code": code, "msg": message, "requestTime": AT_MS, "data": data}


_BITGET_MARKET = {
    "symbol": "FETUSDT",
    "baseCoin": "FET",
    "quoteCoin": "USDT",
    "buyLimitPriceRatio": "0.05",
    "sellLimitPriceRatio": "0.05",
    "makerFeeRate": "0.0002",
    "takerFeeRate": "0.0006",
    "supportMarginCoins": ["USDT"],
    "minTradeNum": "1",
    "priceEndStep": "1",
    "volumePlace": "0",
    "pricePlace": "4",
    "sizeMultiplier": "1",
    "symbolType": "perpetual",
    "minTradeUSDT": "5",
    "symbolStatus": "normal",
    "maxLever": "50",
    "minLever": "1",
    "fundInterval": "8",
    "launchTime": "",
}
_BITGET_ORDER = {
    "symbol": "FETUSDT",
    "size": "1000",
    "orderId": "42",
    "clientOid": CLIENT_ID,
    "baseVolume": "400",
    "fee": "-0.1",
    "price": "0.5",
    "priceAvg": "0.5001",
    "state": "canceled",
    "side": "sell",
    "force": "ioc",
    "quoteVolume": "200.04",
    "totalProfits": "0",
    "posSide": "net",
    "marginCoin": "USDT",
    "orderType": "limit",
    "leverage": "10",
    "marginMode": "crossed",
    "reduceOnly": "NO",
    "tradeSide": "sell_single",
    "posMode": "one_way_mode",
    "cTime": str(AT_MS),
    "uTime": str(AT_MS),
}

BITGET = Play(
    order_path="POST /api/v2/mix/order/place-order",
    markets={"GET /api/v2/mix/market/contracts": _bitget([_BITGET_MARKET])},
    taken=_bitget({"orderId": "42", "clientOid": CLIENT_ID}),
    found=_bitget(_BITGET_ORDER),
    find_path="GET /api/v2/mix/order/detail",
    absent=(_bitget(None, "40109", "No such order."), 400),
    refusals=(
        (_bitget(None, "40762", "Not enough."), 400, "40762"),
        (_bitget(None, "22002", "Nothing to close."), 400, "22002"),
        (_bitget(None, "40014", "Not allowed."), 400, "40014"),
    ),
    slow=(
        (_bitget(None, "429", "Slow down."), 429, "429"),
        (_bitget(None, "40008", "Late."), 400, "40008"),
    ),
    exists=(_bitget(None, "40786", "Used id."), 400),
    unknown=(
        (_bitget(None, "40010", "No answer."), 400),
        (_bitget(None, "40015", "Broken."), 400),
        (_bitget(None, "40725", "Broken."), 400),
        (_bitget({"orderId": "", "clientOid": CLIENT_ID}), 200),
        (_bitget(None), 200),
    ),
)


def _gate_order(**change: Any) -> dict[str, Any]:
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


_GATE_MARKET = {
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
        "GET /api/v4/futures/usdt/contracts": [_GATE_MARKET],
        "GET /api/v4/futures/btc/contracts": [],
    },
    taken=_gate_order(),
    found=_gate_order(),
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
        (_gate_order(text="t-somebody-elses"), 200),
        (_gate_order(id=None), 200),
    ),
)

PLAYS = {
    "binanceusdm": BINANCE,
    "bybit": BYBIT,
    "okx": OKX,
    "hyperliquid": HYPERLIQUID,
    "bitget": BITGET,
    "gate": GATE,
}
SYMBOLS = dict.fromkeys(PLAYS, "FET/USDT:USDT") | {"hyperliquid": "FET/USDC:USDC"}
