"""Bad data: never a traceback, never a silent zero."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.risk_scene import (
    BOOK,
    DAYS,
    FET,
    FIRST,
    NEAR,
    TAO,
    Outcome,
    Run,
    hourly,
    runner,
    write,
)

BAD_HOUR = FIRST + pd.Timedelta(days=DAYS - 10)
Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr("bot.outlook.signal_states.COSTLY_BARS", 3)  # a bootstrap for each
    return runner(tmp_path, capsys)


def at_bad_hour(column: str, value: float) -> Change:
    def change(bars: pd.DataFrame) -> pd.DataFrame:
        bars.loc[(bars.symbol == NEAR) & (bars.timestamp == BAD_HOUR), column] = value
        return bars

    return change


def duplicated(bars: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([bars, bars[(bars.symbol == NEAR) & (bars.timestamp == BAD_HOUR)]])


def redenominated(bars: pd.DataFrame) -> pd.DataFrame:
    rows = (bars.symbol == NEAR) & (bars.timestamp >= BAD_HOUR)
    bars.loc[rows, ["open", "high", "low", "close"]] /= 1000
    return bars


REFUSED: dict[str, Change] = {
    "NaN": at_bad_hour("close", np.nan),
    "zero": at_bad_hour("close", 0.0),
    "negative": at_bad_hour("close", -3.0),
    "infinite": at_bad_hour("close", np.inf),
    "absurd": at_bad_hour("close", 5e6),
    "negative volume": at_bad_hour("volume", -1.0),
    "duplicated": duplicated,
    "redenominated": redenominated,
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line_that_names_symbol_and_time(
    name: str, run: Run, tmp_path: Path
) -> None:
    seen = run(write(tmp_path / "data", REFUSED[name](hourly())), None, "--json")
    if seen.code == 0:  # or left out for a reason that names the time
        assert "2025-03-02" in seen.document["excluded"][NEAR]
        return
    assert seen.code == 2
    assert seen.out == ""
    assert len(seen.err.splitlines()) == 1
    assert "Traceback" not in seen.err
    assert "NEAR" in seen.err
    assert "2025-03-02" in seen.err


def sound(seen: Outcome) -> None:
    """Measured, with figures that are numbers."""
    assert (seen.code, seen.err) == (0, "")
    exposure = seen.document["exposure"]
    assert exposure["gross_usd"] > 0
    assert exposure["volatility_daily_usd"] > 0
    assert exposure["var95_usd"] is None or exposure["var95_usd"] > 0


def without(symbol: str, rows: pd.Series) -> Change:
    return lambda bars: bars[~((bars.symbol == symbol) & rows)]


def test_unordered_rows_change_nothing(run: Run, tmp_path: Path) -> None:
    plain = run(write(tmp_path / "plain"), None, "--json")
    sound(plain)
    shuffled = hourly().sample(frac=1.0, random_state=1)
    assert run(write(tmp_path / "data", shuffled), None, "--json").out == plain.out


def test_a_gap_is_not_spread_over(run: Run, tmp_path: Path) -> None:
    bars = hourly()
    gap = (bars.timestamp >= BAD_HOUR) & (bars.timestamp < BAD_HOUR + pd.Timedelta(hours=30))
    seen = run(write(tmp_path / "data", bars[~((bars.symbol == FET) & gap)]), None, "--json")
    told = f"hourly.parquet: {FET} has no bar from 2025-03-02T00:00Z to 2025-03-03T06:00Z (30 h)\n"
    assert seen.err == f"perphedge: {tmp_path}/data/{told}"
    sound(replace(seen, err=""))
    symbols = seen.document["correlation"]["30d"]["symbols"]
    row = seen.document["correlation"]["30d"]["matrix"][symbols.index(FET)]
    assert all(0.3 < value <= 1 for value in row)


def test_a_token_with_three_bars_is_left_out(run: Run, tmp_path: Path) -> None:
    bars = hourly()
    last = FIRST + pd.Timedelta(days=DAYS, hours=-3)
    bars = bars[(bars.symbol != TAO) | (bars.timestamp >= last)]
    seen = run(write(tmp_path / "data", bars), None, "--json")
    sound(seen)
    document = seen.document
    assert "hourly returns" in document["excluded"][TAO]
    assert TAO not in document["correlation"]["30d"]["symbols"]
    assert TAO not in document["crowding"]


def test_a_constant_price_is_left_out(run: Run, tmp_path: Path) -> None:
    bars = hourly()
    bars.loc[bars.symbol == TAO, ["open", "high", "low", "close"]] = 7.0
    seen = run(write(tmp_path / "data", bars), None, "--json")
    sound(seen)
    assert "did not move" in seen.document["excluded"][TAO]


def test_a_thin_token_is_left_out_of_correlations(run: Run, tmp_path: Path) -> None:
    bars = hourly()
    bars.loc[bars.symbol == TAO, "volume"] = 1.0
    seen = run(write(tmp_path / "data", bars), None, "--json")
    sound(seen)
    assert "1,000,000" in seen.document["excluded"][TAO]
    assert TAO not in seen.document["correlation"]["30d"]["symbols"]


def test_an_empty_sector_leaves_the_benchmarks(run: Run, tmp_path: Path) -> None:
    bars = hourly()
    bars = bars[bars.symbol.str.startswith(("BTC", "ETH"))]
    seen = run(write(tmp_path / "data", bars), {"ETH/USDT:USDT": 5000}, "--json")
    sound(seen)
    assert seen.document["funding"]["breadth"] is None


def test_without_bitcoin_there_is_no_reference(run: Run, tmp_path: Path) -> None:
    bars = hourly()
    seen = run(write(tmp_path / "data", bars[~bars.symbol.str.startswith("BTC")]), None, "--json")
    assert seen.code == 2
    assert len(seen.err.splitlines()) == 1
    assert "BTC" in seen.err


@pytest.mark.parametrize("symbol", ["LPT/USDT:USDT", TAO])
def test_a_position_that_cannot_be_measured_is_set_aside(
    symbol: str, run: Run, tmp_path: Path
) -> None:
    bars = hourly()
    last = FIRST + pd.Timedelta(days=DAYS, hours=-3)
    data = write(tmp_path / "data", bars[(bars.symbol != TAO) | (bars.timestamp >= last)])
    whole = run(data, None, "--json").document["exposure"]
    seen = run(data, {**BOOK, symbol: -2500}, "--json")
    sound(seen)
    document = seen.document
    assert document["exposure"]["unmeasured"][symbol]["notional_usd"] == -2500
    assert document["excluded"][symbol] == document["exposure"]["unmeasured"][symbol]["reason"]
    assert symbol not in document["exposure"]["positions"]
    for key in ("gross_usd", "net_usd", "cae_usd", "var95_usd"):
        assert document["exposure"][key] == whole[key]
    assert "Not measured" in run(data, {**BOOK, symbol: -2500}).out


def test_a_book_of_nothing_measurable_is_an_error(run: Run, tmp_path: Path) -> None:
    seen = run(write(tmp_path / "data"), {"LPT/USDT:USDT": 100.0}, "--json")
    assert (seen.code, seen.out) == (2, "")
    assert "LPT/USDT:USDT: no price" in seen.err


def test_an_empty_book_is_flat_and_not_unknown(run: Run, tmp_path: Path) -> None:
    seen = run(write(tmp_path / "data"), {}, "--json")
    assert (seen.code, seen.err) == (0, "")
    exposure = seen.document["exposure"]
    assert (exposure["gross_usd"], exposure["cae_usd"], exposure["var95_usd"]) == (0, 0, 0)
    assert exposure["diversification_ratio"] is None
    assert exposure["effective_bets"] is None
    assert exposure["unmeasured"] == {}
    assert "flat" in run(tmp_path / "data", {}).out


def test_too_short_a_history_has_no_tail_but_says_so(run: Run, tmp_path: Path) -> None:
    bars = hourly()
    data = write(tmp_path / "data", bars[bars.timestamp >= FIRST + pd.Timedelta(days=DAYS - 20)])
    seen = run(data, None, "--json")
    sound(seen)
    exposure = seen.document["exposure"]
    assert exposure["var95_usd"] is None
    assert "independent" in exposure["tail"]["unknown"]
    page = run(data).out
    assert "not known" in page
    unknown = seen.document["signals_unknown"]
    assert unknown["regime"] == "not enough history: has 480 of 889 bars"
    assert unknown["spike"] == "not enough history: has 480 of 553 bars"
    assert unknown["absorption"] == "not enough history: has 480 of 840 bars"
    assert not {"pairs", "volume", "breadth"} & unknown.keys()
    assert "has 480 of 840 bars" in page


def test_recorded_data_have_no_list_of_markets_and_say_so(run: Run, tmp_path: Path) -> None:
    whole = run(write(tmp_path / "data", hourly()), None, "--json").document
    assert whole["signals_unknown"] == {
        "listings": "no earlier list of markets to compare with; "
        "told only from where bars begin and end"
    }
    bars = hourly()
    late = bars[(bars.symbol != NEAR) | (bars.timestamp >= FIRST + pd.Timedelta(days=DAYS - 5))]
    seen = run(write(tmp_path / "late", late), None, "--json").document
    assert [s["symbols"] for s in seen["signals"] if s["kind"] == "new_listing"] == [[NEAR]]
    assert "listings" in seen["signals_unknown"]
    assert "NEAR has 120 of 361 bars" in seen["signals_unknown"]["pairs"]


@pytest.mark.parametrize("name", ["missing/x.png", ""])
def test_a_heatmap_that_cannot_be_written_is_one_line(name: str, run: Run, tmp_path: Path) -> None:
    seen = run(write(tmp_path / "data"), None, "--heatmap", str(tmp_path / name))
    assert seen.code == 2
    assert len(seen.err.splitlines()) == 1
