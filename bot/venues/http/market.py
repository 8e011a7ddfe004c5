"""Prices now: depth, trades, tickers and mark price."""

from typing import Final

from bot.feeds.tape import Kline
from bot.ports import Quote
from bot.venues.http.face import Call, Face, Listed
from bot.venues.http.klines import DAY_MS, bars_of, trade_count
from bot.venues.http.wire import Json, fixed
from bot.venues.sim.errors import VenueReject

_DEPTH_LIMITS: Final = frozenset({5, 10, 20, 50, 100, 500, 1000})
_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 3_600_000
_INTEREST_OF_8H: Final = "0.00010000"


def depth(face: Face, call: Call) -> Json:
    """GET v1/depth: the book that orders are matched against."""
    one = face.market(call.params)
    limit = call.params.optional_integer("limit") or 500
    if limit not in _DEPTH_LIMITS:
        raise VenueReject(-4021, f"{limit} is not valid depth limit.", 400)
    book = face.exchange.depth(one.symbol, limit)
    return {
        "lastUpdateId": book.update_id,
        "E": call.now_ms,
        "T": call.now_ms,
        "bids": [
            [fixed(price, one.price_places), fixed(quantity, one.quantity_places)]
            for price, quantity in book.bids
        ],
        "asks": [
            [fixed(price, one.price_places), fixed(quantity, one.quantity_places)]
            for price, quantity in book.asks
        ],
    }


def trades(face: Face, call: Call) -> Json:
    """GET v1/trades: the tape has no single trades, so one a minute at its close."""
    one = face.market(call.params)
    limit = call.params.limit(500, 1000)
    return [
        {
            "id": bar.open_ms // _MINUTE_MS,
            "price": one.price(bar.close),
            "qty": one.quantity(bar.volume_base),
            "quoteQty": fixed(bar.volume_usd, 8),
            "time": min(bar.open_ms + _MINUTE_MS - 1, call.now_ms),
            "isBuyerMaker": bar.close < bar.open,
            "isRPITrade": False,
        }
        for bar in _minutes(face, one, (None, call.now_ms), limit)
    ]


def aggregate_trades(face: Face, call: Call) -> Json:
    """GET v1/aggTrades: the same trades in the short form."""
    one = face.market(call.params)
    limit = call.params.limit(500, 1000)
    from_id = call.params.optional_integer("fromId")
    window = call.params.window(call.now_ms)
    if from_id is not None:
        window = (from_id * _MINUTE_MS, call.now_ms)
    return [
        {
            "a": bar.open_ms // _MINUTE_MS,
            "p": one.price(bar.close),
            "q": one.quantity(bar.volume_base),
            "nq": one.quantity(bar.volume_base),
            "f": bar.open_ms // _MINUTE_MS,
            "l": bar.open_ms // _MINUTE_MS,
            "T": min(bar.open_ms + _MINUTE_MS - 1, call.now_ms),
            "m": bar.close < bar.open,
        }
        for bar in _minutes(face, one, window, limit)
    ]


def ticker_day(face: Face, call: Call) -> Json:
    """GET v1/ticker/24hr: of one, or of all."""
    named = face.optional_market(call.params)
    rows = []
    for one, quote in face.quoted(named):
        rows.append(day_row(face, one, quote, call.now_ms))
    return rows if named is None else rows[0]


def day_row(face: Face, one: Listed, quote: Quote, now_ms: int) -> dict[str, Json]:
    """The last 24 hours of one contract."""
    known = face.day_rows.get(one.symbol)
    # Clients that want a few tickers ask for all, one client after the other.
    if known is None or known[0] != now_ms or known[1] is not quote:
        known = now_ms, quote, _day_row(face, one, quote, now_ms)
        face.day_rows[one.symbol] = known
    return known[2]


def ticker_price(face: Face, call: Call) -> Json:
    """GET v1/ticker/price and v2/ticker/price."""
    named = face.optional_market(call.params)
    rows = [
        {"symbol": one.market_id, "price": one.price(quote.last), "time": quote.timestamp_ms}
        for one, quote in face.quoted(named)
    ]
    return rows if named is None else rows[0]


def ticker_book(face: Face, call: Call) -> Json:
    """GET v1/ticker/bookTicker: best prices of the book, a side that is used up reads 0."""
    named = face.optional_market(call.params)
    rows = []
    for one, quote in face.quoted(named):
        book = face.exchange.depth(one.symbol, 1)
        bid = book.bids[0] if book.bids else (0, 0)
        ask = book.asks[0] if book.asks else (0, 0)
        rows.append(
            {
                "symbol": one.market_id,
                "bidPrice": fixed(bid[0], one.price_places),
                "bidQty": fixed(bid[1], one.quantity_places),
                "askPrice": fixed(ask[0], one.price_places),
                "askQty": fixed(ask[1], one.quantity_places),
                "time": quote.timestamp_ms,
                "lastUpdateId": book.update_id,
            }
        )
    return rows if named is None else rows[0]


def premium_index(face: Face, call: Call) -> Json:
    """GET v1/premiumIndex: mark price, and the rate of the running funding interval."""
    named = face.optional_market(call.params)
    rows = [
        {
            "symbol": one.market_id,
            "markPrice": fixed(quote.mark, 8),
            "indexPrice": fixed(quote.index, 8),
            "estimatedSettlePrice": fixed(quote.index, 8),
            "lastFundingRate": fixed(quote.funding_rate, 8),
            "interestRate": _INTEREST_OF_8H,
            "nextFundingTime": quote.next_funding_ms,
            "time": quote.timestamp_ms,
        }
        for one, quote in face.quoted(named)
    ]
    return rows if named is None else rows[0]


def _minutes(face: Face, one: Listed, window: tuple[int | None, int], limit: int) -> list[Kline]:
    """Minutes in which something traded."""
    bars = bars_of(face, one, _MINUTE_MS, window, limit + 1)
    traded = [bar for bar in bars if bar.volume_base > 0.0]
    return traded[-limit:] if window[0] is None else traded[:limit]


def _day_row(face: Face, one: Listed, quote: Quote, now_ms: int) -> dict[str, Json]:
    """The last 24 hours, out of hourly bars; without any, the last price stands for all."""
    bars = face.tape.klines(one.symbol, _HOUR_MS, now_ms - DAY_MS, now_ms + 1, now_ms)
    base = sum(bar.volume_base for bar in bars)
    value = sum(bar.volume_usd for bar in bars)
    opened = bars[0].open if bars else quote.last
    last_id = now_ms // _MINUTE_MS
    minute = _minutes(face, one, (None, now_ms), 1)
    return {
        "symbol": one.market_id,
        "priceChange": one.price(quote.last - opened),
        "priceChangePercent": fixed((quote.last / opened - 1.0) * 100.0, 3),
        "weightedAvgPrice": one.price(value / base if base > 0.0 else quote.last),
        "lastPrice": one.price(quote.last),
        "lastQty": one.quantity(minute[-1].volume_base if minute else 0.0),
        "openPrice": one.price(opened),
        "highPrice": one.price(max([quote.last, *(bar.high for bar in bars)])),
        "lowPrice": one.price(min([quote.last, *(bar.low for bar in bars)])),
        "volume": one.quantity(base),
        "quoteVolume": fixed(value, 2),
        "openTime": now_ms - DAY_MS,
        "closeTime": now_ms,
        "firstId": last_id - DAY_MS // _MINUTE_MS,
        "lastId": last_id,
        "count": trade_count(value),
    }
