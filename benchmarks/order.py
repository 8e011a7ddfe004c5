"""One order the safe way, against one bare ccxt call.

Twice: until its outcome is durable, which is what the engine adds to a send; and the whole, with
its fills booked and the account compared. What the exchange itself works on a request is measured
and told apart, for a real one works elsewhere.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any, TypeVar
from unittest.mock import patch

from benchmarks.measure import DisagreementError, Effort, Line, Pairs, alternate
from benchmarks.stage import Stage, open_stage
from bot.feeds.live import LiveFeed
from bot.journal.journal import Journal
from bot.logs import silent_log
from bot.policy import pretrade_limits
from bot.trading.execution import ExecutionContext, ExecutionReport, Executor
from bot.trading.orders import OrderRequest, Side
from bot.trading.planner import Plan, PlannedIntent, PlannedOrder
from bot.venues.ccxt_venue import CcxtVenue
from bot.venues.http import server
from config.load import load_settings, profile_path

T = TypeVar("T")

SYMBOL = "FET/USDT:USDT"
NOTIONAL_USD = 500.0
_MINUTE_MS = 60_000


def run(effort: Effort) -> Iterator[Line]:
    """Sells and buys in turns, so that nothing piles up, on one exchange from two accounts."""
    with ExitStack() as stack:
        stage = stack.enter_context(open_stage("ours", "bare"))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        journal = stack.enter_context(
            closing(Journal.open(Path(folder) / "journal.sqlite", stage.clock))
        )
        bare = stage.client("bare")
        stack.callback(lambda: stage.run(bare.close()))
        stage.run(bare.load_markets())
        orders = _Orders(stage, journal, bare, stack)
        orders.before()
        counted = _requests(stage)
        report = orders.execute()
        requests = tuple(b - a for a, b in zip(counted, _requests(stage), strict=True))
        orders.agree(report, orders.create())
        meter = stack.enter_context(_metered())
        whole = alternate(
            meter.timed("ours", orders.execute),
            meter.timed("bare", orders.create),
            effort.rounds(60, 6),
            before=orders.before,
            agree=orders.agree,
        )
        rounds = len(whole.ours_s)
        durable = Pairs(tuple(meter.durable_s[-rounds:]), whole.theirs_s)
        yield durable.line(
            "order",
            "until the outcome is durable, fsync included",
            "bare ccxt create_order, same exchange",
            "the same quantity filled",
            meter.overhead(rounds),
        )
        yield whole.line(
            "order",
            "with its fills booked and the account read again",
            "bare ccxt create_order, same exchange",
            "the same quantity filled",
            {"requests of ours": f"{requests[0]} public, {requests[1]} signed"},
        )


class _Meter:
    """Seconds until an order's outcome is durable, and what the exchange worked meanwhile."""

    def __init__(self) -> None:
        self.durable_s: list[float] = []
        self._ours: list[tuple[float, float]] = []  # until durable: all, and the exchange's
        self._bare: list[tuple[float, float]] = []
        self._commits_s: list[float] = []
        self._cpu: dict[str, list[float]] = {"ours": [], "bare": []}
        self._start = self._exchange_s = self._committing_s = 0.0
        self._cpu_start = self._exchange_cpu = 0.0

    def timed(self, side: str, work: Callable[[], T]) -> Callable[[], T]:
        def metered() -> T:
            self._exchange_s = self._committing_s = self._exchange_cpu = 0.0
            self._start, self._cpu_start = time.perf_counter(), time.process_time()
            answer = work()
            if side == "bare":
                self._bare.append((time.perf_counter() - self._start, self._exchange_s))
                self._note_cpu("bare")
            return answer

        return metered

    def _note_cpu(self, side: str) -> None:
        self._cpu[side].append(time.process_time() - self._cpu_start - self._exchange_cpu)

    def worked(self, seconds: float, cpu_seconds: float) -> None:
        """The exchange has answered a request."""
        self._exchange_s += seconds
        self._exchange_cpu += cpu_seconds

    def committed(self, seconds: float) -> None:
        """The journal has written something."""
        self._committing_s += seconds

    def is_durable(self) -> None:
        """The journal has the outcome."""
        self.durable_s.append(time.perf_counter() - self._start)
        self._ours.append((self.durable_s[-1], self._exchange_s))
        self._commits_s.append(self._committing_s)
        self._note_cpu("ours")

    def overhead(self, rounds: int) -> dict[str, Any]:
        """Medians over the last rounds, milliseconds."""
        ours, bare = self._ours[-rounds:], self._bare[-rounds:]
        beyond = [a[0] - b[0] for a, b in zip(ours, bare, strict=True)]
        own = [(a[0] - a[1]) - (b[0] - b[1]) for a, b in zip(ours, bare, strict=True)]
        commits = self._commits_s[-rounds:]
        cpu = [
            a - b
            for a, b in zip(self._cpu["ours"][-rounds:], self._cpu["bare"][-rounds:], strict=True)
        ]
        rest = [one - commit for one, commit in zip(own, commits, strict=True)]
        named = {
            "overhead ms": beyond,
            "without the exchange's own time": own,
            "of it journal, with fsync": commits,
            "of it the rest": rest,
            "processor's time of it": cpu,
        }
        return {name: round(1e3 * median(values), 2) for name, values in named.items()}


