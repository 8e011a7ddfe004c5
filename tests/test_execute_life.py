"""Whatever happens to orders, journal, ledger and reconciliation agree with a reference model."""

import asyncio
import os
import tempfile
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.clock import SimulatedClock
from bot.errors import JournalError, SafetyError
from bot.journal.journal import Journal
from bot.journal.reader import JournalReader
from bot.ports import VenueAccount
from bot.trading.orders import (
    Acknowledged,
    Fill,
    OrderOutcome,
    OrderRequest,
    OrderState,
    Rejected,
    Side,
    UnknownOutcome,
)
from bot.trading.reconcile import recover, resolve_unresolved
from tests.execute_scene import ACCOUNT, FET, TAO, account, order, send
from tests.life_model import ENDED, FINAL, Life, Model, Trade

START_MS = 1_750_000_000_000
SYMBOLS = (FET, TAO)
QUANTITY = Decimal(10)


class ModelledVenue:
    """The exchange as the model has it, through the door that the engine knows."""

    account_name = ACCOUNT

    def __init__(self, model: Model) -> None:
        self._model = model

    def told(self, life: Life) -> Acknowledged:
        """The order's state."""
        truth = life.truth
        state = OrderState(truth.state())
        return Acknowledged(life.client_id, f"v-{life.client_id}", state, truth.filled, None)

    async def find(self, symbol: str, client_id: str) -> OrderOutcome | None:
        if self._model.broken:
            return UnknownOutcome(client_id, "nonsense")
        life = self._model.lives[client_id]
        return self.told(life) if self._model.finds(life) else None

    async def fills(self, symbol: str, since_ms: int) -> Sequence[Fill]:
        found = [self._fill(t) for t in self._model.shown(symbol, since_ms)]
        return [*found, *found]  # each twice, as pages that overlap show them

    def _fill(self, trade: Trade) -> Fill:
        return Fill(
            trade_id=f"t{trade.number}",
            venue_order_id=f"v-{trade.order}",
            client_id=trade.order if self._model.tells_client_ids else "",
            symbol=trade.symbol,
            side=Side.BUY if trade.signed > 0 else Side.SELL,
            quantity=abs(trade.signed),
            price=Decimal("0.5"),
            fee_usd=Decimal("0.01"),
            realised_pnl_usd=None,
            maker=False,
            timestamp_ms=trade.at_ms,
        )

    async def account(self) -> VenueAccount:
        model = self._model
        held = {(s, "BOTH"): model.held(s) for s in SYMBOLS if model.held(s)}
        ids = frozenset(one.client_id for one in model.lives.values() if model.is_open(one))
        return account(held, at=model.now_ms, open_ids=ids)

    async def place(self, order: OrderRequest) -> OrderOutcome:
        raise AssertionError("nothing here may send")

    async def close(self) -> None:
        raise AssertionError("nor close")


