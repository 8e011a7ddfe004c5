"""Each style over HTTP, through the real ccxt client, to the simulated exchange and back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from bot.clock import SimulatedClock
from bot.feeds.generated import generated_tape
from bot.feeds.live import LiveFeed
from bot.feeds.tape import DAY_MS, Tape
from bot.journal.journal import Journal
from bot.logs import silent_log
from bot.trading.cancels import cancel_resting
from bot.trading.execution import ExecutionContext, ExecutionReport, Executor
from bot.trading.planner import Plan, PlanIdentity, PlanSettings, plan_orders
from bot.trading.pretrade import PretradeLimits
from bot.trading.reconcile import attribute, recover
from bot.trading.styles import ExecutionStyles, Style
from bot.venues.ccxt_controlled import ControlledVenue
from bot.venues.http.server import serve_exchange
from bot.venues.loopback import client
from bot.venues.sim.account import SimAccount
from bot.venues.sim.exchange import SimulatedExchange
from tests.execute_scene import BTC, FET, KEY, leg, proposal

WALLET = Decimal(50_000)
SYMBOLS = (FET, BTC)
POST_ONLY = ExecutionStyles(style=Style.POST_ONLY)


class MovingClock(SimulatedClock):
    """Whoever sleeps finds the market moved; ``factor`` is put on all prices of FET."""

    exchange: SimulatedExchange
    tape: Tape
    factor = 1.0

    def move(self) -> None:
        quotes = self.tape.quotes(self.now_ms())
        was = quotes[FET]
        names = ("mark", "index", "last", "bid", "ask")
        bent = {name: getattr(was, name) * self.factor for name in names}
        self.exchange.update_market({**quotes, FET: replace(was, **bent)})

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        self.move()


@dataclass
class Line:
    """An executor on a real client."""

    clock: MovingClock
    account: SimAccount
    venue: ControlledVenue
    feed: LiveFeed
    journal: Journal
    styles: ExecutionStyles

    async def run(
        self, shorts: dict[str, Decimal], cycle_id: str, *, continuing: bool = False
    ) -> ExecutionReport:
        seen, quotes = await self.venue.account(), await self.feed.quotes(SYMBOLS)
        instruments = await self.feed.instruments()
        limits = PretradeLimits(styles=self.styles.times_in_force)
        own = self.journal.own_positions("hedge")
        legs = []
        for symbol, wanted in shorts.items():
            held = own.get((symbol, "BOTH"), Decimal(0))
            legs.append(leg(symbol, held, wanted - held, quotes[symbol].mark))
        plan = Plan((), (), ())
        if not continuing:
            plan = plan_orders(
                proposal(*legs),
                instruments,
                quotes,
                own,
                identity=PlanIdentity("hedge", cycle_id, KEY),
                settings=PlanSettings(limits.order_cap_usd(seen.state.equity_usd)),
            )
        executor = Executor(
            venue=self.venue,
            market=self.feed,
            journal=self.journal,
            clock=self.clock,
            limits=limits,
            styles=self.styles,
        )
        context = ExecutionContext(
            cycle_id,
            instruments,
            quotes,
            seen,
            frozenset(SYMBOLS),
            instruments_ms=self.clock.now_ms(),
            looked_ms=self.clock.now_ms(),
            continuing=continuing,
        )
        report = await executor.execute(plan, context)
        assert report.stopped == ""
        own = self.journal.own_positions("hedge")
        assert attribute(own, report.account.base_quantity).external == {}
        return report

    def check(self) -> None:
        """Every book says the same at the end."""
        ledger = self.journal.ledger("hedge")
        assert ledger.wallet_usd(WALLET) == self.account.wallet_usd
        assert self.account.open_orders() == []
        assert self.journal.unresolved_orders("hedge") == ()


@asynccontextmanager
async def open_line(folder: Path, styles: ExecutionStyles) -> AsyncIterator[Line]:
    tape = generated_tape(11, 1_750_000_000_000)
    clock = MovingClock(tape.start_ms + 20 * DAY_MS + 17 * 60_000)
    exchange = SimulatedExchange(tape.instruments.values(), clock, 11)
    account = exchange.open_account("hedge", "hedge-key", "hedge-secret", WALLET)
    clock.exchange, clock.tape = exchange, tape
    clock.move()
    async with serve_exchange(exchange, tape, clock) as server:
        data = client(server.host, now_ms=clock.now_ms)
        trading = client(server.host, key="hedge-key", secret="hedge-secret", now_ms=clock.now_ms)
        for one in (data, trading):
            one.timeout_on_exit = 0
        feed = LiveFeed(data, clock, silent_log(clock), cache_dir=None, concurrency=1)
        venue = ControlledVenue(trading, "hedge", clock)
        try:
            with Journal.open(folder / "journal.sqlite", clock) as journal:
                yield Line(clock, account, venue, feed, journal, styles)
        finally:
            await venue.close()
            await feed.close()


async def test_at_once(tmp_path: Path) -> None:
    async with open_line(tmp_path, ExecutionStyles()) as line:
        report = await line.run({FET: Decimal(-3000), BTC: Decimal("-0.03")}, "c1")
        assert {f.maker for f in report.fills} == {False}
        assert len(report.costs) == len(report.results)
        line.check()


async def test_resting_and_followed_and_taken_at_the_end(tmp_path: Path) -> None:
    async with open_line(tmp_path, POST_ONLY) as line:
        line.clock.factor = 0.998
        await line.run({FET: Decimal(-3000)}, "c0", continuing=True)  # nothing to do yet
        line.clock.factor = 0.996
        report = await line.run({FET: Decimal(-3000), BTC: Decimal("-0.03")}, "c1")
        wanted = {(FET, "BOTH"): Decimal(-3000), (BTC, "BOTH"): Decimal("-0.03")}
        assert line.journal.own_positions("hedge") == wanted
        rows = line.journal.orders("c1")
        assert {r.request.time_in_force for r in rows} >= {"GTX"}
        kinds = [e.kind for e in line.journal.events()]
        assert kinds.count("cancel_confirmed") == kinds.count("cancel_sending") > 0
        assert {c.style for c in report.costs} == {"post_only"}
        line.check()


async def test_a_price_that_comes_by_fills_it_as_maker(tmp_path: Path) -> None:
    async with open_line(tmp_path, POST_ONLY) as line:
        sleep = line.clock.sleep

        async def rises(seconds: float) -> None:
            line.clock.factor *= 1.0015
            await sleep(seconds)

        line.clock.sleep = rises  # type: ignore[method-assign]  # time does as the test says
        report = await line.run({FET: Decimal(-3000)}, "c1")
        assert [f.maker for f in report.fills] == [True] * len(report.fills)
        assert line.journal.own_positions("hedge") == {(FET, "BOTH"): Decimal(-3000)}
        line.check()


async def test_slices_over_cycles(tmp_path: Path) -> None:
    styles = ExecutionStyles(style=Style.SLICED, slice_depth_share=0.0005, max_slices=4, jitter=0.0)
    async with open_line(tmp_path, styles) as line:
        report = await line.run({FET: Decimal(-3000)}, "c1")
        assert report.waiting
        sold = [-line.journal.own_positions("hedge")[FET, "BOTH"]]
        for number in range(2, 6):
            await line.clock.sleep(60)
            await line.run({}, f"c{number}", continuing=True)
            sold.append(-line.journal.own_positions("hedge")[FET, "BOTH"])
        assert sold == [750, 1500, 2250, 3000, 3000]
        line.check()


async def test_what_rests_when_the_process_ends_is_cancelled_by_the_next(tmp_path: Path) -> None:
    async with open_line(tmp_path, POST_ONLY) as line:

        async def ends(_seconds: float) -> None:
            raise SystemExit

        line.clock.sleep = ends  # type: ignore[method-assign]  # time does as the test says
        with suppress(SystemExit):
            await line.run({FET: Decimal(-3000)}, "c1")
        [resting] = line.account.open_orders()
        await recover(line.journal, line.venue, line.clock)
        await cancel_resting(line.journal, line.venue, line.clock, "it outlived its engine")
        [row] = line.journal.orders("c1")
        assert (row.client_id, row.state) == (resting.client_id, "canceled")
        line.check()
