"""One schedule in the making: the world, the engine's process, and the faults between them."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot import requests
from bot.alerts import Alert
from bot.errors import LockHeldError
from bot.faults.arrivals import OrderDoor, Told
from bot.faults.disk import Disk, Mount
from bot.faults.driver import connect
from bot.faults.engine import Doors, FaultEngine, build_engine, settings
from bot.faults.errors import ProcessEndedError
from bot.faults.faultset import FaultSet, Trace
from bot.faults.feeds import FaultyMarket, FaultySource
from bot.faults.folder import Promise, PromisingFolder, operators_folder
from bot.faults.line import Line
from bot.faults.process import EngineClock, Process
from bot.faults.streams import MUTE_MS, SPACING_MS, StreamWire
from bot.faults.venue import FaultyVenue
from bot.faults.world import ACCOUNT, World
from bot.halt import HaltSwitch
from bot.journal.journal import Journal
from bot.kill import KillWatch
from bot.lock import engine_state
from bot.trading.styles import Style
from bot.venues.paper_account import open_paper_account
from bot.venues.streams.desk import StreamDesk
from bot.venues.streams.inbox import StreamInbox
from bot.venues.streams.watched import WatchedAccount
from risk.errors import PerphedgeError

INSTALL_KEY = b"fault simulation, no secret key!"

_STYLES = (Style.IOC, Style.POST_ONLY, Style.SLICED)
_STYLE_SHARES = (84, 8, 8)
_MOST_DEATHS = 2  # after which the journal is kept for the oracle
_MOST_CUTS = 6  # of the power, imagined, after each of which the journal is kept
_CUT_CHANCE = 0.01  # at each write and sync, in schedules that have them
_CUT_EVERY = 5  # schedules one has them


class ListLog:
    """A log in memory, for the search for secrets."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def _take(self, event: str, **facts: Any) -> None:
        self.lines.append((event, facts))

    debug = info = warning = error = _take


@dataclass(frozen=True, slots=True)
class Image:
    """The journal's files at some moment; ``left``: client ids of orders that had left by then."""

    when: str
    files: dict[str, bytes]
    left: frozenset[str]


class Pager:
    """Reaches the operator; remembers what it told him and when."""

    name = "pager"

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.told: list[tuple[int, str]] = []
        self._now_ms = now_ms

    async def send(self, alert: Alert) -> None:
        """Tells him."""
        self.told.append((self._now_ms(), alert.control))


