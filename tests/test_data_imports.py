"""Other people's downloads, brought into a folder of recorded data and read back as one."""

import gzip
import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.data.binance_dump import read_dump, unified
from bot.data.brought import Brought, InterestRows, intervals_of
from bot.data.store import store
from bot.feeds.quality import BarRows
from bot.feeds.recorded import recorded_tape
from bot.feeds.recorded_files import FundingRows, read_bars, read_funding, read_open_interest
from risk.errors import DataError, MissingDataError
from risk.returns import HOUR_MS
from tests.e2e_scene import called
from tests.recorded_scene import FET, START, TAO, hourly

NAMES = "open_time,open,high,low,close,volume,close_time,quote_volume,count,tb,tbq,ignore"


def bars_of(symbol: str = FET) -> pd.DataFrame:
    frame = hourly()
    return frame[frame.symbol == symbol].reset_index(drop=True)


def kline_rows(frame: pd.DataFrame, *, per_ms: int = 1) -> str:
    lines = []
    for row in frame.itertuples():
        at = row.timestamp.value // 1_000_000  # type: ignore[union-attr]  # a Timestamp
        figures = f"{row.open!r},{row.high!r},{row.low!r},{row.close!r},{row.volume!r}"
        lines.append(f"{at * per_ms},{figures},{at + HOUR_MS - 1},1,1,1,1,0")
    return "\n".join(lines) + "\n"


