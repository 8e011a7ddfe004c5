"""Whole engines put together from settings, over sockets: paper across restarts, and refusals."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.clock import SimulatedClock
from bot.cycle import Engine
from bot.errors import LockHeldError, SafetyError, UsageError
from bot.feeds.tape import DAY_MS, Tape
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME
from bot.logs import open_log
from bot.ports import SourceSnapshot
from bot.records.cycle import CycleStatus
from bot.venues.http.server import serve_exchange
from bot.venues.paper import PaperVenue
from bot.venues.paper_funding import settle_missed_funding
from bot.venues.sim.exchange import SimulatedExchange
from bot.wiring import Surroundings, open_engine, open_observer
from config.errors import ConfigError
from config.load import load_settings, profile_path
from config.settings import Settings
from config.sources import FileSource
from risk.errors import DataError
from tests.cycle_scene import ACCOUNT, HISTORY_DAYS, LONGS, paper_settings, small_tape

HOUR_MS = 3_600_000
START_USD = Decimal(60_000)


@dataclass
class Street:
    """A simulated exchange on a socket, which only lends its market data."""

    tape: Tape
    clock: SimulatedClock
    exchange: SimulatedExchange
    host: str
    folder: Path

    def advance(self, hours: float) -> None:
        """Time and market go on, and the bot says what it holds."""
        self.clock.advance_to(self.clock.now_ms() + round(hours * HOUR_MS))
        self.exchange.update_market(self.tape.quotes(self.clock.now_ms()))
        self.hold()

    def hold(self) -> None:
        stamp = datetime.fromtimestamp(self.clock.now_ms() / 1000, tz=UTC).isoformat()
        rows = [{"symbol": s, "side": "long", "base": float(q)} for s, q in LONGS.items()]
        path = self.folder / "positions.json"
        path.write_text(json.dumps({"timestamp": stamp, "positions": rows}))

    def settings(self, **changes: Any) -> Settings:
        settings = paper_settings(self.folder / "state")
        source = FileSource(
            kind="file", name="manual", path=self.folder / "positions.json", max_age_seconds=3600
        )
        venue = settings.venue.model_copy(update={"urls_host": self.host})
        return settings.model_copy(update={"venue": venue, "sources": (source,), **changes})

    @asynccontextmanager
    async def engine(self, **changes: Any) -> AsyncIterator[Engine]:
        around = Surroundings(clock=self.clock, simulated=True, install_key=b"k" * 32)
        log = open_log(self.folder / "hedge.jsonl", self.clock)
        async with open_engine(self.settings(**changes), around, log) as engine:
            yield engine

    def journal(self) -> Journal:
        return Journal.open(self.folder / "state" / JOURNAL_NAME, self.clock)

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = (self.folder / "hedge.jsonl").read_text().splitlines()
        return [e for e in map(json.loads, lines) if e["event"] == name]


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    tape = small_tape()
    clock = SimulatedClock(tape.start_ms + HISTORY_DAYS * DAY_MS + 17 * 60_000)
    exchange = SimulatedExchange(tape.instruments.values(), clock, 3)
    exchange.update_market(tape.quotes(clock.now_ms()))
    async with serve_exchange(exchange, tape, clock) as server:
        found = Street(tape, clock, exchange, server.host, tmp_path)
        found.hold()
        yield found


def paper(engine: Engine) -> PaperVenue:
    venue = engine._parts.venue
    assert isinstance(venue, PaperVenue)
    return venue


def wallet(engine: Engine) -> Decimal:
    return paper(engine).exchange.margin(paper(engine)._account).wallet_usd


async def test_paper_sends_nothing_to_the_exchange_and_needs_no_key(street: Street) -> None:
    async with street.engine() as engine:
        assert (await engine.cycle()).status is CycleStatus.HEDGED
        assert paper(engine).exchange.counters.orders_received > 3
    counted = street.exchange.counters
    assert (counted.orders_received, counted.private_requests) == (0, 0)
    assert counted.public_requests > 10


async def test_a_restart_knows_its_hedges_and_its_money_to_the_last_digit(street: Street) -> None:
    async with street.engine() as engine:
        await engine.cycle()
        for _ in range(9):
            street.advance(1)
            await engine.cycle()
        before, held = wallet(engine), dict((await paper(engine).account()).base_quantity)
        orders = paper(engine).exchange.counters.orders_received
    assert orders > 0
    with street.journal() as journal:
        ledger = journal.ledger(ACCOUNT)
        assert ledger.funding_usd != 0
        assert ledger.wallet_usd(START_USD) == before
    async with street.engine() as engine:
        assert wallet(engine) == before
        record = await engine.cycle()
        assert (await paper(engine).account()).base_quantity == held
        assert record.orders == (), "hedged already"
        assert wallet(engine) == before
    recovered = street.events("recovered")
    assert recovered[1]["epoch"] == 2
    assert recovered[1]["own_hedges"] == {s: str(q) for (s, _), q in held.items()}


@pytest.mark.parametrize("gap_hours", [0.75, 5.0])
async def test_funding_is_booked_however_far_apart_cycles_are(
    street: Street, gap_hours: float
) -> None:
    """A payment falls due in the exchange when prices are read, which may be long after it."""
    async with street.engine() as engine:
        await engine.cycle()
        for _ in range(4):
            street.advance(gap_hours)
            await engine.cycle()
        with street.journal() as journal:
            assert journal.ledger(ACCOUNT).wallet_usd(START_USD) == wallet(engine)


def due(street: Street, since_ms: int, held: dict[str, Decimal]) -> dict[tuple[str, int], float]:
    """Payments after ``since_ms`` by the tape's own book, USD."""
    now_ms = street.clock.now_ms()
    found = {}
    for symbol, quantity in held.items():
        for payment in street.tape.funding(symbol, since_ms + 1, now_ms + 1):
            amount = -float(quantity) * payment.mark_price * payment.rate
            found[symbol, payment.time_ms] = amount
    return found


