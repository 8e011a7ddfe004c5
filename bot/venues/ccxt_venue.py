"""The account that holds the hedges, on a real exchange, through ccxt.

It reads, it sends limit orders, and that is all: leverage, margin mode and position mode are read
and never changed, and no request that changes anything is ever repeated.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from bot.errors import UnreachableError, VenueError
from bot.ports import Clock, VenueAccount
from bot.trading.ledger import FundingReceipt
from bot.trading.orders import (
    Acknowledged,
    Fill,
    OrderOutcome,
    OrderRequest,
    Rejected,
    UnknownOutcome,
)
from bot.venues.ccxt_reading import (
    contract_size,
    liquidation_prices,
    margin_rates,
    order_arguments,
    read_fill,
    read_funding,
    read_money,
    read_order,
    read_positions,
)
from bot.venues.ccxt_wire import CcxtWire, broken_call_errors
from bot.venues.outcomes import Meaning, Reply, classify, describe, meaning_of, reply_code
from risk.errors import DataError

_PAGE = 1000
_WEEK_MS = 7 * 86_400_000
_KEPT_MS = 26 * _WEEK_MS
_SETTINGS_MAX_AGE_MS = 60_000
_MARKETS_MAX_AGE_MS = 3_600_000  # steps and listings change
# On Binance one such request weighs as much as eight others. Asked for after each order of a plan
# they would use up the minute's allowance in the middle of it.
_OPEN_ORDERS_MAX_AGE_MS = 3_000


class CcxtVenue:
    """One account behind a ``ccxt.async_support`` client, which it takes over and closes."""

    def __init__(
        self, exchange: Any, account_name: str, clock: Clock, *, currency: str = "USDT"
    ) -> None:
        """Takes over ``exchange``, a client with the account's key.

        Raises:
            SafetyError: the client would repeat orders or print secrets.
        """
        self._wire = CcxtWire(exchange)
        self._exchange = exchange
        self._name = account_name
        self._clock = clock
        self._currency = currency
        self._hedge_mode: bool | None = None
        self._margin_rate: dict[str, float] = {}
        self._settings_ms: int | None = None
        self._open_orders: list[Mapping[str, Any]] = []
        self._open_orders_ms: int | None = None
        self._markets_ms: int | None = None

    @property
    def account_name(self) -> str:
        """As the config calls it."""
        return self._name

    async def close(self) -> None:
        """Gives back sockets."""
        await self._wire.close()

    async def _load_markets(self) -> None:
        # Without them ccxt guesses contract sizes.
        read_ms, now_ms = self._markets_ms, self._clock.now_ms()
        if read_ms is not None and now_ms - read_ms <= _MARKETS_MAX_AGE_MS:
            return
        again = bool(self._exchange.markets)
        markets = await self._wire.read("markets", lambda: self._exchange.load_markets(again))
        if not markets:
            raise DataError(f"{self._wire.venue}: markets: an empty list")
        self._markets_ms = now_ms

    async def _read(self, doing: str, call: Callable[[], Awaitable[Any]]) -> Any:
        await self._load_markets()
        return await self._wire.read(f"{doing} of account {self._name}", call)

    async def _rows(
        self, doing: str, call: Callable[[], Awaitable[Any]]
    ) -> list[Mapping[str, Any]]:
        """A list of documents, all of it or nothing.

        Raises:
            DataError: it is something else; a part of it is no proof of the rest.
        """
        rows = await self._read(doing, call)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise DataError(f"{self._wire.venue}: {doing} of account {self._name}: not a list")
        return rows

    async def account(self) -> VenueAccount:
        """Positions and money now, stamped with the moment before they were asked for.

        Open orders may be three seconds older, unless one of ours may have come to rest since.

        Raises:
            UnreachableError, VenueError: the venue does not answer, or with an error.
            DataError: something in the answer is missing or no number.
        """
        now_ms = self._clock.now_ms()
        await self._read_settings(now_ms)
        balance = await self._read("balance", self._exchange.fetch_balance)
        positions = await self._rows("positions", self._exchange.fetch_positions)
        orders = await self._read_open_orders(now_ms)
        hedge_mode = self._hedge_mode
        if hedge_mode is None:
            hedge_mode = any(row.get("hedged") for row in positions)
        return VenueAccount(
            state=read_money(balance, positions, self._name, self._currency, now_ms),
            base_quantity=read_positions(positions, self._exchange.markets),
            margin_rate=self._margin_rate or _position_margin_rates(positions),
            liquidation_price=liquidation_prices(positions),
            open_order_client_ids=frozenset(
                str(o["clientOrderId"]) for o in orders if o.get("clientOrderId")
            ),
            hedge_mode=hedge_mode,
            open_order_symbols=frozenset(str(o.get("symbol")) for o in orders),
        )

    async def _read_open_orders(self, now_ms: int) -> list[Mapping[str, Any]]:
        read_ms = self._open_orders_ms
        if read_ms is None or not 0 <= now_ms - read_ms < _OPEN_ORDERS_MAX_AGE_MS:
            self._open_orders = await self._rows("open orders", self._fetch_open_orders)
            self._open_orders_ms = now_ms
        return self._open_orders

    async def _fetch_open_orders(self) -> Any:
        # Without a symbol ccxt refuses unless told that the price of the request is known.
        options = self._exchange.options.setdefault("fetchOpenOrders", {})
        if isinstance(options, dict):
            options["warnWithoutSymbol"] = False
        return await self._exchange.fetch_open_orders()

    async def _read_settings(self, now_ms: int) -> None:
        """Position mode and leverages, read again each minute."""
        read_ms = self._settings_ms
        if read_ms is not None and 0 <= now_ms - read_ms < _SETTINGS_MAX_AGE_MS:
            return
        if self._exchange.has.get("fetchPositionMode"):
            mode = await self._read("position mode", self._exchange.fetch_position_mode)
            if not isinstance(mode, dict) or not isinstance(mode.get("hedged"), bool):
                raise DataError(f"account {self._name}: the position mode is not told")
            self._hedge_mode = mode["hedged"]
        if self._exchange.has.get("fetchLeverages"):
            leverages = await self._read("leverages", self._exchange.fetch_leverages)
            self._margin_rate = margin_rates(leverages)
        self._settings_ms = now_ms

    async def place(self, order: OrderRequest) -> OrderOutcome:
        """Sends once; whatever happens is the outcome."""
        known_ms, self._open_orders_ms = self._open_orders_ms, None
        outcome = await self._place(order)
        if isinstance(outcome, Rejected) or (
            isinstance(outcome, Acknowledged) and outcome.state.final
        ):
            self._open_orders_ms = known_ms  # it does not rest in the book
        return outcome

    async def _place(self, order: OrderRequest) -> OrderOutcome:
        try:
            arguments = await self._arguments(order)
            size = await self._contract_size(order.symbol)
        except (DataError, UnreachableError, VenueError) as error:
            return Rejected(order.client_id, "not-sent", str(error))
        raw, reply = await self._wire.observe(lambda: self._exchange.create_order(**arguments))
        if reply is None:
            known = read_order(raw, order.client_id, size)
            reason = "the reply does not prove that the order exists"
            return known or UnknownOutcome(order.client_id, reason)
        code, _ = reply_code(reply.body)
        if meaning_of(self._wire.venue, code) is Meaning.EXISTS:
            found = await self.find(order.symbol, order.client_id)
            reason = f"{describe(reply)}, yet it is not found"
            return found or UnknownOutcome(order.client_id, reason)
        return classify(self._wire.venue, order.client_id, reply)

    async def _arguments(self, order: OrderRequest) -> dict[str, Any]:
        """Checked arguments: what ccxt sends is exactly what was asked for.

        Raises:
            DataError: it would not be.
        """
        size = await self._contract_size(order.symbol)
        binance = self._wire.venue.startswith("binance")
        arguments = order_arguments(order, size, binance=binance)
        exchange = self._exchange
        for name, to_precision, wanted in (
            ("amount", exchange.amount_to_precision, order.quantity / size),
            ("price", exchange.price_to_precision, order.limit_price),
        ):
            if not _fits(to_precision, order.symbol, arguments[name], wanted):
                raise DataError(f"{order.symbol}: {name} {wanted} does not fit the venue's steps")
        return arguments

    async def _contract_size(self, symbol: str) -> Decimal:
        """Base units of one contract.

        Raises:
            DataError: there is no such linear market.
            UnreachableError, VenueError: the markets cannot be read.
        """
        await self._load_markets()
        if symbol not in self._exchange.markets:
            raise DataError(f"{symbol}: the venue lists no such market")
        return contract_size(self._exchange.markets[symbol])

    async def find(self, symbol: str, client_id: str) -> OrderOutcome | None:
        """The order by its client id; None when the venue says that it has none.

        An answer that is neither is an unknown outcome; so is none at all.
        """
        try:
            size = await self._contract_size(symbol)
        except (DataError, UnreachableError, VenueError) as error:
            return UnknownOutcome(client_id, str(error))
        raw, reply = await self._wire.observe(
            lambda: self._exchange.fetch_order("", symbol, {"clientOrderId": client_id})
        )
        if reply is None:
            known = read_order(raw, client_id, size)
            return known or UnknownOutcome(client_id, "the reply does not tell the order")
        if self._says_absent(reply):
            return None
        return UnknownOutcome(client_id, describe(reply))

    def _says_absent(self, reply: Reply) -> bool:
        code, _ = reply_code(reply.body)
        return meaning_of(self._wire.venue, code) is Meaning.ABSENT

    async def fills(self, symbol: str, since_ms: int) -> Sequence[Fill]:
        """Executions in this account since then, oldest first, each once.

        Goes back half a year at most, which is how long exchanges keep them.

        Raises:
            UnreachableError, VenueError: the venue does not answer, or with an error.
            DataError: an execution cannot be read, or not all can be got.
        """
        found: dict[str, Fill] = {}
        now_ms = self._clock.now_ms()
        start_ms = max(since_ms, now_ms - _KEPT_MS)
        while True:
            end_ms = start_ms + _WEEK_MS - 1
            page = await self._page(symbol, start_ms, end_ms if end_ms < now_ms else None)
            new = [fill for fill in page if fill.trade_id not in found]
            found.update((fill.trade_id, fill) for fill in new)
            if len(page) >= _PAGE:
                if not new:
                    raise DataError(f"{symbol}: more than {_PAGE} trades in one millisecond")
                start_ms = max(fill.timestamp_ms for fill in page)
            elif end_ms < now_ms:
                start_ms = end_ms + 1
            else:
                break
        return sorted(found.values(), key=lambda fill: fill.timestamp_ms)

    async def funding_receipts(self, since_ms: int) -> Sequence[FundingReceipt]:
        """Funding paid on all positions since then, oldest first, each once.

        Nothing where the exchange does not list it. Goes back half a year at most.

        Raises:
            UnreachableError, VenueError: the venue does not answer, or with an error.
            DataError: a payment cannot be read, or not all can be got.
        """
        if not self._exchange.has.get("fetchFundingHistory"):
            return ()
        found: dict[str, FundingReceipt] = {}
        start_ms = max(since_ms, self._clock.now_ms() - _KEPT_MS)
        while True:
            page = await self._funding_page(start_ms)
            new = [receipt for receipt in page if receipt.receipt_id not in found]
            found.update((receipt.receipt_id, receipt) for receipt in new)
            if len(page) < _PAGE:
                return sorted(found.values(), key=lambda receipt: receipt.timestamp_ms)
            if not new:
                raise DataError(f"more than {_PAGE} funding payments in one millisecond")
            start_ms = max(receipt.timestamp_ms for receipt in page)

    async def _funding_page(self, start_ms: int) -> list[FundingReceipt]:
        rows = await self._rows(
            "funding paid", lambda: self._exchange.fetch_funding_history(None, start_ms, _PAGE)
        )
        return [read_funding(row) for row in rows]

    async def _page(self, symbol: str, start_ms: int, end_ms: int | None) -> list[Fill]:
        params = {} if end_ms is None else {"until": end_ms}
        size = await self._contract_size(symbol)
        rows = await self._rows(
            "trades",
            lambda: self._exchange.fetch_my_trades(symbol, start_ms, _PAGE, params),
        )
        return [read_fill(row, symbol, size) for row in rows]


def _fits(
    to_precision: Callable[[str, float], str], symbol: str, value: float, wanted: Decimal
) -> bool:
    """ccxt would send exactly this number."""
    try:
        return Decimal(to_precision(symbol, value)) == wanted
    except broken_call_errors():
        return False  # below the venue's smallest, for instance


def _position_margin_rates(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """From open positions, where the exchange has no list of leverages."""
    rates = {}
    for row in rows:
        leverage = row.get("leverage")
        if isinstance(leverage, int | float) and leverage >= 1:
            rates[str(row["symbol"])] = 1 / leverage
    return rates
