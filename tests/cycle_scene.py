"""An engine on a small generated market in one process, whose parts can be made to fail."""

import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.alerts import LogChannel
from bot.clock import SimulatedClock
from bot.controls.guard import Guard
from bot.cycle import Engine, EngineParts
from bot.feeds.generated import generated_tape
from bot.feeds.generated_universe import UNIVERSE
from bot.feeds.other_venues import OtherVenues
from bot.feeds.router import RoutedFeed
from bot.feeds.tape import DAY_MS, Tape
from bot.feeds.tape_feed import TapeFeed
from bot.halt import HaltSwitch
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME
from bot.logs import open_log
from bot.measuring.estimation import MarketModel
from bot.measuring.monitor import Ages, Monitor
from bot.outlook.outlook import outlook_of
from bot.policy import execution_styles, impact_refit, policy_of, pretrade_limits
from bot.ports import PositionSource, Quote, Venue, VenueAccount
from bot.records.cycle import CycleRecord
from bot.sources.file import FileSource
from bot.sources.translating import Translator
from bot.steps.entry_blocks import EntryLocker
from bot.trading.execution import Executor
from bot.trading.ledger import FundingReceipt
from bot.trading.orders import Fill, OrderOutcome, OrderRequest, Side
from bot.venues.paper import PaperVenue, open_paper_venue
from bot.venues.paper_market import PaperMarket
from config.aliases import load_aliases
from config.load import load_settings, profile_path
from config.settings import Settings
from risk.crowding.report import FundingSeries
from risk.instrument import Instrument
from risk.returns import BarPanel
from strategies.minimum_risk import MinimumRisk

BTC, FET, TAO, WLD, NEAR = (f"{b}/USDT:USDT" for b in ("BTC", "FET", "TAO", "WLD", "NEAR"))
BASES = ("BTC", "ETH", "FET", "TAO", "RENDER", "NEAR", "WLD", "INJ", "VIRTUAL")
ACCOUNT = "paper-hedge"
LONGS = {FET: "9000", TAO: "25", WLD: "4000"}
START_MS = 1_750_000_000_000
HISTORY_DAYS = 20

Fault = Callable[[], Any]


def small_tape(seed: int = 3) -> Tape:
    """Nine tokens and twenty days of history."""
    specs = [one for one in UNIVERSE if one.base in BASES]
    return generated_tape(seed, START_MS, history_days=HISTORY_DAYS, specs=specs)


def paper_settings(state_dir: Path, *, autonomy: str = "auto", **hedge: Any) -> Settings:
    """The paper profile, on few days of history."""
    settings = load_settings(profile_path("paper"))
    return settings.model_copy(
        update={
            "state_dir": state_dir,
            "autonomy": autonomy,
            "data": settings.data.model_copy(update={"backfill_days": 15}),
            "hedge": settings.hedge.model_copy(update=hedge),
        }
    )


class Faults:
    """What goes wrong, by the name of the call; a fault is called in its place or raised."""

    def __init__(self) -> None:
        self.by_call: dict[str, Any] = {}
        self.calls: list[str] = []

    async def meet(self, call: str, go_on: Callable[[], Awaitable[Any]]) -> Any:
        """The answer of the fault, if there is one for the call, else the real one."""
        self.calls.append(call)
        fault = self.by_call.get(call)
        if fault is None:
            return await go_on()
        if isinstance(fault, BaseException):
            raise fault
        return await fault(go_on)


