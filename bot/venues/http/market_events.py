"""What public streams say when prices move, and the names by which they are asked for."""

import re
from collections.abc import Iterable
from typing import Final

from bot.ports import Quote
from bot.venues.http.face import Face, Listed
from bot.venues.http.market import day_row
from bot.venues.http.wire import Json, fixed
from bot.venues.sim.events import MarketMoved, Stamp

SERVED: Final = {
    "market": re.compile(
        r"(?:!markPrice@arr|[a-z0-9]{2,30}@markPrice)(?:@1s)?|!miniTicker@arr|[a-z0-9]{2,30}@miniTicker"
    ),
    "public": re.compile(r"(?:!|[a-z0-9]{2,30}@)bookTicker"),
}
"""By address, the names of streams that it serves."""
SLOW_MS: Final = 3_000  # of a mark price stream without ``@1s``


class MarketWords:
    """Messages of one move of the market, each made once however many listen."""

    def __init__(self, face: Face, event: MarketMoved) -> None:
        self._face = face
        self._stamp = event.stamp
        self._listed = [(face.by_symbol(symbol), quote) for symbol, quote in event.quotes.items()]
        self._made: dict[str, list[Json]] = {}

    def messages(self, stream: str) -> list[Json]:
        """What the stream of that name says now; nothing of a symbol that does not trade."""
        if stream not in self._made:
            self._made[stream] = list(self._say(stream))
        return self._made[stream]

    def _say(self, stream: str) -> Iterable[Json]:
        all_ = stream.startswith("!")
        wanted = "" if all_ else stream.partition("@")[0].upper()
        found = [(one, quote) for one, quote in self._listed if all_ or one.market_id == wanted]
        if "bookTicker" in stream:  # one message for each symbol, of all too
            return [_book(self._face, one, quote, self._stamp) for one, quote in found]
        if "miniTicker" in stream:
            rows = [_day(self._face, one, quote, self._stamp) for one, quote in found]
        else:
            rows = [_mark(one, quote, self._stamp) for one, quote in found]
        return ([rows] if rows else []) if all_ else rows


def _mark(one: Listed, quote: Quote, stamp: Stamp) -> dict[str, Json]:
    return {
        "e": "markPriceUpdate",
        "E": stamp.event_ms,
        "s": one.market_id,
        "p": fixed(quote.mark, 8),
        "i": fixed(quote.index, 8),
        "P": fixed(quote.index, 8),
        "r": fixed(quote.funding_rate, 8),
        "ap": fixed(quote.mark, 8),
        "T": quote.next_funding_ms,
        "st": 1,
    }


def _day(face: Face, one: Listed, quote: Quote, stamp: Stamp) -> dict[str, Json]:
    row = day_row(face, one, quote, stamp.event_ms)
    keys = (("c", "lastPrice"), ("o", "openPrice"), ("h", "highPrice"), ("l", "lowPrice"))
    prices = {short: row[key] for short, key in keys}
    traded = {"v": row["volume"], "q": row["quoteVolume"]}
    names = {"s": one.market_id, "ps": one.market_id}
    return {"e": "24hrMiniTicker", "E": stamp.event_ms, **names, **prices, **traded, "st": 1}


def _book(face: Face, one: Listed, quote: Quote, stamp: Stamp) -> dict[str, Json]:
    book = face.exchange.depth(one.symbol, 1)
    bid = book.bids[0] if book.bids else (0, 0)
    ask = book.asks[0] if book.asks else (0, 0)
    return {
        "e": "bookTicker",
        "u": book.update_id,
        "E": stamp.event_ms,
        "T": quote.timestamp_ms,
        "s": one.market_id,
        "ps": one.market_id,
        "b": fixed(bid[0], one.price_places),
        "B": fixed(bid[1], one.quantity_places),
        "a": fixed(ask[0], one.price_places),
        "A": fixed(ask[1], one.quantity_places),
        "st": 1,
    }
