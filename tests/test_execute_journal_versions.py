"""Journals of older and later versions: what each changes it seals, and nothing else."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import bot.journal.schema
from bot.clock import SimulatedClock
from bot.errors import JournalError
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME
from bot.journal.schema import SCHEMA_VERSION
from tests.chain_scene import contents, raw, start, stopped, trouble, verify, written
from tests.execute_scene import NOW_MS


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stopped(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def state(sound: Path, tmp_path: Path) -> Path:
    """A copy of it to spoil."""
    return Path(shutil.copytree(sound, tmp_path / "state"))


def test_an_older_journal_is_sealed_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / JOURNAL_NAME
    with monkeypatch.context() as old:
        old.setattr(bot.journal.schema, "SCHEMA_VERSION", 2)
        with Journal.open(path, SimulatedClock(NOW_MS)) as journal:
            written(journal)
    with closing(sqlite3.connect(path)) as db:
        assert not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'chain'").fetchall()
    before = contents(path)
    start(tmp_path)
    after = contents(path)
    assert {**after, "migrations": []} == {**before, "migrations": []}
    assert max(row[1] for row in after["migrations"]) == SCHEMA_VERSION
    assert verify(tmp_path) == sum(map(len, after.values()))
    with raw(tmp_path) as db:
        db.execute("UPDATE fills SET price = '0.6' WHERE rowid = 2")
    assert "row 2 of fills was changed" in trouble(tmp_path)


def test_a_later_version_seals_what_it_changes_and_nothing_that_others_did(
    state: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spoilt = Path(shutil.copytree(state, tmp_path / "spoilt"))
    with raw(spoilt) as db:
        db.execute("UPDATE fills SET price = '0.6' WHERE rowid = 2")
    steps = (*bot.journal.schema.MIGRATIONS, ("ALTER TABLE fills ADD COLUMN liquidity TEXT",))
    monkeypatch.setattr(bot.journal.schema, "MIGRATIONS", steps)
    monkeypatch.setattr(bot.journal.schema, "SCHEMA_VERSION", len(steps))
    before = verify_raw(state)
    with Journal.open(state / JOURNAL_NAME, SimulatedClock(NOW_MS)) as journal:
        assert journal.verify().number == before + 3 + 1, "three fills and the migration"
    with pytest.raises(JournalError, match="row 2 of fills was changed"):
        start(spoilt)


def test_a_later_version_seals_what_it_removes(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = (*bot.journal.schema.MIGRATIONS, ("DELETE FROM fills WHERE rowid = 2",))
    monkeypatch.setattr(bot.journal.schema, "MIGRATIONS", steps)
    monkeypatch.setattr(bot.journal.schema, "SCHEMA_VERSION", len(steps))
    before = verify_raw(state)
    with Journal.open(state / JOURNAL_NAME, SimulatedClock(NOW_MS)) as journal:
        assert journal.verify().number == before + 1 + 1, "the fill and the migration"
    start(state)


def verify_raw(state: Path) -> int:
    with raw(state) as db:
        return int(db.execute("SELECT max(id) FROM chain").fetchone()[0])