def zipped(path: Path, text: str, *names: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names or (f"{path.stem}.csv",):
            archive.writestr(name, text)
    path.write_bytes(data.getvalue())
    digest = hashlib.sha256(data.getvalue()).hexdigest()
    path.with_name(f"{path.name}.CHECKSUM").write_text(f"{digest}  {path.name}\n")
    return path


def dump(folder: Path) -> Path:
    """As a mirror of the public dump, with things of other kinds in it."""
    frame = bars_of()
    zipped(folder / "futures/um/monthly/klines/FETUSDT/1h/FETUSDT-1h-2025-01.zip",
           NAMES + "\n" + kline_rows(frame[:48]))  # fmt: skip
    (folder / "FETUSDT-1h-2025-01-03.csv").write_text(kline_rows(frame[40:], per_ms=1000))
    marks = folder / "futures/um/monthly/markPriceKlines/FETUSDT/1h/FETUSDT-1h-2025-01.zip"
    zipped(marks, kline_rows(bars_of(TAO)))
    zipped(
        folder / "FETUSDT-fundingRate-2025-01.zip",
        "calc_time,funding_interval_hours,last_funding_rate\n"
        f"{START + 8 * HOUR_MS + 3},8,0.00010000\n{START + 16 * HOUR_MS},4,-0.00002\n",
    )
    zipped(
        folder / "FETUSDT-metrics-2025-01-01.zip",
        "create_time,symbol,sum_open_interest,sum_open_interest_value\n"
        "2025-01-01 00:05:00,FETUSDT,5,6\n2025-01-01 01:00:00,FETUSDT,1234.5,1600\n",
    )
    zipped(folder / "BTCUSDT_250328-1h-2025-01.zip", kline_rows(frame))
    (folder / "FETUSDT-5m-2025-01.csv").write_text("what nobody reads")
    return folder


def test_a_binance_dump_becomes_recorded_data(tmp_path: Path) -> None:
    done = called(
        "data", "import-binance", str(dump(tmp_path / "dump")), "--into", str(tmp_path / "data"),
        "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.document == {
        "folder": str(tmp_path / "data"),
        "bars": 96,
        "new_bars": 96,
        "payments": 2,
        "new_payments": 2,
        "interest": 1,
        "new_interest": 1,
        "contracts": 0,
        "new_contracts": 0,
    }
    assert "3 files are of other kinds and left alone, as " in done.err
    [bars] = read_bars(tmp_path / "data", None).values()
    frame = bars_of()
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(getattr(bars, name), frame[name].to_numpy())
    [paid] = read_funding(tmp_path / "data")
    assert (paid.venue, paid.symbol) == ("binance", FET)
    assert paid.time_ms.tolist() == [START + 8 * HOUR_MS, START + 16 * HOUR_MS]
    assert paid.rate.tolist() == [0.0001, -0.00002]
    assert paid.interval_hours.tolist() == [8.0, 4.0]
    interest = read_open_interest(tmp_path / "data")[FET]
    assert (interest.time_ms.tolist(), interest.base.tolist()) == ([START + HOUR_MS], [1234.5])
    assert recorded_tape(tmp_path / "data").quote(FET, START + 50 * HOUR_MS).mark > 0
    again = called(
        "data", "import-binance", str(tmp_path / "dump"), "--into", str(tmp_path / "data"), "--json"
    )
    assert again.document["new_bars"] == again.document["new_payments"] == 0


def test_what_is_there_stays_and_what_changed_is_told(tmp_path: Path) -> None:
    dump(tmp_path / "dump")
    store(tmp_path / "data", read_dump(tmp_path / "dump"))
    frame = bars_of(TAO)
    frame.loc[3, "close"] = frame.loc[3, "high"]
    brought = Brought()
    table = {n: frame[n].to_numpy() for n in ("open", "high", "low", "close", "volume")}
    times = frame.timestamp.dt.as_unit("ms").astype("int64").to_numpy()
    brought.add_bars(TAO, BarRows(times, **table), "made")
    told: list[str] = []
    first = store(tmp_path / "data", brought, told.append)
    assert (first.bars, first.new_bars, told) == (96 + len(frame), len(frame), [])
    other = Brought()
    table["close"] = table["low"].copy()
    other.add_bars(TAO, BarRows(times, **table), "made")
    again = store(tmp_path / "data", other, told.append)
    assert again.new_bars == 0
    assert told == [
        f"{tmp_path}/data/hourly.parquet: {TAO}: {len(frame)} bars are other ones now, "
        "from 2025-01-02T06:00Z on"
    ]
    assert read_bars(tmp_path / "data", None)[TAO].close.tolist() == table["low"].tolist()
    assert not [one for one in (tmp_path / "data").iterdir() if one.name.startswith(".")]


BROKEN = {
    "another checksum": (
        lambda f: (f / "FETUSDT-fundingRate-2025-01.zip.CHECKSUM").write_text("00 x"),
        "FETUSDT-fundingRate-2025-01.zip: is not what FETUSDT-fundingRate-2025-01.zip.CHECKSUM "
        "says, so it is damaged: get it again",
    ),
    "cut off": (
        lambda f: (f / "ABUSDT-1h-2025-01.zip").write_bytes(b"PK\x03\x04half"),
        "ABUSDT-1h-2025-01.zip: cannot be unzipped: File is not a zip file",
    ),
    "two inside": (
        lambda f: zipped(f / "ABUSDT-1h-2025-01.zip", "1", "a.csv", "b.csv"),
        "ABUSDT-1h-2025-01.zip: must hold one .csv file",
    ),
    "words": (
        lambda f: (f / "ABUSDT-1h-2025-01.csv").write_text("1735689600000,one,2,3,4,5\n"),
        "ABUSDT-1h-2025-01.csv: AB/USDT:USDT: row 1735689600000,one,2,3,4,5 holds no numbers",
    ),
    "too few columns": (
        lambda f: (f / "ABUSDT-1h-2025-01.csv").write_text("1735689600000,1,2\n"),
        "ABUSDT-1h-2025-01.csv: AB/USDT:USDT: row 1735689600000,1,2 has 3 columns, must have 6",
    ),
    "names alone": (
        lambda f: (f / "ABUSDT-1h-2025-01.csv").write_text(NAMES),
        "ABUSDT-1h-2025-01.csv: AB/USDT:USDT: is empty, must hold at least one row",
    ),
    "a wrong bar": (
        lambda f: (f / "ABUSDT-1h-2025-01.csv").write_text("1735689600000,1,0.5,0.9,1,5\n"),
        "ABUSDT-1h-2025-01.csv: high of AB/USDT:USDT at 2025-01-01T00:00Z is 0.5, below the low "
        "of 0.9",
    ),
    "a wrong rate": (
        lambda f: (f / "ABUSDT-fundingRate-2025-01.csv").write_text("1735689600000,8,nan\n"),
        "ABUSDT-fundingRate-2025-01.csv: row 1 of AB/USDT:USDT at 2025-01-01T00:00Z: rate is nan, "
        "must be within 0.05",
    ),
    "a wrong interval": (
        lambda f: (f / "ABUSDT-fundingRate-2025-01.csv").write_text("1735689600000,3,0\n"),
        "ABUSDT-fundingRate-2025-01.csv: row 1 of AB/USDT:USDT at 2025-01-01T00:00Z: interval is "
        "3 h, must be 1, 2, 4 or 8",
    ),
    "a wrong time": (
        lambda f: (f / "ABUSDT-metrics-2025-01-01.csv").write_text("2025-01-01T00,AB,1\n"),
        "ABUSDT-metrics-2025-01-01.csv: AB/USDT:USDT: time '2025-01-01T00' is not "
        "YYYY-MM-DD hh:mm:ss",
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_damaged_file_is_named_and_nothing_is_written(tmp_path: Path, how: str) -> None:
    spoil, says = BROKEN[how]
    spoil(dump(tmp_path / "dump"))
    target = tmp_path / "data"
    done = called("data", "import-binance", str(tmp_path / "dump"), "--into", str(target))
    assert done.code == 2
    assert f"{says}\n" in done.err
    assert not (tmp_path / "data").exists()


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_text("x")
    with pytest.raises(MissingDataError, match=r"no file named like BTCUSDT-1h-2025-02\.zip"):
        read_dump(tmp_path)
    with pytest.raises(MissingDataError, match="no such folder"):
        read_dump(tmp_path / "none")


def test_names_of_markets() -> None:
    assert unified("1000PEPEUSDT") == "1000PEPE/USDT:USDT"
    assert unified("BTCUSDC") == "BTC/USDC:USDC"
    assert unified("USDT") is None
    assert unified("ETHBTC") is None


# freqtrade


def freqtrade_folder(folder: Path, kind: str) -> Path:
    """What its own converters write, in one of its formats."""
    folder.mkdir()
    frame = bars_of().rename(columns={"timestamp": "date"}).drop(columns="symbol")
    hours = pd.to_datetime(START + HOUR_MS * np.array([8, 16, 24]), unit="ms", utc=True)
    rates = pd.DataFrame({"date": hours, "open": [1e-4, -2e-5, 3e-5]})
    rates[["high", "low", "close", "volume"]] = 0.0
    for name, table in (("1h-futures", frame), ("8h-funding_rate", rates), ("8h-mark", frame)):
        path = folder / f"FET_USDT_USDT-{name}.{kind}"
        if kind == "feather":
            table.reset_index(drop=True).to_feather(path)
        elif kind == "parquet":
            table.to_parquet(path)
        else:
            ms = table.date.dt.as_unit("ms").astype("int64")
            text = json.dumps(table.assign(date=ms).to_numpy().tolist()).encode()
            path.write_bytes(gzip.compress(text) if kind == "json.gz" else text)
    return folder


@pytest.mark.parametrize("kind", ["feather", "parquet", "json", "json.gz"])
def test_freqtrades_folder_becomes_recorded_data(tmp_path: Path, kind: str) -> None:
    source = freqtrade_folder(tmp_path / "futures", kind)
    into = ("--into", str(tmp_path / "data"))
    done = called("data", "import-freqtrade", str(source), *into, "--venue", "bybit")
    assert done.code == 0, done.err
    assert "bars: 96 new, 96 in " in done.out
    assert "1 files are of other kinds" in done.err
    [bars] = read_bars(tmp_path / "data", None).values()
    assert bars.close.tolist() == bars_of().close.tolist()
    [paid] = read_funding(tmp_path / "data")
    assert (paid.venue, paid.symbol, paid.rate.tolist()) == ("bybit", FET, [1e-4, -2e-5, 3e-5])
    assert paid.interval_hours.tolist() == [8.0, 8.0, 8.0]


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("FET_USDT_USDT-1h-futures.feather", b"half", "FET/USDT:USDT: cannot be read: "),
        ("FET_USDT_USDT-1h-futures.json", b"{}", "must be a list of [time, open, high"),
        ("FET_USDT_USDT-1h-futures.json", b"[[1,2", "FET/USDT:USDT: cannot be read: "),
        ("FET_USDT_USDT-8h-funding_rate.json", b"[[1735689600000,1,0,0,0,0]]",
         "rate of FET/USDT:USDT at 2025-01-01T00:00Z is 1.0, must be a fraction from -0.05"),
        ("FET_USDT_USDT-8h-funding_rate.json", b"[[1735689600000,0,0,0,0,0]]",
         "FET/USDT:USDT: a single payment, of which nobody can tell the interval"),
        ("FET_USDT_USDT-8h-funding_rate.json", b"[[1735691600000,0,0,0,0,0]]",
         "payment of FET/USDT:USDT at 2025-01-01T00:33Z is not on a full hour"),
    ],
)  # fmt: skip
def test_a_damaged_freqtrade_file_is_named(
    tmp_path: Path, name: str, data: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(data)
    done = called("data", "import-freqtrade", str(tmp_path), "--into", str(tmp_path / "out"))
    assert done.code == 2
    assert f"{tmp_path / name}: " in done.err
    assert says in done.err
    assert done.err.count("\n") == 1


def test_a_time_without_a_zone_is_refused(tmp_path: Path) -> None:
    frame = bars_of().rename(columns={"timestamp": "date"})
    path = tmp_path / "FET_USDT_USDT-1h-futures.feather"
    frame.assign(date=frame.date.dt.tz_localize(None)).to_feather(path)
    done = called("data", "import-freqtrade", str(tmp_path), "--into", str(tmp_path / "out"))
    assert done.code == 2
    assert "column date is timestamp" in done.err
    assert "must be a timestamp with time zone" in done.err


# What both rest on


def test_intervals_between_payments() -> None:
    at = START + HOUR_MS * np.array([0, 8, 16, 20, 24, 48, 56])
    assert intervals_of(at, "x").tolist() == [8, 8, 8, 4, 4, 8, 8], "24 h are three of 8"
    with pytest.raises(DataError, match="x: a single payment"):
        intervals_of(at[:1], "x")


HOURS = st.lists(st.integers(0, 40), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(HOURS, HOURS)
def test_whatever_comes_each_time_is_there_once_and_the_last_counts(
    first: list[int], second: list[int]
) -> None:
    brought, last = Brought(), dict[int, float]()
    for part, hours in enumerate((first, second)):
        time_ms = START + HOUR_MS * np.array(hours, dtype=np.int64)
        price = 1.0 + part + np.arange(len(hours)) / 100
        brought.add_bars(FET, BarRows(time_ms, price, price, price, price, price), "x")
        brought.add_payments(FundingRows("b", FET, time_ms, price / 1e3, np.full(len(hours), 8.0)))
        brought.add_interest(FET, InterestRows(time_ms, price))
        last |= dict(zip(time_ms.tolist(), price.tolist(), strict=True))
    bars, paid, held = brought.bars[FET], brought.payments["b", FET], brought.interest[FET]
    times = sorted(last)
    assert bars.time_ms.tolist() == paid.time_ms.tolist() == held.time_ms.tolist() == times
    assert bars.close.tolist() == held.base.tolist() == [last[t] for t in times]
    assert paid.rate.tolist() == [last[t] / 1e3 for t in times]
