"""Recorded folders that are bad: one line says where and what is wrong."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bot.feeds.recorded import recorded_tape
from risk.errors import DataError, MissingDataError
from tests.recorded_scene import (
    FET,
    START,
    T0,
    Frame,
    changed,
    funding,
    hourly,
    instruments,
    interest,
    jumped,
    write,
)


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
