"""The parts that a simulated exchange is made of, put together."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from bot.ports import Clock
from bot.venues.sim.account import SimAccount
from bot.venues.sim.booking import Booker, Ids
from bot.venues.sim.entry import OrderEntry
from bot.venues.sim.events import EventBus
from bot.venues.sim.liquidation import Liquidator
from bot.venues.sim.margin import MarginRules
from bot.venues.sim.market import Markets, SymbolMarket
from bot.venues.sim.matching import Matcher
from bot.venues.sim.records import OrderStatus
from bot.venues.sim.settings import DEFAULT_SETTINGS, ExchangeCounters, ExchangeSettings
from bot.venues.sim.telling import Teller
from risk.instrument import Instrument


class ExchangeCore:
    """Accounts, markets and rules; what time alone does to them.

    Attributes:
        bus: tells every change to whoever listens.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        clock: Clock,
        seed: int = 0,
        settings: ExchangeSettings = DEFAULT_SETTINGS,
    ) -> None:
        ordered = sorted(instruments, key=lambda i: i.symbol)
        self.instruments: Mapping[str, Instrument] = MappingProxyType(
            {i.symbol: i for i in ordered}
        )
        self.counters = ExchangeCounters()
        self.clock = clock
        self.settings = settings
        self._accounts: dict[str, SimAccount] = {}
        self._ids = Ids()
        self._markets = Markets({i.symbol: SymbolMarket(i, settings, seed) for i in ordered})
        self._margin = MarginRules(self._markets, settings)
        self.bus = EventBus(clock)
        self._teller = Teller(self.bus, self._markets, self._margin)
        self._booker = Booker(
            self._accounts, self._markets, self._margin, clock, self._ids, teller=self._teller
        )
        self._matcher = Matcher(self._markets, self._booker, self.counters)
        self._liquidator = Liquidator(self._markets, self._margin, self._booker, settings)
        self._entry = OrderEntry(self._markets, self._margin, self._booker, self._matcher)

    def expire_countdowns(self) -> None:
        """Cancel the orders whose countdown has run out by now."""
        now_ms = self.clock.now_ms()
        for account in self._accounts.values():
            if not account.countdowns:
                continue
            for symbol in [s for s, at_ms in account.countdowns.items() if at_ms <= now_ms]:
                del account.countdowns[symbol]
                for order in account.open_orders(symbol):
                    self._booker.finish(order, OrderStatus.CANCELED)
