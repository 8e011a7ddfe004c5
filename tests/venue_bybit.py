"""What Bybit says in its own format of the order and the account that all six tell of."""

from typing import Any

from tests.venue_scene import AT_MS, CLIENT_ID, T0, T1, Play


def bybit_reply(result: Any, code: int = 0, message: str = "OK") -> dict[str, Any]:
    return {"retCode": code, "retMsg": message, "result": result, "retExtInfo": {}, "time": AT_MS}


BYBIT_MARKET = {
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


BYBIT_ORDER = {
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
        "GET /v5/market/instruments-info": bybit_reply(
            {"category": "linear", "list": [BYBIT_MARKET], "nextPageCursor": ""}
        )
    },
    setup={
        "GET /v5/user/query-api": bybit_reply(_BYBIT_KEY),
        "GET /v5/account/info": bybit_reply(
            {"marginMode": "REGULAR_MARGIN", "unifiedMarginStatus": 5, "updatedTime": str(AT_MS)}
        ),
        "GET /v5/order/history": bybit_reply({"category": "linear", "list": []}),
    },
    taken=bybit_reply({"orderId": "42", "orderLinkId": CLIENT_ID}),
    found=bybit_reply({"category": "linear", "list": [BYBIT_ORDER], "nextPageCursor": ""}),
    find_path="GET /v5/order/realtime",
    absent=(bybit_reply({"category": "linear", "list": [], "nextPageCursor": ""}), 200),
    refusals=(
        (bybit_reply({}, 110007, "Not enough."), 200, "110007"),
        (bybit_reply({}, 110017, "Nothing to reduce."), 200, "110017"),
        (bybit_reply({}, 10003, "Bad key."), 200, "10003"),
    ),
    slow=(
        (bybit_reply({}, 10002, "Late."), 200, "10002"),
        (bybit_reply({}, 10006, "Slow down."), 200, "10006"),
    ),
    exists=(bybit_reply({}, 110072, "Used id."), 200),
    unknown=(
        (bybit_reply({}, 10016, "Broken."), 200),
        (bybit_reply({}, 10000, "No answer."), 200),
        (bybit_reply({}, 99999, "Unheard of."), 200),
        (bybit_reply({"orderId": "", "orderLinkId": ""}), 200),
        (bybit_reply({"orderId": "42", "orderLinkId": "somebody-elses"}), 200),
    ),
)


def _bybit_execution(**change: Any) -> dict[str, Any]:
    document = {
        "symbol": "FETUSDT",
        "execId": "t1",
        "orderId": "42",
        "orderLinkId": CLIENT_ID,
        "side": "Sell",
        "execPrice": "0.5",
        "execQty": "400",
        "execValue": "200",
        "execFee": "0.1",
        "feeCurrency": "",
        "feeRate": "0.0005",
        "execType": "Trade",
        "isMaker": False,
        "execTime": str(T0),
        "leavesQty": "600",
        "closedSize": "",
    }
    return {**document, **change}


def _bybit_position(**change: Any) -> dict[str, Any]:
    document = {
        "positionIdx": 0,
        "symbol": "FETUSDT",
        "side": "Sell",
        "size": "1000",
        "avgPrice": "0.5",
        "positionValue": "500",
        "tradeMode": 0,
        "leverage": "10",
        "markPrice": "0.52",
        "liqPrice": "0.91",
        "positionIM": "50",
        "positionMM": "5",
        "unrealisedPnl": "-20",
        "createdTime": str(T0),
        "updatedTime": str(T1),
    }
    return {**document, **change}


def bybit_empty(index: int) -> dict[str, Any]:
    """The row that stands first in hedge mode although nothing is held."""
    return _bybit_position(
        positionIdx=index,
        side="",
        size="0",
        avgPrice="0",
        positionValue="",
        liqPrice="",
        positionIM="",
        positionMM="",
        unrealisedPnl="",
    )


BYBIT_ACCOUNT: dict[str, Any] = {
    "GET /v5/account/wallet-balance": bybit_reply(
        {
            "list": [
                {
                    "accountType": "UNIFIED",
                    "totalEquity": "9980",
                    "totalWalletBalance": "10000",
                    "totalAvailableBalance": "9930",
                    "totalInitialMargin": "50",
                    "totalMaintenanceMargin": "5",
                    "coin": [
                        {
                            "coin": "USDT",
                            "equity": "9980",
                            "walletBalance": "10000",
                            "locked": "0",
                        }
                    ],
                }
            ]
        }
    ),
    "GET /v5/position/list": bybit_reply(
        {"category": "linear", "list": [_bybit_position()], "nextPageCursor": ""}
    ),
    "GET /v5/order/realtime": bybit_reply(
        {
            "category": "linear",
            "list": [{**BYBIT_ORDER, "orderStatus": "New", "cumExecQty": "0"}],
            "nextPageCursor": "",
        }
    ),
    "GET /v5/execution/list": bybit_reply(
        {
            "category": "linear",
            "list": [
                _bybit_execution(
                    execId="f1",
                    execType="Funding",
                    execFee="-1.25",
                    execQty="1000",
                    orderLinkId="",
                    execTime=str(T1),
                ),
                _bybit_execution(execId="t2", execQty="600", execTime=str(T1)),
                _bybit_execution(),
            ],
        }
    ),
}


BYBIT_HEDGED: dict[str, Any] = {
    "GET /v5/position/list": bybit_reply(
        {
            "category": "linear",
            "list": [bybit_empty(1), _bybit_position(positionIdx=2)],
            "nextPageCursor": "",
        }
    )
}