@dataclass
class FaultyVenue:
    """A paper venue behind faults."""

    inner: PaperVenue
    faults: Faults
    placed: list[OrderRequest] = field(default_factory=list)

    @property
    def account_name(self) -> str:
        return self.inner.account_name

    async def account(self) -> VenueAccount:
        found: VenueAccount = await self.faults.meet("account", self.inner.account)
        return found

    async def place(self, order: OrderRequest) -> OrderOutcome:
        self.placed.append(order)
        outcome: OrderOutcome = await self.faults.meet("place", lambda: self.inner.place(order))
        return outcome

    async def find(self, symbol: str, client_id: str) -> OrderOutcome | None:
        found: OrderOutcome | None = await self.faults.meet(
            "find", lambda: self.inner.find(symbol, client_id)
        )
        return found

    async def fills(self, symbol: str, since_ms: int) -> Sequence[Fill]:
        found: Sequence[Fill] = await self.faults.meet(
            "fills", lambda: self.inner.fills(symbol, since_ms)
        )
        return found

    async def funding_receipts(self, since_ms: int) -> Sequence[FundingReceipt]:
        found: Sequence[FundingReceipt] = await self.faults.meet(
            "funding_receipts", lambda: self.inner.funding_receipts(since_ms)
        )
        return found

    async def close(self) -> None:
        await self.inner.close()


