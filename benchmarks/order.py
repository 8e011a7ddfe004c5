"""Orders of a plan the safe way, against bare ccxt calls for the same.

Plans of three orders, as a hedge has several legs, and the exchange in a process of its own. Of
each order twice: until its outcome is in the journal, which is what the engine adds to a send; and
the whole, with its fills booked and the account compared.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.farstage import FarStage, open_far_stage
from benchmarks.measure import DisagreementError, Effort, Line, Pairs, alternate
from benchmarks.ordermeter import DiskWait, OrderMeter, metered
from bot.feeds.live import LiveFeed
from bot.journal.journal import Journal
from bot.logs import silent_log
from bot.policy import pretrade_limits
from bot.trading.execution import ExecutionContext, ExecutionReport, Executor
from bot.trading.orders import OrderRequest, Side
from bot.trading.planner import Plan, PlannedIntent, PlannedOrder
from bot.venues.ccxt_venue import CcxtVenue
from config.load import load_settings, profile_path

SYMBOLS: Final = ("FET/USDT:USDT", "TAO/USDT:USDT", "SOL/USDT:USDT")
NOTIONAL_USD = 500.0
_MINUTE_MS = 60_000


def run(effort: Effort) -> Iterator[Line]:
    """Sells and buys in turns, so that nothing piles up, on one exchange from two accounts."""
    with ExitStack() as stack:
        stage = stack.enter_context(open_far_stage("ours", "bare"))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        journal = stack.enter_context(closing(Journal.open(folder / "journal.sqlite", stage.clock)))
        disk = stack.enter_context(closing(DiskWait(folder)))
        plans = _Plans(stage, journal, stack)
        plans.before()
        before = stage.advance(0)
        report = plans.execute()
        requests = tuple(b - a for a, b in zip(before, stage.advance(0), strict=True))
        plans.agree(report, plans.create())
        meter = stack.enter_context(metered())
        plans.meter, plans.disk = meter, disk
        whole = alternate(
            plans.execute,
            plans.create,
            effort.rounds(60, 4),
            before=plans.before,
            agree=plans.agree,
        )
        yield _until_written(meter, plans, len(whole.ours_s), disk)
        orders = len(SYMBOLS)
        yield whole.line(
            "order",
            "a plan of three orders, their fills booked and the account read again",
            "three bare ccxt create_order, same exchange",
            "the same quantities filled",
            {
                "requests of ours": f"{requests[0]} public, {requests[1]} signed",
                "waits for the disk an order": round(meter.waits / len(meter.wall_s), 2),
                "ms an order": round(1e3 * median(whole.ours_s) / orders, 2),
            },
        )


def _until_written(meter: OrderMeter, plans: "_Plans", rounds: int, disk: DiskWait) -> Line:
    last = len(SYMBOLS) * rounds
    ours, bare = meter.wall_s[-last:], plans.bare_s[-last:]
    beyond = [a - b for a, b in zip(ours, bare, strict=True)]
    cpu = [a - b for a, b in zip(meter.cpu_s[-last:], plans.bare_cpu_s[-last:], strict=True)]
    later = [n for n in range(last) if n % len(SYMBOLS)]
    named = {
        "overhead ms": beyond,
        "of a plan's first order": [beyond[n] for n in range(0, last, len(SYMBOLS))],
        "of the others, whose book was read ahead": [beyond[n] for n in later],
        "of it journal, with fsync": meter.journal_s[-last:],
        "processor's time of it": cpu,
        "one fsync of this disk": disk.waits_s,
    }
    facts = {name: round(1e3 * median(values), 2) for name, values in named.items()}
    return Pairs(tuple(ours), tuple(bare)).line(
        "order",
        "one of three until its outcome is written, fsync before it leaves",
        "bare ccxt create_order, same exchange",
        "the same quantities filled",
        {**facts, "least processor's time": round(1e3 * min(cpu), 2)},
    )


class _Plans:
    """The same orders from both accounts."""

    def __init__(self, stage: FarStage, journal: Journal, stack: ExitStack) -> None:
        def closed(one: Any) -> Any:
            stack.callback(lambda: stage.run(one.close()))
            return one

        self._stage = stage
        self._bare = closed(stage.client("bare"))
        self._feed = closed(LiveFeed(stage.client(), stage.clock, silent_log(stage.clock)))
        self._venue = closed(CcxtVenue(stage.client("ours"), "ours", stage.clock))
        self._executor = Executor(
            venue=self._venue,
            market=self._feed,
            journal=journal,
            clock=stage.clock,
            limits=pretrade_limits(load_settings(profile_path("demo"))),
        )
        self._count = 0
        self._quantity: dict[str, Decimal] = {}
        stage.run(self._bare.load_markets())
        self.instruments = stage.run(self._feed.instruments())
        self.meter: OrderMeter | None = None
        self.disk: DiskWait | None = None
        self.bare_s: list[float] = []
        self.bare_cpu_s: list[float] = []

    def before(self) -> None:
        """A minute passes, in which the books recover; the engine looks at them again."""
        self._stage.advance(_MINUTE_MS)
        if self.disk is not None:
            self.disk.measure()
        self._count += 1
        self._side = Side.SELL if self._count % 2 else Side.BUY
        quotes = self._stage.run(self._feed.quotes(SYMBOLS))
        account = self._stage.run(self._venue.account())
        orders = []
        for symbol in SYMBOLS:
            instrument, mark = self.instruments[symbol], quotes[symbol].mark
            if self._side is Side.SELL:
                lots = NOTIONAL_USD / mark // float(instrument.lot)
                self._quantity[symbol] = int(lots) * instrument.lot
            price = Decimal(str(mark)) * (1 + self._side.sign * Decimal("0.005"))
            orders.append(self._request(symbol, price // instrument.tick * instrument.tick))
        self._plan = Plan(
            tuple(
                PlannedIntent(one.intent_id, one.symbol, one.side.sign * one.quantity)
                for one in orders
            ),
            tuple(PlannedOrder(one, "leg-0", 0) for one in orders),
            (),
        )
        self._context = ExecutionContext(
            cycle_id=f"c{self._count}",
            instruments=self.instruments,
            quotes=quotes,
            account=account,
            allowed=frozenset(SYMBOLS),
            instruments_ms=self._stage.clock.now_ms(),
        )

    def _request(self, symbol: str, price: Decimal) -> OrderRequest:
        name = f"{symbol.partition('/')[0]}-{self._count}"
        return OrderRequest(
            client_id=f"bench-{name}",
            intent_id=f"i-{name}",
            symbol=symbol,
            side=self._side,
            quantity=self._quantity[symbol],
            limit_price=price,
            time_in_force="IOC",
            reduce_only=self._side is Side.BUY,
        )

    def execute(self) -> ExecutionReport:
        if self.meter is not None:
            self.meter.begin()
        return self._stage.run(self._executor.execute(self._plan, self._context))

    def create(self) -> list[Any]:
        return self._stage.run(self._created())

    async def _created(self) -> list[Any]:
        answers = []
        for planned in self._plan.orders:
            one = planned.request
            start, cpu = time.perf_counter(), time.process_time()
            answer = await self._bare.create_order(
                one.symbol,
                "limit",
                one.side.value,
                float(one.quantity),
                float(one.limit_price),
                {"timeInForce": "IOC", "reduceOnly": one.reduce_only},
            )
            self.bare_s.append(time.perf_counter() - start)
            self.bare_cpu_s.append(time.process_time() - cpu)
            answers.append(answer)
        return answers

    def agree(self, ours: ExecutionReport, theirs: list[Any]) -> None:
        for planned, result, answer in zip(self._plan.orders, ours.results, theirs, strict=True):
            wanted = planned.request.quantity
            booked = [f.quantity for f in ours.fills if f.symbol == planned.request.symbol]
            if sum(booked) != wanted or Decimal(str(answer["filled"])) != wanted:
                raise DisagreementError(
                    f"order: {wanted} {planned.request.symbol} wanted, {sum(booked)} filled for us "
                    f"({result.detail}), {answer['filled']} for the peer"
                )
