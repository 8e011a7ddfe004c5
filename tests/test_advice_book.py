"""The book of a real look: its figures are the cycle's, on disk too, and damage is told."""

import asyncio
import io
import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from bot.advice.book import entry_book
from bot.advice.publisher import BookPublisher
from bot.advice.store import BOOK_NAME, BookReader, book_bytes, parse_book, write_book
from bot.clock import SimulatedClock
from bot.journal.journal import Journal
from bot.logs import open_log
from bot.records.ending import Look
from risk.book import Owner
from risk.errors import DataError
from strategies.entry_check import EntryBook, EntryRule, check_entry
from tests.cycle_scene import FET, LONGS, open_scene


@pytest.fixture(scope="module")
def look(tmp_path_factory: pytest.TempPathFactory) -> Look:
    """A look at a hedged book."""

    async def looked() -> Look:
        async with open_scene(tmp_path_factory.mktemp("look")) as scene:
            await scene.engine.cycle()
            scene.advance(0.1)
            return await scene.engine.look()

    return asyncio.run(looked())


def test_its_figures_are_those_of_the_look(look: Look) -> None:
    book = entry_book(look)
    advice = check_entry(book, FET, 1.0, rule=EntryRule(least_share=0.0))
    held = look.observation.book
    assert advice.before.bot_gross_usd == pytest.approx(
        float(np.abs(held.notional_usd(held.symbols(Owner.BOT), Owner.BOT)).sum())
    )
    assert advice.before.cae_usd == pytest.approx(look.before.cae_usd, rel=1e-9)
    assert set(LONGS) <= set(book.symbols)
    assert set(look.assessment.view.estimate.symbols) == set(book.symbols)
    assert book.timestamp_ms == held.timestamp_ms
    assert np.all(book.cluster >= 0)
    uses = {e.cap: e.value_before / e.limit for e in advice.caps}
    for cap, use in uses.items():
        if cap not in ("token_usd", "cluster_net_usd"):  # told there of the worst scope
            assert use == pytest.approx(look.before.cap_use[cap], rel=1e-9), cap


def test_the_file_gives_back_every_bit(look: Look) -> None:
    book = entry_book(look)
    again = parse_book(book_bytes(book))
    for field in fields(EntryBook):
        ours, theirs = getattr(book, field.name), getattr(again, field.name)
        if field.name == "stress" and ours is not None:
            assert np.array_equal(ours.returns, theirs.returns)
            continue
        same = (
            np.array_equal(ours, theirs, equal_nan=ours.dtype.kind == "f")
            if isinstance(ours, np.ndarray)
            else ours == theirs
        )
        assert same, field.name


def test_a_damaged_file_is_told_and_never_read_as_something(look: Look, tmp_path: Path) -> None:
    whole = book_bytes(entry_book(look))
    reader = BookReader(tmp_path)
    with pytest.raises(DataError, match="no book yet"):
        reader.read()
    generator = np.random.default_rng(3)
    for cut in (0, 10, len(whole) // 2, len(whole) - 1):
        (tmp_path / BOOK_NAME).write_bytes(whole[:cut])
        with pytest.raises(DataError, match="damaged"):
            BookReader(tmp_path).read()
    original = parse_book(whole)
    for place in generator.integers(0, len(whole), 60).tolist():
        broken = bytearray(whole)
        broken[place] ^= 0xFF
        try:
            read = parse_book(bytes(broken))
        except DataError:
            continue
        assert np.array_equal(read.bot_usd, original.bot_usd), "only names of entries may differ"


def test_a_new_book_is_read_and_one_that_cannot_be_written_is_told(
    look: Look, tmp_path: Path, journal: Journal
) -> None:
    echo = io.StringIO()
    folder = tmp_path / "advice"
    publisher = BookPublisher(folder, open_log(None, SimulatedClock(0), echo=echo), journal)
    publisher.publish(look)
    publisher.publish(look)
    folder.mkdir()
    publisher.publish(look)
    told = [json.loads(line)["event"] for line in echo.getvalue().splitlines()]
    assert told == ["entry_book_not_written", "entry_book_written_again"]
    reader = BookReader(folder)
    first = reader.read()
    assert reader.read() is first, "the same file is not read twice"
    write_book(folder, parse_book(book_bytes(first)))
    assert reader.read() is not first
    assert first.limits == look.choices.limits


def test_a_defect_in_it_is_told_and_holds_nothing(
    look: Look, tmp_path: Path, journal: Journal
) -> None:
    echo = io.StringIO()
    publisher = BookPublisher(tmp_path, open_log(None, SimulatedClock(0), echo=echo), journal)
    broken = replace(look, choices=replace(look.choices, beta_uncertainty="nonsense"))  # type: ignore[arg-type] # on purpose
    publisher.publish(broken)
    publisher.publish(broken)
    publisher.publish(look)
    told = [json.loads(line) for line in echo.getvalue().splitlines()]
    assert [one["event"] for one in told] == ["defect", "entry_book_written_again"]
    assert "no entry book" in told[0]["reason"]
    (event,) = journal.events(kind="defect")
    assert event.document["reason"] == told[0]["reason"]
    assert "book.py:" in told[0]["reason"]
    assert told[0]["level"] == "error"
