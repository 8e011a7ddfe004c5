"""The chain: whatever is changed, taken out, put in, moved or cut off is found and named."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.cli.main import _run
from bot.clock import SimulatedClock
from bot.errors import JournalError
from bot.journal.anchor import anchor_path, read_anchor
from bot.journal.copy import journal_copy
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME
from bot.trading.orders import OrderState
from tests.chain_scene import TABLES, contents, raw, start, stopped, trouble, verify
from tests.execute_scene import NOW_MS, acknowledged, order


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stopped(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def state(sound: Path, tmp_path: Path) -> Path:
    """A copy of it to spoil."""
    return Path(shutil.copytree(sound, tmp_path / "state"))


def test_what_the_engine_writes_is_whole_and_every_row_is_sealed(sound: Path) -> None:
    with raw(sound) as db:
        counts = {t: db.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in TABLES}
        sealed = dict(db.execute("SELECT source, count(DISTINCT row) FROM chain GROUP BY source"))
        lines = db.execute("SELECT count(*) FROM chain").fetchone()[0]
    assert min(counts.values()) > 0
    assert sealed == counts
    assert verify(sound) == lines > sum(counts.values()), "orders and settings were changed"
    anchor = read_anchor(sound / JOURNAL_NAME)
    assert anchor is not None
    assert anchor.number == lines


@pytest.mark.parametrize("table", TABLES)
def test_any_column_of_any_row_changed_is_named(sound: Path, tmp_path: Path, table: str) -> None:
    with raw(sound) as db:
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        rows = [row[0] for row in db.execute(f"SELECT rowid FROM {table}")]
    for row in {rows[0], rows[-1]}:
        for column in columns:
            copy = Path(shutil.copytree(sound, tmp_path / f"{row}-{column}"))
            with raw(copy) as db:
                kind = db.execute(f"SELECT typeof({column}) FROM {table}").fetchone()[0]
                other = (
                    f"{column} + 1000" if kind == "integer" else f"coalesce({column}, '') || '0'"
                )
                moved = row + 1000 if other.startswith("id ") else row
                db.execute(f"UPDATE {table} SET {column} = {other} WHERE rowid = ?", (row,))
            if (table, column) == ("migrations", "version"):
                continue  # a newer journal, which is refused as such
            found = trouble(copy)
            assert f"row {row} of {table} was" in found or f"row {moved} of {table}" in found


@pytest.mark.parametrize("table", TABLES)
def test_a_row_taken_out_or_put_in_is_named(state: Path, tmp_path: Path, table: str) -> None:
    copy = Path(shutil.copytree(state, tmp_path / "other"))
    with raw(state) as db:
        last = db.execute(f"SELECT max(rowid) FROM {table}").fetchone()[0]
        db.execute(f"DELETE FROM {table} WHERE rowid = ?", (last,))
    if table != "migrations":  # an older journal, to be brought up first
        assert f"row {last} of {table} was removed" in trouble(state)
    with raw(copy) as db:
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        keys = {"cycle_id", "intent_id", "client_id", "trade_id", "receipt_id", "key", "account"}
        chosen = [
            f"{c} || 'x'" if c in keys else "0" if c in {"version"} else c
            for c in columns
            if c != "id"
        ]
        names = ", ".join(c for c in columns if c != "id")
        db.execute(f"INSERT INTO {table} ({names}) SELECT {', '.join(chosen)} FROM {table} LIMIT 1")
    assert f"of {table} was put in by somebody else" in trouble(copy)


def test_rows_and_lines_that_change_places_are_found(state: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(state, tmp_path / "other"))
    with raw(state) as db:
        for a, b in ((1, 999), (2, 1), (999, 2)):
            db.execute("UPDATE events SET id = ? WHERE id = ?", (b, a))
    assert "row 1 of events was changed" in trouble(state)
    with raw(copy) as db:
        for a, b in ((20, 999), (21, 20), (999, 21)):
            db.execute("UPDATE chain SET id = ? WHERE id = ?", (b, a))
    assert "line 20 of its chain does not follow" in trouble(copy)


@pytest.mark.parametrize("column", ["source", "row", "digest", "link"])
def test_a_changed_line_of_the_chain_is_named(state: Path, column: str) -> None:
    new = {"source": "'events'", "row": "row + 1", "digest": "zeroblob(32)", "link": "zeroblob(32)"}
    with raw(state) as db:
        line = db.execute("SELECT id FROM chain WHERE source = 'orders' LIMIT 1").fetchone()[0]
        db.execute(f"UPDATE chain SET {column} = {new[column]} WHERE id = ?", (line,))
    assert f"line {line} of its chain does not follow" in trouble(state)


def test_a_line_taken_out_of_the_middle_is_named(state: Path) -> None:
    with raw(state) as db:
        db.execute("DELETE FROM chain WHERE id = 12")
    assert "line 12 of its chain is missing" in trouble(state)


@pytest.mark.parametrize(
    ("kind", "sql"),
    [
        ("trigger", "CREATE TRIGGER sly AFTER INSERT ON fills BEGIN DELETE FROM fills; END"),
        ("view", "CREATE VIEW sly AS SELECT * FROM fills"),
    ],
)
def test_nothing_that_acts_by_itself_may_lie_in_the_file(state: Path, kind: str, sql: str) -> None:
    with raw(state) as db:
        db.execute(sql)
    assert f"somebody put a {kind} into it (sly)" in trouble(state)
    with pytest.raises(JournalError, match="sly"):
        start(state)


def test_what_fails_half_way_leaves_no_line(state: Path) -> None:
    with Journal.open(state / JOURNAL_NAME, SimulatedClock(NOW_MS)) as journal:
        before = journal.verify()
        with pytest.raises(JournalError, match="is filled, which is final"):
            journal.record_outcome(acknowledged(order("h0"), OrderState.LIVE, "0"))
        assert journal.verify() == before
        journal.record_event("after", {})
        assert journal.verify().number == before.number + 1


def test_a_second_writer_goes_on_where_the_first_is(state: Path) -> None:
    with (
        Journal.open(state / JOURNAL_NAME, SimulatedClock(NOW_MS)) as one,
        Journal.open(state / JOURNAL_NAME, SimulatedClock(NOW_MS)) as two,
    ):
        for journal in (one, two, one, one, two):
            journal.record_event("turn", {})
        assert one.verify() == two.verify()


def test_a_copy_for_looking_is_whole_and_takes_more(state: Path) -> None:
    with Journal.open(state / JOURNAL_NAME, SimulatedClock(NOW_MS)) as running:
        with journal_copy(state, SimulatedClock(NOW_MS)) as copy:
            copy.record_event("rehearsed", {})
            assert copy.verify().number == running.verify().number + 1
        assert running.events(kind="rehearsed") == []


def test_a_killed_engine_leaves_a_whole_chain(tmp_path: Path) -> None:
    script = """
