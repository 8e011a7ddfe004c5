"""Which function answers which request."""

from collections.abc import Mapping
from typing import Final

from bot.venues.http import (
    account,
    account_settings,
    exchange_info,
    funding,
    history,
    klines,
    market,
    orders,
    positions,
    user_stream,
)
from bot.venues.http.face import PublicHandler, SignedHandler

Route = tuple[str, str]

PUBLIC: Final[Mapping[Route, PublicHandler]] = {
    ("GET", "/fapi/v1/ping"): exchange_info.ping,
    ("GET", "/fapi/v1/time"): exchange_info.time,
    ("GET", "/fapi/v1/exchangeInfo"): exchange_info.exchange_info,
    ("GET", "/fapi/v1/symbolAdlRisk"): exchange_info.adl_risk,
    ("GET", "/fapi/v1/klines"): klines.klines,
    ("GET", "/fapi/v1/continuousKlines"): klines.continuous_klines,
    ("GET", "/fapi/v1/markPriceKlines"): klines.mark_price_klines,
    ("GET", "/fapi/v1/indexPriceKlines"): klines.index_price_klines,
    ("GET", "/fapi/v1/premiumIndexKlines"): klines.premium_index_klines,
    ("GET", "/fapi/v1/depth"): market.depth,
    ("GET", "/fapi/v1/trades"): market.trades,
    ("GET", "/fapi/v1/aggTrades"): market.aggregate_trades,
    ("GET", "/fapi/v1/ticker/24hr"): market.ticker_day,
    ("GET", "/fapi/v1/ticker/price"): market.ticker_price,
    ("GET", "/fapi/v2/ticker/price"): market.ticker_price,
    ("GET", "/fapi/v1/ticker/bookTicker"): market.ticker_book,
    ("GET", "/fapi/v1/premiumIndex"): market.premium_index,
    ("GET", "/fapi/v1/fundingRate"): funding.funding_rate,
    ("GET", "/fapi/v1/fundingInfo"): funding.funding_info,
    ("GET", "/fapi/v1/openInterest"): funding.open_interest,
    ("GET", "/futures/data/openInterestHist"): funding.open_interest_history,
}

SIGNED: Final[Mapping[Route, SignedHandler]] = {
    ("GET", "/fapi/v2/account"): account.account_v2,
    ("GET", "/fapi/v3/account"): account.account_v3,
    ("GET", "/fapi/v2/balance"): account.balance,
    ("GET", "/fapi/v3/balance"): account.balance,
    ("GET", "/fapi/v1/accountConfig"): account.account_config,
    ("GET", "/fapi/v2/positionRisk"): positions.position_risk_v2,
    ("GET", "/fapi/v3/positionRisk"): positions.position_risk_v3,
    ("GET", "/fapi/v1/adlQuantile"): positions.adl_quantile,
    ("GET", "/fapi/v1/leverageBracket"): account_settings.leverage_bracket,
    ("GET", "/fapi/v1/symbolConfig"): account_settings.symbol_config,
    ("POST", "/fapi/v1/leverage"): account_settings.set_leverage,
    ("POST", "/fapi/v1/marginType"): account_settings.set_margin_type,
    ("GET", "/fapi/v1/positionSide/dual"): account_settings.position_mode,
    ("POST", "/fapi/v1/positionSide/dual"): account_settings.set_position_mode,
    ("GET", "/fapi/v1/multiAssetsMargin"): account_settings.multi_assets,
    ("POST", "/fapi/v1/multiAssetsMargin"): account_settings.set_multi_assets,
    ("GET", "/fapi/v1/feeBurn"): account_settings.fee_burn,
    ("POST", "/fapi/v1/feeBurn"): account_settings.set_fee_burn,
    ("GET", "/fapi/v1/commissionRate"): account_settings.commission_rate,
    ("GET", "/fapi/v1/rateLimit/order"): account_settings.order_rate_limit,
    ("GET", "/fapi/v1/apiTradingStatus"): account_settings.trading_status,
    ("GET", "/sapi/v1/account/apiRestrictions"): account_settings.api_restrictions,
    ("POST", "/fapi/v1/order"): orders.place,
    ("POST", "/fapi/v1/order/test"): orders.test_place,
    ("PUT", "/fapi/v1/order"): orders.amend,
    ("DELETE", "/fapi/v1/order"): orders.cancel,
    ("GET", "/fapi/v1/order"): orders.find,
    ("GET", "/fapi/v1/openOrder"): orders.find_open,
    ("GET", "/fapi/v1/openOrders"): orders.open_orders,
    ("DELETE", "/fapi/v1/allOpenOrders"): orders.cancel_all,
    ("POST", "/fapi/v1/countdownCancelAll"): orders.countdown,
    ("POST", "/fapi/v1/batchOrders"): orders.place_batch,
    ("PUT", "/fapi/v1/batchOrders"): orders.amend_batch,
    ("DELETE", "/fapi/v1/batchOrders"): orders.cancel_batch,
    ("GET", "/fapi/v1/allOrders"): history.all_orders,
    ("GET", "/fapi/v1/userTrades"): history.user_trades,
    ("GET", "/fapi/v1/income"): history.income,
    ("GET", "/fapi/v1/forceOrders"): history.force_orders,
}

KEYED: Final[Mapping[Route, SignedHandler]] = {
    ("POST", "/fapi/v1/listenKey"): user_stream.start,
    ("PUT", "/fapi/v1/listenKey"): user_stream.keep_alive,
    ("DELETE", "/fapi/v1/listenKey"): user_stream.close,
}
"""With a key, but without a signature."""


def _methods_by_path() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for method, path in (*PUBLIC, *SIGNED, *KEYED):
        found.setdefault(path, set()).add(method)
    return {path: frozenset(methods) for path, methods in found.items()}


PATHS: Final[Mapping[str, frozenset[str]]] = _methods_by_path()
"""Methods by path; everything else is not found."""
