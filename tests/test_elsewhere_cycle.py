"""A bot on another exchange through the monitor and the engine: basis, funding, caps, silence."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from bot.advice.book import entry_book
from bot.advice.desk import EntryDesk, EntryRequest, Policy
from bot.advice.store import book_bytes, parse_book
from bot.clock import SimulatedClock
from bot.errors import UnreachableError
from bot.feeds.tape import DAY_MS
from bot.measuring.basis import bases
from bot.measuring.conflict import conflicts_of
from bot.ports import ReportedPosition, SourceSnapshot
from bot.riskview.document import risk_document
from bot.riskview.tables import risk_tables
from bot.sources.file import FileSource
from bot.sources.symbols import Mapped, SymbolMap
from bot.sources.translating import Translator
from config.aliases import Aliases
from risk.errors import DataError
from risk.limits.caps import RiskLimits
from strategies.entry_check import EntryBook, EntryRule
from tests.cycle_scene import (
    BTC,
    FET,
    HISTORY_DAYS,
    TAO,
    Scene,
    open_scene,
    paper_settings,
    small_tape,
)
from tests.elsewhere_scene import (
    BYBIT,
    EXTRA_FUNDING,
    PREMIUM,
    FarFeed,
    basis_variance_daily,
    others,
)
from tests.execute_scene import INSTRUMENTS

FAR_FET, FAR_TAO = f"{FET}@{BYBIT}", f"{TAO}@{BYBIT}"
HELD = {FET: "9000", TAO: "25"}
TAPE = small_tape()


@dataclass
class Play:
    """An engine whose bot trades on bybit."""

    scene: Scene
    far: FarFeed


@asynccontextmanager
async def playing(
    folder: Path,
    *,
    same_token: bool = False,
    unmapped: str = "hold",
    autonomy: str = "propose",
    caps: dict[str, Any] | None = None,
    delisted: tuple[str, ...] = (),
) -> AsyncIterator[Play]:
    settings = paper_settings(folder, autonomy=autonomy, same_token_elsewhere=same_token)
    changes: dict[str, Any] = {
        "universe": settings.universe.model_copy(update={"unmapped": unmapped}),
        "caps": settings.caps.model_copy(update=caps or {}),
    }
    clock = SimulatedClock(TAPE.start_ms + HISTORY_DAYS * DAY_MS + 17 * 60_000)
    far = FarFeed(TAPE, clock, delisted)
    async with open_scene(
        folder,
        settings=settings.model_copy(update=changes),
        tape=TAPE,
        clock=clock,
        source=FileSource("manual", folder / "positions.json", 3_600_000, BYBIT),
        other_venues=others(far, clock),
    ) as scene:
        scene.hold(HELD)
        yield Play(scene, far)


async def test_the_basis_and_the_funding_are_measured_and_told(tmp_path: Path) -> None:
    async with playing(tmp_path) as play:
        record = await play.scene.cycle()
        rows = {one["symbol"]: one for one in record.elsewhere}
        assert rows.keys() == {FAR_FET, FAR_TAO}
        one = rows[FAR_FET]
        assert (one["exchange"], one["home"]) == (BYBIT, FET)
        assert one["basis_bps"] == pytest.approx(1e4 * PREMIUM, abs=0.01)
        expected_bps = 1e4 * np.sqrt(basis_variance_daily())
        assert one["basis_volatility_daily_bps"] == pytest.approx(expected_bps, rel=1e-3)
        payments = 24 / TAPE.instruments[FET].funding_interval_hours
        extra_bps = 1e4 * EXTRA_FUNDING * payments
        assert one["funding_difference_daily_bps"] == pytest.approx(extra_bps, abs=0.002)
        assert one["funding_difference_annual"] == pytest.approx(extra_bps * 365 / 1e4, abs=1e-4)

        legs = {leg.symbol: leg for leg in record.legs if leg.bot_usd}
        assert legs.keys() == {FAR_FET, FAR_TAO}
        mark = (await play.far.quotes([FET]))[FET].mark
        assert legs[FAR_FET].bot_usd == pytest.approx(9000 * mark, rel=1e-6)
        assert one["notional_usd"] == pytest.approx(legs[FAR_FET].bot_usd, abs=0.01)

        look = await play.scene.engine.look()
        facts = look.assessment.facts
        home, far = (look.assessment.view.estimate.column(s) for s in (FET, FAR_FET))
        covariance = look.assessment.view.estimate.covariance_daily
        variance = covariance[home, home] + covariance[far, far] - 2 * covariance[home, far]
        assert variance == pytest.approx(basis_variance_daily(), rel=1e-3)
        at = facts.symbols.index(FAR_FET)
        assert not facts.may_hedge[at]
        assert facts.in_sector[at]
        assert facts.funding_daily[at] - one["home_funding_daily_bps"] / 1e4 == pytest.approx(
            extra_bps / 1e4, abs=1e-6
        )


async def test_by_default_the_bot_keeps_its_own_bet(tmp_path: Path) -> None:
    async with playing(tmp_path, caps={"net_usd": 3_000.0}) as play:
        record = await play.scene.cycle()
        assert record.status == "proposed"
        traded = {leg.symbol for leg in record.legs if leg.trade_usd}
        assert traded
        assert not {symbol.partition("/")[0] for symbol in traded} & {"FET", "TAO"}
        assert record.excluded[FET] == "hands off: held by a bot"


async def test_the_same_token_is_the_hedge_where_that_is_allowed(tmp_path: Path) -> None:
    async with playing(tmp_path, same_token=True, caps={"token_usd": 2_000.0}) as play:
        record = await play.scene.cycle()
        assert record.status == "proposed", record.reason
        assert {b.scope for b in record.breaches_before if b.cap == "token_usd"} == {FET, TAO}
        trades = {leg.symbol: leg.trade_usd for leg in record.legs if leg.trade_usd}
        assert trades[FET] < 0
        assert trades[TAO] < 0
        assert not any("@" in symbol for symbol in trades)
        assert record.proposal is not None
        assert record.proposal.expected_cap_use["token_usd"] <= 1
        look = await play.scene.engine.look()
        assert look.observation.of_bots == frozenset()
        assert conflicts_of(look.observation, [FET, TAO]).hedges == {}

        scene = play.scene  # the same token on the hedge venue itself is the bot's own again
        source = scene.engine.sources[0]
        assert isinstance(source, FileSource)
        source._exchange = None  # the bot moved
        scene.hold(HELD)
        look = await scene.engine.look()
        assert {FET, TAO} <= look.observation.of_bots


async def test_hedged_in_the_same_token_what_stays_is_the_basis(tmp_path: Path) -> None:
    caps = {"token_usd": 2_000.0}
    async with playing(tmp_path, same_token=True, caps=caps, autonomy="auto") as play:
        play.scene.hold({FET: "9000"})
        first = await play.scene.cycle()
        assert first.status == "hedged", first.reason
        assert first.fills
        assert {fill.symbol for fill in first.fills} >= {FET}
        assert all("@" not in fill.symbol for fill in first.fills)
        assert [b.cap for b in first.breaches_after] == []
        assert first.cap_use_after["token_usd"] <= 1
        # Our short and its long are told apart: the one is ours, the other nobody's to touch.
        look = await play.scene.engine.look()
        held = {(p.symbol, p.source): p.base_quantity for p in look.observation.book.positions}
        assert held[FAR_FET, "manual"] == 9000.0
        assert held[FET, "paper-hedge"] < 0


async def test_a_silent_exchange_holds_and_nothing_is_flat(tmp_path: Path) -> None:
    async with playing(tmp_path, unmapped="leave_out", autonomy="auto") as play:
        first = await play.scene.cycle()
        hedges = play.scene.journal.own_positions("paper-hedge")
        assert first.status == "hedged"
        assert hedges
        for error in (UnreachableError("no route"), DataError("tickers: no list")):
            play.far.error = error
            play.scene.advance(1.0, HELD)
            record = await play.scene.cycle()
            assert record.status == "held"
            assert record.reason.startswith(f"bybit: {error}")
            assert record.bot_gross_usd is None
            assert record.orders == ()
        play.scene.advance(1.0, HELD)  # the list of contracts has grown old meanwhile
        record = await play.scene.cycle()
        assert record.status == "held"
        assert play.scene.journal.own_positions("paper-hedge") == hedges

        play.scene.advance(0.1, {})  # flat by the bot's own word, which needs no exchange
        record = await play.scene.cycle()
        assert record.status in ("hedged", "no_hedge"), record.reason
        assert record.bot_gross_usd == 0

        play.far.error = None
        play.scene.advance(0.1, HELD)
        record = await play.scene.cycle()
        assert record.status != "held", record.reason
        assert record.bot_gross_usd == pytest.approx(first.bot_gross_usd, rel=0.2)


async def test_a_price_that_is_missing_there_is_not_taken_from_here(tmp_path: Path) -> None:
    async with playing(tmp_path) as play:
        await play.scene.cycle()
        real = play.far.quotes

        async def without(symbols: Any) -> Any:
            return {s: q for s, q in (await real(symbols)).items() if s != FET}

        play.far.quotes = without  # type: ignore[method-assign]
        record = await play.scene.cycle()
        assert record.status == "held"
        assert record.reason == f"{FAR_FET}: held, but the venue has no price for it"


async def test_what_the_other_exchange_does_not_list_is_mapped(tmp_path: Path) -> None:
    async with playing(tmp_path, delisted=(TAO,)) as play:
        record = await play.scene.cycle()
        assert {leg.symbol for leg in record.legs if leg.bot_usd} == {FAR_FET, TAO}
        assert [one["symbol"] for one in record.elsewhere] == [FAR_FET]


async def test_nobody_is_asked_while_nothing_is_held_there(tmp_path: Path) -> None:
    async with playing(tmp_path) as play:
        play.scene.hold({})
        play.far.asked.clear()
        await play.scene.cycle()
        assert play.far.asked == []


@dataclass
class Kept:
    """A book that stays."""

    book: EntryBook

    def read(self) -> EntryBook:
        return self.book


async def test_an_entry_is_judged_in_the_bots_own_contract(tmp_path: Path) -> None:
    async with playing(tmp_path, caps={"token_usd": 20_000.0}) as play:
        await play.scene.cycle()
        look = await play.scene.engine.look()
        book = parse_book(book_bytes(entry_book(look)))
        assert book.token is not None
        assert book.token.tolist() == entry_book(look).token.tolist()  # type: ignore[union-attr]
        desk = EntryDesk(Kept(book), Policy(EntryRule(), 60_000), lambda: book.timestamp_ms)
        (source,) = look.observation.translation.names
        held = float(book.bot_usd[book.symbols.index(FAR_FET)])
        room = 20_000.0 - held
        for name, bot in ((FET, source), (FAR_FET, source), (FET, "on the hedge venue")):
            answer = desk.ask(EntryRequest(bot, name, "long", 15_000.0, entry_id=name + bot))
            desk.take_back(bot, name, name + bot)
            assert answer.advice is not None, (name, answer.reason)
            token = [one for one in answer.advice.caps if one.cap == "token_usd"]
            assert [one.allowed_usd for one in token] == pytest.approx([room], rel=1e-6)
            assert token[0].value_before == pytest.approx(held)
        # What it may enter and does not hold yet is judged as the hedge venue's.
        assert desk.ask(EntryRequest(source, BTC, "long", 10.0)).advice is not None


async def test_it_is_shown(tmp_path: Path) -> None:
    async with playing(tmp_path) as play:
        await play.scene.cycle()
        look = await play.scene.engine.look()
        found = [one.document() for one in bases(look.observation, look.assessment.view)]
        document = risk_document(look, look.assessment.view.panel)
        assert document["elsewhere"] == found
        assert json.loads(json.dumps(found)) == found
        console = Console(width=160, file=(shown := io.StringIO()))
        console.print(risk_tables(document))
        text = shown.getvalue()
        assert "Held on other exchanges" in text
        assert "FET@bybit" in text
        assert "+10.0 bps" in text


def test_a_token_that_is_known_there_only_is_measured_as_itself() -> None:
    listed = {FET: INSTRUMENTS[FET]}
    aliases = Aliases({}, {"1000FET": ("FET", 1000)}, {("bybit", "TAO"): None})
    symbols = SymbolMap(aliases, listed, date(2026, 1, 1))
    thousand = symbols.elsewhere(BYBIT, "1000FET/USDT:USDT")
    assert thousand.elsewhere is not None
    assert (thousand.elsewhere.home, thousand.elsewhere.ratio) == (FET, 1000.0)
    assert thousand.token == "FET"
    for own in ("TAO/USDT:USDT", "WLD/USDT:USDT"):
        found = symbols.elsewhere(BYBIT, own)
        assert isinstance(found, Mapped)
        assert found.elsewhere is not None
        assert found.elsewhere.home is None
    # Another asset by the same name is no token of the hedge venue's.
    assert symbols.elsewhere(BYBIT, "TAO/USDT:USDT").token == FAR_TAO


def test_bots_on_both_exchanges_keep_their_places() -> None:
    now_ms = 1_750_000_000_000
    stamp = int(datetime.fromtimestamp(now_ms / 1000, tz=UTC).timestamp() * 1000)
    listed = {FET: INSTRUMENTS[FET]}
    far = {FET: replace(INSTRUMENTS[FET], venue=BYBIT)}
    one = ReportedPosition(FET, Decimal(5), entry_price=2.0)
    told = [
        SourceSnapshot("there", stamp, (one,), exchange=BYBIT),
        SourceSnapshot("here", stamp, (one,), exchange="binance"),
        SourceSnapshot("silent", stamp, (one,)),
    ]
    translator = Translator(same_token_elsewhere=True)
    found = translator.translate(told, listed, now_ms, {BYBIT: far})
    assert [s.positions[0].symbol for s in found.snapshots] == [FAR_FET, FET, FET]
    assert found.snapshots[0].positions[0] == replace(one, symbol=FAR_FET)
    assert found.translation.kin == {FET}  # a bot holds it on the hedge venue too
    assert found.translation.names["there"][FET] == FAR_FET
    assert FET not in found.translation.names["here"]
    assert translator.translate(told[:1], listed, now_ms, {BYBIT: far}).translation.kin == set()
    assert Translator().translate(told[:1], listed, now_ms, {BYBIT: far}).translation.kin == {FET}
    assert found.translation.homes == {FAR_FET: FET}
    assert found.translation.token_of(FAR_FET) == found.translation.token_of(FET) == "FET"


async def test_what_was_allowed_here_and_is_seen_there_counts_once(tmp_path: Path) -> None:
    async with playing(tmp_path) as play:
        play.scene.hold({TAO: "25"})
        limits = RiskLimits(token_usd=20_000.0)
        empty = replace(entry_book(await play.scene.engine.look()), limits=limits)
        kept = Kept(empty)
        desk = EntryDesk(kept, Policy(EntryRule(), 10**9), lambda: kept.book.timestamp_ms)
        first = desk.ask(EntryRequest("manual", FET, "long", 9_000.0, entry_id="a"))
        assert first.allowed_usd == 9_000.0

        play.scene.hold({TAO: "25", FET: "7200"})
        kept.book = replace(entry_book(await play.scene.engine.look()), limits=limits)
        held = float(kept.book.bot_usd[kept.book.symbols.index(FAR_FET)])
        assert held == pytest.approx(9_000.0, rel=0.3)
        open_usd = max(9_000.0 - held, 0.0)
        more = desk.ask(EntryRequest("manual", FET, "long", 15_000.0, entry_id="b"))
        assert more.allowed_usd == pytest.approx(20_000.0 - held - open_usd, abs=0.01)
        assert desk.take_back("manual", FET, "b")
        assert desk.take_back("manual", FET, "a")  # though it was given under another name
        assert not desk.take_back("manual", FET, "a")
        more = desk.ask(EntryRequest("manual", FET, "long", 15_000.0, entry_id="c"))
        assert more.allowed_usd == pytest.approx(min(20_000.0 - held, 15_000.0), abs=0.01)

        kept.book = empty  # closed there; what is still to come is not forgotten
        last = desk.ask(EntryRequest("manual", FET, "long", 15_000.0, entry_id="d"))
        assert last.allowed_usd == pytest.approx(20_000.0 - more.allowed_usd, abs=0.01)


async def test_the_market_has_each_token_once(tmp_path: Path) -> None:
    watched = []
    async with playing(tmp_path / "far") as play:
        far = await play.scene.engine.look()
        watched.append(play.scene.engine._parts.outlook.board._states.scope)
    async with playing(tmp_path / "flat") as play:
        play.scene.hold({})
        flat = await play.scene.engine.look()
        watched.append(play.scene.engine._parts.outlook.board._states.scope)
    # What is known of the hedge venue's contracts does not depend on where a bot trades.
    home = flat.assessment.estimate.symbols
    assert set(far.assessment.estimate.symbols) == {*home, FAR_FET, FAR_TAO}
    np.testing.assert_array_equal(
        far.assessment.estimate.subset(home).covariance_daily,
        flat.assessment.estimate.covariance_daily,
    )
    crowded, alone = (
        {t.symbol: t for t in look.assessment.crowding.tokens if "@" not in t.symbol}
        for look in (far, flat)
    )
    assert crowded.keys() == alone.keys() == {*home}
    for symbol, token in alone.items():
        assert crowded[symbol].crowding == pytest.approx(token.crowding, rel=1e-12)
        assert crowded[symbol].cluster_crowding == pytest.approx(token.cluster_crowding, rel=1e-12)
    assert watched[0] == watched[1]
    assert {FET, TAO} <= {*watched[0].paired}
    assert far.signals_unknown == flat.signals_unknown
