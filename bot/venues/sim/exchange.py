"""The simulated exchange: accounts, orders and markets behind one door.

Deterministic: the time comes from the clock, ids count up, and iteration follows names or the
order of arrival, so that the same calls give the same bits. Nothing is bought from or paid by
nowhere: a wallet is its start plus the sum of its income, exactly.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import ROUND_UP, Decimal
from itertools import islice

from bot.ports import Quote
from bot.trading.orders import Side
from bot.venues.sim import modes
from bot.venues.sim.account import HeldPosition, PositionState, SimAccount, restore
from bot.venues.sim.depth import Level
from bot.venues.sim.desk import OrderDesk
from bot.venues.sim.events import Reason
from bot.venues.sim.filters import SymbolFilters
from bot.venues.sim.funding import due_payments, next_payment, settle_funding
from bot.venues.sim.market import SymbolMarket, check_quote
from bot.venues.sim.records import (
    USD_STEP,
    ZERO,
    Bracket,
    Depth,
    IncomeType,
    MarginSummary,
    MarginType,
    OrderStatus,
    SimPosition,
    SymbolConfig,
)
from risk.errors import DataError


class SimulatedExchange(OrderDesk):
    """A perpetuals exchange in memory; symbols are unified, every refusal is a VenueReject."""

    # Accounts

    def open_account(
        self, name: str, api_key: str, api_secret: str, wallet_usd: Decimal
    ) -> SimAccount:
        """A new account with money in its wallet.

        Raises:
            ValueError: the name or the key is taken.
        """
        if name in self._accounts or self.account_by_key(api_key) is not None:
            raise ValueError(f"account {name!r} or its key exists already")
        wallet = wallet_usd.quantize(USD_STEP)
        account = SimAccount(name, api_key, api_secret, initial_usd=wallet, wallet_usd=wallet)
        self._accounts[name] = account
        return account

    def restore_account(
        self,
        name: str,
        wallet_usd: Decimal,
        positions: Mapping[tuple[str, str], HeldPosition],
    ) -> SimAccount:
        """Put an account without history in a saved state; a LONG or SHORT leg sets hedge mode.

        Raises:
            ValueError: the account is unknown or has traded, or its legs do not fit one mode.
            VenueReject: the exchange has no such symbol.
        """
        account = self._accounts.get(name)
        if account is None:
            raise ValueError(f"account {name!r} is unknown")
        for symbol, _ in positions:
            self.filters(symbol)  # refuses an unknown symbol before anything changes
        restore(account, wallet_usd, positions, self.clock.now_ms())
        return account

    def number_from(self, first_id: int) -> None:
        """Order, trade and transaction ids go on from there, if they are not further already.

        For an exchange that is built anew for an account that another one held before.
        """
        self._ids.skip_to(first_id)

    def account_by_key(self, api_key: str) -> SimAccount | None:
        """The account that the key belongs to."""
        return next((a for a in self._accounts.values() if a.api_key == api_key), None)

    def transfer(self, account: SimAccount, amount_usd: Decimal) -> None:
        """Money in (positive) or out of the wallet."""
        moved = amount_usd.quantize(USD_STEP)
        self._booker.pay(account, IncomeType.TRANSFER, moved)
        reason = Reason.DEPOSIT if moved > 0 else Reason.WITHDRAW
        self._teller.account(account, reason, change_usd=moved)

    # Market

    def update_market(self, quotes: Mapping[str, Quote]) -> None:
        """Take the prices of now: all that trades, a symbol left out does not trade.

        Expired countdowns cancel first; then funding that fell due is settled, accounts under
        water are liquidated, and resting orders that the prices reach are filled. A payment is
        settled with the rate that the quote tells of it, else with the one last quoted before it:
        call at least once per funding interval.

        Raises:
            DataError: a quote of an unknown symbol, or one that cannot be used.
        """
        for symbol, quote in sorted(quotes.items()):
            if symbol not in self.instruments:
                raise DataError(f"{symbol}: quoted, but not an instrument of this exchange")
            check_quote(quote)
        now_ms = self.clock.now_ms()
        self.expire_countdowns()
        for market in self._markets:
            new = quotes.get(market.symbol)
            market.trading = new is not None
            if new is not None:
                self._renew(market, new, now_ms)
        self._ids.change += 1
        for account in self._accounts.values():
            self._liquidator.check(account)
        for market in self._markets:
            if market.trading and market.resting:
                self._matcher.fill_resting(market)
        self._teller.market(quotes)

    def _renew(self, market: SymbolMarket, quote: Quote, now_ms: int) -> None:
        due, before = due_payments(market, now_ms), market.quote
        market.renew(quote, now_ms)
        if due and before is not None:
            # A quote may tell the rate of the one payment that has just fallen due.
            told = quote.settled_funding_rate if len(due) == 1 else None
            rate = before.funding_rate if told is None else told
            settle_funding(market, due, rate, self._accounts.values(), self._booker)
        market.funding_due_ms = next_payment(quote, now_ms)

    def deleverage(self, account: SimAccount, symbol: str, share: Decimal) -> None:
        """Close a share of every position in the symbol, as for somebody else's liquidation.

        Raises:
            VenueReject: the exchange has no such symbol, or it does not trade now.
        """
        self._markets[symbol].require_trading()
        step = self.filters(symbol).step
        for position in list(account.held(symbol)):
            quantity = (abs(position.quantity) * share / step).to_integral_value(ROUND_UP) * step
            if quantity > 0:
                self._liquidator.deleverage(account, position, quantity)

    def delist(self, symbol: str) -> None:
        """End the symbol: its orders are cancelled, its positions settled at the last mark price.

        Raises:
            VenueReject: the exchange has no such symbol.
        """
        market = self._markets[symbol]
        market.trading = False
        for order in list(market.resting.values()):
            self._booker.finish(order, OrderStatus.CANCELED)
        for account in self._accounts.values():
            for position in account.held(symbol):
                self._booker.deliver(account, position, market.mark)

    def drain(self, symbol: str, side: Side, limit: Decimal, keep: Decimal) -> None:
        """Somebody takes what ``side`` offers up to ``limit``, all but ``keep`` base units."""
        market, now_ms = self._markets[symbol], self.clock.now_ms()
        offered = ZERO
        for price, quantity in market.street.levels(side, now_ms):
            if side.sign * (price - limit) < 0:
                break
            offered += quantity
        if offered > keep:
            market.street.take(side, offered - keep, now_ms)

    def set_step(self, symbol: str, step: Decimal) -> None:
        """A new quantity step, from the next order on; what is open or held stays as it is."""
        market = self._markets[symbol]
        market.filters = replace(market.filters, step=step, min_quantity=step)

    def trading(self, symbol: str) -> bool:
        """Whether the symbol was quoted in the last update."""
        return self._markets[symbol].trading

    def quote(self, symbol: str) -> Quote:
        """The last quote.

        Raises:
            VenueReject: unknown symbol, or not trading now.
        """
        return self._markets[symbol].require_trading()

    def mark(self, symbol: str) -> Decimal:
        """The mark price of the last quote; 0 before the first.

        Raises:
            VenueReject: the exchange has no such symbol.
        """
        return self._markets[symbol].mark

    def depth(self, symbol: str, levels: int) -> Depth:
        """The best ``levels`` of each side.

        Raises:
            VenueReject: unknown symbol, or not trading now.
        """
        market, now_ms = self._markets[symbol], self.clock.now_ms()
        market.require_trading()
        return Depth(
            symbol=symbol,
            timestamp_ms=now_ms,
            update_id=self._ids.change,
            bids=tuple(islice(market.levels(Side.BUY, now_ms), levels)),
            asks=tuple(islice(market.levels(Side.SELL, now_ms), levels)),
        )

    def offered(self, symbol: str, side: Side) -> Iterator[Level]:
        """(price, base quantity) that orders of that side offer, best first, as far as looked at.

        Raises:
            VenueReject: unknown symbol, or not trading now.
        """
        market = self._markets[symbol]
        market.require_trading()
        return market.levels(side, self.clock.now_ms())

    def filters(self, symbol: str) -> SymbolFilters:
        """Order filters of the symbol."""
        return self._markets[symbol].filters

    def brackets(self, symbol: str) -> list[Bracket]:
        """Leverage brackets, smallest positions first."""
        return list(self._markets[symbol].brackets)

    @property
    def insurance_fund_usd(self) -> Decimal:
        """What liquidations paid in, less what the fund paid out."""
        return self._liquidator.insurance_fund_usd

    # Settings and money of an account

    def set_leverage(self, account: SimAccount, symbol: str, leverage: int) -> SymbolConfig:
        """Change the leverage of a symbol."""
        config = modes.set_leverage(account, symbol, leverage, self._markets, self._margin)
        self._teller.leverage(account, symbol, config.leverage)
        return config

    def set_margin_type(self, account: SimAccount, symbol: str, margin_type: MarginType) -> None:
        """Change between cross and isolated margin."""
        self.expire_countdowns()
        modes.set_margin_type(account, symbol, margin_type, self._markets)
        legs = [leg for (of, _), leg in account.positions.items() if of == symbol]
        self._teller.account(account, Reason.MARGIN_TYPE_CHANGE, legs)

    def set_position_mode(self, account: SimAccount, *, hedge: bool) -> None:
        """Change between one-way and hedge mode."""
        self.expire_countdowns()
        modes.set_position_mode(account, hedge=hedge)

    def leverage(self, account: SimAccount, symbol: str) -> int:
        """As set by the account, else the default."""
        return self._margin.leverage(account, symbol)

    def leverages(self, account: SimAccount) -> dict[str, int]:
        """The same of every symbol, by its name."""
        return self._margin.leverages(account, self.instruments)

    def symbol_config(self, account: SimAccount, symbol: str) -> SymbolConfig:
        """The account's settings for one symbol."""
        return modes.symbol_config(account, self._markets[symbol].symbol, self._margin)

    def margin(self, account: SimAccount) -> MarginSummary:
        """The account's money."""
        self.expire_countdowns()
        return self._margin.summary(account)

    def positions(self, account: SimAccount) -> list[SimPosition]:
        """Legs that are held or have open orders, in the order of symbol and side."""
        self.expire_countdowns()
        return self._margin.rows(account)

    def liquidations(self, account: SimAccount) -> list[tuple[PositionState, Decimal]]:
        """What is held, in the same order, each with its liquidation price; 0: none."""
        self.expire_countdowns()
        legs = self._margin.liquidations(account)
        return [(position, price) for position, _, price in legs if position.quantity]
