"""Bugs that others have had, each planted into a real part of the engine, for the oracle to find.

A bug is a function that bends the part; the table says under which faults it must show, and as
which broken promises.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest

import bot.cycle
import bot.journal.writer
import bot.measuring.monitor
import bot.steps.catching_up
import bot.trading.desk
import bot.trading.planner
import bot.trading.reconcile
import bot.trading.resting
import bot.venues.codes.table
from bot.errors import JournalError
from bot.faults.venue import FaultyVenue
from bot.halt import HaltSwitch
from bot.journal.chain import Sealer
from bot.journal.journal import Journal
from bot.lock import EngineLock
from bot.measuring.hedge_account import HedgeAccount
from bot.measuring.monitor import Monitor
from bot.state_files import StateFolder
from bot.trading.cancels import CancelOutcome, Cancels
from bot.trading.execution import Executor
from bot.trading.ledger import FundingReceipt, OwnFill
from bot.trading.orders import (
    Acknowledged,
    Fill,
    OrderState,
    Rejected,
    Side,
    UnknownOutcome,
)
from bot.trading.styles import Style
from bot.venues.paper import PaperVenue
from bot.venues.streams.inbox import StreamInbox

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Bug:
    """``faults`` are played together; ``promises``: one of these must be seen broken."""

    plant: Callable[[Patch], None]
    faults: tuple[str, ...]
    promises: tuple[str, ...]
    style: Style | None = None
    paper: bool = False

    @property
    def name(self) -> str:
        return self.plant.__name__


# Sending


def blind_resend(patch: Patch) -> None:
    send = Executor._send

    async def twice(self: Executor, request: Any, *rest: Any) -> Any:
        outcome = await send(self, request, *rest)
        if isinstance(outcome, UnknownOutcome):
            outcome = await send(self, request, *rest)
        return outcome

    patch.setattr(Executor, "_send", twice)


def unknown_is_failure(patch: Patch) -> None:
    send = Executor._send

    async def certain(self: Executor, request: Any, *rest: Any) -> Any:
        outcome = await send(self, request, *rest)
        if isinstance(outcome, UnknownOutcome):
            return Rejected(request.client_id, "failed", outcome.reason)
        return outcome

    patch.setattr(Executor, "_send", certain)


def swallowed_id_none(patch: Patch) -> None:
    send = Executor._send

    async def trusting(self: Executor, request: Any, *rest: Any) -> Any:
        outcome = await send(self, request, *rest)
        if isinstance(outcome, UnknownOutcome) and "200" in outcome.reason:
            return Acknowledged(request.client_id, "None", OrderState.EXPIRED, Decimal(0), None)
        return outcome

    patch.setattr(Executor, "_send", trusting)


def journal_after_send(patch: Patch) -> None:
    mark, record = Journal.mark_sending, Journal.record_outcome
    waiting: dict[str, Any] = {}

    def later(self: Journal, order: Any, **facts: Any) -> None:
        waiting[order.client_id] = (order, facts)

    def record_now(self: Journal, outcome: Any) -> Any:
        if outcome.client_id in waiting:
            order, facts = waiting.pop(outcome.client_id)
            mark(self, order, **facts)
        return record(self, outcome)

    patch.setattr(Journal, "mark_sending", later)
    patch.setattr(Journal, "record_outcome", record_now)


def journal_failure_swallowed(patch: Patch) -> None:
    mark = Executor._mark_sending

    def careless(self: Executor, *arguments: Any) -> Any:
        try:
            return mark(self, *arguments)
        except JournalError:
            return None

    def kept(self: Journal, outcome: Any) -> Any:
        return record(self, outcome)

    record = Journal.record_outcome
    patch.setattr(Executor, "_mark_sending", careless)
    patch.setattr(Journal, "record_outcome", kept)


def missing_fsync(patch: Patch) -> None:
    connect = bot.journal.writer.connect_writer

    def fast(*arguments: Any) -> Any:
        connection = connect(*arguments)
        connection.execute("PRAGMA synchronous=OFF")
        return connection

    patch.setattr(bot.journal.writer, "connect_writer", fast)


def ignored_pending_exposure(patch: Patch) -> None:
    mark, unresolved = Journal.mark_sending, Journal.unresolved_orders

    def blind(self: Journal, order: Any, **facts: Any) -> None:
        with _as(Journal, "unresolved_orders", lambda _self, _account=None: ()):
            mark(self, order, **facts)

    assert unresolved is not None
    patch.setattr(Journal, "mark_sending", blind)
    patch.setattr(Executor, "_open_orders", lambda _self: ())


@contextmanager
def _as(owner: type, name: str, value: Any) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, value)
        yield


def reused_client_id(patch: Patch) -> None:
    patch.setattr(
        bot.trading.planner,
        "derive_client_id",
        lambda _key, *, symbol, **_: f"h1same{symbol.partition('/')[0].lower()}",
    )


def limit_beyond_the_collar(patch: Patch) -> None:
    def far(side: Side, quote: Any, tick: Decimal, _settings: Any) -> Decimal:
        price = Decimal(repr(quote.mark)) * (Decimal(1) + side.sign * Decimal("0.05"))
        return (price / tick).to_integral_value() * tick

    patch.setattr(bot.trading.planner, "limit_price", far)
    patch.setattr(bot.trading.desk, "check_order", lambda *_: None)


def order_cap_ignored(patch: Patch) -> None:
    cut = bot.trading.planner._children

    def large(part: Any, instrument: Any, price: Decimal, settings: Any) -> Any:
        return cut(part, instrument, price, replace(settings, max_order_usd=Decimal(100_000)))

    patch.setattr(bot.trading.planner, "_children", large)
    patch.setattr(bot.trading.desk, "check_order", lambda *_: None)


# Booking


def invented_fill(patch: Patch) -> None:
    book = bot.trading.desk.book_fills

    async def certain(journal: Any, venue: Any, symbol: str, clock: Any) -> Any:
        found = await book(journal, venue, symbol, clock)
        for row in journal.unresolved_orders():
            if row.symbol == symbol and row.filled_quantity > row.booked_quantity:
                made_up = Fill(
                    f"made-{row.client_id}",
                    row.venue_order_id or "",
                    row.client_id,
                    symbol,
                    row.request.side,
                    row.filled_quantity - row.booked_quantity,
                    row.request.limit_price,
                    None,
                    None,
                    False,
                    clock.now_ms(),
                )
                journal.record_fills(row.account, symbol, [made_up], read_ms=clock.now_ms())
        return found

    patch.setattr(bot.trading.desk, "book_fills", certain)


def adoption_by_time_window(patch: Patch) -> None:
    record = Journal.record_fills

    def adopting(self: Journal, account: str, symbol: str, fills: Any, *, read_ms: int) -> Any:
        found = list(fills)
        mine = {f.client_id for f in found if self.order(f.client_id) is not None}
        for i, one in enumerate(found):
            near = [
                f
                for f in found
                if f.client_id in mine
                and f.side is one.side
                and abs(f.timestamp_ms - one.timestamp_ms) < 60_000
            ]
            if one.client_id not in mine and near:
                found[i] = replace(one, client_id=near[-1].client_id)
        return record(self, account, symbol, found, read_ms=read_ms)

    patch.setattr(Journal, "record_fills", adopting)


def double_booking(patch: Patch) -> None:
    record = Journal.record_fills

    def again(self: Journal, account: str, symbol: str, fills: Any, *, read_ms: int) -> Any:
        seen: set[str] = set()
        found = []
        for one in fills:
            twice = one.trade_id in seen
            seen.add(one.trade_id)
            found.append(replace(one, trade_id=f"{one.trade_id}-2") if twice else one)
        return record(self, account, symbol, found, read_ms=read_ms)

    patch.setattr(Journal, "record_fills", again)


def flipped_sign(patch: Patch) -> None:
    right = OwnFill.signed_quantity.fget  # type: ignore[attr-defined]
    patch.setattr(OwnFill, "signed_quantity", property(lambda self: -right(self)))


def _bent_fills(patch: Patch, bend: Callable[[Fill], Fill]) -> None:
    record = Journal.record_fills

    def bent(self: Journal, account: str, symbol: str, fills: Any, *, read_ms: int) -> Any:
        return record(self, account, symbol, [bend(f) for f in fills], read_ms=read_ms)

    patch.setattr(Journal, "record_fills", bent)


def fee_sign_flipped(patch: Patch) -> None:
    _bent_fills(patch, lambda f: replace(f, fee_usd=None if f.fee_usd is None else -f.fee_usd))


def price_through_float(patch: Patch) -> None:
    _bent_fills(patch, lambda f: replace(f, price=Decimal(float(f.price) * 1.0000001)))


def pnl_dropped(patch: Patch) -> None:
    _bent_fills(patch, lambda f: replace(f, realised_pnl_usd=None))


def funding_booked_twice(patch: Patch) -> None:
    record = Journal.record_funding

    def again(self: Journal, account: str, receipts: Any, *, read_ms: int) -> int:
        marked = [
            FundingReceipt(f"{r.receipt_id}@{read_ms}", r.symbol, r.amount_usd, r.timestamp_ms)
            for r in receipts
        ]
        return record(self, account, marked, read_ms=read_ms)

    patch.setattr(Journal, "record_funding", again)


def funding_forgotten(patch: Patch) -> None:
    async def nothing(*_: Any) -> int:
        return 0

    patch.setattr(bot.cycle, "book_funding", nothing)
    patch.setattr(bot.trading.reconcile, "book_funding", nothing)


def acknowledged_is_filled(patch: Patch) -> None:
    record = Journal.record_outcome

    def whole(self: Journal, outcome: Any) -> Any:
        row = self.order(outcome.client_id)
        if isinstance(outcome, Acknowledged) and row is not None and not row.state.final:
            outcome = replace(
                outcome, state=OrderState.FILLED, filled_quantity=row.request.quantity
            )
        return record(self, outcome)

    patch.setattr(Journal, "record_outcome", whole)


def late_fills_not_looked_for(patch: Patch) -> None:
    async def nothing(_self: HedgeAccount, _account: Any) -> None:
        return None

    patch.setattr(HedgeAccount, "_book_late_fills", nothing)


# Finding out


def absent_at_once(patch: Patch) -> None:
    patch.setattr(bot.trading.reconcile, "NEGATIVE_ROUNDS", 1)
    patch.setattr(bot.trading.reconcile, "SETTLE_MS", 0)
    patch.setattr(bot.trading.reconcile, "_something_happened", lambda *_: False)


def absent_after_half_a_minute(patch: Patch) -> None:
    patch.setattr(bot.trading.reconcile, "SETTLE_MS", 20_000)
    patch.setattr(bot.trading.reconcile, "ROUND_GAP_MS", 1_000)


def forgotten_after_a_crash(patch: Patch) -> None:
    def dropped(self: Journal) -> tuple[()]:
        with self._transaction("forget") as db:
            for row in db.execute("SELECT * FROM orders WHERE state = 'sending'").fetchall():
                known = self._known(db, row["client_id"])
                self._move(db, known, OrderState.REJECTED, "", "the engine stopped")
        return ()

    patch.setattr(Journal, "sending_to_unknown", dropped)


def never_asked_again(patch: Patch) -> None:
    async def nothing(journal: Any, venue: Any, *_: Any) -> Any:
        rows = journal.unresolved_orders(venue.account_name)
        return bot.trading.reconcile.Resolution((), rows, (), ())

    patch.setattr(bot.steps.catching_up, "resolve_unresolved", nothing)
    patch.setattr(bot.trading.reconcile, "resolve_unresolved", nothing)


def final_state_reopened(patch: Patch) -> None:
    move = Journal._move

    def reopening(
        self: Journal, db: Any, row: Any, state: OrderState, *rest: Any, **more: Any
    ) -> None:
        move(self, db, row, state, *rest, **more)
        if state is OrderState.FILLED:
            self._insert_event(db, "order_live", {"symbol": row.symbol}, None, row.client_id)

    patch.setattr(Journal, "_move", reopening)


# Looking and stopping


def stale_positions_accepted(patch: Patch) -> None:
    patch.setattr(Monitor, "_check_age", lambda *_: None)


def halt_ignored(patch: Patch) -> None:
    patch.setattr(HaltSwitch, "reason", property(lambda _self: None))


def halt_forgotten_at_restart(patch: Patch) -> None:
    began = HaltSwitch.__init__
    read = HaltSwitch.reason.fget  # type: ignore[attr-defined]

    def forgetting(self: HaltSwitch, state_dir: Any) -> None:
        began(self, state_dir)
        self._ignored = read(self)  # type: ignore[attr-defined]

    def reason(self: HaltSwitch) -> str | None:
        now = read(self)
        return None if now == self._ignored else now  # type: ignore[attr-defined]

    patch.setattr(HaltSwitch, "__init__", forgetting)
    patch.setattr(HaltSwitch, "reason", property(reason))


def lock_ignored(patch: Patch) -> None:
    patch.setattr(EngineLock, "acquire", lambda _self: None)


def secrets_told(patch: Patch) -> None:
    patch.setattr(bot.venues.codes.table, "clean_text", lambda text, longest=160: text)


def mute_stream_trusted(patch: Patch) -> None:
    patch.setattr(StreamInbox, "_look", lambda _self, _now_ms: None)


def halt_not_synced(patch: Patch) -> None:
    def hasty(self: StateFolder, name: str, text: str) -> None:
        self._device.write(self.path / name, text.encode())

    patch.setattr(StateFolder, "put", hasty)


def resting_order_that_crosses(patch: Patch) -> None:
    patch.setattr(bot.trading.resting, "POST_ONLY", "IOC")


def cancelled_without_asking(patch: Patch) -> None:
    """A cancel of which nobody heard is taken for one that worked, and ends the order."""
    attempt = Cancels.attempt

    async def certain(self: Cancels, symbol: str, client_id: str, why: str) -> Any:
        outcome, broken = await attempt(self, symbol, client_id, why)
        row = self._journal.order(client_id)
        if outcome is CancelOutcome.UNKNOWN and row is not None and not row.state.final:
            ended = Acknowledged(
                client_id, row.venue_order_id or "0", OrderState.CANCELED, row.filled_quantity, None
            )
            self._journal.record_outcome(ended)
            return CancelOutcome.CONFIRMED, broken
        return outcome, broken

    patch.setattr(Cancels, "attempt", certain)


def chain_not_kept(patch: Patch) -> None:
    def nothing(self: Sealer, _connection: Any) -> None:
        self._changed.clear()

    patch.setattr(Sealer, "seal", nothing)


def paper_orders_mirrored(patch: Patch) -> None:
    """What is traded on paper is sent to the real account as well."""
    began, place = FaultyVenue.__init__, PaperVenue.place
    real: list[FaultyVenue] = []

    def remembered(self: FaultyVenue, *arguments: Any) -> None:
        began(self, *arguments)
        real[:] = [self]

    async def mirrored(self: PaperVenue, order: Any) -> Any:
        await real[0].place(order)
        return await place(self, order)

    patch.setattr(FaultyVenue, "__init__", remembered)
    patch.setattr(PaperVenue, "place", mirrored)


BUGS: tuple[Bug, ...] = (
    Bug(blind_resend, ("timeout_after_acceptance",), ("I1",)),
    Bug(unknown_is_failure, ("timeout_after_acceptance",), ("I5",)),
    Bug(swallowed_id_none, ("truncated_json",), ("I5", "no defect", "I11", "I13")),
    Bug(journal_after_send, ("sigkill",), ("I2",)),
    Bug(journal_failure_swallowed, ("disk_full",), ("I2",)),
    Bug(missing_fsync, ("power_loss",), ("I2",)),
    Bug(ignored_pending_exposure, ("timeout_before",), ("I3",)),
    Bug(reused_client_id, ("connect_refused",), ("I13", "no defect")),
    Bug(limit_beyond_the_collar, ("price_gap",), ("I4",)),
    Bug(order_cap_ignored, ("price_gap",), ("I4",)),
    Bug(invented_fill, ("not_found_lag",), ("I5",)),
    Bug(adoption_by_time_window, ("foreign_order_with_prefix",), ("I5",)),
    Bug(double_booking, ("duplicate_paged_fills",), ("I5",)),
    Bug(flipped_sign, ("stall",), ("I6", "I13", "I5")),
    Bug(fee_sign_flipped, ("stall",), ("I9",)),
    Bug(price_through_float, ("stall",), ("I5",)),
    Bug(pnl_dropped, ("stall",), ("I9",)),
    Bug(funding_booked_twice, ("funding_spike",), ("I9",)),
    Bug(funding_forgotten, ("funding_spike",), ("I9",)),
    Bug(acknowledged_is_filled, ("partial_then_expiry",), ("I13", "no defect", "I5")),
    Bug(late_fills_not_looked_for, ("same_id_after_fill",), ("I5",)),
    Bug(absent_at_once, ("accepted_late",), ("I5",)),
    Bug(absent_after_half_a_minute, ("accepted_late",), ("I5",)),
    Bug(forgotten_after_a_crash, ("sigkill",), ("I5",)),
    Bug(never_asked_again, ("timeout_before",), ("I13",)),
    Bug(final_state_reopened, ("stall",), ("I11",)),
    Bug(stale_positions_accepted, ("stale_feed",), ("I6",)),
    Bug(halt_ignored, ("stall",), ("I8",)),
    Bug(halt_forgotten_at_restart, ("sigkill",), ("I8",)),
    Bug(lock_ignored, ("double_start",), ("one engine",)),
    Bug(secrets_told, ("key_revoked",), ("I12",)),
    Bug(mute_stream_trusted, ("stream_mute",), ("streams",)),
    Bug(halt_not_synced, ("power_loss",), ("I8",)),
    Bug(cancelled_without_asking, ("timeout_before",), ("I5", "I11", "styles"), Style.POST_ONLY),
    Bug(resting_order_that_crosses, ("stall",), ("styles",), Style.POST_ONLY),
    Bug(chain_not_kept, ("sigkill",), ("I10",)),
    Bug(paper_orders_mirrored, ("stall",), ("I14",), paper=True),
)
