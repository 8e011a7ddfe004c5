"""A journal as months of trading leave it, written by the journal's own writer."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.crowd_accounts import HEDGER, symbol
from bot.clock import SimulatedClock
from bot.feeds.tape import DAY_MS
from bot.journal.journal import Journal
from bot.journal.rows import IntentRecord
from bot.records.cycle import CycleRecord, CycleStatus, iso_utc
from bot.trading.orders import Acknowledged, Fill, OrderRequest, OrderState, Side

TRADED = 400  # symbols
ROWS_PER_ORDER = 5  # an intent, an order, two events of it, a fill
ORDERS_PER_CYCLE = 5
EVENTS_PER_CYCLE = 12
_DAYS = 60
_BATCH = 4_000
_QUANTITY = Decimal(100)
_PRICE = Decimal("1.25")
# Fields of a cycle's document; with these it is about as large as of a sector of 20 tokens.
_EXCLUDED = {symbol(n): f"average daily volume ${n},000 below the floor" for n in range(110)}


class BulkJournal(Journal):
    """Commits many transactions at once: what is written is the same, waiting for the disk not."""

    _inside = 0

    @contextmanager
    def _transaction(self, doing: str) -> Iterator[Any]:
        if not self._inside:
            self._batch = super()._transaction(doing)
            self._batch.__enter__()
        self._inside += 1
        yield self._connection
        if self._inside >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Commit."""
        if self._inside:
            self._inside = 0
            self._batch.__exit__(None, None, None)

    def close(self) -> None:
        """Commit and give the file back."""
        self.flush()
        super().close()


def write_old_journal(path: Path, rows: int, until_ms: int) -> int:
    """Fills a journal with about that many rows; how many there are, without the chain's."""
    cycles = rows // (ORDERS_PER_CYCLE * ROWS_PER_ORDER + EVENTS_PER_CYCLE + 1)
    clock = SimulatedClock(until_ms - _DAYS * DAY_MS)
    step_ms = _DAYS * DAY_MS // (cycles + 1)
    with BulkJournal.open(path, clock, install_key=b"benchmark" * 4) as journal:
        journal.flush()
        journal._connection.execute("PRAGMA synchronous=OFF")  # nobody rests on it yet
        journal.start_epoch()
        order = 0
        for number in range(cycles):
            _cycle(journal, clock, number)
            for _ in range(ORDERS_PER_CYCLE):
                _order(journal, clock, number, order)
                order += 1
            journal.own_positions(HEDGER)  # as every order does, so that it is noted
            costs = [{"client_id": f"h1old{order - n - 1}"} for n in range(ORDERS_PER_CYCLE)]
            journal.record_event("order_costs", {"costs": costs}, cycle_id=f"c{number}")
            clock.advance_to(clock.now_ms() + step_ms)
        while order % (2 * TRADED):  # so that everything is closed again
            _order(journal, clock, cycles - 1, order)
            order += 1
        journal.flush()
        return _count(journal)


def _cycle(journal: Journal, clock: SimulatedClock, number: int) -> None:
    now_ms = clock.now_ms()
    cycle_id = f"c{number}"
    for n in range(EVENTS_PER_CYCLE):
        document = {"kind": "correlated_pair", "symbols": [symbol(n), symbol(n + 1)], "value": 0.9}
        journal.record_event("signal", document, cycle_id=cycle_id)
    record = CycleRecord(
        cycle_id, iso_utc(now_ms), now_ms, CycleStatus.HEDGED, "because", excluded=_EXCLUDED
    )
    journal.record_cycle(record)


def _order(journal: Journal, clock: SimulatedClock, cycle: int, number: int) -> None:
    """Sells in one round over all symbols, buys in the next."""
    name, now_ms = f"h1old{number}", clock.now_ms()
    traded = symbol(number % TRADED)
    side = Side.BUY if number // TRADED % 2 else Side.SELL
    intent = IntentRecord(
        f"i{number}", f"c{cycle}", HEDGER, traded, side.sign * _QUANTITY, "x", {"mark": "1.25"}
    )
    journal.record_intents([intent])
    request = OrderRequest(
        name, f"i{number}", traded, side, _QUANTITY, _PRICE, "IOC", reduce_only=side is Side.BUY
    )
    journal.mark_sending(request, account=HEDGER, leg="leg-0", attempt=0)
    venue_id = str(number)
    journal.record_outcome(Acknowledged(name, venue_id, OrderState.FILLED, _QUANTITY, _PRICE))
    fill = Fill(
        trade_id=f"t{number}",
        venue_order_id=venue_id,
        client_id=name,
        symbol=traded,
        side=side,
        quantity=_QUANTITY,
        price=_PRICE,
        fee_usd=Decimal("0.05"),
        realised_pnl_usd=Decimal(0),
        maker=False,
        timestamp_ms=now_ms,
    )
    journal.record_fills(HEDGER, traded, [fill], read_ms=now_ms)


def _count(journal: Journal) -> int:
    tables = ("cycles", "events", "fills", "intents", "meta", "orders", "watermarks")
    counts = (journal._rows(f"SELECT count(*) AS n FROM {table}") for table in tables)  # noqa: S608 - ours
    return sum(int(row[0]["n"]) for row in counts)
