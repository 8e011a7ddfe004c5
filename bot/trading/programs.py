"""The programs of slices that are under way, durable in the journal over cycles and restarts."""

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from bot.journal.journal import Journal
from bot.journal.rows import OrderRow
from bot.trading.orders import OrderState
from bot.trading.slices import Program, program_of

_PREFIX = "programs:"
_FOR_EVER_MS = 2**62


class Programs:
    """Of one account, at most one in a symbol; every change leaves an event."""

    def __init__(self, journal: Journal, account: str) -> None:
        self._journal = journal
        self._account = account
        self._key = f"{_PREFIX}{account}"
        text = journal.meta(self._key)
        found = {} if text is None else json.loads(text)
        self._active = {symbol: program_of(one) for symbol, one in found.items()}
        self._unfinished = False

    @property
    def active(self) -> Mapping[str, Program]:
        """By symbol."""
        return self._active

    def rest(self, program: Program) -> Decimal:
        """What it has left to trade, base units; what may still fill counts as traded."""
        done = self._journal.filled_of_intent(program.intent_id, _FOR_EVER_MS)
        pending = sum(row.request.quantity - row.filled_quantity for row in self._open(program))
        return max(Decimal(0), abs(program.trade_quantity) - done - pending)

    def _open(self, program: Program) -> list[OrderRow]:
        """Its orders that may still fill."""
        return [
            row
            for row in self._journal.unresolved_orders(self._account)
            if row.request.intent_id == program.intent_id
            and (not row.state.final or row.state is OrderState.QUARANTINED)
        ]

    def to_trade(self) -> dict[str, Decimal]:
        """Signed base units that are left, by symbol."""
        return {s: one.side.sign * self.rest(one) for s, one in self._active.items()}

    def start(self, program: Program, cycle_id: str) -> None:
        """A new program; its intent is in the journal already."""
        self._active[program.symbol] = program
        self._change("program_started", program, {"cycle_id": cycle_id})

    def shrink(self, symbol: str, quantity: Decimal) -> None:
        """A program that is to trade no more than this from now on, base units above 0."""
        program = self._active[symbol]
        rest = self.rest(program)
        if quantity >= rest:
            return
        sign = program.side.sign
        whole = abs(program.trade_quantity) - (rest - quantity)
        shrunk = self._active[symbol] = replace(program, trade_quantity=sign * whole)
        self._change("program_shrunk", shrunk, {})

    def end(self, symbol: str, why: str) -> None:
        """It is done, or not wanted any more."""
        program = self._active.pop(symbol, None)
        if program is not None:
            rest = self.rest(program)
            self._change("program_ended", program, {"reason": why, "rest": str(rest)})

    def give_up(self, symbol: str, why: str) -> None:
        """It ends with something left that was decided; a new decision is to see to that."""
        self._unfinished = self._unfinished or symbol in self._active
        self.end(symbol, why)

    def take_unfinished(self) -> bool:
        """Whether one was given up since this was last asked."""
        found, self._unfinished = self._unfinished, False
        return found

    def end_done(self) -> None:
        """Those that have traded all they were to trade."""
        for symbol, program in tuple(self._active.items()):
            if not self._open(program) and self.rest(program) <= 0:
                self.end(symbol, "done")

    def end_all(self, why: str) -> None:
        """None is wanted any more."""
        for symbol in tuple(self._active):
            self.end(symbol, why)

    def _change(self, kind: str, program: Program, more: Mapping[str, Any]) -> None:
        state = {symbol: one.document() for symbol, one in self._active.items()}
        self._journal.record_change(kind, {**program.document(), **more}, self._key, state)