async def test_funding_of_the_time_without_an_engine_is_made_up_once(street: Street) -> None:
    async with street.engine() as engine:
        await engine.cycle()
        held = {s: q for (s, _), q in (await paper(engine).account()).base_quantity.items()}
        before = wallet(engine)
    stopped_ms = street.clock.now_ms()
    street.advance(21)
    async with street.engine() as engine:
        expected = due(street, stopped_ms, held)
        with street.journal() as journal:
            receipts = journal.funding_receipts(ACCOUNT)
        booked = {(r.symbol, r.timestamp_ms): float(r.amount_usd) for r in receipts}
        assert booked.keys() == expected.keys()
        assert len(expected) >= 2 * len(held)
        for key, amount in expected.items():
            assert booked[key] == pytest.approx(amount, rel=0.02), key
        assert wallet(engine) == before + sum(r.amount_usd for r in receipts)
        await engine.cycle()
        after = wallet(engine)
    [told] = street.events("funding_made_up")
    assert told["payments"] == len(expected)
    async with street.engine() as engine:
        assert wallet(engine) == after
    assert len(street.events("funding_made_up")) == 1


async def test_an_end_between_a_payment_and_its_booking_loses_nothing(street: Street) -> None:
    async with street.engine() as engine:
        await engine.cycle()
        held = {s: q for (s, _), q in (await paper(engine).account()).base_quantity.items()}
        stopped_ms, before = street.clock.now_ms(), wallet(engine)
        street.advance(9)
        # The market is read, so the exchange in the process pays; then the process is gone.
        await engine.look()
        paid = wallet(engine) - before
        assert paid != 0
    async with street.engine() as engine:
        assert float(wallet(engine) - before) == pytest.approx(float(paid), rel=0.02)
        with street.journal() as journal:
            booked = {(r.symbol, r.timestamp_ms) for r in journal.funding_receipts(ACCOUNT)}
        assert booked == due(street, stopped_ms, held).keys()
        again = await settle_missed_funding(
            engine._parts.journal,
            engine._parts.model._market,
            street.clock,
            ACCOUNT,
            engine._parts.log,
        )
        assert again == 0


async def test_looking_beside_a_running_engine_changes_nothing(street: Street) -> None:
    around = Surroundings(clock=street.clock, simulated=True)
    log = open_log(None, street.clock)
    async with street.engine() as engine:
        await engine.cycle()
        before = (street.folder / "state" / JOURNAL_NAME).read_bytes()
        street.advance(9)
        async with open_observer(street.settings(), around, log) as observer:
            seen = await observer.rehearse(propose=True)
        assert seen.hedge_gross_usd
        assert (street.folder / "state" / JOURNAL_NAME).read_bytes() == before
        with pytest.raises(LockHeldError):
            async with street.engine():
                pass


async def test_a_hedge_that_is_not_listed_any_more_is_told(street: Street) -> None:
    async with street.engine() as engine:
        await engine.cycle()
    with street.journal() as journal:
        symbol = min(s for s, _ in journal.own_positions(ACCOUNT))
        journal._connection.execute(
            "UPDATE fills SET symbol = 'GONE/USDT:USDT' WHERE symbol = ?", (symbol,)
        )
        journal._connection.commit()
    with pytest.raises(DataError, match=r"paper account paper-hedge: holds GONE/USDT:USDT, which"):
        async with street.engine():
            pass


async def test_live_is_refused_unless_it_was_typed(street: Street) -> None:
    settings = street.settings(mode="live")
    log = open_log(None, street.clock)
    for typed, line in (
        (None, "mode is live: start with --live --account paper-hedge"),
        ("hedge", "--account hedge is not venue.account of the config"),
    ):
        around = Surroundings(clock=street.clock, simulated=True, live_account=typed)
        with pytest.raises(SafetyError, match=line):
            async with open_engine(settings, around, log):
                pass
    assert not (street.folder / "state").exists(), "refused before anything is touched"
    assert street.exchange.counters.public_requests == 0


async def test_a_demo_meets_no_real_exchange(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It trades without being asked, so a key lying around must not be enough."""
    monkeypatch.setenv("PERPHEDGE_API_KEY", "k" * 64)
    monkeypatch.setenv("PERPHEDGE_API_SECRET", "s" * 64)
    settings = load_settings(profile_path("demo")).model_copy(
        update={"state_dir": street.folder / "state"}
    )
    around = Surroundings(clock=street.clock)
    for opening in (open_engine, open_observer):
        with pytest.raises(UsageError, match="mode is demo, which brings its own exchange"):
            async with opening(settings, around, open_log(None, street.clock)):
                pass


async def test_live_without_a_key_is_told(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PERPHEDGE_API_KEY", raising=False)
    settings = street.settings(mode="live")
    around = Surroundings(clock=street.clock, live_account=ACCOUNT)
    with pytest.raises(ConfigError, match="PERPHEDGE_API_KEY"):
        async with open_engine(settings, around, open_log(None, street.clock)):
            pass


async def test_a_file_that_comes_later_ends_the_hold(street: Street) -> None:
    (street.folder / "positions.json").unlink()
    async with street.engine() as engine:
        record = await engine.cycle()
        assert record.status is CycleStatus.HELD
        street.hold()
        snapshot = await engine._parts.monitor._sources[0].read()
        assert isinstance(snapshot, SourceSnapshot)
        assert (await engine.cycle()).status is CycleStatus.HEDGED
