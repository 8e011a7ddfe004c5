"""A small world for one control: exchange, journal, engine, and ways to make things go wrong."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bot.alerts import FileChannel
from bot.controls.books import Income, IncomePage
from bot.controls.facts import PretradeLimits
from bot.errors import UnreachableError
from bot.faults.engine import Doors, FaultEngine, build_engine, settings
from bot.faults.world import BOT_SYMBOLS, HEDGE_SYMBOLS, World, instrument
from bot.halt import HaltSwitch
from bot.journal.journal import Journal
from bot.lock import engine_state
from bot.logs import silent_log
from bot.policy import pretrade_limits
from bot.ports import Quote, ReportedPosition, SourceSnapshot, VenueAccount
from bot.state_files import state_folder
from bot.trading.client_ids import derive_client_id
from bot.trading.execution import ExecutionContext, ExecutionReport, Executor
from bot.trading.orders import Fill, OrderOutcome, OrderRequest, Side
from bot.trading.planner import Plan, PlannedIntent, PlannedOrder
from bot.venues.paper import PaperVenue
from risk.instrument import Instrument

NEAR, RENDER = HEDGE_SYMBOLS
_TICK = Decimal("0.0001")


class StageClock:
    """The engine's own clock: the world's, unless it goes wrong.

    Attributes:
        ahead_ms: of the world's time, which is the exchange's.
        wakes_early: whoever sleeps by it is woken at once.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.ahead_ms = 0
        self.wakes_early = False

    def now_ms(self) -> int:
        """What it shows."""
        return self._world.now_ms + self.ahead_ms

    async def sleep(self, seconds: float) -> None:
        """Advance the world's time, or not."""
        await self._world.clock.sleep(0.0 if self.wakes_early else seconds)


class StageVenue(PaperVenue):
    """The simulated exchange, whose answers can be bent."""

    def __init__(self, world: World, clock: StageClock) -> None:
        super().__init__(world.exchange, world.hedge)
        self._clock = clock
        self.safe = True
        self.bend_account: Callable[[VenueAccount], VenueAccount] = lambda found: found
        self.bend_fills: Callable[[list[Fill]], list[Fill]] = lambda found: found
        self.bend_outcome: Callable[[OrderOutcome], OrderOutcome] = lambda outcome: outcome
        self.strange_income: tuple[Income, ...] = ()
        self.income_silent = False
        self._deaf = False

    @property
    def self_trade_safe(self) -> bool:
        """As it was set."""
        return self.safe

    async def account(self) -> VenueAccount:
        """Positions and money now."""
        return self.bend_account(await super().account())

    async def place(self, order: OrderRequest) -> OrderOutcome:
        """Send once."""
        return self.bend_outcome(await super().place(order))

    async def fills(self, symbol: str, since_ms: int) -> Sequence[Fill]:
        """Executions since then."""
        return self.bend_fills(list(await super().fills(symbol, since_ms)))

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """Inside, the dead-man switch takes no request."""
        self._deaf = True
        try:
            yield
        finally:
            self._deaf = False

    async def arm_dead_man(self, symbol: str, after_ms: int) -> bool:
        """Unless it is deaf."""
        return not self._deaf and await super().arm_dead_man(symbol, after_ms)

    async def clock_offset_ms(self) -> int | None:
        """The exchange's time, less that of whoever asks."""
        return self.exchange.clock.now_ms() - self._clock.now_ms()

    async def income_page(self, since_ms: int) -> IncomePage:
        """Every change of the wallet, and what was made up, unless it is silent."""
        if self.income_silent:
            raise UnreachableError("income: no answer")
        page = await super().income_page(since_ms)
        return IncomePage((*page.rows, *self.strange_income))


class StageMarket:
    """Prices of the world, which can be bent before the exchange and the engine see them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.bend: Callable[[Quote], Quote] = lambda quote: quote
        self.depth: float = 1e7
        self.delisted: set[str] = set()

    async def instruments(self) -> Mapping[str, Instrument]:
        """All of them."""
        listed = (s for s in (*BOT_SYMBOLS, *HEDGE_SYMBOLS) if s not in self.delisted)
        return {s: instrument(s) for s in listed}

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """Prices now."""
        quotes = {s: self.bend(q) for s, q in self._world.quotes().items()}
        self._world.exchange.update_market(quotes)
        return {s: q for s, q in quotes.items() if s in symbols}

    async def depth_usd(self, symbol: str, within: float) -> Mapping[Side, float]:
        """The same on both sides."""
        del symbol, within
        return {Side.BUY: self.depth, Side.SELL: self.depth}

    async def bars(self, *_: object) -> Any:
        """Not asked for."""
        raise NotImplementedError

    async def funding(self, *_: object) -> Any:
        """Not asked for."""
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing is held open."""


