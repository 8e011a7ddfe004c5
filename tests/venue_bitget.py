"""What Bitget says in its own format of the order and the account that all six tell of."""

from typing import Any

from tests.venue_scene import AT_MS, CLIENT_ID, T0, T1, Play


def bitget_reply(data: Any, code: str = "00000", message: str = "success") -> dict[str, Any]:
    return {"code": code, "msg": message, "requestTime": AT_MS, "data": data}


BITGET_MARKET = {
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


BITGET_ORDER = {
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
    markets={"GET /api/v2/mix/market/contracts": bitget_reply([BITGET_MARKET])},
    taken=bitget_reply({"orderId": "42", "clientOid": CLIENT_ID}),
    found=bitget_reply(BITGET_ORDER),
    find_path="GET /api/v2/mix/order/detail",
    absent=(bitget_reply(None, "40109", "No such order."), 400),
    refusals=(
        (bitget_reply(None, "40762", "Not enough."), 400, "40762"),
        (bitget_reply(None, "22002", "Nothing to close."), 400, "22002"),
        (bitget_reply(None, "40014", "Not allowed."), 400, "40014"),
    ),
    slow=(
        (bitget_reply(None, "429", "Slow down."), 429, "429"),
        (bitget_reply(None, "40008", "Late."), 400, "40008"),
    ),
    exists=(bitget_reply(None, "40786", "Used id."), 400),
    unknown=(
        (bitget_reply(None, "40010", "No answer."), 400),
        (bitget_reply(None, "40015", "Broken."), 400),
        (bitget_reply(None, "40725", "Broken."), 400),
        (bitget_reply({"orderId": "", "clientOid": CLIENT_ID}), 200),
        (bitget_reply(None), 200),
    ),
)


def _bitget_position(**change: Any) -> dict[str, Any]:
    document = {
        "marginCoin": "USDT",
        "symbol": "FETUSDT",
        "holdSide": "short",
        "openDelegateSize": "0",
        "marginSize": "50",
        "available": "1000",
        "locked": "0",
        "total": "1000",
        "leverage": "10",
        "achievedProfits": "0",
        "openPriceAvg": "0.5",
        "marginMode": "crossed",
        "posMode": "one_way_mode",
        "unrealizedPL": "-20",
        "liquidationPrice": "0.91",
        "keepMarginRate": "0.01",
        "markPrice": "0.52",
        "cTime": str(T0),
        "uTime": str(T1),
    }
    return {**document, **change}


def _bitget_fill(**change: Any) -> dict[str, Any]:
    document = {
        "tradeId": "t1",
        "symbol": "FETUSDT",
        "orderId": "42",
        "clientOid": CLIENT_ID,
        "price": "0.5",
        "baseVolume": "400",
        "quoteVolume": "200",
        "profit": "0",
        "side": "sell",
        "tradeSide": "sell_single",
        "posMode": "one_way_mode",
        "tradeScope": "taker",
        "feeDetail": [{"deduction": "no", "feeCoin": "USDT", "totalFee": "-0.1"}],
        "cTime": str(T0),
    }
    return {**document, **change}


BITGET_ACCOUNT: dict[str, Any] = {
    "GET /api/v2/mix/account/bill": bitget_reply(
        {
            "bills": [
                {
                    "billId": "b1",
                    "symbol": "FETUSDT",
                    "amount": "1.25",
                    "fee": "0",
                    "feeByCoupon": "",
                    "businessType": "contract_settle_fee",
                    "coin": "USDT",
                    "balance": "10000",
                    "cTime": str(T1),
                }
            ],
            "endId": "b1",
        }
    ),
    "GET /api/v2/mix/account/accounts": bitget_reply(
        [
            {
                "marginCoin": "USDT",
                "locked": "0",
                "available": "10000",
                "crossedMaxAvailable": "9930",
                "isolatedMaxAvailable": "9930",
                "maxTransferOut": "9930",
                "accountEquity": "9980",
                "usdtEquity": "9980",
                "unrealizedPL": "-20",
            }
        ]
    ),
    "GET /api/v2/mix/position/all-position": bitget_reply([_bitget_position()]),
    "GET /api/v2/mix/order/orders-pending": bitget_reply(
        {
            "entrustedList": [{**BITGET_ORDER, "status": "live", "baseVolume": "0"}],
            "endId": "1",
        }
    ),
    "GET /api/v2/mix/order/fills": bitget_reply(
        {
            "fillList": [
                _bitget_fill(tradeId="t2", baseVolume="600", cTime=str(T1)),
                _bitget_fill(),
            ],
            "endId": "1",
        }
    ),
}


BITGET_HEDGED: dict[str, Any] = {
    "GET /api/v2/mix/position/all-position": bitget_reply([_bitget_position(posMode="hedge_mode")])
}
