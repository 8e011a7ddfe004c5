"""An executor over the simulated exchange, in simulated time, with prices that follow a script."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.clock import SimulatedClock
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME
from bot.ports import Quote
from bot.trading.execution import ExecutionContext, ExecutionReport, Executor
from bot.trading.orders import OrderOutcome, OrderRequest, Side
from bot.trading.planner import Plan
from bot.trading.pretrade import PretradeLimits
from bot.trading.styles import ExecutionStyles, Style
from bot.venues.paper import PaperVenue, open_paper_venue
from bot.venues.sim.account import SimAccount
from tests.execute_scene import ACCOUNT, BTC, FET, INSTRUMENTS, NOW_MS, TAO, quote

PRICES = {FET: 0.5, TAO: 400.0, BTC: 60_000.0}
POST_ONLY = ExecutionStyles(style=Style.POST_ONLY, breach_style=Style.POST_ONLY)
Hook = Callable[["Street", str], None]


@dataclass
class Street:
    """Prices by time, and what happens at each step of the line to the exchange.

    Attributes:
        marks: mark by symbol from a time on, UTC milliseconds.
        at: called with the name of every request right before it is carried out.
    """

    clock: SimulatedClock
    marks: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    spread: float = 0.001
    depth: float = 1e6
    at: Hook = lambda _street, _what: None
    venue: PaperVenue = field(init=False)

    def later(self, seconds: float, symbol: str, mark: float) -> None:
        """The mark from so many seconds after now on."""
        moves = self.marks.setdefault(symbol, [])
        moves.append((self.clock.now_ms() + round(seconds * 1000), mark))
        moves.sort()

    def mark(self, symbol: str) -> float:
        """Of now."""
        now_ms = self.clock.now_ms()
        gone = [mark for at_ms, mark in self.marks.get(symbol, ()) if at_ms <= now_ms]
        return gone[-1] if gone else PRICES[symbol]

    def all_quotes(self) -> dict[str, Quote]:
        """Of now."""
        now_ms = self.clock.now_ms()
        return {s: quote(s, self.mark(s), spread=self.spread, at=now_ms) for s in PRICES}

    def move(self) -> None:
        """Brings the exchange to the prices of now, whoever looks."""
        self.venue.refresh(self.all_quotes())

    # The market's door

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        self.at(self, "quotes")
        self.move()
        return {s: q for s, q in self.all_quotes().items() if s in symbols}

    async def depth_usd(self, symbol: str, within: float) -> Mapping[Side, float]:
        del symbol, within
        return {Side.BUY: self.depth, Side.SELL: self.depth}


class HookedVenue:
    """The paper venue; the street is told before every request, and may answer in its place."""

    def __init__(self, street: Street, inner: PaperVenue) -> None:
        self._street = street
        self.inner = inner
        self.placed: list[OrderRequest] = []
        self.cancelled: list[str] = []
        self.lose_cancels = 0
        self.self_trade_safe = True

    @property
    def account_name(self) -> str:
        return ACCOUNT

    async def place(self, order: OrderRequest) -> OrderOutcome:
        self._street.at(self._street, f"place {order.time_in_force}")
        self.placed.append(order)
        return await self.inner.place(order)

    async def cancel(self, symbol: str, client_id: str) -> bool:
        self._street.at(self._street, "cancel")
        self.cancelled.append(client_id)
        if self.lose_cancels > 0:
            self.lose_cancels -= 1
            return False
        return await self.inner.cancel(symbol, client_id)

    def __getattr__(self, name: str) -> Any:
        street, real = self._street, getattr(self.inner, name)
        if name not in ("account", "find", "fills", "funding_receipts"):
            return real

        async def asked(*arguments: Any) -> Any:
            street.at(street, name)
            return await real(*arguments)

        return asked


@dataclass
class StyleStage:
    """An executor, its exchange and its journal."""

    journal: Journal
    clock: SimulatedClock
    street: Street
    venue: HookedVenue
    styles: ExecutionStyles
    limits: PretradeLimits
    told: list[str] = field(default_factory=list)
    halted: str | None = None

    @property
    def account(self) -> SimAccount:
        return self.venue.inner._account

    @property
    def own(self) -> dict[tuple[str, str], Decimal]:
        return self.journal.own_positions(ACCOUNT)

    def executor(self) -> Executor:
        return Executor(
            venue=self.venue,
            market=self.street,  # type: ignore[arg-type]  # what an executor asks for
            journal=self.journal,
            clock=self.clock,
            limits=self.limits,
            observe=lambda kind, _facts: self.told.append(kind),
            halted=lambda: self.halted,
            styles=self.styles,
        )

    async def run(self, plan: Plan, cycle_id: str = "c1", **facts: Any) -> ExecutionReport:
        now_ms = self.clock.now_ms()
        context = ExecutionContext(
            cycle_id=cycle_id,
            instruments=INSTRUMENTS,
            quotes=self.street.all_quotes(),
            account=await self.venue.account(),
            allowed=frozenset(INSTRUMENTS),
            instruments_ms=now_ms,
            looked_ms=now_ms,
        )
        return await self.executor().execute(plan, replace(context, **facts))

    def cancels(self) -> list[str]:
        """What the journal says of cancels, in order."""
        return [e.kind for e in self.journal.events() if e.kind.startswith("cancel_")]


@asynccontextmanager
async def open_styles(
    folder: Path, styles: ExecutionStyles = POST_ONLY, street: Street | None = None
) -> AsyncIterator[StyleStage]:
    """A stage; given the street of an earlier one, its engine starts anew on the same journal."""
    fresh = street is None
    street = street or Street(SimulatedClock(NOW_MS))
    if fresh:
        street.venue = open_paper_venue(
            INSTRUMENTS.values(), street.clock, ACCOUNT, Decimal(100_000), leverage=5
        )
    street.move()
    limits = PretradeLimits(styles=styles.times_in_force)
    with Journal.open(folder / JOURNAL_NAME, street.clock, install_key=b"styles" * 4) as journal:
        journal.start_epoch()
        venue = HookedVenue(street, street.venue)
        yield StyleStage(journal, street.clock, street, venue, styles, limits)
