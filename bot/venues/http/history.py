"""What an account did: its orders, executions, cash changes and liquidations."""

from typing import Final, TypeVar

from bot.venues.http.face import Face, Listed, SignedCall
from bot.venues.http.klines import DAY_MS
from bot.venues.http.order_rows import LIQUIDATION_PREFIX, order_row, trade_row
from bot.venues.http.params import Params, malformed
from bot.venues.http.wire import Json, fixed
from bot.venues.sim.errors import VenueReject
from bot.venues.sim.records import IncomeType, SimOrder

_LONGEST_MS: Final = 7 * DAY_MS
_ALL: Final = 1 << 62  # pages are cut here, by the protocol's rules

Row = TypeVar("Row")
_AUTO_CLOSE: Final = {"LIQUIDATION": LIQUIDATION_PREFIX, "ADL": "adl_autoclose"}


def all_orders(face: Face, call: SignedCall) -> Json:
    """GET v1/allOrders: of one symbol, a week at most, oldest first."""
    params = call.params
    one = face.market(params)
    limit = params.limit(500, 1000)
    from_id = params.optional_integer("orderId")
    orders = face.exchange.all_orders(call.account, one.symbol, limit=_ALL)
    if from_id is not None:
        return [order_row(one, each) for each in orders if each.order_id >= from_id][:limit]
    start_ms, end_ms = _week(params, call.now_ms)
    inside = [each for each in orders if start_ms <= each.created_ms <= end_ms]
    return [order_row(one, each) for each in _page(params, inside, limit)]


def user_trades(face: Face, call: SignedCall) -> Json:
    """GET v1/userTrades: of one symbol, a week at most, oldest first."""
    params = call.params
    one = face.market(params)
    limit = params.limit(500, 1000)
    from_id = params.optional_integer("fromId")
    order_id = params.optional_integer("orderId")
    if from_id is not None:
        if params.optional("startTime") or params.optional("endTime"):
            raise VenueReject(-1128, "Combination of optional parameters invalid.", 400)
        start_ms, end_ms = 0, call.now_ms
    else:
        start_ms, end_ms = _week(params, call.now_ms)
    trades = [
        each
        for each in face.exchange.trades(call.account, one.symbol, limit=_ALL)
        if start_ms <= each.timestamp_ms <= end_ms
        and (from_id is None or each.trade_id >= from_id)
        and (order_id is None or each.order_id == order_id)
    ]
    page = trades[:limit] if from_id is not None else _page(params, trades, limit)
    return [trade_row(one, each) for each in page]


def income(face: Face, call: SignedCall) -> Json:
    """GET v1/income: every change of the wallet, oldest first; the last week without a start."""
    params = call.params
    one = face.optional_market(params)
    kind = params.optional("incomeType")
    if kind is not None and kind not in [each.value for each in IncomeType]:
        raise malformed("incomeType")
    limit = params.limit(100, 1000)
    start_ms, end_ms = params.window(call.now_ms)
    if start_ms is None:
        start_ms = end_ms - _LONGEST_MS
    page = max(1, params.optional_integer("page") or 1)
    entries = [
        entry
        for entry in face.exchange.income(call.account, limit=_ALL)
        if start_ms <= entry.timestamp_ms <= end_ms
        and (one is None or entry.symbol == one.symbol)
        and (kind is None or entry.type == kind)
    ]
    return [
        {
            "symbol": face.by_symbol(entry.symbol).market_id if entry.symbol else "",
            "incomeType": entry.type.value,
            "income": fixed(entry.amount_usd, 8),
            "asset": entry.asset,
            "info": entry.info,
            "time": entry.timestamp_ms,
            "tranId": entry.transaction_id,
            "tradeId": entry.trade_id,
        }
        for entry in entries[(page - 1) * limit : page * limit]
    ]


def force_orders(face: Face, call: SignedCall) -> Json:
    """GET v1/forceOrders: orders by which the exchange liquidated or deleveraged the account."""
    params = call.params
    named = face.optional_market(params)
    limit = params.limit(50, 100)
    start_ms, end_ms = params.window(call.now_ms)
    if start_ms is None:
        start_ms = end_ms - _LONGEST_MS
    asked = face.contracts(call.now_ms) if named is None else [named]
    wanted = _AUTO_CLOSE.get(params.optional("autoCloseType") or "", tuple(_AUTO_CLOSE.values()))
    found: list[tuple[SimOrder, Listed]] = [
        (order, one)
        for one in asked
        for order in face.exchange.all_orders(call.account, one.symbol, limit=_ALL)
        if order.client_id.startswith(wanted) and start_ms <= order.created_ms <= end_ms
    ]
    found.sort(key=lambda pair: pair[0].order_id)
    return [order_row(one, order) for order, one in found[-limit:]]


def _week(params: Params, now_ms: int) -> tuple[int, int]:
    """The window asked for, both ends inclusive; a week from its start, else the last week.

    Raises:
        VenueReject: it is longer than a week (-4165).
    """
    start_ms, end_ms = params.window(now_ms)
    if start_ms is None:
        return end_ms - _LONGEST_MS, end_ms
    if params.optional("endTime") is None:
        return start_ms, min(now_ms, start_ms + _LONGEST_MS)
    if end_ms - start_ms > _LONGEST_MS:
        raise VenueReject(-4165, "Invalid time interval.", 400)
    return start_ms, end_ms


def _page(params: Params, rows: list[Row], limit: int) -> list[Row]:
    """The first rows after a start, the last ones without."""
    return rows[-limit:] if params.optional("startTime") is None else rows[:limit]
