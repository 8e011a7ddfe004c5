"""Bugs that others have had in booking fills and funding, planted into the real parts."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import bot.cycle
import bot.journal.fill_writes
import bot.trading.desk
import bot.trading.reconcile
from bot.journal.journal import Journal
from bot.measuring.hedge_account import HedgeAccount
from bot.trading.ledger import FundingReceipt, OwnFill
from bot.trading.orders import Acknowledged, Fill, OrderState
from tests.planted_bug import Bug, Patch


def invented_fill(patch: Patch) -> None:
    book = bot.trading.desk.book_fills

    async def certain(journal: Any, venue: Any, symbol: str, clock: Any, **how: Any) -> Any:
        found = await book(journal, venue, symbol, clock, **how)
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
    right = vars(OwnFill)["signed_quantity"].fget
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


def closes_by_our_clock(patch: Patch) -> None:
    """A clock that steps back puts a close before the fills that it takes from."""
    patch.setattr(bot.journal.fill_writes, "newest_fill_ms", lambda *_: 0)


BOOKING = (
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
    Bug(closes_by_our_clock, ("backward_step", "delisting", "price_gap"), ("I5",)),
)
