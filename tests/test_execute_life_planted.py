"""Bugs planted into the real parts, each with a short life of an order in which it shows.

The moves are those of the state machine, which makes them in any order; here they are made by
hand, so that it is certain that the machine can see each of the bugs, and cheap to know.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bot.journal.journal import Journal
from bot.journal.rows import OrderRow
from bot.ports import VenueAccount
from bot.trading import reconcile
from bot.trading.orders import OrderOutcome, OrderState, Rejected, Side, UnknownOutcome
from tests.execute_scene import FET
from tests.test_execute_life import Lives

Patch = pytest.MonkeyPatch


def one_look_is_enough(patch: Patch) -> None:
    patch.setattr(reconcile, "NEGATIVE_ROUNDS", 1)


def looks_close_together_count(patch: Patch) -> None:
    patch.setattr(reconcile, "ROUND_GAP_MS", 0)


def given_up_too_soon(patch: Patch) -> None:
    patch.setattr(reconcile, "SETTLE_MS", 0)


def never_quarantined(patch: Patch) -> None:
    patch.setattr(reconcile, "QUARANTINE_MS", 10**12)


def position_is_not_looked_at(patch: Patch) -> None:
    def listed(_journal: Journal, row: OrderRow, account: VenueAccount) -> bool:
        return row.client_id in account.open_order_client_ids

    patch.setattr(reconcile, "_something_happened", listed)


def open_orders_are_not_looked_at(patch: Patch) -> None:
    real = reconcile._something_happened

    def moved(journal: Journal, row: OrderRow, account: VenueAccount) -> bool:
        return real(journal, row, replace(account, open_order_client_ids=frozenset()))

    patch.setattr(reconcile, "_something_happened", moved)


def sending_stays_sending(patch: Patch) -> None:
    patch.setattr(Journal, "sending_to_unknown", lambda _: ())


def executions_are_read_without_overlap(patch: Patch) -> None:
    patch.setattr(reconcile, "FILL_OVERLAP_MS", 0)


def no_reply_is_a_rejection(patch: Patch) -> None:
    real = Journal.record_outcome

    def record(journal: Journal, outcome: OrderOutcome) -> Any:
        if isinstance(outcome, UnknownOutcome):
            outcome = Rejected(outcome.client_id, "-1", "no reply")
        return real(journal, outcome)

    patch.setattr(Journal, "record_outcome", record)


def what_traded_is_taken_for_absent(patch: Patch) -> None:
    def settle(journal: Journal, row: OrderRow) -> None:
        journal.settle(row.client_id, OrderState.EXPIRED, "gone")

    patch.setattr(reconcile, "_settle_by_trades", settle)


def lost(*, looks: int, apart_s: int) -> Callable[[Lives], None]:
    """An order that never arrived, and looks for it."""

    def play(lives: Lives) -> None:
        lives.send(FET, Side.BUY, "lost", "")
        lives.look(looks, apart_s)

    return play


def gone(*, share: int, shown: bool, looks: int, apart_s: int) -> Callable[[Lives], None]:
    """An order that filled and is forgotten, and looks for it."""

    def play(lives: Lives) -> None:
        lives.comes_and_goes(FET, Side.BUY, share, shown)
        lives.look(looks, apart_s)

    return play


def only_listed(lives: Lives) -> None:
    """An order that is among the open ones and is not found by its id."""
    lives.send(FET, Side.BUY, "lost on the way back", "listed")
    lives.look(2, 11)


def dies(lives: Lives) -> None:
    """An engine that dies with an order on its way."""
    lives.dies_sending(FET, Side.BUY, arrived=False)


PLANTED: dict[Callable[[Patch], None], Callable[[Lives], None]] = {
    one_look_is_enough: lost(looks=2, apart_s=61),
    looks_close_together_count: lost(looks=2, apart_s=4),
    given_up_too_soon: lost(looks=4, apart_s=11),
    never_quarantined: gone(share=10, shown=False, looks=7, apart_s=61),
    position_is_not_looked_at: gone(share=10, shown=False, looks=2, apart_s=11),
    open_orders_are_not_looked_at: only_listed,
    sending_stays_sending: dies,
    executions_are_read_without_overlap: gone(share=10, shown=True, looks=1, apart_s=4),
    no_reply_is_a_rejection: lost(looks=1, apart_s=4),
    what_traded_is_taken_for_absent: gone(share=3, shown=True, looks=4, apart_s=61),
}


def play(story: Callable[[Lives], None]) -> None:
    """On an exchange whose clock is 2 s behind, with the machine's own invariants."""
    lives = Lives()
    try:
        lives.begin(tells=True, behind_ms=2_000)
        story(lives)
        lives.journal_and_model_agree()
        lives.ledger_and_model_agree()
        lives.what_is_final_stays()
        lives.nothing_is_sent_twice()
    finally:
        lives.teardown()


@pytest.mark.parametrize("plant", PLANTED, ids=[bug.__name__ for bug in PLANTED])
def test_the_machine_sees_it(plant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    play(PLANTED[plant])
    plant(monkeypatch)
    with pytest.raises(AssertionError, match=r"Life\(client_id='h1-1'"):
        play(PLANTED[plant])
