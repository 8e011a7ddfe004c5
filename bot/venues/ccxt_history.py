"""What happened in an account: executions and funding payments, each once, or an error."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from bot.ports import Clock
from bot.trading.ledger import FundingReceipt
from bot.trading.orders import Fill
from bot.venues.ccxt_funding_paid import fetch_funding_paid
from bot.venues.ccxt_reading import read_fill, read_funding
from bot.venues.dialects import dialect_of
from risk.errors import DataError

Rows = list[Mapping[str, Any]]
ReadRows = Callable[[str, Callable[[], Awaitable[Any]]], Awaitable[Rows]]
ContractSize = Callable[[str], Awaitable[Decimal]]

Page = Callable[[int, int, bool], Awaitable[Rows]]
"""Rows from a start to an end; true: to the newest instead."""

_KEPT_MS: Final = 26 * 7 * 86_400_000  # half a year, which is how long exchanges keep them


@dataclass(frozen=True, slots=True)
class _List:
    """What is asked for: rows of a full page, the longest and the shortest time, a word for it."""

    page: int
    window_ms: int
    grain_ms: int
    about: str


class AccountHistory:
    """Reads lists in pieces that are surely whole."""

    def __init__(
        self, exchange: Any, clock: Clock, read_rows: ReadRows, contract_size: ContractSize
    ) -> None:
        self._exchange = exchange
        self._venue = str(exchange.id)
        self._dialect = dialect_of(self._venue)
        self._clock = clock
        self._read_rows = read_rows
        self._contract_size = contract_size

    async def fills(self, symbol: str, since_ms: int) -> Sequence[Fill]:
        """Executions since then, oldest first, each once; half a year at most.

        Raises:
            UnreachableError, VenueError: the venue does not answer, or with an error.
            DataError: an execution cannot be read, or not all can be got.
        """
        size = await self._contract_size(symbol)
        trades = _List(
            self._dialect.trades_page, self._dialect.window_ms, self._dialect.grain_ms, symbol
        )

        async def page(start_ms: int, end_ms: int, newest: bool) -> Rows:
            return await self._trades(symbol, start_ms, None if newest else end_ms)

        found: dict[str, Fill] = {}
        for row in await self._all(trades, page, since_ms):
            about = row.get("symbol") in (symbol, None)
            if about and self._dialect.is_trade(row.get("info") or {}):
                fill = read_fill(row, symbol, size, self._venue, self._dialect)
                found[fill.trade_id] = fill
        return sorted(found.values(), key=_in_time)

    async def _trades(self, symbol: str, start_ms: int, end_ms: int | None) -> Rows:
        params = {} if end_ms is None else {"until": end_ms + self._dialect.until_pad_ms}
        about = None if self._dialect.all_symbols else symbol
        page = self._dialect.trades_page
        return await self._read_rows(
            "trades", lambda: self._exchange.fetch_my_trades(about, start_ms, page, params)
        )

    async def funding_receipts(self, since_ms: int) -> Sequence[FundingReceipt]:
        """Funding paid on all positions since then, oldest first, each once; half a year at most.

        Nothing where the exchange does not list it.

        Raises:
            UnreachableError, VenueError: the venue does not answer, or with an error.
            DataError: a payment cannot be read, or not all can be got.
        """
        dialect = self._dialect
        if not self._exchange.has.get("fetchFundingHistory"):
            return ()
        payments = _List(
            dialect.funding_page, dialect.funding_window_ms, dialect.grain_ms, "funding"
        )

        async def page(start_ms: int, end_ms: int, _newest: bool) -> Rows:
            params, limit = dialect.funding_range(start_ms, end_ms), dialect.funding_page
            return await self._read_rows(
                "funding paid",
                lambda: fetch_funding_paid(self._exchange, start_ms, end_ms, limit, params),
            )

        rows = await self._all(payments, page, since_ms)
        receipts = (read_funding(row, dialect) for row in rows)
        found = {one.receipt_id: one for one in receipts}
        return sorted(found.values(), key=lambda receipt: receipt.timestamp_ms)

    async def _all(self, asked: _List, page: Page, since_ms: int) -> Rows:
        """Everything since then and half a year at most, window by window."""
        now_ms = self._clock.now_ms()
        start_ms = max(since_ms, now_ms - _KEPT_MS)
        found: Rows = []
        while True:
            end_ms = start_ms + asked.window_ms - 1
            newest = end_ms >= now_ms
            span = start_ms, max(start_ms, now_ms) if newest else end_ms
            found += await _whole(asked, page, span, newest=newest)
            if newest:
                return found
            start_ms = end_ms + 1


def _in_time(fill: Fill) -> tuple[int, int, str]:
    """Ids count up within a millisecond, so 9 comes before 10."""
    return fill.timestamp_ms, len(fill.trade_id), fill.trade_id


async def _whole(asked: _List, page: Page, span: tuple[int, int], *, newest: bool) -> Rows:
    """All rows of that time, its end included; the newest have no end.

    Some exchanges show the oldest rows of a page that is full, some the newest: so half the time
    is asked for instead, and then the other half.

    Raises:
        DataError: too many rows at one moment.
    """
    start_ms, end_ms = span
    rows = await page(start_ms, end_ms, newest)
    if len(rows) < asked.page:
        return rows
    if end_ms - start_ms < asked.grain_ms:
        raise DataError(f"{asked.about}: more than {asked.page} rows in {asked.grain_ms} ms")
    middle_ms = (start_ms + end_ms) // 2
    older = await _whole(asked, page, (start_ms, middle_ms), newest=False)
    return older + await _whole(asked, page, (middle_ms + 1, end_ms), newest=newest)
