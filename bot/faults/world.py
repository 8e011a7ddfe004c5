"""The simulated world: time, prices, the exchange with its accounts, and what is to happen later.

Deterministic: everything random comes from the schedule's own dice.
"""

import heapq
import random
from collections.abc import Callable
from decimal import Decimal

from bot.clock import SimulatedClock
from bot.ports import Quote
from bot.trading.orders import Side
from bot.venues.sim.errors import VenueReject
from bot.venues.sim.exchange import SimulatedExchange
from bot.venues.sim.records import NewOrder, OrderType, TimeInForce
from risk.instrument import Instrument

START_MS = 1_750_000_000_000
HOUR_MS = 3_600_000
BOT_SYMBOLS = ("FET/USDT:USDT", "TAO/USDT:USDT")
HEDGE_SYMBOLS = ("NEAR/USDT:USDT", "RENDER/USDT:USDT")
SYMBOLS = (*BOT_SYMBOLS, *HEDGE_SYMBOLS)
ACCOUNT = "hedge"
BOT_ACCOUNT = "bot"
WALLET_USD = Decimal(100_000)
_PRICES = dict(zip(SYMBOLS, (1.5, 40.0, 5.0, 8.0), strict=True))
_LOTS = dict(zip(SYMBOLS, ("1", "0.1", "0.1", "0.1"), strict=True))
VOLUME_USD = 2e8
_HALF_SPREAD = 0.0005


def instrument(symbol: str) -> Instrument:
    """A contract of this world."""
    lot = Decimal(_LOTS[symbol])
    return Instrument(
        symbol=symbol,
        base=symbol.partition("/")[0],
        quote="USDT",
        venue="binanceusdm",
        contract_size=Decimal(1),
        tick=Decimal("0.0001"),
        lot=lot,
        min_quantity=lot,
        min_notional_usd=Decimal(5),
        maker_fee=0.0002,
        taker_fee=0.0005,
        funding_interval_hours=8.0,
    )


