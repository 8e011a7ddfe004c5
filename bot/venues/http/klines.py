"""Bars: trade, mark price, index price and premium, all cut from the tape.

The tape has bars up to a day; longer ones are put together from days. Bars of three days count
from 1970, weeks begin on Monday and months on their first day, UTC.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
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
_LONGEST_MS: Final = {"3d": 3 * DAY_MS, "1w": 7 * DAY_MS, "1M": 31 * DAY_MS}
_MONDAY_MS: Final = 4 * DAY_MS  # after the Thursday on which 1970 began
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


def long_bars_of(
    face: Face, one: Listed, interval: str, window: tuple[int | None, int], limit: int
) -> list[Kline]:
    """As ``bars_of``, for bars longer than a day; one that began before the listing is short."""
    start_ms, end_ms = window
    days = (limit + 1) * _LONGEST_MS[interval] // DAY_MS
    if start_ms is not None:
        opened_ms = long_open_ms(interval, start_ms)
        # A bar counts by its open.
        start_ms = opened_ms if opened_ms == start_ms else long_end_ms(interval, opened_ms)
    last_ms = long_end_ms(interval, long_open_ms(interval, end_ms)) - 1
    bars = bars_of(face, one, DAY_MS, (start_ms, last_ms), days)
    grouped = groupby(bars, key=lambda bar: long_open_ms(interval, bar.open_ms))
    found = [_merged(open_ms, list(days_of_it)) for open_ms, days_of_it in grouped]
    if start_ms is None:
        return found[-limit:]
    return [bar for bar in found if bar.open_ms <= end_ms][:limit]


def long_open_ms(interval: str, at_ms: int) -> int:
    """Open of the bar of three days, a week or a month that ``at_ms`` lies in."""
    if interval == "1M":
        month = datetime.fromtimestamp(at_ms / 1000, UTC).replace(day=1, hour=0, minute=0)
        return int(month.replace(second=0, microsecond=0).timestamp()) * 1000
    shift_ms = _MONDAY_MS if interval == "1w" else 0
    step_ms = _LONGEST_MS[interval]
    return (at_ms - shift_ms) // step_ms * step_ms + shift_ms


def long_end_ms(interval: str, open_ms: int) -> int:
    """Open of the bar after the one that opens at ``open_ms``."""
    # The longest month reaches into the next one by 3 days at most.
    return long_open_ms(interval, open_ms + _LONGEST_MS[interval])


def _merged(open_ms: int, bars: list[Kline]) -> Kline:
    """One bar out of its days; it counts as closed when its last day is."""
    return replace(
        bars[0],
        open_ms=open_ms,
        high=max(bar.high for bar in bars),
        low=min(bar.low for bar in bars),
        close=bars[-1].close,
        volume_base=sum(bar.volume_base for bar in bars),
        volume_usd=sum(bar.volume_usd for bar in bars),
        closed=bars[-1].closed,
    )


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
    """GET v1/premiumIndexKlines: flat within a funding interval, whose mean is all the tape has.

    No bars where the tape knows no premium, nor yet of the running interval: zeros would be taken
    for one.
    """
    now_ms = face.clock.now_ms()

    def row(one: Listed, bar: Kline) -> list[Json]:
        known = face.tape.premium(one.symbol, bar.open_ms, now_ms)
        return [] if known is None else _untraded(bar, [fixed(known, 8)] * 4)

    return [row for row in _answer(face, call, "symbol", row) if row]


def _answer(face: Face, call: Call, name: str, row: Row) -> list[Json]:
    one = face.market(call.params, name)
    interval = call.params.text("interval")
    if interval not in INTERVALS_MS and interval not in _LONGEST_MS:
        raise VenueReject(-1120, "Invalid interval.", 400)
    limit, window = call.params.limit(500, 1500), call.params.window(call.now_ms)
    if interval in _LONGEST_MS:
        return [
            _ending(row(one, bar), long_end_ms(interval, bar.open_ms))
            for bar in long_bars_of(face, one, interval, window, limit)
        ]
    interval_ms = INTERVALS_MS[interval]
    return [
        _ending(row(one, bar), bar.open_ms + interval_ms)
        for bar in bars_of(face, one, interval_ms, window, limit)
    ]


def _ending(row: list[Json], end_ms: int) -> list[Json]:
    if row:
        row[6] = end_ms - 1
    return row


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


def _untraded(bar: Kline, prices: list[str]) -> list[Json]:
    return [bar.open_ms, *prices, "0", 0, "0", 1, "0", "0", "0"]
