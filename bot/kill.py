"""The kill switch beside the cycles: looks for the file all the time and cancels our own orders.

It needs no journal: which orders may be open is known in memory as well. The switch itself blocks
the next order without this watch, since it is asked right before each send. The same watch cancels
orders of ours that stay open for too long, always one by one and by our own ids, and keeps the
exchange's dead-man switch armed where nobody else's orders are in the account.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping

from bot.controls.dead_man import DeadMan
from bot.controls.guard import Guard
from bot.controls.venue_ports import Canceller
from bot.errors import JournalError, SafetyError
from bot.journal.journal import Journal
from bot.logs import Logger
from bot.ports import Clock, Venue
from bot.together import together
from bot.trading.cancels import CancelOutcome, Cancels

LOOK_EVERY_S = 0.05
CANCEL_WITHIN_S = 2.0
CANCEL_AGAIN = 20
"""So often, a second apart, a cancel of which nobody heard is sent again; then cycles go on."""
TICK_EVERY_S = 1.0


class KillWatch:
    """Watches one engine's switch, open orders and unanswered alerts, on wall time."""

    def __init__(
        self, venue: Venue, guard: Guard, journal: Journal, clock: Clock, log: Logger
    ) -> None:
        self._venue = venue
        self._guard = guard
        self._journal = journal
        self._clock = clock
        self._log = log
        self._cancelled = False
        self._unheard: dict[str, str] = {}
        self._again = 0
        self._dead_man = DeadMan(venue, guard, journal, clock)

    async def run(self) -> None:
        """Until cancelled; none of these waits for another."""
        await together(
            [
                self._every(LOOK_EVERY_S, self.look),
                self._every(TICK_EVERY_S, self._end_old),
                self._every(TICK_EVERY_S, self._tell),
            ]
        )

    async def _every(self, seconds: float, what: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await what()
            except Exception as error:  # noqa: BLE001 - a watch that ends is worse than any defect
                self._log.error("defect", reason=f"kill watch: {type(error).__name__}")
            await asyncio.sleep(seconds)

    async def look(self) -> None:
        """Cancels our open orders when the switch goes on; then latches it."""
        if self._guard.halted is None:
            self._cancelled, self._unheard = False, {}
            return
        with self._journal.impatient():
            if not self._cancelled:
                self._cancelled = True
                orders, self._again = self._guard.open_ids(), CANCEL_AGAIN
                self._unheard = _unsure(orders, await self.cancel(orders, "kill_switch"))
            with contextlib.suppress(JournalError):
                self._guard.saw_switch()

    async def engine_ends(self) -> None:
        """Nothing is left resting that no engine looks after, whatever ended this one."""
        with self._journal.impatient(), contextlib.suppress(JournalError):
            await self.cancel(self._guard.open_ids(), "watchdog")

    async def tick(self) -> None:
        """Orders that stay open for too long, and alerts that nobody has been told of."""
        await self._end_old()
        await self._tell()

    async def _end_old(self) -> None:
        # A journal that fails ends the engine where it trades; here it must not end the watch.
        with contextlib.suppress(JournalError):
            await self._cancel_again()
            await self.cancel(self.too_old(), "watchdog")
            await self._dead_man.tick()

    async def _cancel_again(self) -> None:
        """What the kill switch tried to cancel and nobody has heard of since."""
        self._again -= 1
        if not self._unheard or self._again < 0:
            return
        open_ids = self._guard.open_ids()
        orders = {one: symbol for one, symbol in self._unheard.items() if one in open_ids}
        self._unheard = _unsure(orders, await self.cancel(orders, "kill_switch"))

    async def _tell(self) -> None:
        with contextlib.suppress(JournalError):
            self._guard.tick()
            await self._guard.tell()

    def too_old(self) -> dict[str, str]:
        """Open orders of ours past their time."""
        oldest_ms = self._clock.now_ms() - self._guard.limits.order_max_age_ms
        rows = self._journal.unresolved_orders(self._venue.account_name)
        return {
            row.client_id: row.symbol
            for row in rows
            if row.state in ("live", "partial") and row.sent_ms < oldest_ms
        }

    async def cancel(self, orders: Mapping[str, str], control: str) -> dict[str, bool]:
        """Cancels these orders, all at once and in time; which of them are surely over."""
        if not orders or not isinstance(self._venue, Canceller):
            return {}
        cancels = Cancels(self._venue, self._journal)

        async def one(client_id: str, symbol: str) -> bool:
            try:
                outcome, _ = await asyncio.wait_for(
                    cancels.attempt(symbol, client_id, control), CANCEL_WITHIN_S
                )
            except (TimeoutError, SafetyError):
                return False
            except Exception as error:  # noqa: BLE001 - it keeps no other order open, nor this one
                self._log.error("defect", reason=f"cancel in {symbol}: {type(error).__name__}")
                return False
            return outcome is not CancelOutcome.UNKNOWN

        over = await together(one(*item) for item in orders.items())
        found = dict(zip(orders, over, strict=True))
        document = {"control": control, "orders": found}
        self._log.warning("cancelled_own", **document)
        with contextlib.suppress(JournalError):
            self._journal.record_event("cancelled_own", document)
        return found


def _unsure(orders: Mapping[str, str], over: Mapping[str, bool]) -> dict[str, str]:
    """Those that may still be open after their cancels."""
    return {one: symbol for one, symbol in orders.items() if not over.get(one)}
