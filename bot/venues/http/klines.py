"""Bars: trade, mark price, index price and premium, all cut from the tape."""

from collections.abc import Callable
from typing import Final

from bot.feeds.tape import Kline
from bot.venues.http.face import Call, Face, Listed
from bot.venues.http.wire import Json, fixed
from bot.venues.sim.errors import VenueReject

_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 60 * _MINUTE_MS
DAY_MS: Final = 24 * _HOUR_MS
INTERVALS_MS: Final = {
    **{f"{n}m": n * _MINUTE_MS for n in (1, 3, 5, 15, 30)},
    **{f"{n}h": n * _HOUR_MS for n in (1, 2, 4, 6, 8, 12)},
    "1d": DAY_MS,
}
_USD_PER_TRADE: Final = 1_000.0  # the tape has no single trades; their number is made up from value

Row = Callable[[Listed, Kline], list[Json]]


def bars_of(
    face: Face, one: Listed, interval_ms: int, window: tuple[int | None, int], limit: int
) -> list[Kline]:
    """The first ``limit`` bars from the window's start, or the last before its end.

    Hours without data are skipped, not filled, so that a page is short only at the end.
    """
    now_ms = face.clock.now_ms()
    start_ms, end_ms = window
    end_ms = min(end_ms, now_ms)
    first_ms = max(face.tape.start_ms, one.instrument.listed_at_ms or 0) // interval_ms
    first_ms *= interval_ms
    page_ms = limit * interval_ms
    found: list[Kline] = []
    if start_ms is not None:
        at_ms = max(start_ms, first_ms)
        while at_ms <= end_ms and len(found) < limit:
            until_ms = min(at_ms + page_ms, end_ms + 1)
            found += face.tape.klines(one.symbol, interval_ms, at_ms, until_ms, now_ms)
            at_ms = until_ms
        return found[:limit]
    until_ms = end_ms + 1
    while until_ms > first_ms and len(found) < limit:
        at_ms = max(first_ms, until_ms - page_ms)
        found = face.tape.klines(one.symbol, interval_ms, at_ms, until_ms, now_ms) + found
        until_ms = at_ms
    return found[-limit:]


def trade_count(volume_usd: float) -> int:
    """How many trades a bar is said to consist of: none without volume."""
    return 0 if volume_usd <= 0.0 else max(1, round(volume_usd / _USD_PER_TRADE))


def klines(face: Face, call: Call) -> Json:
    """GET v1/klines."""
    return _answer(face, call, "symbol", _trade_row)


def continuous_klines(face: Face, call: Call) -> Json:
    """GET v1/continuousKlines: the perpetual of a pair."""
    if call.params.text("contractType") != "PERPETUAL":
        raise VenueReject(-4089, "Invalid contractType.", 400)
    return _answer(face, call, "pair", _trade_row)


def mark_price_klines(face: Face, call: Call) -> Json:
    """GET v1/markPriceKlines: the mark price stays within the basis of the last price."""
    return _answer(face, call, "symbol", _price_row)


def index_price_klines(face: Face, call: Call) -> Json:
    """GET v1/indexPriceKlines."""
    return _answer(face, call, "pair", _price_row)


def premium_index_klines(face: Face, call: Call) -> Json:
    """GET v1/premiumIndexKlines: the tape has no premium within the hour, the bars are flat."""
    return _answer(face, call, "symbol", _premium_row)


def _answer(face: Face, call: Call, name: str, row: Row) -> list[Json]:
    one = face.market(call.params, name)
    interval_ms = INTERVALS_MS.get(call.params.text("interval"))
    if interval_ms is None:
        raise VenueReject(-1120, "Invalid interval.", 400)
    limit = call.params.limit(500, 1500)
    rows = []
    for bar in bars_of(face, one, interval_ms, call.params.window(call.now_ms), limit):
        values = row(one, bar)
        values[6] = bar.open_ms + interval_ms - 1
        rows.append(values)
    return rows


def _trade_row(one: Listed, bar: Kline) -> list[Json]:
    prices = bar.open, bar.high, bar.low, bar.close
    base, usd = bar.volume_base, bar.volume_usd
    texts = one.bar_texts((*prices, base, usd, base / 2, usd / 2))
    if texts is None:
        texts = [one.price(price) for price in prices]
        texts += [one.quantity(base), fixed(usd, 5), one.quantity(base / 2), fixed(usd / 2, 5)]
    return [bar.open_ms, *texts[:5], 0, texts[5], trade_count(usd), texts[6], texts[7], "0"]


def _price_row(one: Listed, bar: Kline) -> list[Json]:
    prices = (bar.open, bar.high, bar.low, bar.close)
    return _untraded(bar, [fixed(price, one.price_places + 2) for price in prices])


def _premium_row(_one: Listed, bar: Kline) -> list[Json]:
    return _untraded(bar, ["0.00000000"] * 4)


def _untraded(bar: Kline, prices: list[str]) -> list[Json]:
    return [bar.open_ms, *prices, "0", 0, "0", 1, "0", "0", "0"]