@dataclass
class FaultyMarket:
    """Market data behind faults."""

    inner: PaperMarket
    faults: Faults

    async def instruments(self) -> Mapping[str, Instrument]:
        found: Mapping[str, Instrument] = await self.faults.meet(
            "instruments", self.inner.instruments
        )
        return found

    async def bars(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> BarPanel:
        panel: BarPanel = await self.faults.meet(
            "bars", lambda: self.inner.bars(symbols, start_ms, end_ms)
        )
        return panel

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        quotes: Mapping[str, Quote] = await self.faults.meet(
            "quotes", lambda: self.inner.quotes(symbols)
        )
        return quotes

    async def depth_usd(self, symbol: str, within: float) -> Mapping[Side, float]:
        depth: Mapping[Side, float] = await self.faults.meet(
            "depth_usd", lambda: self.inner.depth_usd(symbol, within)
        )
        return depth

    async def funding(
        self, symbols: Sequence[str], start_ms: int, end_ms: int
    ) -> Mapping[str, FundingSeries]:
        found: Mapping[str, FundingSeries] = await self.faults.meet(
            "funding", lambda: self.inner.funding(symbols, start_ms, end_ms)
        )
        return found

    async def close(self) -> None:
        await self.inner.close()


@dataclass
class Scene:
    """One engine and everything around it."""

    folder: Path
    clock: SimulatedClock
    tape: Tape
    settings: Settings
    journal: Journal
    venue: FaultyVenue
    market: FaultyMarket
    faults: Faults
    engine: Engine
    echo: io.StringIO

    @property
    def positions_file(self) -> Path:
        return self.folder / "positions.json"

    @property
    def halt_file(self) -> Path:
        return self.folder / "HALT"

    @property
    def events(self) -> list[dict[str, Any]]:
        """The log, one document a line."""
        return [json.loads(line) for line in self.echo.getvalue().splitlines()]

    def hold(self, longs: Mapping[str, str] = LONGS, *, at_ms: int | None = None) -> None:
        """What the bot holds, stamped with now or with ``at_ms``."""
        stamp = datetime.fromtimestamp((at_ms or self.clock.now_ms()) / 1000, tz=UTC)
        document = {
            "timestamp": stamp.isoformat(),
            "positions": [
                {"symbol": symbol, "side": "long", "base": float(base)}
                for symbol, base in longs.items()
            ],
        }
        self.positions_file.write_text(json.dumps(document))

    def advance(self, hours: float = 1.0, longs: Mapping[str, str] = LONGS) -> None:
        """Time goes on, and the bot says what it holds."""
        self.clock.advance_to(self.clock.now_ms() + round(hours * 3_600_000))
        self.hold(longs)

    async def cycle(self) -> CycleRecord:
        """One cycle; its record is in the journal and it has exactly one event in the log."""
        before = len(self.events)
        record = await self.engine.cycle()
        fresh = self.events[before:]
        told = [e for e in fresh if e["event"] == "cycle"]
        assert [(e["cycle_id"], e["status"], e["reason"]) for e in told] == [
            (record.cycle_id, record.status.value, record.reason)
        ]
        assert {e["cycle_id"] for e in fresh} == {record.cycle_id}, "every event carries it"
        assert self.journal.cycle(record.cycle_id) == json.loads(json.dumps(record.document()))
        assert "\n" not in record.reason
        return record


@asynccontextmanager
async def open_scene(
    folder: Path,
    *,
    settings: Settings | None = None,
    tape: Tape | None = None,
    clock: SimulatedClock | None = None,
    source: PositionSource | None = None,
    lockers: tuple[EntryLocker, ...] = (),
    other_venues: OtherVenues | None = None,
) -> AsyncIterator[Scene]:
    """An engine that has started, with a bot that holds ``LONGS``."""
    settings = settings or paper_settings(folder)
    tape = tape or small_tape()
    clock = clock or SimulatedClock(tape.start_ms + HISTORY_DAYS * DAY_MS + 17 * 60_000)
    echo, faults = io.StringIO(), Faults()
    log = open_log(None, clock, echo=echo, echo_level="debug")
    folder.mkdir(parents=True, exist_ok=True)
    wallet = Decimal(str(settings.venue.paper_wallet_usd))
    inner = open_paper_venue(tape.instruments.values(), clock, settings.venue.account, wallet)
    venue = FaultyVenue(inner, faults)
    market = FaultyMarket(PaperMarket(TapeFeed(tape, clock), inner), faults)
    seen = market if other_venues is None else RoutedFeed(market, other_venues)
    halt = HaltSwitch(folder)
    with Journal.open(folder / JOURNAL_NAME, clock, install_key=b"scene" * 7) as journal:
        journal.start_epoch()
        parts = EngineParts(
            monitor=Monitor(
                venue=venue,
                sources=[source or FileSource("manual", folder / "positions.json", 3_600_000)],
                market=seen,
                journal=journal,
                clock=clock,
                ages=Ages(mark_ms=3_000, balance_ms=30_000),
                translator=Translator(
                    load_aliases(),
                    leave_out=settings.universe.unmapped == "leave_out",
                    same_token_elsewhere=settings.hedge.same_token_elsewhere,
                ),
                other_venues=other_venues,
                shared_account=settings.venue.shared_account,
            ),
            model=MarketModel(seen, backfill_days=15, shrinkage=settings.hedge.shrinkage),
            strategy=MinimumRisk(),
            executor=Executor(
                venue=venue,
                market=market,
                journal=journal,
                clock=clock,
                limits=pretrade_limits(settings),
                observe=lambda event, facts: log.info(event, **facts),
                halted=lambda: halt.reason,
                styles=execution_styles(settings),
                guard=Guard(
                    journal,
                    clock,
                    venue.account_name,
                    pretrade_limits(settings),
                    switch=halt,
                    channels=(LogChannel(log),),
                ),
            ),
            venue=venue,
            journal=journal,
            clock=clock,
            log=log,
            halt=halt,
            outlook=outlook_of(settings, clock, journal),
            refit=impact_refit(settings, journal),
            lockers=lockers,
        )
        engine = Engine(parts, policy_of(settings))
        scene = Scene(folder, clock, tape, settings, journal, venue, market, faults, engine, echo)
        scene.hold()
        await engine.start()
        yield scene


def own_positions(scene: Scene) -> dict[tuple[str, str], Decimal]:
    """Our hedges by the journal."""
    return scene.journal.own_positions(scene.settings.venue.account)


def as_venue(venue: FaultyVenue) -> Venue:
    """The faulty venue is a Venue; mypy checks it here."""
    return venue


def stale(quotes: Mapping[str, Quote], symbol: str, age_ms: int) -> dict[str, Quote]:
    """The quotes with one of them older."""
    was = quotes[symbol]
    return {**quotes, symbol: replace(was, timestamp_ms=was.timestamp_ms - age_ms)}