import os, sys
from pathlib import Path
from bot.journal.journal import Journal
from bot.clock import SimulatedClock
journal = Journal.open(Path(sys.argv[1]), SimulatedClock(0))
for n in range(20):
    journal.record_event("tick", {"n": n})
with journal._transaction("die in the middle") as db:
    db.execute("UPDATE events SET kind = 'tock'")
    journal._sealer.seal(db)
    os.kill(os.getpid(), 9)
"""
    process = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", script, str(tmp_path / JOURNAL_NAME)],
        cwd=Path(__file__).resolve().parents[1],
        check=False,
    )
    assert process.returncode == -9
    with Journal.open(tmp_path / JOURNAL_NAME, SimulatedClock(0)) as journal:
        assert journal.verify().number >= 20
        assert {event.kind for event in journal.events()} == {"tick"}


@settings(max_examples=100, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_no_byte_can_change_what_is_read_unseen(
    sound: Path, tmp_path_factory: pytest.TempPathFactory, place: float, flip: int
) -> None:
    good = (sound / JOURNAL_NAME).read_bytes()
    spoilt = bytearray(good)
    spoilt[int(place * len(good))] ^= flip
    folder = tmp_path_factory.mktemp("spoilt")
    (folder / JOURNAL_NAME).write_bytes(spoilt)
    shutil.copy(anchor_path(sound / JOURNAL_NAME), folder)
    try:
        verify(folder)
    except JournalError:
        return
    assert contents(folder / JOURNAL_NAME) == contents(sound / JOURNAL_NAME)


def test_the_command_tells_the_head_or_the_first_row_that_is_wrong(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["log", "--state", str(state), "--verify"]
    assert _run([*asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    anchor = read_anchor(state / JOURNAL_NAME)
    assert anchor is not None
    assert told == {"whole": True, "lines": anchor.number, "head": anchor.link.hex()}
    assert _run(asked) == 0
    assert anchor.link.hex() in capsys.readouterr().out
    with raw(state) as db:
        db.execute("UPDATE orders SET state = 'absent' WHERE client_id = 'h1'")
    assert _run(asked) == 6
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "row 2 of orders was changed" in said.err
    assert _run([*asked, "--follow"]) == 2
