"""What Binance USD-M says in its own format of the order and the account that all six tell of."""

from typing import Any

from tests.venue_scene import AT_MS, CLIENT_ID, T0, T1, Play


def binance_market() -> dict[str, Any]:
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


def binance_order(**change: Any) -> dict[str, Any]:
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
    markets={"GET /fapi/v1/exchangeInfo": {"symbols": [binance_market()]}},
    taken=binance_order(),
    found=binance_order(),
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


BINANCE_ACCOUNT: dict[str, Any] = {
    "GET /fapi/v1/positionSide/dual": {"dualSidePosition": False},
    "GET /fapi/v1/symbolConfig": [
        {"symbol": "FETUSDT", "marginType": "CROSSED", "isAutoAddMargin": False, "leverage": 10}
    ],
    "GET /fapi/v1/leverageBracket": [
        {
            "symbol": "FETUSDT",
            "brackets": [
                {
                    "bracket": 1,
                    "initialLeverage": 50,
                    "notionalCap": 10_000,
                    "notionalFloor": 0,
                    "maintMarginRatio": 0.01,
                    "cum": 0.0,
                }
            ],
        }
    ],
    "GET /fapi/v3/account": {
        "totalMarginBalance": "9980",
        "availableBalance": "9930",
        "totalInitialMargin": "50",
        "totalMaintMargin": "5",
        "assets": [],
        "positions": [],
    },
    "GET /fapi/v3/positionRisk": [
        {
            "symbol": "FETUSDT",
            "positionSide": "BOTH",
            "positionAmt": "-1000",
            "entryPrice": "0.5",
            "breakEvenPrice": "0.5",
            "markPrice": "0.52",
            "unRealizedProfit": "-20",
            "liquidationPrice": "0.91",
            "isolatedMargin": "0",
            "notional": "-520",
            "marginAsset": "USDT",
            "isolatedWallet": "0",
            "initialMargin": "50",
            "maintMargin": "5",
            "adl": 1,
            "updateTime": T1,
        }
    ],
    "GET /fapi/v1/openOrders": [binance_order(status="NEW", executedQty="0")],
    "GET /fapi/v1/userTrades": [
        {
            "id": trade_id,
            "symbol": "FETUSDT",
            "orderId": 42,
            "side": "SELL",
            "price": "0.5",
            "qty": quantity,
            "quoteQty": "200",
            "realizedPnl": "0",
            "commission": "0.1",
            "commissionAsset": "USDT",
            "time": at_ms,
            "positionSide": "BOTH",
            "buyer": False,
            "maker": False,
        }
        for trade_id, quantity, at_ms in ((1, "400", T0), (2, "600", T1))
    ],
    "GET /fapi/v1/income": [
        {
            "symbol": "FETUSDT",
            "incomeType": "FUNDING_FEE",
            "income": "1.25",
            "asset": "USDT",
            "time": T1,
            "tranId": 9,
            "info": "",
            "tradeId": "",
        }
    ],
}
