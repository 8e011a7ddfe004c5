"""What bots hold: prices, ages, and half a book that is none."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.clock import SimulatedClock
from bot.errors import UnreachableError
from bot.journal.journal import Journal
from bot.measuring.monitor import INSTRUMENTS_MAX_AGE_MS
from bot.ports import ReportedPosition, SourceSnapshot
from risk.book import Owner
from risk.errors import DataError, MissingDataError, StaleDataError
from tests.execute_scene import ACCOUNT, BTC, FET, INSTRUMENTS, NOW_MS, TAO
from tests.monitor_scene import Scene, Source, rows


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    clock = SimulatedClock(NOW_MS)
    with Journal.open(tmp_path / "journal.sqlite", clock) as journal:
        yield Scene(journal, clock)


@pytest.mark.parametrize(
    ("change", "kind", "line"),
    [
        (None, MissingDataError, "FET/USDT:USDT: held, but the venue has no price for it"),
        (
            {"timestamp_ms": NOW_MS - 3_001},
            StaleDataError,
            "FET/USDT:USDT: mark price: 3 s old, at most 3 s is accepted",
        ),
        (
            {"timestamp_ms": NOW_MS + 60_001},
            DataError,
            "FET/USDT:USDT: mark price: its timestamp lies 60 s in the future",
        ),
        ({"mark": float("nan")}, DataError, "FET/USDT:USDT: mark price nan, must be above 0"),
        ({"mark": 0.0}, DataError, "FET/USDT:USDT: mark price 0.0, must be above 0"),
    ],
)
@pytest.mark.parametrize("holder", ["hedge", "external", "source"])
async def test_what_is_held_needs_a_price(
    scene: Scene, change: dict[str, Any] | None, kind: type[Exception], line: str, holder: str
) -> None:
    if holder == "source":
        scene.sources.append(Source(scene.clock, (ReportedPosition(FET, Decimal(2)),)))
    else:
        scene.venue_holds(FET="-100")
        if holder == "hedge":
            scene.fill("-100")
    scene.market.changed[FET] = change
    with pytest.raises(kind) as caught:
        await scene.look()
    assert str(caught.value) == line


async def test_candidates_without_a_usable_price_are_left_out(scene: Scene) -> None:
    scene.market.changed = {TAO: None, BTC: {"timestamp_ms": NOW_MS - 3_001}}
    seen = await scene.look((FET, TAO, BTC, "NEW/USDT:USDT"))
    assert set(seen.quotes) == {FET}


async def test_what_a_source_holds_must_be_listed_and_may_have_been_listed_since(
    scene: Scene,
) -> None:
    scene.sources.append(Source(scene.clock, (ReportedPosition(TAO, Decimal(2)),)))
    del scene.market.listed[TAO]
    with pytest.raises(
        DataError, match=r"^source bot-a: holds TAO/USDT:USDT, but the venue lists no such"
    ):
        await scene.look()
    scene.market.listed[TAO] = INSTRUMENTS[TAO]
    assert rows(await scene.look()) == {("bot", "bot-a", TAO, "BOTH"): 2}


async def test_what_the_account_holds_may_have_been_listed_since(scene: Scene) -> None:
    """A list read while a symbol was gone must not hold every cycle until it is an hour old."""
    scene.shared = True
    del scene.market.listed[TAO]
    await scene.look()
    scene.venue_holds(TAO="3")
    line = "TAO/USDT:USDT: held, but the venue has no price for it"
    with pytest.raises(MissingDataError, match=f"^{line}$"):
        await scene.look()
    scene.market.listed[TAO] = INSTRUMENTS[TAO]
    assert rows(await scene.look()) == {("bot", ACCOUNT, TAO, "BOTH"): 3}
    read = scene.market.instruments_read
    await scene.look()
    assert scene.market.instruments_read == read


@pytest.mark.parametrize(
    ("age_ms", "line"),
    [
        (5_001, "source bot-a: 5 s old, at most 5 s is accepted"),
        (3_600_000, "source bot-a: 3600 s old, at most 5 s is accepted"),
        (-60_001, "source bot-a: its timestamp lies 60 s in the future"),
    ],
)
async def test_a_source_has_its_own_age(scene: Scene, age_ms: int, line: str) -> None:
    scene.sources.append(Source(scene.clock, age_ms=age_ms))
    with pytest.raises(DataError) as caught:
        await scene.look()
    assert str(caught.value) == line


async def test_one_source_of_two_that_fails_is_no_half_of_the_book(scene: Scene) -> None:
    class Silent(Source):
        async def read(self) -> SourceSnapshot:
            raise UnreachableError("source bot-b: no reply")

    held = (ReportedPosition(TAO, Decimal(2)),)
    scene.sources += [Source(scene.clock, held), Silent(scene.clock, name="bot-b")]
    with pytest.raises(UnreachableError, match="bot-b"):
        await scene.look()


async def test_two_bots_in_one_symbol_add_up(scene: Scene) -> None:
    scene.sources += [
        Source(scene.clock, (ReportedPosition(TAO, Decimal(2)),)),
        Source(scene.clock, (ReportedPosition(TAO, Decimal("-0.5")),), name="bot-b"),
    ]
    seen = await scene.look()
    assert seen.book.notional_usd((TAO,), Owner.BOT).tolist() == [600.0]
    assert len(seen.book.positions) == 2


async def test_instruments_are_read_again_after_an_hour(scene: Scene) -> None:
    await scene.look()
    scene.clock.advance_to(NOW_MS + INSTRUMENTS_MAX_AGE_MS)
    await scene.look()
    assert scene.market.instruments_read == 1
    scene.clock.advance_to(NOW_MS + INSTRUMENTS_MAX_AGE_MS + 1)
    await scene.look()
    assert scene.market.instruments_read == 2


async def test_the_book_cannot_be_changed(scene: Scene) -> None:
    scene.fill("-100")
    scene.venue_holds(FET="-100")
    seen = await scene.look()
    with pytest.raises(AttributeError):
        seen.book.positions[0].base_quantity = 0.0  # type: ignore[misc]  # that is the point