@contextmanager
def _metered() -> Iterator[_Meter]:
    meter = _Meter()
    answer, record, write = server.answer, Journal.record_outcome, Journal._transaction

    def answered(*arguments: Any) -> Any:
        start, cpu = time.perf_counter(), time.process_time()
        try:
            return answer(*arguments)
        finally:
            meter.worked(time.perf_counter() - start, time.process_time() - cpu)

    def recorded(journal: Journal, outcome: Any) -> Any:
        row = record(journal, outcome)
        meter.is_durable()
        return row

    @contextmanager
    def written(journal: Journal, doing: str) -> Iterator[Any]:
        start = time.perf_counter()
        with write(journal, doing) as connection:
            yield connection
        meter.committed(time.perf_counter() - start)

    with (
        patch.object(server, "answer", answered),
        patch.object(Journal, "record_outcome", recorded),
        patch.object(Journal, "_transaction", written),
    ):
        yield meter


class _Orders:
    """The same order from both accounts."""

    def __init__(self, stage: Stage, journal: Journal, bare: Any, stack: ExitStack) -> None:
        self._stage, self._journal, self._bare = stage, journal, bare
        self._feed = LiveFeed(stage.client(), stage.clock, silent_log(stage.clock))
        stack.callback(lambda: stage.run(self._feed.close()))
        self._venue = CcxtVenue(stage.client("ours"), "ours", stage.clock)
        stack.callback(lambda: stage.run(self._venue.close()))
        self._executor = Executor(
            venue=self._venue,
            market=self._feed,
            journal=journal,
            clock=stage.clock,
            limits=pretrade_limits(load_settings(profile_path("demo"))),
        )
        self._count = 0
        self.instruments = stage.run(self._feed.instruments())

    def before(self) -> None:
        """A minute passes, in which the book recovers; the engine looks at it again."""
        self._stage.advance(_MINUTE_MS)
        self._count += 1
        self._side = Side.SELL if self._count % 2 else Side.BUY
        quotes = self._stage.run(self._feed.quotes([SYMBOL]))
        account = self._stage.run(self._venue.account())
        instrument, quote = self.instruments[SYMBOL], quotes[SYMBOL]
        if self._side is Side.SELL:
            lots = NOTIONAL_USD / quote.mark // float(instrument.lot)
            self._quantity = int(lots) * instrument.lot
        price = Decimal(str(quote.mark)) * (1 + self._side.sign * Decimal("0.005"))
        price = price // instrument.tick * instrument.tick
        self._plan = self._planned(price)
        self._context = ExecutionContext(
            cycle_id=f"c{self._count}",
            instruments=self.instruments,
            quotes=quotes,
            account=account,
            allowed=frozenset({SYMBOL}),
            instruments_ms=self._stage.clock.now_ms(),
        )

    def _planned(self, price: Decimal) -> Plan:
        intent_id = f"i{self._count}"
        request = OrderRequest(
            client_id=f"bench-{self._count}",
            intent_id=intent_id,
            symbol=SYMBOL,
            side=self._side,
            quantity=self._quantity,
            limit_price=price,
            time_in_force="IOC",
            reduce_only=self._side is Side.BUY,
        )
        intent = PlannedIntent(intent_id, SYMBOL, self._side.sign * self._quantity)
        return Plan((intent,), (PlannedOrder(request, "leg-0", 0),), ())

    def execute(self) -> ExecutionReport:
        return self._stage.run(self._executor.execute(self._plan, self._context))

    def create(self) -> Any:
        request = self._plan.orders[0].request
        return self._stage.run(
            self._bare.create_order(
                SYMBOL,
                "limit",
                request.side.value,
                float(request.quantity),
                float(request.limit_price),
                {"timeInForce": "IOC", "reduceOnly": request.reduce_only},
            )
        )

    def agree(self, ours: ExecutionReport, theirs: Any) -> None:
        filled = sum((fill.quantity for fill in ours.fills), Decimal(0))
        wanted = self._plan.orders[0].request.quantity
        if filled != wanted or Decimal(str(theirs["filled"])) != wanted:
            raise DisagreementError(
                f"order: {wanted} wanted, {filled} filled for us ({ours.results[0].detail}), "
                f"{theirs['filled']} for the peer"
            )


def _requests(stage: Stage) -> tuple[int, int]:
    counters = stage.exchange.counters
    return counters.public_requests, counters.private_requests
