"""In what exchanges differ behind ccxt's one face, as data: pages, times, names of fields."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_WEEK_MS: Final = 7 * 86_400_000


def _until(_start_ms: int, end_ms: int) -> dict[str, Any]:
    return {"until": end_ms}


def _until_and_limit(_start_ms: int, end_ms: int) -> dict[str, Any]:
    return {"until": end_ms, "limit": 100}  # ccxt writes the limit under another name


def _begin_and_end(start_ms: int, end_ms: int) -> dict[str, Any]:
    return {"begin": str(start_ms - 1), "end": str(end_ms + 1)}  # ccxt leaves both out


def _to_second(_start_ms: int, end_ms: int) -> dict[str, Any]:
    return {"to": end_ms // 1000 + 1}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one exchange lists trades and orders.

    Attributes:
        trades_page: rows of a reply that may hold more elsewhere; such a question is asked again
            in two halves, whichever end of the time its reply shows.
        window_ms: longest time that one question may span.
        grain_ms: times closer than this cannot be told apart in a question.
        until_pad_ms: added to the end of a question, where the exchange cuts it.
        all_symbols: one question is about all symbols.
        receipts: the answer to an order is its id and no more.
        open_orders_page: rows at which a list of open orders may be cut off; None: it is not.
        size_path: where a position's size stands in the exchange's own row; where it is missing,
            ccxt works one out.
        leverages: ccxt's list of leverages is about perpetuals.
        client_id_field, pnl_field: of a trade, as the exchange writes them.
        funding_page: rows of a reply that may hold more elsewhere.
        funding_window_ms: longest time that one question about them may span.
        funding_sign: -1 where the list counts what was paid as positive.
        funding_range: what ccxt is told of start and end beside its own arguments.
        funding_by_time: payments carry no id of their own; a symbol pays once at a time.
    """

    trades_page: int = 100
    window_ms: int = _WEEK_MS
    grain_ms: int = 1
    until_pad_ms: int = 0
    all_symbols: bool = False
    receipts: bool = False
    open_orders_page: int | None = None
    size_path: tuple[str, ...] = ()
    leverages: bool = True
    client_id_field: str = "clientOrderId"
    pnl_field: str = "realizedPnl"
    funding_page: int = 100
    funding_window_ms: int = _WEEK_MS
    funding_range: Callable[[int, int], dict[str, Any]] = _until
    funding_sign: int = 1
    funding_by_time: bool = False

    def is_trade(self, info: Mapping[str, Any]) -> bool:
        """Bybit lists funding among the executions."""
        return info.get("execType") != "Funding"


_DIALECTS: Final[Mapping[str, Dialect]] = {
    "binanceusdm": Dialect(
        trades_page=1000,
        size_path=("positionAmt",),
        funding_page=1000,
        funding_window_ms=26 * _WEEK_MS,
    ),
    "bybit": Dialect(
        receipts=True,
        open_orders_page=50,
        size_path=("size",),
        client_id_field="orderLinkId",
        pnl_field="execPnl",
        funding_range=_until_and_limit,
        funding_sign=-1,
    ),
    "okx": Dialect(
        receipts=True,
        until_pad_ms=1,
        open_orders_page=100,
        size_path=("pos",),
        client_id_field="clOrdId",
        pnl_field="fillPnl",
        funding_range=_begin_and_end,
    ),
    "bitget": Dialect(
        receipts=True,
        open_orders_page=100,
        size_path=("total",),
        client_id_field="clientOid",
        pnl_field="profit",
    ),
    "gate": Dialect(
        trades_page=1000,
        grain_ms=1000,
        until_pad_ms=1000,
        open_orders_page=100,
        size_path=("size",),
        leverages=False,
        client_id_field="text",
        pnl_field="pnl",
        funding_range=_to_second,
        funding_by_time=True,
    ),
    "hyperliquid": Dialect(
        receipts=True,
        trades_page=2000,
        all_symbols=True,
        size_path=("position", "szi"),
        client_id_field="cloid",
        pnl_field="closedPnl",
        funding_page=500,
        funding_by_time=True,
    ),
}


def dialect_of(venue: str) -> Dialect:
    """The exchange's own, or the cautious one of those that are not known."""
    return _DIALECTS.get(venue, Dialect())


def changes_something(venue: str, url: str, method: str) -> bool:
    """A request may change something there."""
    if venue == "hyperliquid":  # which takes questions as POST too
        return not url.endswith("/info")
    return method != "GET"
