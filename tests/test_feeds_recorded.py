"""Recorded folders: good ones become tapes, bad ones one line that names what is wrong."""

import math
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bot.feeds.recorded import recorded_tape
from bot.feeds.tape import DAY_MS
from config.aliases import Aliases, Rename
from risk.errors import DataError
from risk.returns import HOUR_MS
from tests.recorded_scene import (
    FET,
    START,
    T0,
    TAO,
    funding,
    hourly,
    instruments,
    interest,
    jumped,
    payments,
    write,
)

SHARED = Path(__file__).resolve().parents[2] / "shared"


def test_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    tidy = recorded_tape(write(tmp_path / "a"))
    shuffled = recorded_tape(
        write(
            tmp_path / "b",
            hourly=hourly().sample(frac=1.0, random_state=3),
            funding=funding().iloc[::-1],
        )
    )
    for hour in (1.0, 31.0, 50.5, 96.0):
        now = START + round(hour * HOUR_MS)
        assert tidy.quotes(now) == shuffled.quotes(now)
    assert tidy.funding(FET, START, START + 5 * DAY_MS) == shuffled.funding(
        FET, START, START + 5 * DAY_MS
    )


def test_columns_and_time_units_beyond_the_layout_are_fine(tmp_path: Path) -> None:
    frame = hourly().assign(extra=1, symbol=lambda f: f.symbol.astype("category"))
    frame["timestamp"] = frame.timestamp.dt.as_unit("ns").dt.tz_convert("Asia/Tokyo")
    tape = recorded_tape(write(tmp_path / "data", hourly=frame.astype({"volume": "float32"})))
    assert tape.start_ms == START
    assert tape.end_ms == START + 96 * HOUR_MS


def test_contracts_are_guessed_from_prices_or_read(tmp_path: Path) -> None:
    guessed = recorded_tape(write(tmp_path / "a")).instruments
    assert (guessed[FET].tick, guessed[FET].lot) == (Decimal("0.0001"), Decimal(1))
    assert (guessed[TAO].tick, guessed[TAO].lot) == (Decimal("0.01"), Decimal("0.01"))
    assert guessed[FET].min_notional_usd == 5
    assert guessed[FET].listed_at_ms is None
    assert guessed[TAO].listed_at_ms == START + 30 * HOUR_MS
    assert guessed[FET].funding_interval_hours == 8
    read = recorded_tape(write(tmp_path / "b", instruments=instruments())).instruments
    assert (read[FET].tick, read[FET].lot) == (Decimal("0.001"), Decimal(10))
    assert (read[FET].min_notional_usd, read[FET].taker_fee) == (Decimal("7.5"), 0.0004)
    assert read[FET].funding_interval_hours == 4
    assert read[FET].listed_at_ms == pd.Timestamp("2024-05-01", tz="UTC").value // 1_000_000
    assert read[TAO] == guessed[TAO]


def test_an_unknown_listing_day_stays_unknown(tmp_path: Path) -> None:
    frame = pd.concat([instruments(), instruments().assign(symbol=TAO, listed_at=None)])
    read = recorded_tape(write(tmp_path / "data", instruments=frame)).instruments
    assert read[TAO].listed_at_ms == START + 30 * HOUR_MS


def test_open_interest_is_read_where_it_is(tmp_path: Path) -> None:
    tape = recorded_tape(write(tmp_path / "data", open_interest=interest()))
    assert tape.open_interest(FET, START + 2 * HOUR_MS) == 6.0
    assert tape.open_interest(TAO, START + 40 * HOUR_MS) is None


def test_own_funding_first_then_another_venue_then_the_base_rate(tmp_path: Path) -> None:
    frame = pd.concat(
        [
            payments("binance", FET, [40, 48], 8, 0.0003),
            payments("hyperliquid", "FET/USDC:USDC", list(range(5, 89)), 1, 0.00007),
            payments("other", "FET/USD:USD", [8, 16], 8, 0.0009),
        ]
    )
    tape = recorded_tape(write(tmp_path / "data", funding=frame))
    found = {
        (one.time_ms - START) // HOUR_MS: one
        for one in tape.funding(FET, START, START + 99 * HOUR_MS)
    }
    # Own payments settle hours 32 to 48; hourly ones fill in around; the base rate what is left.
    assert sorted(found) == [0, *range(5, 33), 40, 48, *range(49, 89), 96]
    own = [found[hour] for hour in (40, 48)]
    assert [(one.rate, one.interval_hours, one.substitute) for one in own] == [
        (0.0003, 8.0, False)
    ] * 2
    assert (found[49].rate, found[49].interval_hours, found[49].substitute) == (0.00007, 1.0, True)
    assert (found[96].rate, found[96].interval_hours, found[96].substitute) == (0.0001, 8.0, True)
    assert tape.instruments[FET].funding_interval_hours == 8.0
    pinned = tape.funding(TAO, START, START + 99 * HOUR_MS)
    assert {(one.rate, one.substitute) for one in pinned} == {(0.0001, True)}
    assert pinned[0].time_ms >= START + 30 * HOUR_MS


