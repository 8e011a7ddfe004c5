"""What every endpoint works on: the exchange, the market it plays, and one request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from bot.feeds.tape import Tape
from bot.ports import Clock, Quote
from bot.venues.http.listen_keys import ListenKeys
from bot.venues.http.params import Params
from bot.venues.http.themes import themes_of
from bot.venues.http.wire import Json, decimals_of, fixed, to_step
from bot.venues.sim.account import SimAccount
from bot.venues.sim.errors import VenueReject
from bot.venues.sim.exchange import SimulatedExchange
from risk.instrument import Instrument

_SYMBOL = "^[A-Z0-9-_.]{1,40}$"
_STEPS = {places: Decimal(1).scaleb(-places) for places in range(13)}
ANNOUNCED_MS = 24 * 3_600_000  # a coming listing is shown a day ahead


@dataclass(frozen=True, slots=True)
class Listed:
    """One contract under the exchange's own name, ``FETUSDT``.

    Attributes:
        bar_format: writes four prices, then twice a quantity and a value, between spaces; None
            where tick or lot is no plain number of decimals.
    """

    market_id: str
    instrument: Instrument
    price_places: int
    quantity_places: int
    bar_format: str | None

    @property
    def symbol(self) -> str:
        """The unified symbol."""
        return self.instrument.symbol

    def known_at(self, now_ms: int) -> bool:
        """It is listed, or announced."""
        listed_at_ms = self.instrument.listed_at_ms
        return listed_at_ms is None or listed_at_ms - ANNOUNCED_MS <= now_ms

    def price(self, value: float) -> str:
        """A price rounded to the tick."""
        return _on_step(value, self.instrument.tick, self.price_places)

    def quantity(self, value: float) -> str:
        """A quantity rounded to the lot."""
        return _on_step(value, self.instrument.lot, self.quantity_places)

    def bar_texts(self, values: tuple[float, ...]) -> list[str] | None:
        """Four prices, then twice a quantity and a value, written at one go; None where they have
        to be written one by one."""
        if self.bar_format is None:
            return None
        text = self.bar_format % values
        return None if "-" in text or "n" in text else text.split(" ")  # as in -0.00, nan and inf


def _on_step(value: float, step: Decimal, places: int) -> str:
    """Rounded to ``step``; where that is a plain number of decimals, without the detour."""
    return fixed(value if step == _STEPS.get(places) else to_step(value, step), places)


def listed(instrument: Instrument) -> Listed:
    """The contract with its exchange name and the decimals of its numbers."""
    price_places, quantity_places = decimals_of(instrument.tick), decimals_of(instrument.lot)
    bar_format = None
    if (instrument.tick, instrument.lot) == (_STEPS.get(price_places), _STEPS.get(quantity_places)):
        traded = f"%.{quantity_places}f %.5f"
        bar_format = " ".join([*[f"%.{price_places}f"] * 4, traded, traded])
    return Listed(
        market_id=f"{instrument.base}{instrument.quote}",
        instrument=instrument,
        price_places=price_places,
        quantity_places=quantity_places,
        bar_format=bar_format,
    )


@dataclass(slots=True)
class Preferences:
    """Settings of an account that the matching core has no use for."""

    multi_assets: bool = False
    fee_burn: bool = False


class Face:
    """The exchange and its tape, with symbols translated to Binance's and back."""

    def __init__(
        self,
        exchange: SimulatedExchange,
        tape: Tape,
        clock: Clock,
        themes: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        """``themes``: what ``underlyingSubType`` says of a contract; None: its sector.

        ``day_rows`` keeps the last row of each 24-hour ticker, with its time and quote.
        """
        self.exchange = exchange
        self.tape = tape
        self.clock = clock
        self.themes = themes_of(exchange.instruments) if themes is None else dict(themes)
        self._by_symbol = {s: listed(one) for s, one in exchange.instruments.items()}
        self.listen_keys = ListenKeys()
        self._preferences: dict[str, Preferences] = {}
        self.day_rows: dict[str, tuple[int, Quote, dict[str, Json]]] = {}
        self._by_id = {one.market_id: one for one in self._by_symbol.values()}

    def contracts(self, now_ms: int) -> list[Listed]:
        """All that are listed, or announced, at this moment."""
        return [one for one in self._by_symbol.values() if one.known_at(now_ms)]

    def by_symbol(self, symbol: str) -> Listed:
        """The contract of a unified symbol that the exchange knows."""
        return self._by_symbol[symbol]

    def market(self, params: Params, name: str = "symbol") -> Listed:
        """The contract that the request names.

        Raises:
            VenueReject: none is named (-1102) or there is no such (-1121).
        """
        found = self._by_id.get(params.text(name, _SYMBOL))
        if found is None or not found.known_at(self.clock.now_ms()):
            raise VenueReject(-1121, "Invalid symbol.", 400)
        return found

    def optional_market(self, params: Params) -> Listed | None:
        """The contract that the request names, None when it names none."""
        return None if params.optional("symbol") is None else self.market(params)

    def quote(self, one: Listed) -> Quote | None:
        """The market as the exchange last matched it; None while there is none."""
        try:
            return self.exchange.quote(one.symbol)
        except VenueReject:
            return None

    def preferences(self, account: SimAccount) -> Preferences:
        """What the account chose that changes no trade."""
        return self._preferences.setdefault(account.name, Preferences())

    def quoted(self, one: Listed | None) -> list[tuple[Listed, Quote]]:
        """The contract named, or all, as far as there is a market.

        Raises:
            VenueReject: the one named has no market now.
        """
        if one is not None:
            return [(one, self.exchange.quote(one.symbol))]
        found = [(each, self.quote(each)) for each in self.contracts(self.clock.now_ms())]
        return [(each, quote) for each, quote in found if quote is not None]


@dataclass(frozen=True, slots=True)
class Call:
    """One public request."""

    params: Params
    now_ms: int


@dataclass(frozen=True, slots=True)
class SignedCall:
    """One request of a known account."""

    params: Params
    now_ms: int
    account: SimAccount


PublicHandler = Callable[[Face, Call], Json]
SignedHandler = Callable[[Face, SignedCall], Json]
