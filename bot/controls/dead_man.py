"""Keeps the exchange's dead-man switch from firing while this process is well.

The switch ends every order, not only ours: it is for an account that nobody else trades in. It is
armed while an order of ours may rest, renewed in time, and disarmed afterwards. When this process
or its line is gone, the exchange cancels what rests. Where there is no such switch, or others trade
in the account, orders of ours that rest are cancelled by their ids as long as this process lives,
and after the next start.
"""

from collections.abc import Iterable
from typing import Final

from bot.controls.guard import Guard
from bot.controls.venue_ports import DeadManSwitch
from bot.journal.journal import Journal
from bot.journal.rows import OrderRow
from bot.ports import Clock, Venue

_RENEWALS: Final = 3
"""How often it is renewed before it would fire: two may be lost."""


class DeadMan:
    """The switch of one account."""

    def __init__(self, venue: Venue, guard: Guard, journal: Journal, clock: Clock) -> None:
        # Once: what a venue offers takes Python long to find out.
        self._switch = venue if isinstance(venue, DeadManSwitch) else None
        self._account = venue.account_name
        self._guard = guard
        self._journal = journal
        self._clock = clock
        self._armed_ms: dict[str, int] = {}

    async def tick(self) -> None:
        """Arms, renews and disarms whatever is due.

        Raises:
            JournalError: the journal cannot be read or written.
        """
        after_ms, switch = self._guard.limits.dead_man_ms, self._switch
        if after_ms is None or switch is None or not switch.has_dead_man:
            return
        resting = _resting(self._journal.unresolved_orders(self._account))
        for symbol in sorted(resting):
            if self._is_due(symbol, after_ms):
                await self._arm(switch, symbol, after_ms)
        for symbol in sorted(self._armed_ms.keys() - resting):
            if await switch.arm_dead_man(symbol, 0):
                del self._armed_ms[symbol]
                self._journal.record_event("dead_man_disarmed", {"symbol": symbol})

    def _is_due(self, symbol: str, after_ms: int) -> bool:
        armed_ms = self._armed_ms.get(symbol)
        if armed_ms is None:
            return True
        return not 0 <= self._clock.now_ms() - armed_ms < after_ms / _RENEWALS

    async def _arm(self, switch: DeadManSwitch, symbol: str, after_ms: int) -> None:
        asked_ms, key = self._clock.now_ms(), f"dead_man:{symbol}"
        if not await switch.arm_dead_man(symbol, after_ms):
            text = f"{symbol}: the exchange's dead-man switch cannot be armed"
            self._guard.alert("dead_man", symbol, text, clears=True)
            return
        self._guard.clear(key)
        if symbol not in self._armed_ms:
            document = {"symbol": symbol, "after_ms": after_ms}
            self._journal.record_event("dead_man_armed", document)
        self._armed_ms[symbol] = asked_ms


def _resting(orders: Iterable[OrderRow]) -> set[str]:
    """Symbols in which an order of ours may rest in the book."""
    return {row.symbol for row in orders if row.request.time_in_force != "IOC"}