def test_the_exchange_that_is_traded_on_has_the_own_funding(tmp_path: Path) -> None:
    frame = pd.concat(
        [
            payments("binance", FET, list(range(8, 97, 8)), 8, 0.0002),
            payments("bybit", FET, list(range(8, 97, 8)), 8, 0.0005),
        ]
    )
    folder, until_ms = write(tmp_path / "data", funding=frame), START + 99 * HOUR_MS
    for exchange, rate in (("bybit", 0.0005), ("binanceusdm", 0.0002), ("binance", 0.0002)):
        tape = recorded_tape(folder, exchange=exchange)
        paid = [one for one in tape.funding(FET, START, until_ms) if one.time_ms > START]
        assert {(one.rate, one.substitute) for one in paid} == {(rate, False)}
        assert tape.instruments[FET].venue == exchange
    other = recorded_tape(folder, exchange="okx").funding_series(FET, START, until_ms)
    assert other is not None
    assert other.substitute


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf])
def test_what_a_contract_cannot_be_is_refused(tmp_path: Path, value: float) -> None:
    frame = instruments().assign(max_quantity=value)
    with pytest.raises(DataError, match=r"instruments.parquet: max_quantity of FET/USDT:USDT is"):
        recorded_tape(write(tmp_path / "data", instruments=frame))


def test_an_interval_may_change_over_time_and_stamps_may_be_late_by_seconds(tmp_path: Path) -> None:
    frame = pd.concat(
        [
            payments("binance", FET, [8, 16, 24], 8, 0.0001),
            payments("binance", FET, [28, 32, 36, *range(40, 97, 4)], 4, 0.0002),
        ],
        ignore_index=True,
    )
    frame["timestamp"] += pd.Timedelta(milliseconds=7)
    tape = recorded_tape(write(tmp_path / "data", funding=frame))
    quote = tape.quote(FET, START + 25 * HOUR_MS)
    assert quote is not None
    assert quote.funding_interval_hours == 4
    assert quote.next_funding_ms == START + 28 * HOUR_MS
    assert quote.settled_funding_rate == 0.0001
    assert quote.funding_rate == pytest.approx(0.00005)
    series = tape.funding_series(FET, START, START + 99 * HOUR_MS)
    assert series is not None
    assert set(series.interval_hours) == {4.0, 8.0}
    assert (series.time_ms % HOUR_MS == 0).all()


def test_what_is_recorded_later_changes_no_contract_and_no_earlier_payment(tmp_path: Path) -> None:
    """Finer prices, shorter intervals, another venue with more to tell: nobody knew of them."""
    now = T0 + pd.Timedelta(hours=48)
    bars = hourly()
    later = (bars.symbol == FET) & (bars.timestamp >= now)
    bars.loc[later, ["open", "high", "low", "close"]] += 0.00001
    paid = pd.concat(
        [
            payments("binance", FET, list(range(8, 49, 8)), 8, 0.0003),
            payments("binance", FET, list(range(52, 97, 4)), 4, 0.0001),
            payments("early", "TAO/USD:USD", [32, 40, 48, 56], 8, 0.0002),
            payments("late", "TAO/USDC:USDC", list(range(36, 97)), 1, 0.0007),
        ]
    )
    whole = recorded_tape(write(tmp_path / "whole", hourly=bars, funding=paid))
    known = recorded_tape(
        write(
            tmp_path / "known",
            hourly=bars[bars.timestamp < now],
            funding=paid[paid.timestamp <= now],
        )
    )
    for symbol in (FET, TAO):
        assert whole.instruments[symbol] == known.instruments[symbol]
        until_ms = START + 40 * HOUR_MS + 1
        assert whole.funding(symbol, START, until_ms) == known.funding(symbol, START, until_ms)
        for hour in (32, 40, 47):
            at_ms = START + hour * HOUR_MS
            assert whole.quote(symbol, at_ms) == known.quote(symbol, at_ms)


