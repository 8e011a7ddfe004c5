"""The account behind ccxt with what controls need: cancels, the venue's clock, income, modes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, Final

from bot.controls.books import Income, IncomePage
from bot.errors import UnreachableError, VenueError
from bot.ports import VenueAccount
from bot.trading.orders import Acknowledged, Fill, OrderRequest
from bot.trading.venue_closes import CloseKind
from bot.venues.ccxt_dead_man import HAS_DEAD_MAN, CcxtDeadMan
from bot.venues.ccxt_origins import binance_origins
from bot.venues.ccxt_pacing import without_waiting
from bot.venues.ccxt_reading import is_cancel_receipt, read_order
from bot.venues.ccxt_venue import CcxtVenue
from bot.venues.wire_ids import wire_id
from risk.errors import DataError

_PAGE: Final = 1000
SELF_TRADE: Final[Mapping[str, Mapping[str, str]]] = {
    "binanceusdm": {"selfTradePreventionMode": "EXPIRE_TAKER"},
    "bybit": {"smpType": "CancelTaker"},
    "okx": {"stpMode": "cancel_taker"},
    "bitget": {"stpMode": "cancel_taker"},
}
"""By ccxt's id: what makes our order end in place of one that it would meet in the account.

Gate takes such a mode only from accounts that have joined a group for it, and hyperliquid always
ends the order that rests: there nothing is sent while somebody else's order is in the symbol."""


class ControlledVenue(CcxtVenue):
    """A CcxtVenue that offers all that controls ask for."""

    @cached_property
    def _dead_man(self) -> CcxtDeadMan:
        return CcxtDeadMan(self._wire)

    @property
    def self_trade_safe(self) -> bool:
        """Our order ends, not the bot's, where the two would meet."""
        return self._wire.venue in SELF_TRADE

    @property
    def messages_per_second(self) -> float | None:
        """The exchange's own limit of requests, as ccxt knows it."""
        pause_ms = self._exchange.describe().get("rateLimit")
        return 1000 / pause_ms if isinstance(pause_ms, int | float) and pause_ms > 0 else None

    async def _arguments(self, order: OrderRequest) -> dict[str, Any]:
        arguments = await super()._arguments(order)
        arguments["params"] |= SELF_TRADE.get(self._wire.venue, {})
        return arguments

    async def account(self) -> VenueAccount:
        """Positions and money now, with the margin modes of what is held."""
        found = await super().account()
        modes = {
            symbol: str(row["marginMode"])
            for symbol, row in self._leverages.items()
            if row.get("marginMode")
        }
        return replace(found, margin_mode=modes)

    async def cancel(self, symbol: str, client_id: str) -> bool:
        """Ends one order; True where the venue says that it is over. Waits for no turn.

        A reply of nonsense says nothing, and on most exchanges the receipt of a cancel does not
        say either that the order has ended: then it is asked for.
        """
        with without_waiting():
            over = await self._cancel(symbol, client_id)
        if over:
            self._note_ended(client_id)
        return over

    async def _cancel(self, symbol: str, client_id: str) -> bool:
        venue = self._wire.venue
        try:
            sent_id, size = wire_id(venue, client_id), await self._contract_size(symbol)
        except (DataError, UnreachableError, VenueError):
            return False
        order_id, params = (sent_id, {}) if venue == "gate" else ("", {"clientOrderId": sent_id})
        raw, reply = await self._wire.observe(
            lambda: self._exchange.cancel_order(order_id, symbol, params)
        )
        if reply is not None:
            return self._says_over(reply)
        known = read_order(raw, client_id, size, venue)
        if known is None and is_cancel_receipt(raw, client_id, venue):
            found = await self.find(symbol, client_id)
            known = found if isinstance(found, Acknowledged) else None
        return known is not None and known.state.final

    async def origins(self, symbol: str, trades: Sequence[Fill]) -> Mapping[str, CloseKind]:
        """Who made these trades' orders, by the venue's order id; Binance only.

        Raises:
            UnreachableError, VenueError, DataError: the venue does not tell.
        """
        if not self._wire.venue.startswith("binance"):
            return {}
        await self._contract_size(symbol)
        return await binance_origins(self._exchange, self._rows, symbol, trades)

    @property
    def has_dead_man(self) -> bool:
        """The exchange has a switch that a request renews."""
        return self._wire.venue in HAS_DEAD_MAN

    async def arm_dead_man(self, symbol: str, after_ms: int) -> bool:
        """Ends all orders in the symbol, or in the account, that long after now; 0: never."""
        try:
            await self._contract_size(symbol)
        except (DataError, UnreachableError, VenueError):
            return False
        return await self._dead_man.arm(symbol, after_ms)

    async def clock_offset_ms(self) -> int | None:
        """The exchange's clock less ours at the middle of the request.

        Raises:
            UnreachableError, VenueError, DataError: it cannot be read.
        """
        if not self._exchange.has.get("fetchTime"):
            return None
        before_ms = self._clock.now_ms()
        told = await self._wire.read("time", self._exchange.fetch_time)
        after_ms = self._clock.now_ms()
        if not isinstance(told, int | float):
            raise DataError(f"{self._wire.venue}: time is {told!r}, not a number")
        middle_ms = (before_ms + after_ms) // 2
        slack_ms = (after_ms - before_ms) // 2  # the answer may be from any moment in between
        offset_ms = int(told) - middle_ms
        return max(0, abs(offset_ms) - slack_ms) * (1 if offset_ms >= 0 else -1)

    async def income_page(self, since_ms: int) -> IncomePage:
        """Changes of the wallet since then by the exchange's own kinds; Binance only."""
        if not self._wire.venue.startswith("binance"):
            return IncomePage(())
        ask = partial(self._exchange.fapiprivate_get_income, _since(since_ms))
        told = [self._income(row) for row in await self._rows("income", ask)]
        if len(told) < _PAGE:
            return IncomePage(told)
        next_ms = max(one.timestamp_ms for one in told)
        if next_ms <= since_ms:
            raise DataError(f"income: more than {_PAGE} rows in a millisecond")
        return IncomePage(told, next_ms)

    def _income(self, row: Mapping[str, Any]) -> Income:
        market_id = str(row.get("symbol") or "")
        symbol = self._exchange.safe_symbol(market_id, None, None, "swap") if market_id else ""
        try:
            timestamp_ms = int(row["time"])
        except (KeyError, TypeError, ValueError):
            raise DataError(f"income: {row.get('tranId')}: has no time that can be read") from None
        return Income(
            income_id=str(row.get("tranId")),
            kind=str(row.get("incomeType")),
            symbol=str(symbol),
            amount_usd=str(row.get("income")),
            timestamp_ms=timestamp_ms,
            trade_id=str(row.get("tradeId") or ""),
            asset=str(row.get("asset") or ""),
        )


def _since(since_ms: int) -> dict[str, Any]:
    return {"startTime": max(1, since_ms), "limit": _PAGE}
