"""The account that holds the hedges, on a real exchange, through ccxt.

It reads, it sends limit orders, and that is all: leverage, margin mode and position mode are read
and never changed, and no request that changes anything is ever repeated.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from bot.controls.permissions import KeyPermissions
from bot.errors import UnreachableError, VenueError
from bot.ports import Clock, VenueAccount
from bot.trading.ledger import FundingReceipt
from bot.trading.orders import (
    Acknowledged,
    Fill,
    NotAccepted,
    OrderOutcome,
    OrderRequest,
    OrderState,
    Rejected,
    UnknownOutcome,
)
from bot.venues.ccxt_find import NO_SUCH_ORDER, fetch_by_client_id
from bot.venues.ccxt_history import AccountHistory
from bot.venues.ccxt_markets import SharedMarkets
from bot.venues.ccxt_money import Statement, read_money
from bot.venues.ccxt_reading import (
    contract_size,
    is_hedged,
    liquidation_prices,
    margin_rates,
    order_arguments,
    position_margin_rates,
    read_order,
    read_positions,
    read_receipt,
)
from bot.venues.ccxt_wire import CcxtWire, broken_call_errors
from bot.venues.dialects import dialect_of
from bot.venues.key_permissions import read_permissions
from bot.venues.outcomes import Meaning, Reply, classify, describe, meaning_of, reply_code
from bot.venues.wire_ids import own_id, wire_id
from risk.errors import DataError

_SETTINGS_MAX_AGE_MS = 60_000
# On Binance one such request weighs as much as eight others. Asked for after each order of a plan
# they would use up the minute's allowance in the middle of it.
_OPEN_ORDERS_MAX_AGE_MS = 3_000


class CcxtVenue:
    """One account behind a ``ccxt.async_support`` client, which it takes over and closes."""

    def __init__(
        self,
        exchange: Any,
        account_name: str,
        clock: Clock,
        *,
        currency: str = "USDT",
        markets_from: Any | None = None,
    ) -> None:
        """Takes over ``exchange``, a client with the account's key.

        Args:
            exchange: it is closed with this venue.
            account_name: as the config calls it.
            clock: of the engine.
            currency: in which the account is kept.
            markets_from: a client of the same exchange whose list of markets is used.

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
        self._leverages: Mapping[str, Mapping[str, Any]] = {}
        self._settings_ms: int | None = None
        self._open_orders: list[Mapping[str, Any]] = []
        self._open_orders_ms: int | None = None
        self._order_changes = 0
        self._wait_until_ms = 0
        self._markets = SharedMarkets(self._wire, clock, markets_from)
        self._history = AccountHistory(exchange, clock, self._rows, self._contract_size)

    @property
    def account_name(self) -> str:
        """As the config calls it."""
        return self._name

    @property
    def receive_window_ms(self) -> int:
        """How long after it was signed the exchange may still take a request; 0 if not told."""
        told = self._exchange.options.get("recvWindow")
        return int(told) if isinstance(told, int | float) and told > 0 else 0

    async def close(self) -> None:
        """Gives back sockets."""
        await self._wire.close()

    async def _read(self, doing: str, call: Callable[[], Awaitable[Any]]) -> Any:
        await self._markets.load()
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
            hedge_mode = any(is_hedged(row) for row in positions)
        told = Statement(balance, positions, f"account {self._name}", self._currency)
        return VenueAccount(
            state=read_money(self._wire.venue, told, self._name, now_ms),
            base_quantity=read_positions(
                positions, self._exchange.markets, dialect_of(self._wire.venue)
            ),
            margin_rate=self._margin_rate or position_margin_rates(positions),
            liquidation_price=liquidation_prices(positions),
            open_order_client_ids=frozenset(
                own_id(self._wire.venue, o["clientOrderId"])
                for o in orders
                if o.get("clientOrderId")
            ),
            hedge_mode=hedge_mode,
            open_order_symbols=frozenset(str(o.get("symbol")) for o in orders),
        )

    async def _read_open_orders(self, now_ms: int) -> list[Mapping[str, Any]]:
        read_ms = self._open_orders_ms
        if read_ms is None or not 0 <= now_ms - read_ms < _OPEN_ORDERS_MAX_AGE_MS:
            changes = self._order_changes
            found = await self._rows("open orders", self._fetch_open_orders)
            if changes != self._order_changes:
                return found  # true of when it was asked for; the next look asks again
            self._open_orders, self._open_orders_ms = found, now_ms
        return self._open_orders

    async def _fetch_open_orders(self) -> Any:
        # Without a symbol ccxt refuses unless told that the price of the request is known.
        options = self._exchange.options.setdefault("fetchOpenOrders", {})
        if isinstance(options, dict):
            options["warnWithoutSymbol"] = False
        page = dialect_of(self._wire.venue).open_orders_page
        rows = await self._exchange.fetch_open_orders(None, None, page)
        if page is not None and isinstance(rows, list) and len(rows) >= page:
            raise ValueError("more open orders than one answer shows")
        return rows

    async def open_orders(self) -> Mapping[str, Acknowledged]:
        """Open orders of the account that can be read, by client id, as they are now.

        Raises:
            UnreachableError, VenueError, DataError: they are not shown.
        """
        found: dict[str, Acknowledged] = {}
        for row in await self._rows("open orders", self._fetch_open_orders):
            client_id = own_id(self._wire.venue, row.get("clientOrderId"))
            market = self._exchange.markets.get(row.get("symbol"))
            if not client_id or market is None:
                continue
            known = read_order(row, client_id, contract_size(market), self._wire.venue)
            if known is not None:
                found[client_id] = known
        return found

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
        if self._exchange.has.get("fetchLeverages") and dialect_of(self._wire.venue).leverages:
            leverages = await self._read("leverages", self._exchange.fetch_leverages)
            self._margin_rate = margin_rates(leverages)
            self._leverages = leverages
        self._settings_ms = now_ms

    async def place(self, order: OrderRequest) -> OrderOutcome:
        """Sends once; whatever happens is the outcome."""
        known_ms, self._open_orders_ms = self._open_orders_ms, None
        self._order_changes = changes = self._order_changes + 1
        outcome = await self._place(order)
        rests = not isinstance(outcome, Rejected) and not (
            isinstance(outcome, Acknowledged) and outcome.state.final
        )
        beside = changes != self._order_changes or self._open_orders_ms is not None
        self._open_orders_ms = None if rests or beside else known_ms
        self._order_changes += 1  # a list that was asked for meanwhile may be from before its end
        return outcome

    async def _place(self, order: OrderRequest) -> OrderOutcome:
        wait_ms = self._wait_until_ms - self._clock.now_ms()
        if wait_ms > 0:
            reason = f"the venue wants to be left alone for another {wait_ms / 1000:.0f} s"
            return NotAccepted(order.client_id, "backing-off", reason)
        try:
            arguments = await self._arguments(order)
            size = await self._contract_size(order.symbol)
        except (DataError, UnreachableError, VenueError) as error:
            return Rejected(order.client_id, "not-sent", str(error))
        raw, reply = await self._wire.observe(lambda: self._exchange.create_order(**arguments))
        if reply is None:
            return await self._taken(order, raw, size)
        self._note_wait(reply)
        if self._meaning(reply) is Meaning.EXISTS:
            found = await self.find(order.symbol, order.client_id)
            reason = f"{describe(reply)}, yet it is not found"
            return found or UnknownOutcome(order.client_id, reason)
        return classify(self._wire.venue, order.client_id, reply)

    async def _taken(self, order: OrderRequest, raw: object, size: Decimal) -> OrderOutcome:
        """The state of an order that came back; of some exchanges no more than its id does."""
        client_id, venue = order.client_id, self._wire.venue
        known = read_order(raw, client_id, size, venue)
        if known is not None:
            return known
        order_id = read_receipt(raw, client_id, venue) if dialect_of(venue).receipts else ""
        if not order_id:
            return UnknownOutcome(client_id, "the reply does not prove that the order exists")
        found = await self.find(order.symbol, client_id)
        if isinstance(found, Acknowledged):
            return found
        # It is there, and its state is not yet to be had.
        return Acknowledged(client_id, order_id, OrderState.LIVE, Decimal(0), None)

    def _note_wait(self, reply: Reply) -> None:
        if reply.retry_after_seconds is not None and reply.status in (403, 418, 429):
            wait_ms = round(reply.retry_after_seconds * 1000)
            self._wait_until_ms = max(self._wait_until_ms, self._clock.now_ms() + wait_ms)

    async def _arguments(self, order: OrderRequest) -> dict[str, Any]:
        """Checked arguments: what ccxt sends is exactly what was asked for.

        Raises:
            DataError: it would not be.
        """
        size = await self._contract_size(order.symbol)
        arguments = order_arguments(order, size, self._wire.venue)
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
        await self._markets.load()
        if symbol not in self._exchange.markets:
            raise DataError(f"{symbol}: the venue lists no such market")
        return contract_size(self._exchange.markets[symbol])

    async def find(self, symbol: str, client_id: str) -> OrderOutcome | None:
        """The order by its client id; None when the venue says that it has none.

        An answer that is neither is an unknown outcome; so is none at all.
        """
        venue = self._wire.venue
        try:
            size, asked = await self._contract_size(symbol), wire_id(venue, client_id)
        except (DataError, UnreachableError, VenueError) as error:
            return UnknownOutcome(client_id, str(error))
        raw, reply = await self._wire.observe(
            lambda: fetch_by_client_id(self._exchange, symbol, asked), may_change=False
        )
        if reply is None:
            if raw is NO_SUCH_ORDER:
                return None
            known = read_order(raw, client_id, size, venue)
            if known is not None and known.state.final:
                self._note_ended(client_id)
            return known or UnknownOutcome(client_id, "the reply does not tell the order")
        self._note_wait(reply)
        if self._says_absent(reply):
            return None
        return UnknownOutcome(client_id, describe(reply))

    def _note_ended(self, client_id: str) -> None:
        """It is open no more, although the list of open orders was read while it was."""
        venue = self._wire.venue
        self._order_changes += 1
        self._open_orders = [
            row for row in self._open_orders if own_id(venue, row.get("clientOrderId")) != client_id
        ]

    def _says_absent(self, reply: Reply) -> bool:
        return self._meaning(reply) is Meaning.ABSENT

    def _says_over(self, reply: Reply) -> bool:
        return self._meaning(reply) in (Meaning.ABSENT, Meaning.OVER)

    def _meaning(self, reply: Reply) -> Meaning | None:
        code, _ = reply_code(reply.body, self._wire.venue)
        return meaning_of(self._wire.venue, code)

    async def fills(self, symbol: str, since_ms: int) -> Sequence[Fill]:
        """Executions in this account since then, oldest first, each once.

        Goes back half a year at most, which is how long exchanges keep them.

        Raises:
            UnreachableError, VenueError: the venue does not answer, or with an error.
            DataError: an execution cannot be read, or not all can be got.
        """
        return await self._history.fills(symbol, since_ms)

    async def funding_receipts(self, since_ms: int) -> Sequence[FundingReceipt]:
        """Funding paid on all positions since then, oldest first, each once.

        Nothing where the exchange does not list it. Goes back half a year at most.

        Raises:
            UnreachableError, VenueError: the venue does not answer, or with an error.
            DataError: a payment cannot be read, or not all can be got.
        """
        return await self._history.funding_receipts(since_ms)

    async def key_permissions(self) -> KeyPermissions | None:
        """What the account's key may do; None where this venue does not tell.

        Raises:
            UnreachableError, VenueError: the venue does not answer, or with an error.
            DataError: its answer cannot be read.
        """
        return await read_permissions(self._wire)


def _fits(
    to_precision: Callable[[str, float], str], symbol: str, value: float, wanted: Decimal
) -> bool:
    """ccxt would send exactly this number."""
    try:
        return Decimal(to_precision(symbol, value)) == wanted
    except broken_call_errors():
        return False  # below the venue's smallest, for instance