def test_data_that_end_now_tell_what_longer_data_tell(tmp_path: Path) -> None:
    whole = payments("binance", FET, [8, 16, 24, 32, 40], 8, 0.0003)
    known = whole[whole["timestamp"] <= pd.Timestamp(START + 24 * HOUR_MS, unit="ms", tz="UTC")]
    quotes = [
        recorded_tape(write(tmp_path / name, funding=frame)).quote(FET, START + 26 * HOUR_MS)
        for name, frame in (("whole", whole), ("known", known))
    ]
    assert quotes[0] == quotes[1]
    assert quotes[1] is not None
    assert quotes[1].funding_rate == 0.0003
    assert quotes[1].next_funding_ms == START + 32 * HOUR_MS


def test_a_known_redenomination_starts_the_symbol_anew(tmp_path: Path) -> None:
    rename = Rename("OLD", "FET", Decimal("0.001"), date(2025, 1, 3))
    folder = write(tmp_path / "data", hourly=jumped())
    tape = recorded_tape(folder, aliases=Aliases({"OLD": rename}, {}))
    panel = tape.panel([FET], START, START + 96 * HOUR_MS, START + 96 * HOUR_MS)
    first = int(np.flatnonzero(np.isfinite(panel.close[:, 0]))[0])
    # TAO alone sets the grid before: FET has no bar until the day of the new price.
    assert panel.open_ms[first] == START + 50 * HOUR_MS
    late = Rename("OLD", "FET", Decimal("0.001"), date(2025, 3, 3))
    with pytest.raises(DataError, match="a redenomination needs an alias"):
        recorded_tape(folder, aliases=Aliases({"OLD": late}, {}))


def test_missing_hours_are_missing_and_never_zero(tmp_path: Path) -> None:
    frame = hourly()
    gone = (frame.symbol == FET) & frame.timestamp.between(
        T0 + pd.Timedelta(hours=60), T0 + pd.Timedelta(hours=69)
    )
    tape = recorded_tape(write(tmp_path / "data", hourly=frame[~gone]))
    panel = tape.panel([FET], START, START + 96 * HOUR_MS, START + 96 * HOUR_MS)
    assert np.flatnonzero(np.isnan(panel.close[:, 0])).tolist() == list(range(60, 70))
    assert np.isnan(panel.quote_volume_usd[60:70]).all()
    assert tape.quote(FET, START + 65 * HOUR_MS) is None


@pytest.mark.parametrize("now", [1_790_000_000_000, 1_600_000_123_456])
def test_restamped_recordings_keep_the_hours_of_the_day(tmp_path: Path, now: int) -> None:
    folder = write(tmp_path / "data", hourly=hourly(24 * 40), instruments=instruments())
    plain, moved = recorded_tape(folder), recorded_tape(folder, now, history_days=10)
    shift = moved.start_ms - plain.start_ms
    assert shift % DAY_MS == 0
    assert 0 <= now - moved.start_ms - 10 * DAY_MS < DAY_MS
    then = plain.quotes(now - shift)
    for symbol, quote in moved.quotes(now).items():
        assert quote.last == then[symbol].last
        assert quote.timestamp_ms == now
        assert quote.next_funding_ms - shift == then[symbol].next_funding_ms
    listed, was = moved.instruments[TAO].listed_at_ms, plain.instruments[TAO].listed_at_ms
    assert listed is not None
    assert was is not None
    assert listed - was == shift


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
def test_real_months() -> None:
    tape = recorded_tape(SHARED / "market")
    assert len(tape.instruments) == 23
    now = pd.Timestamp("2025-03-15T13:20Z").value // 1_000_000
    quotes = tape.quotes(now)
    assert "AIXBT/USDT:USDT" in quotes
    assert len(quotes) == 23
    assert tape.instruments["BTC/USDT:USDT"].tick == Decimal("0.1")
    assert tape.instruments["KAITO/USDT:USDT"].listed_at_ms is not None
    assert len(tape.quotes(pd.Timestamp("2024-11-01T00:00Z").value // 1_000_000)) == 18
    btc = tape.funding_series("BTC/USDT:USDT", tape.start_ms, now)
    fet = tape.funding_series("FET/USDT:USDT", tape.start_ms, now)
    akt = tape.funding_series("AKT/USDT:USDT", tape.start_ms, now)
    assert btc is not None
    assert fet is not None
    assert akt is not None
    assert (btc.substitute, fet.substitute, akt.substitute) == (False, True, True)
    assert set(fet.interval_hours) == {1.0}
    assert set(akt.rate) == {0.0001}
    for symbol in tape.instruments:
        series = tape.funding_series(symbol, tape.start_ms, now)
        assert series is not None
        # Every hour is paid for once.
        gaps = np.diff(series.time_ms)
        np.testing.assert_array_equal(gaps, series.interval_hours[1:] * HOUR_MS)
