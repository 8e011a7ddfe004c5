"""What is traded and by which rules: ping, time, exchangeInfo."""

from typing import Final

from bot.venues.http.face import Call, Face, Listed
from bot.venues.http.wire import Json, fixed, plain
from bot.venues.sim.filters import SymbolFilters

_PERPETUAL_DELIVERY_MS: Final = 4_133_404_800_000
_ORDER_TYPES: Final = ["LIMIT", "MARKET"]
_TIMES_IN_FORCE: Final = ["GTC", "IOC", "FOK", "GTX"]
RATE_LIMITS: Final = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
    {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
]


def ping(_face: Face, _call: Call) -> Json:
    """GET v1/ping."""
    return {}


def time(_face: Face, call: Call) -> Json:
    """GET v1/time."""
    return {"serverTime": call.now_ms}


def exchange_info(face: Face, call: Call) -> Json:
    """GET v1/exchangeInfo."""
    return {
        "timezone": "UTC",
        "serverTime": call.now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": RATE_LIMITS,
        "exchangeFilters": [],
        "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
        "symbols": [_symbol(face, one, call.now_ms) for one in face.contracts(call.now_ms)],
    }


def adl_risk(face: Face, call: Call) -> Json:
    """GET v1/symbolAdlRisk: this exchange never deleverages one account for another."""
    named = face.optional_market(call.params)
    rows = [
        {"symbol": one.market_id, "adlRisk": "low", "updateTime": call.now_ms}
        for one, _ in face.quoted(named)
    ]
    return rows if named is None else rows[0]


def status_of(face: Face, one: Listed, now_ms: int) -> str:
    """``PENDING_TRADING`` before the listing, ``SETTLING`` once its market has gone."""
    if face.exchange.trading(one.symbol):
        return "TRADING"
    listed_at_ms = one.instrument.listed_at_ms
    unborn = listed_at_ms is not None and listed_at_ms > now_ms
    return "PENDING_TRADING" if unborn else "SETTLING"


def _symbol(face: Face, one: Listed, now_ms: int) -> dict[str, Json]:
    instrument = one.instrument
    rules = face.exchange.filters(one.symbol)
    return {
        "symbol": one.market_id,
        "pair": one.market_id,
        "contractType": "PERPETUAL",
        "deliveryDate": _PERPETUAL_DELIVERY_MS,
        "onboardDate": instrument.listed_at_ms or face.tape.start_ms,
        "status": status_of(face, one, now_ms),
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": instrument.base,
        "quoteAsset": instrument.quote,
        "marginAsset": instrument.quote,
        "pricePrecision": one.price_places,
        "quantityPrecision": one.quantity_places,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": list(face.themes.get(one.symbol, ())),
        "settlePlan": 0,
        "triggerProtect": "0.1000",
        "liquidationFee": fixed(rules.liquidation_fee, 6),
        "marketTakeBound": fixed(rules.market_take_bound, 2),
        "maxMoveOrderLimit": 10_000,
        "filters": _filters(rules),
        "orderTypes": _ORDER_TYPES,
        "timeInForce": _TIMES_IN_FORCE,
    }


def _filters(rules: SymbolFilters) -> list[dict[str, Json]]:
    lots = {
        "minQty": plain(rules.min_quantity),
        "maxQty": plain(rules.max_quantity),
        "stepSize": plain(rules.step),
    }
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": plain(rules.min_price),
            "maxPrice": plain(rules.max_price),
            "tickSize": plain(rules.tick),
        },
        {"filterType": "LOT_SIZE", **lots},
        {"filterType": "MARKET_LOT_SIZE", **lots},
        {"filterType": "MAX_NUM_ORDERS", "limit": rules.max_orders},
        {"filterType": "MIN_NOTIONAL", "notional": plain(rules.min_notional_usd)},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": fixed(rules.multiplier_up, 4),
            "multiplierDown": fixed(rules.multiplier_down, 4),
            "multiplierDecimal": "4",
        },
    ]
