"""Settled funding rates of one symbol, page by page, as each exchange wants to be asked.

Some begin a page at the start that they are told, some show the newest rows first, whatever was
before them. So a page that is full proves nothing of the rest, and is asked for again in parts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bot.venues.ccxt_market import number, reading
from risk.errors import DataError
from risk.returns import HOUR_MS

Payment = tuple[int, float | None]
"""Time in UTC milliseconds, and the rate; None where it is no number."""

_MOST_PAGES: Final = 100


def _until(end_ms: int) -> dict[str, Any]:
    return {"until": end_ms}


def _after(end_ms: int) -> dict[str, Any]:
    return {"after": end_ms + 1}  # which names what is newer than the page


@dataclass(frozen=True, slots=True)
class _Paging:
    """How an exchange shows its history.

    Attributes:
        rows: of a full page.
        upto: names the end of the time that is asked for; None where that cannot be named.
        numbered: pages have numbers instead, the newest first, and no time can be named.
    """

    rows: int
    upto: Callable[[int], dict[str, Any]] | None = None
    numbered: bool = False


_PLAIN: Final = _Paging(100)
"""Pages begin at the start that is asked for."""

_PAGING: Final[Mapping[str, _Paging]] = {
    "binance": _Paging(1000),
    "binanceusdm": _Paging(1000),
    "hyperliquid": _Paging(500),
    "bybit": _Paging(200, _until),
    "okx": _Paging(100, _after),
    "gate": _Paging(100, _until),
    "bitget": _Paging(100, numbered=True),
}

NextDue = Callable[[list[int]], int]
"""When there can be a payment after those; 0 where none is known."""


class FundingPages:
    """The history of one exchange."""

    def __init__(self, exchange: Any) -> None:
        self._exchange = exchange
        self._paging = _PAGING.get(exchange.id, _PLAIN)

    async def since(
        self, symbol: str, since_ms: int, now_ms: int, interval_hours: float, next_due: NextDue
    ) -> list[Payment]:
        """Payments with since_ms <= time <= now_ms, in no order, some perhaps twice.

        Raises:
            UnreachableError, VenueError, DataError: as ``reading`` says; pages without an end.
        """
        if self._paging.numbered:
            return await self._numbered(symbol, since_ms, now_ms)
        if self._paging.upto is None:
            return await self._forward(symbol, since_ms, now_ms, next_due)
        found: list[Payment] = []
        step_ms = round(self._paging.rows * interval_hours * HOUR_MS)
        for start_ms in range(since_ms, now_ms + 1, step_ms):
            found += await self._whole(symbol, start_ms, min(start_ms + step_ms - 1, now_ms))
        return found

    async def _page(self, symbol: str, since_ms: int, **params: Any) -> list[Payment]:
        with reading(self._exchange.id, f"funding history of {symbol}"):
            rows = await self._exchange.fetch_funding_rate_history(
                symbol, since=since_ms, limit=self._paging.rows, params=params
            )
            return [(int(row["timestamp"]), number(row["fundingRate"])) for row in rows]

    async def _forward(
        self, symbol: str, since_ms: int, now_ms: int, next_due: NextDue
    ) -> list[Payment]:
        found: list[Payment] = []
        due_ms = 0
        while since_ms <= now_ms and due_ms <= now_ms:
            told = await self._page(symbol, since_ms)
            fresh = [one for one in told if since_ms <= one[0] <= now_ms]
            if not fresh:
                break
            found += fresh
            since_ms = max(time_ms for time_ms, _ in fresh) + 1
            due_ms = next_due([time_ms for time_ms, _ in found])
        return found

    async def _whole(self, symbol: str, start_ms: int, end_ms: int) -> list[Payment]:
        """All payments of that time, its end included."""
        assert self._paging.upto is not None
        told = await self._page(symbol, start_ms, **self._paging.upto(end_ms))
        fresh = [one for one in told if start_ms <= one[0] <= end_ms]
        if len(told) < self._paging.rows or end_ms - start_ms < HOUR_MS:
            return fresh
        middle_ms = (start_ms + end_ms) // 2
        older = await self._whole(symbol, start_ms, middle_ms)
        return older + await self._whole(symbol, middle_ms + 1, end_ms)

    async def _numbered(self, symbol: str, since_ms: int, now_ms: int) -> list[Payment]:
        found: list[Payment] = []
        for number_of_page in range(1, _MOST_PAGES + 1):
            # Without a start, which ccxt would filter by: then no page looks full.
            told = await self._page(symbol, 0, pageNo=number_of_page)
            found += [one for one in told if since_ms <= one[0] <= now_ms]
            if len(told) < self._paging.rows or min(time_ms for time_ms, _ in told) < since_ms:
                return found
        raise DataError(f"{self._exchange.id}: funding history of {symbol}: pages without an end")
