"""Queries over what an account did, with the exchange's own paging rules."""

from collections.abc import Callable, Sequence
from typing import TypedDict, TypeVar

from bot.venues.sim.account import SimAccount
from bot.venues.sim.errors import Code, reject
from bot.venues.sim.records import IncomeEntry, IncomeType, SimOrder, SimTrade

Record = TypeVar("Record", SimOrder, SimTrade, IncomeEntry)


class OrderIds(TypedDict, total=False):
    """Which order: by its id, or by the client's."""

    order_id: int | None
    client_id: str | None


class Window(TypedDict, total=False):
    """Which part of a history, and how much of it at the most."""

    start_ms: int | None
    end_ms: int | None
    limit: int


class OrderWindow(Window, total=False):
    order_id: int | None


class TradeWindow(OrderWindow, total=False):
    from_id: int | None


def find_order(
    account: SimAccount,
    symbol: str,
    order_id: int | None = None,
    client_id: str | None = None,
    missing: Code = Code.NO_SUCH_ORDER,
) -> SimOrder:
    """The order by its id, or the newest one with that client id.

    Raises:
        VenueReject: neither id is given, or there is no such order.
    """
    if order_id is None and not client_id:
        raise reject(Code.MANDATORY_PARAMETER, name="orderId")
    found = order_id
    if found is None:
        found = account.ids_by_client_id.get((symbol, client_id or ""))
    order = account.orders.get(found) if found is not None else None
    if order is None or order.symbol != symbol:
        raise reject(missing)
    return order


def all_orders(
    account: SimAccount,
    symbol: str,
    *,
    order_id: int | None = None,
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int = 500,
) -> list[SimOrder]:
    """Orders in any state, oldest first; from ``order_id`` on, or the newest of the window."""
    orders = [o for o in account.orders.values() if o.symbol == symbol]
    if order_id is not None:
        return [o for o in orders if o.order_id >= order_id][:limit]
    return _page(orders, lambda o: o.created_ms, start_ms, end_ms, limit)


def trades(
    account: SimAccount,
    symbol: str,
    *,
    order_id: int | None = None,
    start_ms: int | None = None,
    end_ms: int | None = None,
    from_id: int | None = None,
    limit: int = 500,
) -> list[SimTrade]:
    """Executions, oldest first; from trade ``from_id`` on, or of the window."""
    since = account.trades.from_time(start_ms if from_id is None else None)
    mine = [t for t in since if t.symbol == symbol]
    if order_id is not None:
        mine = [t for t in mine if t.order_id == order_id]
    if from_id is not None:
        return [t for t in mine if t.trade_id >= from_id][:limit]
    return _page(mine, lambda t: t.timestamp_ms, start_ms, end_ms, limit)


def income(
    account: SimAccount,
    symbol: str | None = None,
    type_: IncomeType | None = None,
    *,
    start_ms: int | None = None,
    end_ms: int | None = None,
    limit: int = 100,
) -> list[IncomeEntry]:
    """Changes of the wallet, oldest first, of one symbol and type or all."""
    entries = [
        e
        for e in account.income.from_time(start_ms)
        if symbol in (None, e.symbol) and (type_ is None or e.type is type_)
    ]
    return _page(entries, lambda e: e.timestamp_ms, start_ms, end_ms, limit)


def _page(
    records: Sequence[Record],
    time_ms: Callable[[Record], int],
    start_ms: int | None,
    end_ms: int | None,
    limit: int,
) -> list[Record]:
    """start <= time <= end; with a start the oldest of these, without one the newest."""
    within = [
        r
        for r in records
        if (start_ms is None or time_ms(r) >= start_ms) and (end_ms is None or time_ms(r) <= end_ms)
    ]
    if limit <= 0:
        return []
    return within[:limit] if start_ms is not None else within[-limit:]
