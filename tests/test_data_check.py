"""Data that are not as they should be: refused or put in order, with file, symbol and time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.data.examined import FAULTS_TOLD, examined
from bot.feeds.recorded import recorded_tape
from risk.errors import DataError
from risk.returns import HOUR_MS
from tests.e2e_scene import called
from tests.recorded_scene import FET, START, T0, TAO, Frame, funding, hourly, payments, write

Spoil = Callable[[Frame], Frame]


def at(frame: Frame, symbol: str, hour: int) -> "pd.Series[bool]":
    return (frame.symbol == symbol) & (frame.timestamp == T0 + pd.Timedelta(hours=hour))


def heard(folder: Path) -> list[str]:
    """What a reader tells of a folder that it can use, without the folder's own name."""
    told: list[str] = []
    recorded_tape(folder, tell=told.append)
    return [text.removeprefix(f"{folder}/") for text in told]


def test_good_data_is_nothing_to_talk_about(tmp_path: Path) -> None:
    folder = write(tmp_path / "data", hourly=hourly(), funding=funding())
    assert heard(folder) == []
    found = examined(folder, None)
    assert (found.faults, found.remarks) == ([], [])
    assert [(one.symbol, one.bars, one.missing) for one in found.symbols] == [
        (FET, 96, 0),
        (TAO, 66, 0),
    ]
    assert found.payments == {f"binance {FET}": 12}


def test_rows_out_of_order_are_put_in_order_and_told(tmp_path: Path) -> None:
    frame = hourly()
    late = at(frame, FET, 50)
    folder = write(tmp_path / "data", hourly=pd.concat([frame[~late], frame[late]]))
    assert heard(folder) == [
        f"hourly.parquet: {FET} at 2025-01-03T02:00Z is older than the row before it; "
        "rows are put in order"
    ]
    whole = recorded_tape(write(tmp_path / "good", hourly=frame))
    for hour in (49, 50, 51):
        at_ms = START + hour * HOUR_MS
        assert recorded_tape(folder).quote(FET, at_ms) == whole.quote(FET, at_ms)


def test_payments_out_of_order_and_missing_ones_are_told(tmp_path: Path) -> None:
    frame = payments("binance", FET, [8, 16, 40, 32, 48, 72], 8, 0.0001)
    assert heard(write(tmp_path / "data", hourly=hourly(), funding=frame)) == [
        f"funding.parquet: binance {FET} at 2025-01-02T08:00Z is older than the row before it; "
        "rows are put in order",
        f"funding.parquet: binance {FET} has no payment between 2025-01-01T16:00Z and "
        "2025-01-02T08:00Z, one every 8 h",
        f"funding.parquet: binance {FET} has no payment between 2025-01-03T00:00Z and "
        "2025-01-04T00:00Z, one every 8 h",
    ]


def test_missing_hours_are_told_and_stay_unknown(tmp_path: Path) -> None:
    frame = hourly()
    gone = at(frame, FET, 50) | at(frame, FET, 51) | at(frame, FET, 60)
    folder = write(tmp_path / "data", hourly=frame[~gone])
    assert heard(folder) == [
        f"hourly.parquet: {FET} has no bar from 2025-01-03T02:00Z to 2025-01-03T04:00Z (2 h)",
        f"hourly.parquet: {FET} has no bar from 2025-01-03T12:00Z to 2025-01-03T13:00Z (1 h)",
    ]
    panel = recorded_tape(folder).panel([FET], START, START + 96 * HOUR_MS, START + 96 * HOUR_MS)
    assert np.flatnonzero(np.isnan(panel.close[:, 0])).tolist() == [50, 51, 60]


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(1, 94), min_size=1, max_size=60))
def test_every_missing_hour_is_counted(
    tmp_path_factory: pytest.TempPathFactory, hours: set[int]
) -> None:
    frame = hourly()
    lost = frame.timestamp.isin([T0 + pd.Timedelta(hours=h) for h in hours])
    frame = frame[~(lost & (frame.symbol == FET))]
    folder = write(tmp_path_factory.mktemp("gaps") / "data", hourly=frame)
    [fet, _] = examined(folder, None).symbols
    assert (fet.bars, fet.missing) == (96 - len(hours), len(hours))
    told = [text for text in heard(folder) if FET in text]
    runs = len([h for h in hours if h - 1 not in hours])
    assert len(told) == min(runs, 4)
    assert ("more gaps" in told[-1]) is (runs > 3)


