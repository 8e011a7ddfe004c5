"""The last gate before the wire: counts by itself and believes nobody.

It is told what a plan means to trade and what is sent, and knows neither planner nor journal.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from bot.controls.facts import Denied, PretradeLimits
from bot.trading.orders import OrderRequest

_ZERO = Decimal(0)
_SECOND_MS = 1_000
_MINUTE_MS = 60_000


@dataclass(slots=True)
class _Budget:
    """What an intent may trade, and what each of its orders may have traded, base units."""

    most: Decimal
    by_order: dict[str, Decimal] = field(default_factory=dict)


class LastGate:
    """Children never add up to more than their intent."""

    def __init__(self) -> None:
        self._budgets: dict[str, _Budget] = {}

    def begin(self, intents: Mapping[str, Decimal]) -> None:
        """A new plan: signed base units by intent; earlier plans are over."""
        self._budgets = {name: _Budget(abs(quantity)) for name, quantity in intents.items()}

    def admit(self, order: OrderRequest) -> Denied | None:
        """Counts the order in full, unless it is denied."""
        budget = self._budgets.get(order.intent_id)
        if budget is None:
            return Denied("last_gate", f"{order.symbol}: no such intent {order.intent_id}")
        after = sum(budget.by_order.values(), _ZERO) + order.quantity
        if order.client_id in budget.by_order or after > budget.most:
            reason = f"{after} with this order, {budget.most} was meant to be traded"
            return Denied("last_gate", f"{order.symbol}: {reason}")
        budget.by_order[order.client_id] = order.quantity
        return None

    def settle(self, order: OrderRequest, filled: Decimal) -> None:
        """The order is over and did no more than that."""
        budget = self._budgets.get(order.intent_id)
        if budget is not None and order.client_id in budget.by_order:
            budget.by_order[order.client_id] = filled


class MessageRate:
    """Orders a second; waiting comes first, denial is for what did not wait."""

    def __init__(self, limits: PretradeLimits, venue_per_second: float | None = None) -> None:
        """``venue_per_second``: the exchange's own limit, where it tells."""
        most = float(limits.messages_per_second)
        if venue_per_second is not None:
            most = min(most, venue_per_second * limits.venue_limit_share)
        self.most = max(1, int(most))
        # Below one a second the window is longer instead.
        self.window_ms = _SECOND_MS if most >= 1 else round(_SECOND_MS / most)
        self._most_denials = limits.message_denials
        self._sent: deque[int] = deque()
        self._denied: deque[int] = deque()

    def wait_ms(self, now_ms: int) -> int:
        """How long to wait before the next order."""
        self._forget(now_ms)
        if len(self._sent) < self.most:
            return 0
        return self._sent[-self.most] + self.window_ms - now_ms

    def admit(self, symbol: str, now_ms: int) -> Denied | None:
        """Counts one order, unless it is denied."""
        self._forget(now_ms)
        if len(self._sent) < self.most:
            self._sent.append(now_ms)
            return None
        self._denied.append(now_ms)
        seconds = self.window_ms / 1000
        reason = f"{symbol}: {len(self._sent)} orders in {seconds:g} s, at most {self.most}"
        storm = len(self._denied) >= self._most_denials
        return Denied("message_storm" if storm else "message_rate", reason)

    def _forget(self, now_ms: int) -> None:
        for times, window_ms in ((self._sent, self.window_ms), (self._denied, _MINUTE_MS)):
            # What lies in the future was counted before the clock was set back.
            while times and not 0 <= now_ms - times[0] < window_ms:
                times.popleft()