class StageSource:
    """What the bot holds; can be made to fail."""

    name = "bot"
    max_age_ms = 30_000

    def __init__(self, world: World) -> None:
        self._world = world
        self.fails: Exception | None = None

    async def read(self) -> SourceSnapshot:
        """Positions now."""
        if self.fails is not None:
            raise self.fails
        held = {s: self._world.bot_quantity(s) for s in BOT_SYMBOLS}
        rows = tuple(ReportedPosition(s, q) for s, q in held.items() if q)
        return SourceSnapshot(self.name, self._world.now_ms, rows)

    async def close(self) -> None:
        """Nothing is held open."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One order as a trip wants it; without a price it fills at once."""

    symbol: str = NEAR
    side: Side = Side.SELL
    quantity: str = "100"
    price: str | None = None
    time_in_force: str = "IOC"
    reduce_only: bool = False


class Stage:
    """Everything that one trip works on."""

    def __init__(self, folder: Path, world: World) -> None:
        self.folder = folder
        self.world = world
        self.clock = StageClock(world)
        self.venue = StageVenue(world, self.clock)
        self.market = StageMarket(world)
        self.source = StageSource(world)
        self.switch = HaltSwitch(folder)
        self.journal: Journal
        self.engine: FaultEngine
        self.elsewhere: set[str] = set()
        self._count = 0

    @asynccontextmanager
    async def running(self, *, start: bool = True) -> AsyncIterator["Stage"]:
        """An engine on the folder; may be asked for again, as after a restart."""
        with engine_state(self.folder, self.clock, install_key=b"selftest" * 4) as journal:
            self.journal = journal
            self.engine = build_engine(self.doors(), journal)
            if start:
                await self.engine.start()
            yield self

    def doors(self) -> Doors:
        """The ways of an engine to this world; alerts go to the file."""
        return Doors(
            self.venue,
            self.market,
            self.source,
            self.clock,
            silent_log(self.clock),
            state_folder(self.folder),
            FileChannel(self.folder),
        )

    def executor(self, **limits: Any) -> Executor:
        """As the engine's, with some limits of its own."""
        own = replace(self.limits, **limits)
        guard = self.engine.guard
        guard.limits = replace(guard.limits, **limits)
        return Executor(
            venue=self.venue,
            market=self.market,
            journal=self.journal,
            clock=self.clock,
            limits=own,
            halted=lambda: self.switch.reason,
            guard=guard,
        )

    @property
    def limits(self) -> PretradeLimits:
        """Of the settings as they come."""
        return pretrade_limits(settings())

    @property
    def orders_received(self) -> int:
        """How many orders reached the exchange."""
        return len(self.world.hedge.orders)

    async def send(
        self,
        *pieces: Piece,
        executor: Executor | None = None,
        intent_share: float = 1.0,
        **context: Any,
    ) -> ExecutionReport:
        """Carries out these orders as one plan, through the real executor."""
        self._count += 1
        cycle = f"trip-{self._count}"
        quotes = await self.market.quotes((*BOT_SYMBOLS, *HEDGE_SYMBOLS))
        orders = [self._planned(cycle, n, one, quotes) for n, one in enumerate(pieces)]
        meant: dict[str, Decimal] = {}
        for order in orders:
            symbol = order.request.symbol
            signed = order.request.side.sign * order.request.quantity
            meant[symbol] = meant.get(symbol, Decimal(0)) + signed
        share = Decimal(str(intent_share))
        intents = [PlannedIntent(f"{cycle}:{s}", s, q * share) for s, q in meant.items()]
        facts: dict[str, Any] = {
            "allowed": frozenset(HEDGE_SYMBOLS),
            "instruments_ms": self.clock.now_ms(),
            **context,
        }
        return await (executor or self.executor()).execute(
            Plan(tuple(intents), tuple(orders), ()),
            ExecutionContext(
                cycle_id=cycle,
                instruments=await self.market.instruments(),
                quotes=quotes,
                account=await self.venue.account(),
                **facts,
            ),
        )

    def _planned(
        self, cycle: str, number: int, piece: Piece, quotes: Mapping[str, Quote]
    ) -> PlannedOrder:
        intent, leg = f"{cycle}:{piece.symbol}", f"leg-{number}"
        mark = Decimal(repr(quotes[piece.symbol].mark))
        price = mark * (1 + piece.side.sign * Decimal("0.005"))
        request = OrderRequest(
            client_id=derive_client_id(
                self.journal.install_key,
                account=self.venue.account_name,
                symbol=piece.symbol,
                intent_id=intent,
                leg=leg,
                attempt=0,
            ),
            intent_id=intent,
            symbol=piece.symbol,
            side=piece.side,
            quantity=Decimal(piece.quantity),
            limit_price=price.quantize(_TICK, ROUND_DOWN)
            if piece.price is None
            else Decimal(piece.price),
            time_in_force=piece.time_in_force,
            reduce_only=piece.reduce_only,
        )
        return PlannedOrder(request, leg, 0)

    def recorded(self, control: str) -> list[str]:
        """Kinds of the journal's events that name the control."""
        if control in self.elsewhere:  # a trip found it in another journal
            return ["refused"]
        return [e.kind for e in self.journal.events() if e.document.get("control") == control]


@asynccontextmanager
async def open_stage(*, start: bool = True) -> AsyncIterator[Stage]:
    """A fresh world with a running engine, gone afterwards."""
    with TemporaryDirectory(prefix="perphedge-selftest-") as folder:
        stage = Stage(Path(folder), World(1, lambda _text: None))
        async with stage.running(start=start):
            yield stage