SPOILT: list[tuple[str, Spoil, str]] = [
    (
        "twice",
        lambda f: pd.concat([f, f[at(f, TAO, 70)]]),
        f"timestamp of {TAO} at 2025-01-03T22:00Z is there twice",
    ),
    (
        "a hole",
        lambda f: f.assign(close=f.close.mask(at(f, TAO, 70))),
        f"close of {TAO} at 2025-01-03T22:00Z is nan, must be a number above 0",
    ),
    (
        "no zone",
        lambda f: f.assign(timestamp=f.timestamp.dt.tz_localize(None)),
        "column timestamp has no time zone, must be UTC",
    ),
    (
        "half an hour off",
        lambda f: f.assign(
            timestamp=f.timestamp.mask(at(f, TAO, 70), T0 + pd.Timedelta(hours=70, minutes=30))
        ),
        f"timestamp of {TAO} at 2025-01-03T22:30Z is not on a full hour",
    ),
    (
        "a wrong price",
        lambda f: f.assign(
            **{name: f[name].mask(at(f, TAO, 70), f[name] * 50) for name in
               ("open", "high", "low", "close")}
        ),
        f"close of {TAO} at 2025-01-03T22:00Z is ",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "says"), [one[1:] for one in SPOILT], ids=[s[0] for s in SPOILT])
def test_what_cannot_be_used_is_refused_and_told_by_the_check(
    tmp_path: Path, spoil: Spoil, says: str
) -> None:
    folder = write(tmp_path / "data", hourly=spoil(hourly()))
    with pytest.raises(DataError) as caught:
        recorded_tape(folder)
    assert f"{folder}/hourly.parquet: {says}" in str(caught.value)
    assert any(text.startswith(f"{folder}/hourly.parquet: {says}") for text in
               examined(folder, None).faults)  # fmt: skip
    finished = called("data", "check", str(folder))
    assert finished.code == 2
    assert says in finished.out
    assert "It cannot be used." in finished.out


def test_a_check_tells_every_fault_and_not_only_the_first(tmp_path: Path) -> None:
    frame = hourly()
    frame.loc[frame.symbol == FET, "volume"] = -1.0
    frame.loc[at(frame, TAO, 40), "high"] = 1.0
    folder = write(tmp_path / "data", hourly=frame, funding=funding().assign(interval_hours=7))
    found = examined(folder, None)
    of_fet = [text for text in found.faults if FET in text and "hourly" in text]
    assert len(of_fet) == FAULTS_TOLD + 1
    assert of_fet[-1].endswith(f"{FET} has 76 more, the last at 2025-01-04T23:00Z")
    assert any(
        f"high of {TAO} at 2025-01-02T16:00Z is 1.0, below the low" in t for t in found.faults
    )
    assert any("funding.parquet: interval_hours of binance" in text for text in found.faults)


def test_a_check_as_a_document(tmp_path: Path) -> None:
    folder = write(tmp_path / "data", hourly=hourly(), funding=funding())
    document = called("data", "check", str(folder), "--json").document
    assert document["bars"][0] == {
        "symbol": FET,
        "from": "2025-01-01T00:00Z",
        "to": "2025-01-04T23:00Z",
        "bars": 96,
        "missing_hours": 0,
    }
    assert document["faults"] == document["remarks"] == []
    nowhere = called("data", "check", str(tmp_path / "none"))
    assert nowhere.code == 2
    assert "no such folder" in nowhere.err


def test_a_replay_says_what_its_data_lack(tmp_path: Path) -> None:
    """On stderr, also where it then refuses: these are too few days."""
    frame = hourly()
    folder = write(tmp_path / "data", hourly=frame[~at(frame, FET, 50)])
    finished = called(
        "replay", "--data", str(folder), "-c", "config/profiles/demo.yaml",
        "--out", str(tmp_path / "out"), "--json",
    )  # fmt: skip
    assert f"{FET} has no bar from 2025-01-03T02:00Z to 2025-01-03T03:00Z (1 h)" in finished.err
    assert finished.out == ""
