"""The life of orders as the rules have it, without a line of the engine: the reference.

It knows what the exchange shows, and works out from that what the engine must then believe.
"""

from dataclasses import dataclass, field
from decimal import Decimal

ZERO = Decimal(0)
GAP_MS, SETTLE_MS, QUARANTINE_MS, OVERLAP_MS = 10_000, 60_000, 300_000, 60_000
ENDED = frozenset({"filled", "canceled", "expired"})
FINAL = ENDED | {"rejected", "absent", "quarantined"}
MAY_BECOME = {
    "sending": {"unknown", "live", "partial", "rejected", *ENDED},
    "unknown": {"live", "partial", "rejected", "absent", "quarantined", *ENDED},
    "live": {"partial", *ENDED},
    "partial": set(ENDED),
}


@dataclass
class Trade:
    """An execution at the exchange."""

    number: int
    order: str
    symbol: str
    signed: Decimal
    at_ms: int
    shown: bool = True


@dataclass
class Truth:
    """An order at the exchange; nothing of it is there before it has arrived."""

    arrived: bool = False
    hidden_until_ms: int = 0  # to who asks for it by its id
    listed: bool = False  # among open orders meanwhile
    forgotten: bool = False
    filled: Decimal = ZERO
    ended: str = ""

    def state(self) -> str:
        """In the engine's words."""
        return self.ended or ("partial" if self.filled else "live")


@dataclass
class Life:
    """An order as the engine must see it."""

    client_id: str
    symbol: str
    sign: int
    quantity: Decimal
    sent_ms: int
    external_before: Decimal
    state: str = "sending"
    told: Decimal = ZERO
    booked: Decimal = ZERO
    venue_id_known: bool = False
    rounds: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    truth: Truth = field(default_factory=Truth)

    @property
    def unresolved(self) -> bool:
        """It may still change the position."""
        if self.state not in FINAL:
            return True
        most = self.quantity if self.state == "quarantined" else self.told
        return most > self.booked

    def move(self, state: str) -> None:
        """One step that the rules allow."""
        if state != self.state:
            assert state in MAY_BECOME[self.state], (self.state, state)
            self.state = state

    def hear(self) -> None:
        """The exchange tells its state."""
        truth = self.truth
        self.told, self.venue_id_known = max(self.told, truth.filled), True
        state = truth.state()
        self.move("partial" if state == "live" and self.told else state)


class Model:
    """Everything the exchange holds, and everything the engine must know of it."""

    def __init__(self, *, tells_client_ids: bool) -> None:
        self.now_ms = 0
        self.tells_client_ids = tells_client_ids
        self.lives: dict[str, Life] = {}
        self.trades: list[Trade] = []
        self.booked: set[int] = set()
        self.others: dict[str, Decimal] = {}
        self.watermark: dict[str, int] = {}
        self.broken = False

    # What the exchange shows

    def finds(self, life: Life) -> bool:
        """It answers with the order."""
        truth = life.truth
        return truth.arrived and not truth.forgotten and self.now_ms >= truth.hidden_until_ms

    def is_open(self, life: Life) -> bool:
        """It lists the order among the open ones, which it may do sooner than find it."""
        truth = life.truth
        listed = truth.listed and truth.arrived and not truth.forgotten
        return (self.finds(life) or listed) and not truth.ended

    def held(self, symbol: str) -> Decimal:
        """The whole position."""
        ours = sum((t.signed for t in self.trades if t.symbol == symbol), ZERO)
        return ours + self.others.get(symbol, ZERO)

    def shown(self, symbol: str, since_ms: int) -> list[Trade]:
        """Executions that it lists."""
        return [t for t in self.trades if t.shown and t.symbol == symbol and t.at_ms >= since_ms]

    # What the engine knows

    def own(self, symbol: str) -> Decimal:
        """Our position by what is booked."""
        ours = [t for t in self.trades if t.number in self.booked and t.symbol == symbol]
        return sum((t.signed for t in ours), ZERO)

    def unresolved(self) -> list[Life]:
        """In order of their sends."""
        return [one for one in self.lives.values() if one.unresolved]

    def wanted_since(self, symbol: str) -> int | None:
        """From when executions must be read."""
        sent = [one.sent_ms for one in self.lives.values() if one.symbol == symbol]
        if not sent:
            return None
        open_since = [one.sent_ms for one in self.unresolved() if one.symbol == symbol]
        return max(0, min([self.watermark.get(symbol, min(sent)), *open_since]) - OVERLAP_MS)

    def book(self, symbol: str) -> None:
        """Read executions and book ours, each once."""
        since_ms = self.wanted_since(symbol)
        if since_ms is None:
            return
        for trade in self.shown(symbol, since_ms):
            life = self.lives[trade.order]
            if trade.number not in self.booked and (self.tells_client_ids or life.venue_id_known):
                self.booked.add(trade.number)
                life.booked += abs(trade.signed)
                life.venue_id_known = True
        self.watermark[symbol] = max(self.watermark.get(symbol, 0), self.now_ms)

    def look(self) -> None:
        """One look for everything that is not resolved."""
        for life in self.unresolved():
            if life.state != "sending":
                self._look_for(life)

    def _look_for(self, life: Life) -> None:
        if life.state not in FINAL and not self.broken and self.finds(life):
            life.hear()
        self.book(life.symbol)
        if life.state in FINAL or self.broken or self.finds(life):
            return
        if life.last_ms is not None and self.now_ms - life.last_ms < GAP_MS:
            return
        moved = self.held(life.symbol) - self.own(life.symbol) - life.external_before
        life.last_ms = self.now_ms
        if life.first_ms is None:
            life.first_ms = self.now_ms
        if self.is_open(life) or moved * life.sign > 0:
            life.rounds = 0
            if life.state == "unknown" and self.now_ms - life.first_ms >= QUARANTINE_MS:
                life.move("quarantined")
            return
        life.rounds += 1
        if life.rounds >= 3 and self.now_ms - life.sent_ms >= SETTLE_MS:
            self._give_up(life)

    @staticmethod
    def _give_up(life: Life) -> None:
        if life.booked:
            life.told = max(life.told, life.booked)
            life.move("filled" if life.booked >= life.quantity else "expired")
        else:
            life.move("absent" if life.state == "unknown" else "expired")

    def restart(self) -> None:
        """The engine was killed and comes back."""
        for life in self.lives.values():
            if life.state == "sending":
                life.move("unknown")
        self.look()
        for symbol in sorted({one.symbol for one in self.lives.values()}):
            unsure = any(
                one.state in ("unknown", "quarantined") or one.told != one.booked
                for one in self.unresolved()
                if one.symbol == symbol
            )
            if unsure or self.held(symbol) != self.own(symbol):
                self.book(symbol)
