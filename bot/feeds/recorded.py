"""Recorded market data as a tape.

A folder holds ``hourly.parquet`` and ``funding.parquet``, and may hold ``instruments.parquet``
and ``open_interest.parquet``. Without the third, contracts are guessed from the data:

    tick          the finest decimal place that prices of the first recorded day use, at most 8
                  places (what comes later must not be known before)
    lot           a power of ten worth between about 0.1 and 10 USD on that day, at least 0.001, at
                  most 1
    min notional  5 USD; ETH 20, BTC 50
    fees          0.02 % maker, 0.05 % taker
    funding       interval of the first payment of its own venue, else of the first payment
    listed        its first bar, where the data starts more than a day earlier

Funding of a symbol comes from its own venue; before, after or without that from the other venue
whose payments of the same base begin first; outside of both from the base rate of 0.01 % per 8
hours. The last two are flagged as substitutes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np

from bot.feeds.array_tape import ArrayTape
from bot.feeds.quality import BarRows
from bot.feeds.recorded_files import (
    FundingRows,
    read_bars,
    read_funding,
    read_instrument_rows,
    read_open_interest,
)
from bot.feeds.remarks import Tell, nobody
from bot.feeds.series import FundingTrack, HourlyBars, OpenInterestSeries
from bot.feeds.tape import BASE_RATE_8H, DAY_MS
from config.aliases import Aliases
from risk.book import FloatArray
from risk.errors import MissingDataError
from risk.instrument import Instrument
from risk.returns import HOUR_MS

OWN_VENUE = "binance"
VENUE_ID = "binanceusdm"
HISTORY_DAYS = 60
MIN_NOTIONAL_USD = {"BTC": Decimal(50), "ETH": Decimal(20)}
OTHER_MIN_NOTIONAL_USD = Decimal(5)
MAKER_FEE = 0.0002
TAKER_FEE = 0.0005
MOST_DECIMALS = 8
DEFAULT_FUNDING_HOURS = 8.0
_FIRST_DAY_BARS = 24

_NO_PAYMENTS = FundingTrack(
    np.empty(0, dtype=np.int64), np.empty(0), np.empty(0), np.empty(0, dtype=np.bool_)
)


def recorded_tape(
    folder: Path,
    restamp_to_ms: int | None = None,
    *,
    history_days: int = HISTORY_DAYS,
    aliases: Aliases | None = None,
    exchange: str = VENUE_ID,
    tell: Tell = nobody,
) -> ArrayTape:
    """The tape of a folder.

    Args:
        folder: where the files lie.
        restamp_to_ms: move all times by whole days, so that this moment falls ``history_days``
            (or half of the recording, where that is less) after its start: for a venue that runs
            on wall time. None keeps the recorded times.
        history_days: see above.
        aliases: known redenominations, on whose day a price may jump.
        exchange: that is traded on, by its ccxt id: its funding is the symbols' own.
        tell: told what was put in order, and which hours and payments are missing.

    Raises:
        DataError: a file is missing or holds something that cannot be used; one line.
    """
    if not folder.is_dir():
        raise MissingDataError(f"{folder}: no such folder")
    remarks: list[str] = []
    rows = read_bars(folder, aliases, remarks.append)
    payments = read_funding(folder, remarks.append)
    facts = read_instrument_rows(folder)
    interest = read_open_interest(folder, list(rows), remarks.append)
    for text in remarks:  # not before: what cannot be used gets one line
        tell(text)
    bars = _on_one_grid(rows)
    end_ms = bars.start_ms + bars.hours * HOUR_MS
    instruments, tracks = [], {}
    for symbol, one in rows.items():
        tracks[symbol], hours = funding_track(
            symbol, payments, int(one.time_ms[0]), end_ms, funding_venue(exchange)
        )
        guessed = _guessed(symbol, one, hours, bars.start_ms, exchange)
        instruments.append(_instrument(guessed, facts.get(symbol)))
    shift_ms = 0
    if restamp_to_ms is not None:
        before_ms = min(history_days * DAY_MS, bars.hours * HOUR_MS // 2)
        shift_ms = (restamp_to_ms - bars.start_ms - before_ms) // DAY_MS * DAY_MS
    return _shifted(instruments, bars, tracks, interest, shift_ms)


def funding_venue(exchange: str) -> str:
    """What recorded data call an exchange that ccxt calls so."""
    return OWN_VENUE if exchange == VENUE_ID else exchange


def funding_track(
    symbol: str,
    payments: Sequence[FundingRows],
    start_ms: int,
    end_ms: int,
    own_venue: str = OWN_VENUE,
) -> tuple[FundingTrack, float]:
    """Payments of one symbol from start_ms on, up to and including end_ms, and its usual interval
    in hours."""
    base = symbol.partition("/")[0]
    own = [one for one in payments if one.venue == own_venue and one.symbol == symbol]
    others = [
        one for one in payments if one.venue != own_venue and one.symbol.partition("/")[0] == base
    ]
    others.sort(key=lambda one: (int(one.time_ms[0]), one.venue, one.symbol))
    track, hours = _NO_PAYMENTS, DEFAULT_FUNDING_HOURS
    for rows, substitute in [(one, False) for one in own] + [(one, True) for one in others[:1]]:
        flags = np.full(len(rows.rate), substitute)
        more = FundingTrack(rows.time_ms, rows.rate, rows.interval_hours, flags)
        more = more.take((more.time_ms >= start_ms) & (more.time_ms <= end_ms))
        if not len(track.rate) and len(more.rate):
            hours = float(more.interval_hours[0])
        track = _around(track, more, least_ms=DAY_MS)
    step_ms = round(hours * HOUR_MS)
    grid = np.arange(-(-start_ms // step_ms) * step_ms, end_ms + 1, step_ms, dtype=np.int64)
    pinned = FundingTrack(
        grid,
        np.full(len(grid), BASE_RATE_8H * hours / 8.0),
        np.full(len(grid), hours),
        np.ones(len(grid), dtype=np.bool_),
    )
    return _around(track, pinned, least_ms=0), hours


def _around(inner: FundingTrack, outer: FundingTrack, *, least_ms: int) -> FundingTrack:
    """``inner``, with those payments of ``outer`` that lie before or after it, where they cover
    at least ``least_ms`` on that side."""
    if not len(inner.rate):
        return outer
    # A payment settles the whole interval before it: nothing may be paid for twice.
    first_ms = inner.time_ms[0] - round(float(inner.interval_hours[0]) * HOUR_MS)
    last_ms = inner.time_ms[-1]
    starts_ms = outer.time_ms - np.round(outer.interval_hours * HOUR_MS).astype(np.int64)
    before = outer.take(np.asarray(outer.time_ms <= first_ms, dtype=np.bool_))
    after = outer.take(np.asarray(starts_ms >= last_ms, dtype=np.bool_))
    if len(before.rate) and first_ms - before.time_ms[0] < least_ms:
        before = _NO_PAYMENTS
    if len(after.rate) and after.time_ms[-1] - last_ms < least_ms:
        after = _NO_PAYMENTS
    return before.then(inner).then(after)


def _on_one_grid(rows: Mapping[str, BarRows]) -> HourlyBars:
    """Columns in the order of ``rows``; NaN where a symbol has no bar."""
    start_ms = min(int(one.time_ms[0]) for one in rows.values())
    hours = max(int(one.time_ms[-1]) - start_ms for one in rows.values()) // HOUR_MS + 1
    arrays = {}
    for name in ("open", "high", "low", "close", "volume"):
        values = np.full((hours, len(rows)), np.nan)
        for column, one in enumerate(rows.values()):
            values[(one.time_ms - start_ms) // HOUR_MS, column] = getattr(one, name)
        arrays[name] = values
    return HourlyBars(start_ms, *arrays.values())


def _guessed(
    symbol: str, rows: BarRows, funding_hours: float, start_ms: int, exchange: str
) -> Instrument:
    base, _, rest = symbol.partition("/")
    first_ms = int(rows.time_ms[0])
    first_price = float(np.median(rows.close[:_FIRST_DAY_BARS]))
    return Instrument(
        symbol=symbol,
        base=base,
        quote=rest.partition(":")[0],
        venue=exchange,
        contract_size=Decimal(1),
        tick=_tick(rows, first_price),
        lot=_lot(first_price),
        min_quantity=_lot(first_price),
        min_notional_usd=MIN_NOTIONAL_USD.get(base, OTHER_MIN_NOTIONAL_USD),
        maker_fee=MAKER_FEE,
        taker_fee=TAKER_FEE,
        funding_interval_hours=funding_hours,
        listed_at_ms=first_ms if first_ms - start_ms > DAY_MS else None,
    )


def _instrument(guessed: Instrument, facts: Mapping[str, float] | None) -> Instrument:
    """What the folder knows of it, the rest as guessed."""
    if facts is None:
        return guessed
    listed = facts.get("listed_at_ms")
    lot = _decimal(facts["lot"])
    return replace(
        guessed,
        tick=_decimal(facts["tick"]),
        lot=lot,
        min_quantity=_decimal(facts["min_quantity"]) if "min_quantity" in facts else lot,
        min_notional_usd=_decimal(facts["min_notional"]),
        maker_fee=facts["maker_fee"],
        taker_fee=facts["taker_fee"],
        funding_interval_hours=facts["funding_interval_hours"],
        listed_at_ms=guessed.listed_at_ms if listed is None else int(listed),
        max_quantity=_decimal(facts["max_quantity"]) if "max_quantity" in facts else None,
    )


def _decimal(value: float) -> Decimal:
    """The decimal number as people write it: 0.0001, never 1E-4."""
    return Decimal(format(Decimal(repr(value)).normalize(), "f"))


def _tick(rows: BarRows, first_price: float) -> Decimal:
    day = rows.take(slice(_FIRST_DAY_BARS))
    prices: FloatArray = np.concatenate([day.open, day.high, day.low, day.close])
    for places in range(MOST_DECIMALS + 1):
        if np.all(np.abs(np.round(prices, places) - prices) <= 1e-9 * prices):
            return Decimal(1).scaleb(-places) if places else Decimal(1)
    places = min(max(4 - math.floor(math.log10(first_price)), 0), MOST_DECIMALS)
    return Decimal(1).scaleb(-places)


def _lot(first_price: float) -> Decimal:
    places = min(max(math.floor(math.log10(first_price)), 0), 3)
    return Decimal(1).scaleb(-places)


def _shifted(
    instruments: Sequence[Instrument],
    bars: HourlyBars,
    tracks: Mapping[str, FundingTrack],
    interest: Mapping[str, OpenInterestSeries],
    shift_ms: int,
) -> ArrayTape:
    """The tape, all times moved by ``shift_ms``."""
    return ArrayTape(
        [
            one
            if one.listed_at_ms is None
            else replace(one, listed_at_ms=one.listed_at_ms + shift_ms)
            for one in instruments
        ],
        HourlyBars(
            bars.start_ms + shift_ms, bars.open, bars.high, bars.low, bars.close, bars.volume_base
        ),
        {
            symbol: FundingTrack(
                one.time_ms + shift_ms, one.rate, one.interval_hours, one.substitute
            )
            for symbol, one in tracks.items()
        },
        {
            symbol: OpenInterestSeries(one.time_ms + shift_ms, one.base)
            for symbol, one in interest.items()
        },
    )
