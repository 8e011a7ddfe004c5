"""What six exchanges say in their own formats about one account, its trades and its payments.

It is short 1000 FET at 0.5 (a contract is 10 FET on okx and gate), the mark price is 0.52, so 20
USD are lost that are not yet realised: a wallet of 10,000 is an equity of 9,980. One order of ours
rests. Of three trades two are of ours, one of them at 400 FET; a payment of 1.25 came in.
"""

from typing import Any

from tests.venue_plays import (
    _BITGET_ORDER,
    _BYBIT_ORDER,
    _OKX_ORDER,
    AT_MS,
    _binance_order,
    _bitget,
    _bybit,
    _gate_order,
    _okx,
)
from tests.venue_scene import CLIENT_ID, on_wire

T0, T1 = AT_MS - 60_000, AT_MS - 30_000


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


def _hyper_fill(**change: Any) -> dict[str, Any]:
    document = {
        "coin": "FET",
        "px": "0.5",
        "sz": "400.0",
        "side": "A",
        "time": T0,
        "startPosition": "0.0",
        "dir": "Open Short",
        "closedPnl": "0.0",
        "hash": "0x00",
        "oid": 42,
        "crossed": True,
        "fee": "0.1",
        "tid": 101,
        "feeToken": "USDC",
        "cloid": on_wire("hyperliquid"),
    }
    return {**document, **change}


_OTHER = "somebodyelses"
_HYPER_OPEN = {
    "coin": "FET",
    "side": "A",
    "limitPx": "0.6",
    "sz": "600.0",
    "oid": 43,
    "timestamp": T1,
    "origSz": "600.0",
    "cloid": on_wire("hyperliquid"),
    "orderType": "Limit",
    "tif": "Gtc",
    "reduceOnly": False,
}

ACCOUNTS: dict[str, dict[str, Any]] = {
    "binanceusdm": {
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
        "GET /fapi/v1/openOrders": [_binance_order(status="NEW", executedQty="0")],
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
    },
    "bybit": {
        "GET /v5/account/wallet-balance": _bybit(
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
        "GET /v5/position/list": _bybit(
            {"category": "linear", "list": [_bybit_position()], "nextPageCursor": ""}
        ),
        "GET /v5/order/realtime": _bybit(
            {
                "category": "linear",
                "list": [{**_BYBIT_ORDER, "orderStatus": "New", "cumExecQty": "0"}],
                "nextPageCursor": "",
            }
        ),
        "GET /v5/execution/list": _bybit(
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
    },
    "okx": {
        "GET /api/v5/account/balance": _okx(
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
        "GET /api/v5/account/config": _okx(
            [{"uid": "7", "posMode": "net_mode", "perm": "read_only,trade", "ip": "192.0.2.7"}]
        ),
        "GET /api/v5/account/positions": _okx([_okx_position()]),
        "GET /api/v5/trade/orders-pending": _okx(
            [{**_OKX_ORDER, "state": "live", "accFillSz": "0"}]
        ),
        "GET /api/v5/trade/fills-history": _okx(
            [_okx_fill(tradeId="t2", fillSz="60", ts=str(T1)), _okx_fill()]
        ),
        "GET /api/v5/account/bills-archive": _okx(
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
    },
    "hyperliquid": {
        "info clearinghouseState": {
            "marginSummary": {
                "accountValue": "9980.0",
                "totalNtlPos": "520.0",
                "totalRawUsd": "10500.0",
                "totalMarginUsed": "50.0",
            },
            "crossMarginSummary": {
                "accountValue": "9980.0",
                "totalNtlPos": "520.0",
                "totalRawUsd": "10500.0",
                "totalMarginUsed": "50.0",
            },
            "crossMaintenanceMarginUsed": "5.0",
            "withdrawable": "9900.0",
            "assetPositions": [
                {
                    "type": "oneWay",
                    "position": {
                        "coin": "FET",
                        "szi": "-1000.0",
                        "leverage": {"type": "cross", "value": 10},
                        "entryPx": "0.5",
                        "positionValue": "520.0",
                        "unrealizedPnl": "-20.0",
                        "returnOnEquity": "-0.4",
                        "liquidationPx": "0.91",
                        "marginUsed": "50.0",
                        "maxLeverage": 10,
                    },
                }
            ],
            "time": T1,
        },
        "info frontendOpenOrders": [_HYPER_OPEN],
        "info openOrders": [_HYPER_OPEN],
        "info userFills": [_hyper_fill(), _hyper_fill(tid=102, sz="600.0", time=T1)],
        "info userFillsByTime": [
            _hyper_fill(),
            _hyper_fill(tid=102, sz="600.0", time=T1),
            _hyper_fill(tid=103, coin="TAO", time=T1),
        ],
        "info userFunding": [
            {
                "time": T1,
                "hash": "0x" + "0" * 64,
                "delta": {
                    "type": "funding",
                    "coin": "FET",
                    "usdc": "1.25",
                    "szi": "-1000.0",
                    "fundingRate": "0.0000125",
                },
            }
        ],
    },
    "bitget": {
        "GET /api/v2/mix/account/bill": _bitget(
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
        "GET /api/v2/mix/account/accounts": _bitget(
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
        "GET /api/v2/mix/position/all-position": _bitget([_bitget_position()]),
        "GET /api/v2/mix/order/orders-pending": _bitget(
            {
                "entrustedList": [{**_BITGET_ORDER, "status": "live", "baseVolume": "0"}],
                "endId": "1",
            }
        ),
        "GET /api/v2/mix/order/fills": _bitget(
            {
                "fillList": [
                    _bitget_fill(tradeId="t2", baseVolume="600", cTime=str(T1)),
                    _bitget_fill(),
                ],
                "endId": "1",
            }
        ),
    },
    "gate": {
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
            _gate_order(status="open", left=-100, fill_price="0", finish_as="_new")
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
    },
}
"""By exchange, what it answers to which request."""

HEDGED: dict[str, dict[str, Any]] = {
    "bybit": {
        "GET /v5/position/list": _bybit(
            {
                "category": "linear",
                "list": [bybit_empty(1), _bybit_position(positionIdx=2)],
                "nextPageCursor": "",
            }
        )
    },
    "okx": {
        "GET /api/v5/account/config": _okx([{"uid": "7", "posMode": "long_short_mode"}]),
        "GET /api/v5/account/positions": _okx(
            [
                _okx_position(posSide="long", pos="0", avgPx="", upl="", liqPx="", imr="", mmr=""),
                _okx_position(posSide="short", pos="100"),
            ]
        ),
    },
    "bitget": {
        "GET /api/v2/mix/position/all-position": _bitget([_bitget_position(posMode="hedge_mode")])
    },
    "gate": {
        "GET /api/v4/futures/usdt/positions": [
            _gate_position(mode="dual_long", size=0, value="0", margin="0", liq_price="0"),
            _gate_position(mode="dual_short"),
        ]
    },
}
"""The same account where long and short are held apart, with the empty rows that come along."""
