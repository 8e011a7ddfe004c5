"""Positions of tokens whose prices begin or end within a replay."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bot.feeds.recorded import recorded_tape
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.replay.holdings import Holdings
from bot.replay.play import play
from bot.replay.priced import held_while_priced
from bot.replay.results import bot_gains_usd
from bot.replay.stage import ReplayOptions, name_of, set_up, staged
from config.load import load_settings, profile_path
from risk.errors import DataError
from risk.returns import HOUR_MS
from tests.e2e_scene import called, one_line
from tests.evaluate_scene import START, symbol, write_folder

DEMO = profile_path("demo")
FIRST_MS = int(START.timestamp() * 1000) + 31 * 24 * HOUR_MS  # 2025-02-01
YOUNG, GONE, TAO = symbol("NEAR"), symbol("ICP"), symbol("TAO")
FIRST_PRICE, LAST_PRICE, HOURS = 6, 4, 12
NAN = float("nan")


def hand(quantity: list[float], close: list[float], *, later: bool) -> tuple[list[float], str]:
    time_ms = FIRST_MS + HOUR_MS * np.arange(len(close), dtype=np.int64)
    held = Holdings((TAO,), time_ms, np.array(quantity)[:, None])
    told: list[str] = []
    found = held_while_priced(
        "bot.csv", held, np.array(close)[:, None], np.array([later]), told.append
    )
    assert held.quantity_base[:, 0].tolist() == quantity, "what was given stays as it is"
    return found.quantity_base[:, 0].tolist(), " | ".join(told)


def test_prices_that_end_close_what_is_held_at_the_next_hour() -> None:
    found, told = hand([0, 2, 2, 3, 3], [1, 1, 1, NAN, NAN], later=False)
    assert found == [0, 2, 2, 0, 0]
    assert told == (
        f"bot.csv: {TAO}: the data have no price after 2025-02-01T02:00Z; closed at that one"
    )


@pytest.mark.parametrize(
    ("quantity", "close", "later"),
    [
        ([2, 2, 2, 2], [1, NAN, NAN, 1], False),  # a gap
        ([2, 2, 2, 2], [1, 1, NAN, NAN], True),  # a gap, ending after the replay
        ([2, 2, 0, 0], [1, 1, NAN, NAN], False),  # closed in time
        ([0, 0, 2, 2], [NAN, 1, NAN, 1], False),  # opened within a gap
        ([0, 0, 0, 0], [NAN, NAN, NAN, NAN], False),  # never held
    ],
)
def test_else_nothing_is_changed_or_told(
    quantity: list[float], close: list[float], later: bool
) -> None:
    assert hand(quantity, close, later=later) == (quantity, "")


@pytest.mark.parametrize(
    ("close", "said"),
    [
        ([NAN, NAN, 1.0], "its first is at 2025-02-01T02:00Z"),
        ([NAN, NAN, NAN], "within these hours none"),
    ],
)
def test_held_before_the_first_price_is_refused(close: list[float], said: str) -> None:
    with pytest.raises(DataError, match=f"held at 2025-02-01T01:00Z, without.*{said}"):
        hand([0, 2, 2], close, later=True)


# A recorded market in which one token lists late and one is delisted


def options_of(data: Path, out: Path, **bot: Path) -> ReplayOptions:
    return ReplayOptions(data, FIRST_MS, FIRST_MS + HOURS * HOUR_MS, out, **bot)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_folder(tmp_path_factory.mktemp("data"))
    bars = pd.read_parquet(folder / "hourly.parquet")
    at = pd.Timestamp(FIRST_MS, unit="ms", tz="UTC")
    early = (bars.symbol == YOUNG) & (bars.timestamp < at + pd.Timedelta(hours=FIRST_PRICE - 1))
    late = (bars.symbol == GONE) & (bars.timestamp >= at + pd.Timedelta(hours=LAST_PRICE))
    bars[~(early | late)].to_parquet(folder / "hourly.parquet")
    return folder


def positions(folder: Path, *rows: str) -> Path:
    path = folder / "bot.csv"
    path.write_text("\n".join(("timestamp,symbol,quantity_base", *rows)), encoding="utf-8")
    return path


def test_the_command_names_file_symbol_and_hour(data: Path, tmp_path: Path) -> None:
    path = positions(tmp_path, f"2025-02-01T02:00Z,{YOUNG},100", f"2025-02-01T00:00Z,{TAO},100")
    span = ("--from", "2025-02-01", "--to", "2025-02-01T12:00Z", "--positions", str(path))
    base = ("replay", "--data", str(data), "-c", str(DEMO), *span)
    line = one_line(called(*base, "--out", str(tmp_path / "out")), 2)
    assert f"--positions {path}: {YOUNG}: held at 2025-02-01T02:00Z, without a price" in line
    assert "its first is at 2025-02-01T06:00Z" in line


def test_a_delisted_token_stops_no_hedge(data: Path, tmp_path: Path) -> None:
    path = positions(tmp_path, f"2025-01-31T00:00Z,{GONE},2000", f"2025-01-31T00:00Z,{TAO},2000")
    out, told = tmp_path / "out", list[str]()
    options = options_of(data, out, positions=path)
    stage = set_up(load_settings(DEMO), options, told.append)
    assert [line for line in told if "--positions" in line] == [
        f"--positions {path}: {GONE}: the data have no price after 2025-02-01T04:00Z; "
        "closed at that one"
    ]
    play(stage, name_of(stage, options))
    with JournalReader.open_reader(out / JOURNAL_NAME) as journal:
        documents = journal.cycles()
    assert len(documents) == HOURS
    assert all(one["status"] != "held" for one in documents)
    tao_usd = 2_000 * stage.close[:-1, stage.holdings.symbols.index(TAO)]
    both = [one["bot_gross_usd"] > 1.2 * usd for one, usd in zip(documents, tao_usd, strict=True)]
    assert both == [hour <= LAST_PRICE for hour in range(HOURS)]
    assert np.all(bot_gains_usd(stage)[LAST_PRICE + 1 :] != 0), "the other one goes on"


def test_a_kept_book_closes_as_well(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "BOOK.json"
    path.write_text(json.dumps([{"symbol": GONE, "notional_usd": 9_000}]), encoding="utf-8")
    told: list[str] = []
    options = options_of(data, tmp_path / "out", book=path)
    stage = staged(load_settings(DEMO), options, recorded_tape(data), told.append)
    held = stage.holdings.quantity_base[:, 0]
    assert (held > 0).tolist() == [hour <= LAST_PRICE for hour in range(HOURS + 1)]
    assert told == [
        f"--book {path}: {GONE}: the data have no price after 2025-02-01T04:00Z; closed at that one"
    ]
