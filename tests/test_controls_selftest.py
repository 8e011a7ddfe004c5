"""The self-test trips all controls; it notices one that is missing; the table tells the truth.

The whole self-test runs once, which takes some seconds: 38 worlds with a journal on the disk each.
"""

import asyncio
import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from bot.cli.main import _run
from bot.controls.reference import page
from bot.controls.table import BY_NAME, TABLE
from bot.selftest.run import TRIPS, _result
from bot.trading import pretrade
from config.controls import Controls

DOCS = Path(__file__).parent.parent / "docs" / "controls.md"


def test_every_control_acts_and_is_journaled(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["selftest", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["controls"]
    assert [row["number"] for row in rows] == list(range(1, 39))
    assert [row["number"] for row in rows if not row["ok"]] == []
    assert all(row["tripped"] and row["seen"] for row in rows)
    told = [row["number"] for row in rows if row["journaled"] is None]
    assert told == [33, 37, 38], "these act without a journal of their own"


@pytest.mark.parametrize(
    ("control", "number"),
    [("duplicate", 8), ("collar", 4), ("repeated", 7), ("clock_offset", 22), ("liquidation", 19)],
)
def test_it_notices_a_check_that_is_missing(
    control: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = {name: check for name, check in pretrade.CONTROLS.items() if name != control}
    monkeypatch.setattr(pretrade, "CONTROLS", left)
    result = asyncio.run(_result(TABLE[number - 1], TRIPS[number]))
    assert not result.ok
    assert result.number == number


def test_a_failed_selftest_is_refused_for_safety(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bot.selftest.run.TABLE", TABLE[15:16] + TABLE[37:])
    monkeypatch.setattr(pretrade, "CONTROLS", {})
    assert _run(["selftest"]) == 6
    captured = capsys.readouterr()
    assert "control 16, 38 did not act" in captured.err
    assert "NO" in captured.out


def test_the_table_is_whole() -> None:
    assert [control.number for control in TABLE] == list(range(1, 39))
    assert TRIPS.keys() == {control.number for control in TABLE}
    settings = {key for control in TABLE for key in control.settings}
    assert settings == set(Controls.model_fields), "every setting belongs to a control"
    assert {*pretrade.CONTROLS} - {"symbol_halted"} <= BY_NAME.keys()
    names = [name for control in TABLE for name in control.acts]
    assert len(names) == len(set(names))


def test_every_name_in_the_journal_is_tripped() -> None:
    """But for those that act where there is no journal."""
    tripped = {name for trip in TRIPS.values() for name in trip.journaled}
    without = {"second_engine", "unknown_setting", "journal_failed", "selftest"}
    assert tripped == BY_NAME.keys() - without


@pytest.mark.parametrize("control", TABLE, ids=lambda control: str(control.number))
def test_where_it_is_said_to_act_there_is_something(control: Any) -> None:
    place = control.enforced
    module, _, name = place.partition(":")
    found = importlib.import_module(module)
    assert not name or callable(getattr(found, name))


def test_the_page_is_written_from_the_table() -> None:
    assert DOCS.read_text(encoding="utf-8") == page(), (
        "python -m bot.controls.reference > docs/controls.md"
    )
