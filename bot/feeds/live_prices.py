"""Prices as a market stream tells them: each kind with the time at which it was true."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from bot.ports import Quote
from bot.venues.ccxt_market import positive

_AHEAD_MS: Final = 5_000
"""No exchange's clock is further ahead of ours; the control of clocks halts long before."""
_KINDS: Final = ("book_ms", "last_ms")


@dataclass(frozen=True, slots=True)
class LivePrice:
    """What was told last of one symbol; times 0 where nothing was told yet."""

    mark: float = 0.0
    index: float | None = None
    mark_ms: int = 0
    bid: float = 0.0
    ask: float = 0.0
    book_ms: int = 0
    last: float = 0.0
    volume_usd: float | None = None
    last_ms: int = 0


class LivePrices:
    """Newest prices by symbol; what comes late or cannot be a price changes nothing."""

    def __init__(self) -> None:
        self._prices: dict[str, LivePrice] = {}

    def take(self, ticker: Mapping[str, Any], now_ms: int) -> bool:
        """A ccxt ticker; whether it told a price. Without a time of its own it is of now."""
        symbol = str(ticker.get("symbol"))
        known = self._prices.get(symbol, LivePrice())
        at_ms = int(positive(ticker.get("timestamp")) or now_ms)
        if at_ms > now_ms + _AHEAD_MS:  # as the newest it would keep out all that come after it
            at_ms = now_ms
        changes: dict[str, Any] = {}
        mark, last = positive(ticker.get("markPrice")), positive(ticker.get("last"))
        bid, ask = positive(ticker.get("bid")), positive(ticker.get("ask"))
        if mark is not None and at_ms >= known.mark_ms:
            changes |= {"mark": mark, "index": positive(ticker.get("indexPrice")), "mark_ms": at_ms}
        if bid is not None and ask is not None and bid <= ask and at_ms >= known.book_ms:
            changes |= {"bid": bid, "ask": ask, "book_ms": at_ms}
        if last is not None and at_ms >= known.last_ms:
            volume = positive(ticker.get("quoteVolume"))
            changes |= {"last": last, "volume_usd": volume, "last_ms": at_ms}
        if changes:
            self._prices[symbol] = replace(known, **changes)
        return bool(changes)

    def spoke_ms(self, symbols: Collection[str]) -> int:
        """When best prices, and last prices, were told last of any of these: the earlier of both.

        A quiet symbol tells neither for long; of many, one whose kind is told at all soon does.
        """
        told = [self._prices[symbol] for symbol in symbols if symbol in self._prices]
        newest = [max((getattr(one, kind) for one in told), default=0) for kind in _KINDS]
        return min(newest)

    def quote(self, read: Quote, oldest_ms: int) -> Quote | None:
        """``read``, a quote that REST told, with what the stream told since.

        It bears the time of the mark price. None where that is older than ``oldest_ms``.
        """
        told = self._prices.get(read.symbol)
        if told is None or told.mark_ms < oldest_ms:
            return None
        newer_book = told.book_ms > read.timestamp_ms
        newer_last = told.last_ms > read.timestamp_ms
        volume = told.volume_usd if newer_last else None
        return replace(
            read,
            timestamp_ms=told.mark_ms,
            mark=told.mark,
            index=told.index or read.index,
            bid=told.bid if newer_book else read.bid,
            ask=told.ask if newer_book else read.ask,
            last=told.last if newer_last else read.last,
            daily_volume_usd=read.daily_volume_usd if volume is None else volume,
        )
