"""What Hyperliquid says in its own format of the order and the account that all six tell of."""

from typing import Any

from tests.venue_scene import AT_MS, T0, T1, Play, on_wire


def hyper_reply(*statuses: Any) -> dict[str, Any]:
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
    taken=hyper_reply({"resting": {"oid": 42}}),
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
        (hyper_reply({"error": "Insufficient margin to place order. asset=3"}), 200, "PerpMargin"),
        (hyper_reply({"error": "Price must be divisible by tick size. asset=3"}), 200, "Tick"),
        (
            hyper_reply({"error": "Order could not immediately match against any resting orders."}),
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
        (hyper_reply({"error": "Something quite new."}), 200),
        (hyper_reply({"error": "Order has zero size."}, {"error": "Order has zero size."}), 200),
        ({"status": "err", "response": "Invalid nonce: duplicate nonce"}, 200),
        ({"status": "err", "response": {"deep": 1}}, 200),
        (hyper_reply(), 200),
    ),
)


_OTHER = "somebodyelses"


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


HYPERLIQUID_ACCOUNT: dict[str, Any] = {
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
}
