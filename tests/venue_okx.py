"""What OKX says in its own format of the order and the account that all six tell of."""

from typing import Any

from tests.venue_scene import AT_MS, CLIENT_ID, T0, T1, Play


def okx_reply(data: Any, code: str = "0", message: str = "") -> dict[str, Any]:
    return {"code": code, "data": data, "msg": message, "inTime": "1", "outTime": "2"}


def okx_row(code: str, message: str, order_id: str = "") -> dict[str, Any]:
    return {
        "clOrdId": CLIENT_ID,
        "ordId": order_id,
        "sCode": code,
        "sMsg": message,
        "tag": "",
        "ts": str(AT_MS),
    }


OKX_MARKET = {
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


OKX_ORDER = {
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
    markets={"GET /api/v5/public/instruments": okx_reply([OKX_MARKET])},
    taken=okx_reply([okx_row("0", "", "42")]),
    found=okx_reply([OKX_ORDER]),
    find_path="GET /api/v5/trade/order",
    absent=(okx_reply([], "51603", "No such order."), 200),
    refusals=(
        (okx_reply([okx_row("51008", "Not enough.")], "1", "All failed."), 200, "51008"),
        (okx_reply([okx_row("51006", "Too far.")], "1", "All failed."), 200, "51006"),
        (okx_reply([], "50113", "Bad sign."), 401, "50113"),
    ),
    slow=(
        (okx_reply([], "50011", "Slow down."), 429, "50011"),
        (okx_reply([], "50102", "Late."), 401, "50102"),
        (okx_reply([okx_row("50061", "Slow down.")], "1"), 200, "50061"),
    ),
    exists=(okx_reply([okx_row("51016", "Used id.")], "1"), 200),
    unknown=(
        (okx_reply([], "1", "All failed."), 200),
        (okx_reply([okx_row("51008", "One."), okx_row("51008", "Two.")], "1"), 200),
        (okx_reply([], "50004", "No answer."), 400),
        (okx_reply([okx_row("50026", "Broken.")], "1"), 200),
        (okx_reply([okx_row("0", "")]), 200),
        (okx_reply([]), 200),
    ),
)


def _okx_position(**change: Any) -> dict[str, Any]:
    document = {
        "instType": "SWAP",
        "instId": "FET-USDT-SWAP",
        "mgnMode": "cross",
        "posId": "1",
        "posSide": "net",
        "pos": "-100",
        "avgPx": "0.5",
        "markPx": "0.52",
        "upl": "-20",
        "lever": "10",
        "liqPx": "0.91",
        "imr": "50",
        "mmr": "5",
        "margin": "",
        "mgnRatio": "1000",
        "notionalUsd": "520",
        "ccy": "USDT",
        "cTime": str(T0),
        "uTime": str(T1),
    }
    return {**document, **change}


def _okx_fill(**change: Any) -> dict[str, Any]:
    document = {
        "instType": "SWAP",
        "instId": "FET-USDT-SWAP",
        "tradeId": "t1",
        "ordId": "42",
        "clOrdId": CLIENT_ID,
        "billId": "b1",
        "fillPx": "0.5",
        "fillSz": "40",
        "fillPnl": "0",
        "side": "sell",
        "posSide": "net",
        "execType": "T",
        "feeCcy": "USDT",
        "fee": "-0.1",
        "ts": str(T0),
    }
    return {**document, **change}


OKX_ACCOUNT: dict[str, Any] = {
    "GET /api/v5/account/balance": okx_reply(
        [
            {
                "totalEq": "9980",
                "adjEq": "",
                "availEq": "",
                "imr": "",
                "mmr": "",
                "uTime": str(T1),
                "details": [
                    {
                        "ccy": "USDT",
                        "eq": "9980",
                        "cashBal": "10000",
                        "availEq": "9930",
                        "availBal": "9930",
                        "frozenBal": "50",
                        "imr": "50",
                        "mmr": "5",
                        "upl": "-20",
                    }
                ],
            }
        ]
    ),
    "GET /api/v5/account/config": okx_reply(
        [{"uid": "7", "posMode": "net_mode", "perm": "read_only,trade", "ip": "192.0.2.7"}]
    ),
    "GET /api/v5/account/positions": okx_reply([_okx_position()]),
    "GET /api/v5/trade/orders-pending": okx_reply(
        [{**OKX_ORDER, "state": "live", "accFillSz": "0"}]
    ),
    "GET /api/v5/trade/fills-history": okx_reply(
        [_okx_fill(tradeId="t2", fillSz="60", ts=str(T1)), _okx_fill()]
    ),
    "GET /api/v5/account/bills-archive": okx_reply(
        [
            {
                "billId": "9",
                "instId": "FET-USDT-SWAP",
                "instType": "SWAP",
                "ccy": "USDT",
                "balChg": "1.25",
                "posBalChg": "0",
                "pnl": "1.25",
                "type": "8",
                "subType": "174",
                "ts": str(T1),
            }
        ]
    ),
}


OKX_HEDGED: dict[str, Any] = {
    "GET /api/v5/account/config": okx_reply([{"uid": "7", "posMode": "long_short_mode"}]),
    "GET /api/v5/account/positions": okx_reply(
        [
            _okx_position(posSide="long", pos="0", avgPx="", upl="", liqPx="", imr="", mmr=""),
            _okx_position(posSide="short", pos="100"),
        ]
    ),
}