class Lives(RuleBasedStateMachine):
    """Orders are sent, answered, lost, filled and forgotten in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=_memory())
        self.clock = SimulatedClock(START_MS)
        self.journal = self._opened()
        self.model = Model(tells_client_ids=True)
        self.venue = ModelledVenue(self.model)
        self.final: dict[str, str] = {}
        self.count = 0
        self.behind_ms = 0  # of the exchange's clock

    def _opened(self) -> Journal:
        return Journal.open(Path(self.folder.name) / "journal.sqlite", self.clock)

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(coroutine)

    @initialize(tells=st.booleans(), behind_ms=st.sampled_from((0, 2_000)))
    def begin(self, tells: bool, behind_ms: int) -> None:
        self.model.tells_client_ids = tells
        self.behind_ms = behind_ms
        self.model.now_ms = START_MS

    def _some(self, pick: int, *states: str) -> Life | None:
        found = [one for one in self.model.lives.values() if one.state in states]
        return found[pick % len(found)] if found else None

    def _in_doubt(self) -> list[Life]:
        return [o for o in self.model.lives.values() if o.state in ("sending", "unknown")]

    def _has(self, *states: str) -> bool:
        return self._some(0, *states) is not None

    # What the engine does

    @rule(
        symbol=st.sampled_from(SYMBOLS),
        side=st.sampled_from(Side),
        reply=st.sampled_from(("lost", "lost on the way back", "answered", "none")),
        hidden=st.sampled_from(("", "", "wholly", "listed")),
    )
    def send(self, symbol: str, side: Side, reply: str, hidden: str) -> None:
        self.count += 1
        number = self.count
        request = order(
            f"h1-{number}", symbol=symbol, side=side, quantity=str(QUANTITY), intent_id=f"i{number}"
        )
        external = self.model.held(symbol) - self.model.own(symbol)
        if any(one.symbol == symbol for one in self.model.unresolved()):
            with pytest.raises(SafetyError, match="not resolved"):
                send(self.journal, request, external)
            return
        send(self.journal, request, external)
        self.model.lives[request.client_id] = Life(
            request.client_id, symbol, side.sign, QUANTITY, self.model.now_ms, external
        )
        last = len([o for o in self.model.lives.values() if o.state == "sending"]) - 1
        if reply in ("lost on the way back", "answered"):
            self.arrives(len(self._in_doubt()) - 1, hidden)
        if reply == "answered":
            self.answered(last)
        elif reply != "none":
            self.lost(last)

    @rule(
        symbol=st.sampled_from(SYMBOLS),
        side=st.sampled_from(Side),
        share=st.sampled_from((3, 10)),
        shown=st.booleans(),
    )
    def comes_and_goes(self, symbol: str, side: Side, share: int, shown: bool) -> None:
        """Sent, filled in part and over, and forgotten, before anything is heard of it."""
        before = set(self.model.lives)
        self.send(symbol, side, "lost on the way back", "")
        for client_id in set(self.model.lives) - before:
            life = self.model.lives[client_id]
            self._fill(life, share, shown)
            life.truth.ended = life.truth.ended or "canceled"
            life.truth.forgotten = True

    @rule(symbol=st.sampled_from(SYMBOLS), side=st.sampled_from(Side), arrived=st.booleans())
    def dies_sending(self, symbol: str, side: Side, arrived: bool) -> None:
        """The engine dies with an order on its way."""
        self.send(symbol, side, "none", "")
        if arrived and self._has("sending"):
            self.arrives(len(self._in_doubt()) - 1, "")
        self.crash_and_restart()

    @precondition(lambda self: self.model.lives)
    @rule(pick=st.integers(0, 9))
    def send_again(self, pick: int) -> None:
        life = self._some(pick, *FINAL, "unknown", "sending", "live", "partial")
        if life is None:
            return
        row = self.journal.order(life.client_id)
        assert row is not None
        with pytest.raises((SafetyError, JournalError)):
            send(self.journal, replace(row.request, intent_id=f"again-{self.clock.now_ms()}"))

    @precondition(lambda self: self._has("sending"))
    @rule(pick=st.integers(0, 9))
    def answered(self, pick: int) -> None:
        life = self._some(pick, "sending")
        if life is not None and life.truth.arrived:
            self.journal.record_outcome(self.venue.told(life))
            life.hear()

    @precondition(lambda self: self._has("sending"))
    @rule(pick=st.integers(0, 9))
    def refused(self, pick: int) -> None:
        life = self._some(pick, "sending")
        if life is not None and not life.truth.arrived:
            self.journal.record_outcome(Rejected(life.client_id, "-2010", "no"))
            life.move("rejected")

    @precondition(lambda self: self._has("sending"))
    @rule(pick=st.integers(0, 9))
    def lost(self, pick: int) -> None:
        life = self._some(pick, "sending")
        assert life is not None
        self.journal.record_outcome(UnknownOutcome(life.client_id, "no reply"))
        life.move("unknown")

    @precondition(lambda self: self._has("unknown", "live", "partial", *ENDED, "quarantined"))
    @rule(times=st.integers(1, 7), apart_s=st.sampled_from((4, 10, 11, 61)))
    def look(self, times: int, apart_s: int) -> None:
        for _ in range(times):
            self._run(resolve_unresolved(self.journal, self.venue, self.clock))
            self.model.look()
            self.journal_and_model_agree()
            self._later(apart_s)

    @precondition(lambda self: self.model.lives)
    @rule()
    def crash_and_restart(self) -> None:
        self.journal.close()
        self.journal = self._opened()
        self._run(recover(self.journal, self.venue, self.clock))
        self.model.restart()

    # What the world does

    @precondition(lambda self: self.model.unresolved())
    @rule(seconds=st.sampled_from((1, 31, 301)))
    def time_passes(self, seconds: int) -> None:
        self._later(seconds)

    def _later(self, seconds: int) -> None:
        self.clock.advance_to(self.clock.now_ms() + 1000 * seconds)
        self.model.now_ms = self.clock.now_ms()

    @precondition(lambda self: self._has("sending", "unknown"))
    @rule(pick=st.integers(0, 9), hidden=st.sampled_from(("", "", "wholly", "listed")))
    def arrives(self, pick: int, hidden: str) -> None:
        found = self._in_doubt()
        life = found[pick % len(found)]
        if self.model.now_ms - life.sent_ms <= 30_000 and not life.truth.arrived:
            life.truth.arrived = True
            life.truth.hidden_until_ms = life.sent_ms + 120_000 if hidden else 0
            life.truth.listed = hidden == "listed"

    @precondition(lambda self: self._open(0))
    @rule(pick=st.integers(0, 9), share=st.sampled_from((3, 7, 10)), shown=st.booleans())
    def fills(self, pick: int, share: int, shown: bool) -> None:
        life = self._open(pick)
        if life is not None:
            self._fill(life, share, shown)

    def _fill(self, life: Life, share: int, shown: bool) -> None:
        truth = life.truth
        quantity = min(Decimal(share), life.quantity - truth.filled)
        trade = Trade(
            len(self.model.trades),
            life.client_id,
            life.symbol,
            life.sign * quantity,
            self.model.now_ms - self.behind_ms,
            shown,
        )
        self.model.trades.append(trade)
        truth.filled += quantity
        if truth.filled == life.quantity:
            truth.ended = "filled"

    def _open(self, pick: int) -> Life | None:
        found = [o for o in self.model.lives.values() if o.truth.arrived and not o.truth.ended]
        return found[pick % len(found)] if found else None

    @precondition(lambda self: self._open(0))
    @rule(pick=st.integers(0, 9), how=st.sampled_from(("canceled", "expired")))
    def ends(self, pick: int, how: str) -> None:
        life = self._open(pick)
        if life is not None:
            life.truth.ended = how

    @precondition(lambda self: any(not trade.shown for trade in self.model.trades))
    @rule()
    def late_fills_show(self) -> None:
        for trade in self.model.trades:
            trade.shown = True

    @precondition(lambda self: any(one.truth.ended for one in self.model.lives.values()))
    @rule(pick=st.integers(0, 9))
    def forgotten(self, pick: int) -> None:
        gone = [one for one in self.model.lives.values() if one.truth.ended in ENDED]
        gone[pick % len(gone)].truth.forgotten = True

    @precondition(lambda self: self._has("unknown"))
    @rule(symbol=st.sampled_from(SYMBOLS), quantity=st.sampled_from((-4, 5)))
    def others_trade(self, symbol: str, quantity: int) -> None:
        others = self.model.others
        others[symbol] = others.get(symbol, Decimal(0)) + quantity

    @precondition(lambda self: self.model.broken or self._has("unknown", "live", "partial"))
    @rule()
    def breaks_or_heals(self) -> None:
        self.model.broken = not self.model.broken

    # What must hold after each of these

    @invariant()
    def journal_and_model_agree(self) -> None:
        rows = {life: self.journal.order(life) for life in self.model.lives}
        for life in self.model.lives.values():
            row = rows[life.client_id]
            assert row is not None
            seen = row.state.value, row.filled_quantity, row.booked_quantity, row.negative_rounds
            assert seen == (life.state, life.told, life.booked, life.rounds), life
        unresolved = [row.client_id for row in self.journal.unresolved_orders(ACCOUNT)]
        assert unresolved == [life.client_id for life in self.model.unresolved()]

    @invariant()
    def ledger_and_model_agree(self) -> None:
        own = {(s, "BOTH"): self.model.own(s) for s in SYMBOLS if self.model.own(s)}
        assert self.journal.own_positions(ACCOUNT) == own
        assert self.journal.ledger(ACCOUNT).open_quantity == own

    @invariant()
    def what_is_final_stays(self) -> None:
        for life in self.model.lives.values():
            row = self.journal.order(life.client_id)
            assert row is not None
            if row.state.final:
                assert self.final.setdefault(life.client_id, row.state.value) == row.state.value

    @precondition(lambda self: self.model.lives)
    @invariant()
    def nothing_is_sent_twice(self) -> None:
        sent = [e.client_id for e in self.journal.events(kind="order_sending")]
        assert sorted(str(one) for one in sent) == sorted(self.model.lives)

    def teardown(self) -> None:
        path = self.journal.path
        own = self.journal.own_positions(ACCOUNT)
        self.journal.close()
        with JournalReader.open_reader(path) as reader:  # from the file alone
            assert reader.own_positions(ACCOUNT) == own
        self.folder.cleanup()


def _memory() -> str | None:
    """A folder in memory where there is one: what is tested here needs no disk."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - a test's own


TestLives = Lives.TestCase
TestLives.settings = settings(
    max_examples=40 if os.environ.get("HYPOTHESIS_PROFILE") != "search" else 3000,
    stateful_step_count=40,
    deadline=None,
)
