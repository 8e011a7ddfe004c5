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
_CYCLES = 2 * TRADED // ORDERS_PER_CYCLE  # of a round, after which everything is closed
_ROWS_PER_ROUND = _CYCLES * (ORDERS_PER_CYCLE * ROWS_PER_ORDER + EVENTS_PER_CYCLE + 2)
_DAYS = 60
_BATCH = 4_000
_QUANTITY = Decimal(100)
_PRICE = Decimal("1.25")
# Fields of a cycle's document; with these it is about as large as of a sector of 20 tokens.
_EXCLUDED = {symbol(n): f"average daily volume ${n},000 below the floor" for n in range(110)}


class BulkJournal(Journal):
    """Commits many transactions at once: what is written is the same, waiting for the disk not."""

    _inside = 0
    _batch_size = 1

    def in_bulk(self) -> None:
        """From now on: a journal is opened, and looks at its file, as every other."""
        self._batch_size = _BATCH

    @contextmanager
    def _transaction(self, doing: str) -> Iterator[Any]:
        if not self._inside:
            self._batch = super()._transaction(doing)
            self._batch.__enter__()
        self._inside += 1
        yield self._connection
        if self._inside >= self._batch_size:
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
    """Fills a journal with about that many rows; how many there are, without the chain's.

    One round, in which everything is sold and bought back, is written as an engine writes it; the
    others repeat it under other names and at later times, sealed row by row by the same journal.
    """
    rounds = max(1, rows // _ROWS_PER_ROUND)
    span_ms = _DAYS * DAY_MS // (rounds + 1)
    clock = SimulatedClock(until_ms - _DAYS * DAY_MS)
    with BulkJournal.open(path, clock, install_key=b"benchmark" * 4) as journal:
        journal._connection.execute("PRAGMA synchronous=OFF")  # nobody rests on it yet
        journal.in_bulk()
        journal.start_epoch()
        for number in range(_CYCLES):
            _whole_cycle(journal, clock, number)
            clock.advance_to(clock.now_ms() + span_ms // _CYCLES)
        last = {table: _last_row(journal, table) for table in _REPEATED}
        for number in range(1, rounds):
            _repeat(journal, last, number, span_ms)
            journal.own_positions(HEDGER)  # as every order does
            journal.note_positions(HEDGER)  # as every booked fill does
        journal.flush()
        return _count(journal)


def _whole_cycle(journal: Journal, clock: SimulatedClock, number: int) -> None:
    _cycle(journal, clock, number)
    orders = range(number * ORDERS_PER_CYCLE, (number + 1) * ORDERS_PER_CYCLE)
    for order in orders:
        _order(journal, clock, number, order)
    journal.own_positions(HEDGER)
    costs = [{"client_id": f"h1old{order}"} for order in reversed(orders)]
    journal.record_event("order_costs", {"costs": costs}, cycle_id=f"c{number}")


_CYCLE_ID = "'c' || (substr({0}, 2) + :cycles)"
_CLIENT_ID = "'h1old' || (substr({0}, 6) + :orders)"
_ORDER_ID = "substr({0}, 1, 1) || (substr({0}, 2) + :orders)"
_LATER = "{0} + :later_ms"
_CYCLE_DOCUMENT = (
    "json_set({0}, '$.cycle_id', 'c' || (substr(cycle_id, 2) + :cycles), "
    "'$.timestamp_ms', timestamp_ms + :later_ms, '$.timestamp', "
    "strftime('%Y-%m-%dT%H:%M:%fZ', (timestamp_ms + :later_ms) / 1000.0, 'unixepoch'))"
)
_EVENT_DOCUMENT = (
    "CASE kind WHEN 'order_costs' THEN (SELECT json_object('costs', json_group_array("
    "json_object('client_id', "
    "'h1old' || (substr(json_extract(value, '$.client_id'), 6) + :orders)))) "
    "FROM json_each({0}, '$.costs')) ELSE {0} END"
)
_REPEATED = {
    "cycles": {"cycle_id": _CYCLE_ID, "timestamp_ms": _LATER, "document": _CYCLE_DOCUMENT},
    "intents": {"intent_id": _ORDER_ID, "cycle_id": _CYCLE_ID, "created_ms": _LATER},
    "orders": {
        "client_id": _CLIENT_ID,
        "intent_id": _ORDER_ID,
        "venue_order_id": "CAST({0} + :orders AS TEXT)",
        "sent_ms": _LATER,
        "updated_ms": _LATER,
    },
    "fills": {
        "trade_id": _ORDER_ID,
        "client_id": _CLIENT_ID,
        "venue_order_id": "CAST({0} + :orders AS TEXT)",
        "timestamp_ms": _LATER,
        "booked_ms": _LATER,
    },
    "events": {
        "id": "NULL",
        "timestamp_ms": _LATER,
        "cycle_id": _CYCLE_ID,
        "client_id": _CLIENT_ID,
        "document": _EVENT_DOCUMENT,
    },
}
"""By table, what of a row is another one in the next round; an order of tables that they allow."""


def _repeat(journal: BulkJournal, last: dict[str, int], number: int, span_ms: int) -> None:
    """The first round once more; ``last`` has its last row in each table."""
    later_ms = number * span_ms
    shift = {"cycles": number * _CYCLES, "orders": number * 2 * TRADED, "later_ms": later_ms}
    with journal._transaction("repeat a round") as db:
        for table, changed in _REPEATED.items():
            columns = [str(row[1]) for row in db.execute(f"PRAGMA table_info({table})")]
            values = ", ".join(changed.get(name, "{0}").format(name) for name in columns)
            db.execute(
                f"INSERT INTO {table} SELECT {values} FROM {table} "  # noqa: S608 - our tables
                "WHERE rowid <= :last ORDER BY rowid",
                {**shift, "last": last[table]},
            )
        db.execute("UPDATE watermarks SET timestamp_ms = timestamp_ms + ?", (span_ms,))
    journal.flush()


def _last_row(journal: Journal, table: str) -> int:
    return int(journal._rows(f"SELECT max(rowid) AS last FROM {table}")[0]["last"])  # noqa: S608 - ours


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
