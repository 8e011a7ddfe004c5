"""An account's settings: leverage, margin and position mode, fees, limits."""

from typing import Final

from bot.venues.http.exchange_info import RATE_LIMITS
from bot.venues.http.face import Face, SignedCall
from bot.venues.http.wire import Json, fixed, plain
from bot.venues.sim.errors import VenueReject
from bot.venues.sim.records import Bracket, MarginType

_DONE: Final = {"code": 200, "msg": "success"}
_INDICATORS: Final = (("UFR", 0.995), ("IFER", 0.995), ("GCR", 0.995), ("DR", 0.995))


def leverage_bracket(face: Face, call: SignedCall) -> Json:
    """GET v1/leverageBracket: a list, with one element when a symbol is named."""
    named = face.optional_market(call.params)
    asked = face.contracts(call.now_ms) if named is None else [named]
    rows = []
    for one in asked:
        if named is None and face.quote(one) is None:
            continue
        brackets = [_bracket(each) for each in face.exchange.brackets(one.symbol)]
        rows.append({"symbol": one.market_id, "notionalCoef": 1.0, "brackets": brackets})
    return rows


def symbol_config(face: Face, call: SignedCall) -> Json:
    """GET v1/symbolConfig."""
    named = face.optional_market(call.params)
    rows = []
    for one, _ in face.quoted(named):
        config = face.exchange.symbol_config(call.account, one.symbol)
        rows.append(
            {
                "symbol": one.market_id,
                "marginType": config.margin_type.value,
                "isAutoAddMargin": False,
                "leverage": config.leverage,
                "maxNotionalValue": plain(config.max_notional_usd),
            }
        )
    return rows


def set_leverage(face: Face, call: SignedCall) -> Json:
    """POST v1/leverage."""
    one = face.market(call.params)
    leverage = call.params.integer("leverage")
    config = face.exchange.set_leverage(call.account, one.symbol, leverage)
    return {
        "symbol": one.market_id,
        "leverage": config.leverage,
        "maxNotionalValue": plain(config.max_notional_usd),
    }


def set_margin_type(face: Face, call: SignedCall) -> Json:
    """POST v1/marginType."""
    one = face.market(call.params)
    allowed = [kind.value for kind in MarginType]
    refusal = VenueReject(-1130, "Data sent for parameter 'marginType' is not valid.", 400)
    kind = MarginType(call.params.choice("marginType", allowed, None, refusal))
    if kind is MarginType.ISOLATED and face.preferences(call.account).multi_assets:
        raise VenueReject(
            -4168, "Unable to adjust to isolated-margin mode under the Multi-Assets mode.", 400
        )
    face.exchange.set_margin_type(call.account, one.symbol, kind)
    return _DONE


def position_mode(_face: Face, call: SignedCall) -> Json:
    """GET v1/positionSide/dual."""
    return {"dualSidePosition": call.account.hedge_mode}


def set_position_mode(face: Face, call: SignedCall) -> Json:
    """POST v1/positionSide/dual."""
    wanted = call.params.mandatory_flag("dualSidePosition")
    face.exchange.set_position_mode(call.account, hedge=wanted)
    return _DONE


def multi_assets(face: Face, call: SignedCall) -> Json:
    """GET v1/multiAssetsMargin."""
    return {"multiAssetsMargin": face.preferences(call.account).multi_assets}


def set_multi_assets(face: Face, call: SignedCall) -> Json:
    """POST v1/multiAssetsMargin: there is one asset, so only isolated margin feels it.

    Raises:
        VenueReject: it is so already (-4171), or a symbol has isolated margin (-4167).
    """
    wanted = call.params.mandatory_flag("multiAssetsMargin")
    preferences = face.preferences(call.account)
    if wanted == preferences.multi_assets:
        raise VenueReject(
            -4171,
            "Adjusted asset mode is currently set and does not need to be adjusted repeatedly",
            400,
        )
    if wanted and MarginType.ISOLATED in call.account.margin_type.values():
        raise VenueReject(
            -4167,
            "Unable to adjust to Multi-Assets mode with symbols of USDⓈ-M Futures "
            "under isolated-margin mode.",
            400,
        )
    preferences.multi_assets = wanted
    return _DONE


def fee_burn(face: Face, call: SignedCall) -> Json:
    """GET v1/feeBurn: whether fees may be paid in BNB, which no account here holds."""
    return {"feeBurn": face.preferences(call.account).fee_burn}


def set_fee_burn(face: Face, call: SignedCall) -> Json:
    """POST v1/feeBurn."""
    face.preferences(call.account).fee_burn = call.params.mandatory_flag("feeBurn")
    return _DONE


def commission_rate(face: Face, call: SignedCall) -> Json:
    """GET v1/commissionRate."""
    one = face.market(call.params)
    return {
        "symbol": one.market_id,
        "makerCommissionRate": fixed(one.instrument.maker_fee, 6),
        "takerCommissionRate": fixed(one.instrument.taker_fee, 6),
        "rpiCommissionRate": "0.000000",
    }


def order_rate_limit(_face: Face, _call: SignedCall) -> Json:
    """GET v1/rateLimit/order: the limits told; this exchange does not enforce them."""
    return [dict(limit) for limit in RATE_LIMITS if limit["rateLimitType"] == "ORDERS"]


def api_restrictions(face: Face, call: SignedCall) -> Json:
    """GET sapi v1/account/apiRestrictions: what the key of the request may do."""
    del face
    account = call.account
    return {
        "ipRestrict": account.key_ip_bound,
        "createTime": 0,
        "enableReading": True,
        "enableWithdrawals": account.key_withdraws,
        "enableInternalTransfer": account.key_transfers,
        "permitsUniversalTransfer": account.key_transfers,
        "enableFutures": True,
        "enableSpotAndMarginTrading": False,
        "enableMargin": False,
        "enableVanillaOptions": False,
        "enablePortfolioMarginTrading": False,
    }


def trading_status(face: Face, call: SignedCall) -> Json:
    """GET v1/apiTradingStatus: no rule is ever found violated."""
    named = face.optional_market(call.params)
    asked = face.contracts(call.now_ms) if named is None else [named]
    rows = [
        {
            "isLocked": False,
            "plannedRecoverTime": 0,
            "indicator": name,
            "value": 0.0,
            "triggerValue": trigger,
        }
        for name, trigger in _INDICATORS
    ]
    whole = {**rows[0], "indicator": "TMV", "value": 0, "triggerValue": 10}
    return {
        "indicators": {**{one.market_id: rows for one in asked}, "ACCOUNT": [whole]},
        "updateTime": call.now_ms,
    }


def _bracket(bracket: Bracket) -> dict[str, Json]:
    return {
        "bracket": bracket.bracket,
        "initialLeverage": bracket.initial_leverage,
        "notionalCap": int(bracket.notional_cap_usd),
        "notionalFloor": int(bracket.notional_floor_usd),
        "maintMarginRatio": float(bracket.maintenance_margin_ratio),
        "cum": float(bracket.cumulative_usd),
    }
