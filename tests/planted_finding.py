"""Bugs that others have had in finding out what became of orders, planted into the real parts."""

from typing import Any

import bot.steps.catching_up
import bot.trading.reconcile
from bot.journal.chain import Sealer
from bot.journal.journal import Journal
from bot.trading.cancels import CancelOutcome, Cancels
from bot.trading.orders import Acknowledged, OrderState
from bot.trading.styles import Style
from tests.planted_bug import Bug, Patch


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
    write = Journal._order_event

    def reopening(
        self: Journal, db: Any, request: Any, state: OrderState, *rest: Any, **more: Any
    ) -> None:
        write(self, db, request, state, *rest, **more)
        if state is OrderState.FILLED:
            write(self, db, request, OrderState.LIVE, *rest, **more)

    patch.setattr(Journal, "_order_event", reopening)


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


FINDING = (
    Bug(absent_at_once, ("accepted_late",), ("I5",)),
    Bug(absent_after_half_a_minute, ("accepted_late",), ("I5",)),
    Bug(forgotten_after_a_crash, ("sigkill",), ("I5",)),
    Bug(never_asked_again, ("timeout_before",), ("I13",)),
    Bug(final_state_reopened, ("stall",), ("I11",)),
    Bug(cancelled_without_asking, ("timeout_before",), ("I5", "I11", "styles"), Style.POST_ONLY),
    Bug(chain_not_kept, ("sigkill",), ("I10",)),
)
