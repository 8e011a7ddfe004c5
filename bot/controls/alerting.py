"""Who is told: alerts are raised once for each trouble, and delivered until somebody has them."""

from collections.abc import Sequence

from bot.alerts import Alert, AlertChannel, deliver
from bot.controls.facts import PretradeLimits
from bot.controls.state import ControlState
from bot.controls.table import number_of
from bot.journal.journal import Journal
from bot.ports import Clock
from bot.together import together


class Alerting:
    """The alerts of one account; the first layer of its guard."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        account: str,
        limits: PretradeLimits,
        *,
        channels: Sequence[AlertChannel],
    ) -> None:
        self.limits = limits
        self._journal = journal
        self._clock = clock
        self._account = account
        self._channels = channels
        self._state = ControlState(journal, account)
        self._untold: list[Alert] = []
        self._held_since_ms: int | None = None
        self._held_why = ""

    @property
    def account(self) -> str:
        """Whose alerts these are."""
        return self._account

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Those that are open."""
        return tuple(self._state.now.alerts.values())

    def alert(self, control: str, symbol: str, text: str, *, clears: bool = False) -> None:
        """Raises an alert, once for each trouble."""
        key, alerts = f"{control}:{symbol}", self._state.now.alerts
        if key in alerts:
            return
        number = number_of(control)
        alert = Alert(key, number, control, symbol, text, self._clock.now_ms(), clears)
        alerts[key] = alert
        self._untold.append(alert)
        self._state.change("alert", alert.document())

    def clear(self, key: str) -> None:
        """The trouble is over."""
        alert = self._state.now.alerts.pop(key, None)
        if alert is not None:
            self._untold = [one for one in self._untold if one.key != key]
            self._state.change("alert_cleared", {"key": key, "control": alert.control})

    async def tell(self) -> None:
        """Delivers what is new, all at once; what no channel takes is tried again the next time."""
        if not self._untold:
            return
        untold, self._untold = self._untold, []
        timeout_s = self.limits.alert_timeout_s
        deliveries = (deliver(alert, self._channels, timeout_s) for alert in untold)
        for alert, found in zip(untold, await together(deliveries), strict=True):
            document = {
                "key": alert.key,
                "channel": found.channel,
                "failures": dict(found.failures),
                "after_ms": self._clock.now_ms() - alert.raised_ms,
            }
            if found.channel is not None or not self._channels:
                self._journal.record_event("alert_told", document)
                continue
            control = "alert_undelivered"
            document |= {"control": control, "number": number_of(control)}
            self._journal.record_event(control, document)
            self._untold.append(alert)

    def held(self, why: str) -> None:
        """The cycle is on hold; an alert follows if that lasts."""
        if self._held_since_ms is None:
            self._held_since_ms = self._clock.now_ms()
        self._held_why = why
        self.tick()

    def seen(self) -> None:
        """The hold is over."""
        self._held_since_ms = None
        self.clear("hold:")

    def tick(self) -> None:
        """What the passing of time alone brings about."""
        since_ms = self._held_since_ms
        held_ms = 0 if since_ms is None else self._clock.now_ms() - since_ms
        if since_ms is not None and held_ms >= self.limits.hold_alert_ms:
            text = f"on hold for {held_ms / 1000:.0f} s: {self._held_why}"
            self.alert("hold", "", text, clears=True)
