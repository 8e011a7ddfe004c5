"""Symbols of other exchanges through the monitor and through the engine, end to end."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

from bot.advice.book import entry_book
from bot.advice.desk import EntryDesk, EntryRequest, Policy
from bot.advice.store import book_bytes, parse_book
from bot.clock import SimulatedClock
from bot.journal.journal import Journal
from bot.measuring.conflict import conflicts_of
from bot.measuring.monitor import Ages, Monitor
from bot.ports import ReportedPosition, SourceSnapshot
from bot.riskview.document import risk_document
from bot.sources.translating import Translator
from config.aliases import Aliases
from config.settings import Settings
from risk.errors import DataError
from strategies.entry_check import EntryBook, EntryRule
from tests.cycle_scene import BTC, FET, LONGS, TAO, open_scene, paper_settings
from tests.cycle_scene import Scene as Cycles
from tests.execute_scene import NOW_MS
from tests.monitor_scene import Scene, Source, rows

USDC, THOUSAND = "FET/USDC:USDC", "1000FET/USDT:USDT"
ALIASES = Aliases({}, {"1000FET": ("FET", 1000)}, {("bybit", "TAO"): None})


@dataclass
class Elsewhere(Source):
    """A bot on another exchange."""

    exchange: str | None = "bybit"

    async def read(self) -> SourceSnapshot:
        return replace(await super().read(), exchange=self.exchange)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    clock = SimulatedClock(NOW_MS)
    with Journal.open(tmp_path / "journal.sqlite", clock) as journal:
        yield Scene(journal, clock)


def monitor(scene: Scene, *, leave_out: bool = False, shared: bool = False) -> Monitor:
    return Monitor(
        venue=scene.venue,
        sources=scene.sources,
        market=scene.market,  # type: ignore[arg-type]  # the half of it that is asked
        journal=scene.journal,
        clock=scene.clock,
        ages=Ages(mark_ms=3_000, balance_ms=30_000),
        shared_account=shared,
        translator=Translator(ALIASES, leave_out=leave_out),
    )


def held(**quantities: str) -> tuple[ReportedPosition, ...]:
    names = {"usdt": FET, "usdc": USDC, "thousand": THOUSAND, "tao": TAO, "gone": "GONE/USDT:USDT"}
    return tuple(ReportedPosition(names[k], Decimal(v)) for k, v in quantities.items())


async def test_positions_of_one_token_add_up_and_keep_whose_they_are(scene: Scene) -> None:
    scene.sources += [
        Elsewhere(scene.clock, held(usdc="100", thousand="2"), "far"),
        Source(scene.clock, held(usdt="-50"), "near"),
    ]
    seen = await monitor(scene).observe((BTC,))
    assert seen.book.symbols() == (FET,)
    mark = seen.quotes[FET].mark
    assert seen.book.notional_usd((FET,)).tolist() == pytest.approx([2050 * mark])
    assert sorted((p.source, p.base_quantity) for p in seen.book.positions) == [
        ("far", 100.0),
        ("far", 2000.0),
        ("near", -50.0),
    ]
    told = {(r.source, r.symbol): (r.mapped, r.how) for r in seen.translation.rows}
    assert told == {
        ("far", USDC): (FET, "quoted in USDT"),
        ("far", THOUSAND): (FET, "1 1000FET = 1000 FET"),
        ("near", FET): (FET, ""),
    }
    assert conflicts_of(seen, [FET]).nothing_left


async def test_what_has_no_contract_holds_with_source_and_symbol(scene: Scene) -> None:
    scene.sources.append(Elsewhere(scene.clock, held(tao="1"), "far"))
    line = "source far: holds TAO/USDT:USDT, but on bybit that is an asset of its own, so its risk"
    with pytest.raises(DataError, match=line):
        await monitor(scene).observe((BTC,))


async def test_what_is_left_out_is_told_and_asked_for_once(scene: Scene) -> None:
    scene.sources.append(Elsewhere(scene.clock, held(gone="7", usdt="1"), "far"))
    eyes = monitor(scene, leave_out=True)
    seen = await eyes.observe((BTC,))
    assert rows(seen) == {("bot", "far", FET, "BOTH"): 1.0}
    (lost,) = seen.left_out
    assert (lost.source, lost.symbol, lost.base_quantity) == ("far", "GONE/USDT:USDT", Decimal(7))
    reads = scene.market.instruments_read
    await eyes.observe((BTC,))
    assert scene.market.instruments_read == reads


async def test_a_token_is_a_bots_under_every_name_that_the_venue_lists(scene: Scene) -> None:
    one = scene.market.listed[FET]
    scene.market.listed[THOUSAND] = replace(one, symbol=THOUSAND, base="1000FET")
    listed = frozenset({"FET/USDC:USDC"})
    scene.sources.append(Elsewhere(scene.clock, held(usdt="1"), "far", listed=listed))
    eyes = monitor(scene, shared=True)
    seen = await eyes.observe((BTC,))
    assert seen.of_bots == {FET, THOUSAND}
    assert FET in seen.bot_listed
    assert await eyes.of_bots() == (frozenset({FET, THOUSAND}), seen.bot_listed)


def events(scene: Cycles) -> list[tuple[str, str, str]]:
    found = [e.document for e in scene.journal.events() if e.kind == "unmapped"]
    return [(e["change"], e["source"], e["symbol"]) for e in found]


def leaving_out(folder: Path) -> Settings:
    settings = paper_settings(folder, autonomy="propose")
    universe = settings.universe.model_copy(update={"unmapped": "leave_out"})
    return settings.model_copy(update={"universe": universe})


async def test_the_engine_tells_what_it_leaves_out_once_and_never_counts_it(tmp_path: Path) -> None:
    with_gone = {USDC: "9000", "AGIX/USDT:USDT": "1000", TAO: "25", "GONE/USDT:USDT": "5"}
    async with open_scene(tmp_path, settings=leaving_out(tmp_path)) as scene:
        scene.hold(with_gone)
        first = await scene.cycle()
        scene.advance(0.1, with_gone)
        second = await scene.cycle()
        assert [one["symbol"] for one in first.unmapped] == ["GONE/USDT:USDT"]
        assert first.unmapped == second.unmapped
        assert [change for change, _, _ in events(scene)] == ["begun"]
        held = {leg.symbol: leg for leg in first.legs if leg.bot_usd}
        assert set(held) == {FET, TAO}
        units = held[FET].bot_usd / held[FET].mark_price
        assert units == pytest.approx(9000 + 433.35, rel=1e-3)

        look = await scene.engine.look()
        lost = risk_document(look, look.assessment.view.panel)["exposure"]["unmeasured"]
        assert lost["GONE/USDT:USDT"]["notional_usd"] is None
        assert "no such active perpetual" in lost["GONE/USDT:USDT"]["reason"]

        (source,) = look.observation.translation.names
        book = parse_book(book_bytes(entry_book(look)))
        desk = EntryDesk(Kept(book), Policy(EntryRule(), 60_000), lambda: book.timestamp_ms)
        own, ours = (desk.ask(EntryRequest(source, s, "short", 10.0)) for s in (USDC, FET))
        assert own.advice is not None
        assert ours.advice is not None
        assert own.advice.caps == ours.advice.caps
        assert desk.take_back(source, USDC, "short")

        scene.advance(0.1, {TAO: "25"})
        third = await scene.cycle()
        assert third.unmapped == ()
        assert [change for change, _, _ in events(scene)] == ["begun", "ended"]


async def test_by_default_it_holds(tmp_path: Path) -> None:
    settings = paper_settings(tmp_path, autonomy="propose")
    async with open_scene(tmp_path, settings=settings) as scene:
        scene.hold({**LONGS, "GONE/USDT:USDT": "5"})
        record = await scene.cycle()
        assert record.status == "held"
        assert "holds GONE/USDT:USDT, but the venue lists no such active perpetual" in record.reason


@dataclass
class Kept:
    """A book that stays."""

    book: EntryBook

    def read(self) -> EntryBook:
        return self.book
