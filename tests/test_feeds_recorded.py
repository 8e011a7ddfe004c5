"""Recorded folders: good ones become tapes, bad ones one line that names what is wrong."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bot.feeds.recorded import recorded_tape
from bot.feeds.tape import DAY_MS
from config.aliases import Aliases, Rename
from risk.errors import DataError, MissingDataError
from risk.returns import HOUR_MS

SHARED = Path(__file__).resolve().parents[2] / "shared"
FET, TAO = "FET/USDT:USDT", "TAO/USDT:USDT"
T0 = pd.Timestamp("2025-01-01", tz="UTC")
START = T0.value // 1_000_000
Frame = pd.DataFrame


def hourly(hours: int = 96) -> Frame:
    """FET from the first hour on, TAO from hour 30 on; prices walk on ticks."""
    random = np.random.default_rng(5)
    parts = []
    for symbol, price, first, places in ((FET, 1.3, 0, 4), (TAO, 400.0, 30, 2)):
        close = np.round(price * np.exp(np.cumsum(random.normal(0, 0.01, hours))), places)
        open_ = np.concatenate([close[:1], close[:-1]])
        part = Frame(
            {
                "timestamp": T0 + pd.to_timedelta(np.arange(hours), unit="h"),
                "symbol": symbol,
                "open": open_,
                "high": np.round(np.maximum(open_, close) * 1.01, places),
                "low": np.round(np.minimum(open_, close) * 0.99, places),
                "close": close,
                "volume": random.uniform(1e4, 1e6, hours),
            }
        )
        parts.append(part.iloc[first:])
    return pd.concat(parts).sort_values(["timestamp", "symbol"], ignore_index=True)


def payments(venue: str, symbol: str, hours: list[int], interval: int, rate: float) -> Frame:
    return Frame(
        {
            "timestamp": T0 + pd.to_timedelta(hours, unit="h"),
            "venue": venue,
            "symbol": symbol,
            "rate": rate,
            "interval_hours": interval,
        }
    )


def funding() -> Frame:
    return payments("binance", FET, list(range(8, 97, 8)), 8, 0.0002)


def instruments() -> Frame:
    return Frame(
        {
            "symbol": [FET],
            "tick": [0.001],
            "lot": [10.0],
            "min_notional": [7.5],
            "maker_fee": [0.0],
            "taker_fee": [0.0004],
            "funding_interval_hours": [4],
            "listed_at": [pd.Timestamp("2024-05-01", tz="UTC")],
        }
    )


def interest() -> Frame:
    return Frame(
        {"timestamp": [T0, T0 + pd.Timedelta(hours=1)], "symbol": FET, "open_interest": [5.0, 6.0]}
    )


def write(folder: Path, **frames: Frame) -> Path:
    folder.mkdir(exist_ok=True)
    for name, frame in {"hourly": hourly(), "funding": funding(), **frames}.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    return folder


def changed(frame: Frame, column: str, value: object, row: int = 40) -> Frame:
    frame = frame.copy()
    frame[column] = frame[column].astype(object)
    frame.loc[row, column] = value
    return frame.infer_objects()


def fet_row(hour: int) -> int:
    frame = hourly()
    return int(
        frame.index[(frame.symbol == FET) & (frame.timestamp == T0 + pd.Timedelta(hours=hour))][0]
    )


H50 = fet_row(50)
Make = Callable[[], dict[str, Frame]]

BAD: list[tuple[str, Make, str]] = [
    (
        "no symbol column",
        lambda: {"hourly": hourly().drop(columns="symbol")},
        "hourly.parquet: column symbol is missing; there are close, high, low, open, timestamp, "
        "volume",
    ),
    (
        "prices as text",
        lambda: {"hourly": hourly().astype({"close": str})},
        "hourly.parquet: column close is large_string, must be a number",
    ),
    (
        "symbols as numbers",
        lambda: {"hourly": hourly().assign(symbol=7)},
        "hourly.parquet: column symbol is int64, must be text",
    ),
    (
        "times as numbers",
        lambda: {"hourly": hourly().assign(timestamp=range(START, START + len(hourly())))},
        "hourly.parquet: column timestamp is int64, must be a timestamp with time zone UTC",
    ),
    (
        "times without a zone",
        lambda: {"hourly": hourly().assign(timestamp=lambda f: f.timestamp.dt.tz_localize(None))},
        "hourly.parquet: column timestamp has no time zone, must be UTC",
    ),
    (
        "a hole in the symbols",
        lambda: {"hourly": changed(hourly(), "symbol", None)},
        "hourly.parquet: column symbol has no value in row 40",
    ),
    (
        "a hole in the prices",
        lambda: {"hourly": changed(hourly(), "close", None)},
        "hourly.parquet: close of FET/USDT:USDT at 2025-01-02T11:00Z is nan, must be a number "
        "above 0",
    ),
    (
        "no rows",
        lambda: {"hourly": hourly().iloc[:0]},
        "hourly.parquet: is empty, must hold at least one row",
    ),
    (
        "an inverse contract",
        lambda: {"hourly": hourly().replace({FET: "BTC/USD:BTC"})},
        "hourly.parquet: symbol 'BTC/USD:BTC' is not a linear perpetual, must be like "
        "FET/USDT:USDT",
    ),
    (
        "a spot symbol",
        lambda: {"hourly": hourly().replace({FET: "FET/USDT"})},
        "hourly.parquet: symbol 'FET/USDT' is not a linear perpetual, must be like FET/USDT:USDT",
    ),
    (
        "an hour twice",
        lambda: {"hourly": pd.concat([hourly(), hourly().loc[[H50]]])},
        "hourly.parquet: timestamp of FET/USDT:USDT at 2025-01-03T02:00Z is there twice",
    ),
    (
        "a time off the hour",
        lambda: {
            "hourly": changed(hourly(), "timestamp", T0 + pd.Timedelta(hours=50, minutes=30), H50)
        },
        "hourly.parquet: timestamp of FET/USDT:USDT at 2025-01-03T02:30Z is not on a full hour",
    ),
    (
        "seconds taken for milliseconds",
        lambda: {
            "hourly": hourly().assign(timestamp=pd.to_datetime(START // 1000, unit="ms", utc=True))
        },
        "hourly.parquet: timestamp of FET/USDT:USDT at 1735689600 ms is 1735689600 ms since 1970, "
        "not a time of trading",
    ),
    (
        "a price of zero",
        lambda: {"hourly": changed(hourly(), "low", 0.0, H50)},
        "hourly.parquet: low of FET/USDT:USDT at 2025-01-03T02:00Z is 0.0, must be a "
        "number above 0",
    ),
    (
        "a negative price",
        lambda: {"hourly": changed(hourly(), "open", -1.5, H50)},
        "hourly.parquet: open of FET/USDT:USDT at 2025-01-03T02:00Z is -1.5, must be a "
        "number above 0",
    ),
    (
        "an infinite price",
        lambda: {"hourly": changed(hourly(), "high", np.inf, H50)},
        "hourly.parquet: high of FET/USDT:USDT at 2025-01-03T02:00Z is inf, must be a "
        "number above 0",
    ),
    (
        "a negative volume",
        lambda: {"hourly": changed(hourly(), "volume", -3.0, H50)},
        "hourly.parquet: volume of FET/USDT:USDT at 2025-01-03T02:00Z is -3.0, must be a number of "
        "at least 0",
    ),
    (
        "high below low",
        lambda: {"hourly": changed(hourly(), "high", 0.5, H50)},
        "hourly.parquet: high of FET/USDT:USDT at 2025-01-03T02:00Z is 0.5, below the low of ",
    ),
    (
        "low above the close",
        lambda: {"hourly": changed(changed(hourly(), "low", 1.9, H50), "high", 2.0, H50)},
        "hourly.parquet: low of FET/USDT:USDT at 2025-01-03T02:00Z is 1.9, above the open or close "
        "of ",
    ),
    (
        "a redenomination that nobody announced",
        lambda: {"hourly": jumped()},
        "hourly.parquet: close of FET/USDT:USDT at 2025-01-03T02:00Z is ",
    ),
    (
        "a rate in per cent",
        lambda: {"funding": changed(funding(), "rate", 0.12, 3)},
        "funding.parquet: rate of binance FET/USDT:USDT at 2025-01-02T08:00Z is 0.12, must be a "
        "fraction from -0.05 to 0.05 per interval",
    ),
    (
        "a rate that is no number",
        lambda: {"funding": changed(funding(), "rate", -np.inf, 3)},
        "funding.parquet: rate of binance FET/USDT:USDT at 2025-01-02T08:00Z is -inf, must be a "
        "fraction from -0.05 to 0.05 per interval",
    ),
    (
        "an interval of three hours",
        lambda: {"funding": changed(funding(), "interval_hours", 3, 3)},
        "funding.parquet: interval_hours of binance FET/USDT:USDT at 2025-01-02T08:00Z is 3, must "
        "be 1, 2, 4 or 8",
    ),
    (
        "a payment twice",
        lambda: {"funding": pd.concat([funding(), funding().iloc[[3]]])},
        "funding.parquet: timestamp of binance FET/USDT:USDT at 2025-01-02T08:00Z is there twice",
    ),
    (
        "a payment between the hours",
        lambda: {
            "funding": changed(funding(), "timestamp", T0 + pd.Timedelta(hours=32, minutes=20), 3)
        },
        "funding.parquet: timestamp of binance FET/USDT:USDT at 2025-01-02T08:20Z is not on a full "
        "hour",
    ),
    (
        "no venue of funding",
        lambda: {"funding": funding().drop(columns="venue")},
        "funding.parquet: column venue is missing; there are interval_hours, rate, symbol, "
        "timestamp",
    ),
    (
        "a tick of zero",
        lambda: {"instruments": changed(instruments(), "tick", 0.0, 0)},
        "instruments.parquet: tick of FET/USDT:USDT is 0.0, must be a number above 0",
    ),
    (
        "a fee in per cent",
        lambda: {"instruments": changed(instruments(), "taker_fee", 0.05, 0)},
        "instruments.parquet: taker_fee of FET/USDT:USDT is 0.05, must be a fraction from -0.01 to "
        "0.01",
    ),
    (
        "an instrument twice",
        lambda: {"instruments": pd.concat([instruments(), instruments()])},
        "instruments.parquet: symbol FET/USDT:USDT is there twice",
    ),
    (
        "a contract that pays every three hours",
        lambda: {"instruments": changed(instruments(), "funding_interval_hours", 3, 0)},
        "instruments.parquet: funding_interval_hours of FET/USDT:USDT is 3.0, must be 1, 2, 4 or 8",
    ),
    (
        "negative open interest",
        lambda: {"open_interest": changed(interest(), "open_interest", -1.0, 1)},
        "open_interest.parquet: open_interest of FET/USDT:USDT at 2025-01-01T01:00Z is -1.0, must "
        "be a number of at least 0",
    ),
    (
        "open interest twice",
        lambda: {"open_interest": pd.concat([interest(), interest().iloc[[1]]])},
        "open_interest.parquet: timestamp of FET/USDT:USDT at 2025-01-01T01:00Z is there twice",
    ),
]


def jumped() -> Frame:
    """FET counted by the thousand from hour 50 on."""
    frame = hourly()
    rows = (frame.symbol == FET) & (frame.timestamp >= T0 + pd.Timedelta(hours=50))
    frame.loc[rows, ["open", "high", "low", "close"]] *= 1000.0
    return frame


@pytest.mark.parametrize(("make", "says"), [one[1:] for one in BAD], ids=[one[0] for one in BAD])
def test_bad_folder_is_refused_in_one_line(tmp_path: Path, make: Make, says: str) -> None:
    folder = write(tmp_path / "data", **make())
    with pytest.raises(DataError) as caught:
        recorded_tape(folder)
    text = str(caught.value)
    assert text.startswith(f"{folder}/{says}")
    assert "\n" not in text


@pytest.mark.parametrize("name", ["hourly", "funding"])
def test_a_file_that_is_missing_or_broken_is_named(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "data") / f"{name}.parquet"
    whole = path.read_bytes()
    for content in (b"", b"not a table", whole[: len(whole) // 2], whole[:-20]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"cannot be read as Parquet") as caught:
            recorded_tape(path.parent)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)
    path.unlink()
    with pytest.raises(MissingDataError, match=f"{name}.parquet: no such file"):
        recorded_tape(path.parent)
    with pytest.raises(MissingDataError, match="no such folder"):
        recorded_tape(tmp_path / "elsewhere")


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