class Play:
    """Everything that one schedule holds.

    Attributes:
        die: of the schedule's own choices.
        style: how the engine works its plans, for the whole schedule.
        paper: the hedge account lives in the engine's process; the exchange lends its prices.
        wire: carries the user stream; None where the engine listens to none.
        offset_ms: how wrong the engine's clock is.
        process, engine: of the running engine; None while none runs.
        down_reason: why it did not start, or ended; empty while it runs.
        lost_halts: how often a power cut took a halt that somebody was told of.
        second_started: a second engine got hold of the state directory.
        power_cut: the next death is a power loss.
        promise: what was said of the kill switch; ``desk``: where the operator acts.
        rot: where a page went bad, what it was and what it is.
        halt_asked: the operator has just halted; somebody has to resume.
    """

    def __init__(
        self,
        seed: int,
        folder: Path,
        *,
        keep_trace: bool = False,
        streams: bool = False,
        paper: bool = False,
    ) -> None:
        self.trace = Trace(lambda: self.world.now_ms, keep=keep_trace)
        self.world = World(seed, self.trace.note)
        self.die = random.Random(f"schedule:{seed}")
        self.faults = FaultSet(seed, self.trace)
        self.style = random.Random(f"style:{seed}").choices(_STYLES, _STYLE_SHARES)[0]
        self.door = OrderDoor(self.world, self.faults)
        self.disk = Disk()
        self.folder = folder
        self.promise = Promise()
        self.desk = operators_folder(folder, self.disk, self.promise)
        self.log = ListLog()
        self.pager = Pager(lambda: self.world.now_ms)
        self.loop = asyncio.new_event_loop()
        self.crossed: Counter[str] = Counter()
        self.killed_at: Counter[str] = Counter()
        self.offset_ms = 0
        self.process: Process | None = None
        self.engine: FaultEngine | None = None
        self.down_reason = ""
        self.second_started = False
        self.lost_halts = 0
        self.power_cut = False
        self.halt_asked = False
        self.door.on_rest = self._halt_on_open_order
        self.rot: tuple[int, bytes, bytes] | None = None
        self.lives = 0
        self.outages: list[str] = []
        self.images: list[Image] = []
        self._deaths = self._cuts = 0
        self._cut_die = random.Random(f"cuts:{seed}")
        self._cut_here = seed % _CUT_EVERY == 0
        self.paper = paper
        self.wire = StreamWire(self.world, self.faults) if streams and not paper else None
        self._watch: KillWatch | None = None
        self._stack = ExitStack()

    # The engine's process

    def start(self) -> bool:
        """Start the engine as its supervisor does; False where it does not come up."""
        process = Process(self.world, self.faults, self.crossed, self.killed_at)
        process.on_network = self._on_network
        process.on_death = self._died
        clock = EngineClock(self.world, process)
        clock.offset_ms = self.offset_ms
        boundary = self._boundary if self._cut_here else process.cross
        mount = Mount(self.disk, boundary, self.faults.count)
        self._mount, self._clock, self.process = mount, clock, process
        self.lives += 1
        self.trace.note(f"start {self.lives}")
        try:
            journal = self._stack.enter_context(
                engine_state(
                    self.folder,
                    clock,
                    install_key=INSTALL_KEY,
                    # The driver has sqlite3's interface without being its class.
                    opener=lambda path, _ms: connect(mount, path, clock.wait_ms),  # type: ignore[arg-type,return-value]  # apsw's own connection, which answers as sqlite3's does
                )
            )
            doors = self._doors(Line(self.world, process, self.faults), mount, journal)
            self.engine = build_engine(doors, journal, self.style)
            self._run(self.engine.start())
        except ProcessEndedError:
            self._gone("killed in recovery")
        except PerphedgeError as error:
            self._gone(f"{type(error).__name__}: {error}")
        return self.engine is not None

    def _doors(self, line: Line, mount: Mount, journal: Journal) -> Doors:
        """The engine's ways to the world; also its user stream, where the schedule has one."""
        venue, market = FaultyVenue(line, self.door, self._told), FaultyMarket(line)
        # The list has the logger's methods without being one.
        log: Any = self.log
        folder = PromisingFolder(self.folder, mount, self.promise)
        source = FaultySource(line)
        if self.paper:
            opening = open_paper_account(settings(), self._clock, journal, market, log)
            prices, account = self._run(opening)
            return Doors(account, prices, source, self._clock, log, folder, self.pager)
        desk = None
        if self.wire is not None:
            desk = StreamDesk(journal, self._clock, log, spacing_ms=SPACING_MS)
            inbox = StreamInbox("user", MUTE_MS)
            watched = WatchedAccount(inbox, lambda: venue.last_account, journal)
            self.wire.connect(desk, watched, self._clock)
            market.on_quotes = desk.exchange_moved
        return Doors(venue, market, source, self._clock, log, folder, self.pager, desk)

    def net_usd(self) -> float:
        """Everything that bot and hedges hold, at the marks; hedges on paper by the journal."""
        net_usd = self.world.net_usd()
        if self.paper and self.engine is not None:
            own = self.engine.journal.own_positions(ACCOUNT)
            net_usd += sum(float(q) * self.world.prices[symbol] for (symbol, _), q in own.items())
        return net_usd

    @property
    def woken(self) -> bool:
        """The stream wants the next cycle early."""
        if self.wire is None or self.engine is None:
            return False
        try:
            self.wire.arrive()
        except ProcessEndedError:
            self._gone("killed")
            return False
        return self.wire.wakes

    def cycle(self) -> None:
        """One cycle, or an attempt to start."""
        if self.engine is None:
            self.start()
            return
        self._clock.offset_ms = self.offset_ms
        try:
            self._run(self._turn(self.engine))
        except ProcessEndedError:
            self._gone("killed")
        except asyncio.CancelledError:
            self._gone("told to stop")
        except PerphedgeError as error:
            self._gone(f"{type(error).__name__}: {error}")

    async def _turn(self, engine: FaultEngine) -> None:
        """One cycle, and what the watch beside the cycles sees after it."""
        record = await engine.cycle()
        self.trace.note(f"cycle {record.status} {record.reason[:80]}")
        await self._watched(engine)

    async def _watched(self, engine: FaultEngine) -> None:
        """What the watch beside the cycles does meanwhile."""
        if self._watch is None:
            parts = engine.watched
            self._watch = KillWatch(*parts)
        await self._watch.look()
        await self._watch.tick()

    def _halt_on_open_order(self) -> None:
        """The operator sees an order rest and halts, so that it is cancelled."""
        if not self.halted and self.faults.die.random() < 0.9:
            self.halt("on an open order")
            self.halt_asked = True

    def halt(self, why: str) -> None:
        """The operator halts."""
        HaltSwitch(self.desk).trip("the operator says so")
        self.trace.note(f"operator halts {why}")

    def kill(self, why: str) -> None:
        """End the process between two steps."""
        if self.process is not None and self.process.alive and self.engine is not None:
            self.process.die(why)
            self._gone(why)

    def stop(self, why: str) -> None:
        """End the process in good order between two steps."""
        if self.engine is not None:
            self._gone(why)

    def second_start(self) -> None:
        """Somebody starts another engine on the same state directory."""
        if self.engine is None:
            return
        try:
            with engine_state(self.folder, self._clock):
                self.second_started = True
        except LockHeldError:
            self.faults.count("double_start")
        except PerphedgeError:
            self.second_started = True  # it got past the lock, and found no journal of its own

    @property
    def halted(self) -> bool:
        """The kill switch is on, or somebody was told that it is."""
        return self.promise.halted or HaltSwitch(self.desk).reason is not None

    def resume(self) -> None:
        """The operator has understood what was halted, and lets it go on: a named re-arm."""
        asked = requests.Asked("operator", "looked into it")
        requests.ask(self.desk, requests.RESUME_NAME, asked)

    def _run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    def _gone(self, why: str) -> None:
        why = why.replace(str(self.folder), "STATE")
        self.trace.note(f"gone: {why}")
        self.down_reason = why
        self.outages.append(why)
        self.engine = self._watch = None
        try:
            self._stack.close()
        except (ProcessEndedError, PerphedgeError) as error:
            self.trace.note(f"closing: {type(error).__name__}")
        self._stack = ExitStack()
        if self.wire is not None:
            self.wire.gone()
        if self.process is not None:
            self.process.alive = False
            self._mount.alive = False

    def _died(self, why: str) -> None:
        """At the moment of death, before anything else runs."""
        self._mount.alive = False
        self.trace.note(f"died: {why}")
        if self.power_cut:
            self.power_cut = False
            self.disk.cut_power(self.die)
            self.faults.count("power_loss")
            if self.promise.halted and HaltSwitch(self.desk).reason is None:
                self.lost_halts += 1
        elif "killed" in why:
            self.faults.count("sigkill")
        if self._deaths < _MOST_DEATHS:
            self._deaths += 1
            self._keep(f"after death {self._deaths}", self.disk.image())

    def _keep(self, when: str, files: dict[str, bytes]) -> None:
        """The journal as it is, and the orders that have left by now."""
        left = frozenset(arrival.request.client_id for arrival in self.door.log)
        self.images.append(Image(when, files, left))

    def _boundary(self, name: str) -> None:
        """A process comes to a write or sync of its disk, where power cuts are imagined."""
        process = self.process
        assert process is not None
        process.cross(name)
        if self._cuts < _MOST_CUTS and self._cut_die.random() < _CUT_CHANCE:
            self._cuts += 1
            files = self.disk.image_after_power_cut(self._cut_die)
            self._keep(f"after imagined power cut {self._cuts} at {name}", files)

    def _on_network(self, _name: str) -> None:
        """A process that the system stops for a while notices nothing; news come in meanwhile."""
        if self.faults.strikes("stall", 0.05):
            self._sleep_through(30_000)
        if self.faults.strikes("suspend", 0.05):
            self._sleep_through(600_000)
        if self.wire is not None:
            self.wire.arrive()

    def _sleep_through(self, milliseconds: int) -> None:
        self.world.advance(milliseconds)
        self.world.tick()

    def _told(self) -> Told:
        world = self.world
        return Told(
            sent_ms=world.now_ms,
            offset_ms=self._clock.offset_ms,
            unsynced_bytes=self.disk.unsynced_bytes(),
            halted=self.halted,
            marks=dict(world.prices),
            equity_usd=float(world.exchange.margin(world.hedge).margin_balance_usd),
            bot_quantity=None if world.told_bot is None else dict(world.told_bot),
            bot_ms=world.told_bot_ms,
        )

    def close(self) -> None:
        """Stop the engine in peace, as SIGTERM between two cycles does."""
        self._stack.close()
        self.loop.close()