class World:
    """Everything outside the engine's process.

    Attributes:
        prices: mark by symbol.
        closed: symbols without a market now (maintenance, delisted).
        delisted: symbols that are listed no more; ``delivered``: what that took from the hedges.
        told_bot: what the bot's feed told last, base units by symbol; None before it did.
        told_bot_ms: of when that was by the feed's own word.
        volume_usd, funding_rate, funding_hours: as quoted from now on.
    """

    def __init__(self, seed: int, note: Callable[[str], None]) -> None:
        self.clock = SimulatedClock(START_MS)
        self.die = random.Random(f"world:{seed}")
        self.note = note
        self.exchange = SimulatedExchange([instrument(s) for s in SYMBOLS], self.clock, seed)
        self.hedge = self.exchange.open_account(ACCOUNT, "hedge-key", "hedge", WALLET_USD)
        self.bot = self.exchange.open_account(BOT_ACCOUNT, "bot-key", "bot", Decimal(10_000_000))
        self.hedge.leverage.update(dict.fromkeys(SYMBOLS, 5))
        self.prices = dict(_PRICES)
        self.closed: set[str] = set()
        self.delisted: set[str] = set()
        self.delivered: dict[str, Decimal] = {}
        self.told_bot: dict[str, float] | None = None
        self.told_bot_ms = 0
        self.volume_usd = VOLUME_USD
        self.funding_rate = 0.0001
        self.funding_hours = 8.0
        self.next_funding_ms = START_MS + 8 * HOUR_MS
        self._later: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self.refresh()

    @property
    def now_ms(self) -> int:
        """True time."""
        return self.clock.now_ms()

    def advance(self, milliseconds: int) -> None:
        """Let time pass; what was put off happens at its moment."""
        end_ms = self.now_ms + milliseconds
        while self._later and self._later[0][0] <= end_ms:
            at_ms, _, action = heapq.heappop(self._later)
            self.clock.advance_to(max(at_ms, self.now_ms))
            action()
        self.clock.advance_to(end_ms)

    def later(self, milliseconds: int, action: Callable[[], None]) -> None:
        """Do it then."""
        self._count += 1
        heapq.heappush(self._later, (self.now_ms + milliseconds, self._count, action))

    @property
    def awaited(self) -> int:
        """How much is still to happen."""
        return len(self._later)

    def quotes(self) -> dict[str, Quote]:
        """Prices of now of everything that trades."""
        now_ms = self.now_ms
        while self.next_funding_ms <= now_ms:
            self.next_funding_ms += round(self.funding_hours * HOUR_MS)
        return {
            symbol: Quote(
                symbol=symbol,
                timestamp_ms=now_ms,
                mark=mark,
                index=mark,
                last=mark,
                bid=mark * (1 - _HALF_SPREAD),
                ask=mark * (1 + _HALF_SPREAD),
                daily_volume_usd=self.volume_usd,
                funding_rate=self.funding_rate,
                funding_interval_hours=self.funding_hours,
                next_funding_ms=self.next_funding_ms,
            )
            for symbol, mark in self.prices.items()
            if symbol not in self.closed
        }

    def refresh(self) -> None:
        """Bring the exchange to the prices of now."""
        self.exchange.update_market(self.quotes())

    def tick(self) -> None:
        """Prices move a little."""
        for symbol in SYMBOLS:
            self.prices[symbol] *= 1 + self.die.gauss(0, 0.001)
        self.refresh()

    def bot_trades(self, symbol: str, usd: float) -> None:
        """The bot buys (or sells what it has) at the market."""
        held = self.bot_quantity(symbol)
        lot = Decimal(_LOTS[symbol])
        quantity = Decimal(repr(round(abs(usd) / self.prices[symbol] / float(lot)))) * lot
        side = Side.BUY if usd > 0 else Side.SELL
        if side is Side.SELL:
            quantity = min(quantity, held)
        if quantity <= 0:
            return
        try:
            self.exchange.place(self.bot, NewOrder(symbol, side, OrderType.MARKET, quantity))
        except VenueReject as refusal:
            self.note(f"bot: refused {refusal.code}")

    def delist(self, symbol: str) -> None:
        """The symbol ends: what is held in it is settled."""
        held = sum((p.quantity for p in self.hedge.held(symbol)), Decimal(0))
        self.delivered[symbol] = self.delivered.get(symbol, Decimal(0)) + held
        self.exchange.delist(symbol)
        self.closed.add(symbol)
        self.delisted.add(symbol)

    def bot_quantity(self, symbol: str) -> Decimal:
        """What the bot holds, base units; it is never short."""
        return sum((p.quantity for p in self.bot.held(symbol)), Decimal(0))

    def net_usd(self) -> float:
        """Everything that both accounts hold, at the marks."""
        positions = (*self.bot.held(), *self.hedge.held())
        return sum(float(p.quantity) * self.prices[p.symbol] for p in positions)

    def quote_inside(self, symbol: str, side: Side) -> bool:
        """Somebody else's quote rests in the hedge account at the mark; False when refused."""
        self._count += 1
        return self.other_places(
            symbol,
            side,
            self.exchange.filters(symbol).step * 20,
            f"quote-{self._count}",
            Decimal(repr(round(self.prices[symbol], 4))),
        )

    def other_places(
        self,
        symbol: str,
        side: Side,
        quantity: Decimal,
        client_id: str,
        price: Decimal | None = None,
        *,
        reduce_only: bool = False,
    ) -> bool:
        """Somebody else trades in the hedge account; False when refused."""
        order = NewOrder(
            symbol,
            side,
            OrderType.MARKET if price is None else OrderType.LIMIT,
            quantity,
            price,
            TimeInForce.GTC,
            client_id,
            reduce_only,
        )
        try:
            self.exchange.place(self.hedge, order)
        except VenueReject as refusal:
            self.note(f"other: refused {refusal.code}")
            return False
        return True
