"""Paper trading: the Venue port over an account of the simulated exchange, in process."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from bot.controls.books import Income, IncomePage
from bot.controls.permissions import KeyPermissions
from bot.errors import VenueError
from bot.ports import Clock, Quote, VenueAccount
from bot.trading.ledger import FundingReceipt
from bot.trading.orders import (
    Acknowledged,
    Fill,
    OrderOutcome,
    OrderRequest,
    OrderState,
    Rejected,
)
from bot.venues.sim.account import HeldPosition, SimAccount
from bot.venues.sim.errors import Code, VenueReject, reject
from bot.venues.sim.exchange import SimulatedExchange
from bot.venues.sim.records import (
    IncomeType,
    NewOrder,
    OrderStatus,
    OrderType,
    PositionSide,
    SimOrder,
    SimTrade,
    TimeInForce,
)
from risk.book import AccountState
from risk.instrument import Instrument

# Nobody can set the leverage of a paper account. The exchange's own default would allow no position
# above 50,000 USD in a thin market; at this one even 1 % of a day's volume fits in every bracket.
PAPER_LEVERAGE = 5

_MAINTENANCE_ROOM = 2.0
"""Maintenance rates grow by brackets of notional."""

_STATES = {
    OrderStatus.NEW: OrderState.LIVE,
    OrderStatus.PARTIALLY_FILLED: OrderState.PARTIAL,
    OrderStatus.FILLED: OrderState.FILLED,
    OrderStatus.CANCELED: OrderState.CANCELED,
    OrderStatus.EXPIRED: OrderState.EXPIRED,
    OrderStatus.EXPIRED_IN_MATCH: OrderState.EXPIRED,
}


class PaperVenue:
    """One account of a simulated exchange that is fed with prices by ``refresh``."""

    def __init__(self, exchange: SimulatedExchange, account: SimAccount) -> None:
        self.exchange = exchange
        self._account = account
        self._fills: dict[str, dict[int, Fill]] = {}
        """What was told last, by symbol and number of the trade: most are told many times."""

    @property
    def account_name(self) -> str:
        """As the config calls it."""
        return self._account.name

    def refresh(self, quotes: Mapping[str, Quote]) -> None:
        """New prices at the clock's time; a symbol left out does not trade until it is back.

        Quotes of symbols that this venue does not list are left aside.

        Raises:
            DataError: a quote that cannot be used.
        """
        listed = self.exchange.instruments
        self.exchange.update_market({s: q for s, q in quotes.items() if s in listed})

    def deleverage(self, share: Decimal) -> None:
        """The exchange closes a share of every position, as for somebody else's liquidation."""
        for symbol in sorted({one.symbol for one in self._account.positions.values()}):
            self.exchange.deleverage(self._account, symbol, share)

    def held_symbols(self) -> set[str]:
        """What it has a position in."""
        return {one.symbol for one in self._account.positions.values() if one.quantity}

    def outlives(self, ranges: Mapping[str, tuple[float, float]]) -> bool:
        """Whether no prices within these ranges (low, high) can bring it near liquidation.

        Every position at its own worst, at one moment, with maintenance margin twice what it is:
        True is certain, False is not. A symbol without a range stays at its mark price.
        """
        if not self._account.positions:
            return True
        money = self.exchange.margin(self._account)
        left, growth = float(money.margin_balance_usd), 1.0
        for held in self._account.positions.values():
            mark = float(self.exchange.mark(held.symbol))
            low, high = ranges.get(held.symbol, (mark, mark))
            if not mark or not held.quantity:
                continue
            worst = low if held.quantity > 0 else high
            left -= max(float(held.quantity) * (mark - worst), 0.0)
            growth = max(growth, worst / mark)
        return left > _MAINTENANCE_ROOM * growth * float(money.maintenance_margin_usd)

    async def account(self) -> VenueAccount:
        """Positions and money now.

        Raises:
            VenueError: something is held in a symbol that has no price yet.
        """
        exchange, account = self.exchange, self._account
        held = exchange.liquidations(account)
        unpriced = [p.symbol for p, _ in held if not exchange.mark(p.symbol)]
        if unpriced:
            raise VenueError(f"{account.name}: no price yet for {unpriced[0]}, which is held")
        money, open_orders = exchange.margin(account), exchange.open_orders(account)
        return VenueAccount(
            state=AccountState(
                name=account.name,
                equity_usd=float(money.margin_balance_usd),
                available_usd=float(money.available_usd),
                initial_margin_usd=float(money.initial_margin_usd),
                maintenance_margin_usd=float(money.maintenance_margin_usd),
                timestamp_ms=exchange.clock.now_ms(),
            ),
            base_quantity={(p.symbol, p.side.value): p.quantity for p, _ in held},
            margin_rate={s: 1.0 / lever for s, lever in exchange.leverages(account).items()},
            liquidation_price={
                (p.symbol, p.side.value): float(price) for p, price in held if price
            },
            open_order_client_ids=frozenset(o.client_id for o in open_orders),
            hedge_mode=account.hedge_mode,
            open_order_symbols=frozenset(o.symbol for o in open_orders),
            margin_mode={s: m.value.lower() for s, m in account.margin_type.items()},
        )

    async def place(self, order: OrderRequest) -> OrderOutcome:
        """Send once; a duplicate of an open order is answered with that order's state."""
        try:
            return acknowledged(self.exchange.place(self._account, _new_order(order)))
        except VenueReject as refusal:
            if refusal.code == Code.DUPLICATE_CLIENT_ID:
                existing = await self.find(order.symbol, order.client_id)
                if existing is not None:
                    return existing
            return Rejected(order.client_id, str(refusal.code), refusal.message)

    async def find(self, symbol: str, client_id: str) -> OrderOutcome | None:
        """The order by its client id; None when there is none.

        Raises:
            VenueError: the venue does not list the symbol.
        """
        try:
            found = self.exchange.find_order(self._account, symbol, client_id=client_id)
        except VenueReject as refusal:
            if refusal.code == Code.NO_SUCH_ORDER:
                return None
            raise VenueError(f"{symbol}: {refusal}") from refusal
        return acknowledged(found)

    async def fills(self, symbol: str, since_ms: int) -> Sequence[Fill]:
        """All executions since then, oldest first.

        Raises:
            VenueError: the venue does not list the symbol.
        """
        every = len(self._account.trades)
        try:
            trades = self.exchange.trades(self._account, symbol, start_ms=since_ms, limit=every)
        except VenueReject as refusal:
            raise VenueError(f"{symbol}: {refusal}") from refusal
        told = self._fills.get(symbol, {})
        self._fills[symbol] = {t.trade_id: told.get(t.trade_id) or _fill(t) for t in trades}
        return list(self._fills[symbol].values())

    async def funding_receipts(self, since_ms: int) -> Sequence[FundingReceipt]:
        """Funding paid on all positions since then, oldest first."""
        paid = self.exchange.income(
            self._account,
            type_=IncomeType.FUNDING_FEE,
            start_ms=since_ms,
            limit=len(self._account.income),
        )
        return [
            FundingReceipt(f"{e.symbol}#{e.transaction_id}", e.symbol, e.amount_usd, e.timestamp_ms)
            for e in paid
        ]

    @property
    def self_trade_safe(self) -> bool:
        """The exchange ends the order that comes later, which is ours."""
        return True

    async def key_permissions(self) -> KeyPermissions | None:
        """As the account has them."""
        account = self._account
        return KeyPermissions(account.key_withdraws, account.key_transfers, account.key_ip_bound)

    async def cancel(self, symbol: str, client_id: str) -> bool:
        """Ends one order; True where it is over."""
        try:
            self.exchange.cancel(self._account, symbol, client_id=client_id)
        except VenueReject as refusal:
            return refusal.code in (Code.NO_SUCH_ORDER, Code.CANCEL_REJECTED)
        return True

    async def clock_offset_ms(self) -> int | None:
        """It has the engine's own clock."""
        return 0

    async def income_page(self, since_ms: int) -> IncomePage:
        """Every change of the wallet since then."""
        rows = self.exchange.income(
            self._account, start_ms=since_ms, limit=max(1, len(self._account.income))
        )
        return IncomePage(
            [
                Income(
                    str(row.transaction_id),
                    str(row.type),
                    row.symbol,
                    str(row.amount_usd),
                    row.timestamp_ms,
                    row.trade_id,
                    row.asset,
                )
                for row in rows
            ]
        )

    @property
    def has_dead_man(self) -> bool:
        """As the exchange that it stands for."""
        return True

    async def arm_dead_man(self, symbol: str, after_ms: int) -> bool:
        """Ends the symbol's orders that long after now; 0: never."""
        try:
            self.exchange.countdown(self._account, symbol, after_ms)
        except VenueReject:
            return False
        return True

    async def close(self) -> None:
        """Nothing is held open."""


def open_paper_venue(
    instruments: Iterable[Instrument],
    clock: Clock,
    name: str,
    wallet_usd: Decimal,
    positions: Mapping[tuple[str, str], HeldPosition] | None = None,
    *,
    leverage: int | None = PAPER_LEVERAGE,
    first_id: int = 0,
    seed: int = 0,
) -> PaperVenue:
    """A paper venue with one account, new or in a saved state.

    ``positions`` holds signed base units and entry price by symbol and position side. ``leverage``
    applies to every symbol, within what its brackets allow; None: the exchange's default.
    ``first_id`` keeps the ids of a restored account apart from those it had before.

    Raises:
        ValueError: the positions are of both position modes.
        VenueReject: a position in a symbol that is not among ``instruments``.
    """
    exchange = SimulatedExchange(instruments, clock, seed)
    account = exchange.open_account(name, api_key=name, api_secret="", wallet_usd=wallet_usd)
    exchange.restore_account(name, wallet_usd, positions or {})
    exchange.number_from(first_id)
    if leverage is not None:
        account.leverage.update(dict.fromkeys(exchange.instruments, leverage))
    return PaperVenue(exchange, account)


def _new_order(order: OrderRequest) -> NewOrder:
    if order.time_in_force not in TimeInForce.__members__:
        raise reject(Code.BAD_TIME_IN_FORCE)
    if order.position_side not in PositionSide.__members__:
        raise reject(Code.BAD_POSITION_SIDE)
    return NewOrder(
        symbol=order.symbol,
        side=order.side,
        type=OrderType.LIMIT,
        quantity=order.quantity,
        price=order.limit_price,
        time_in_force=TimeInForce(order.time_in_force),
        client_id=order.client_id,
        # In hedge mode the position side already says that an order closes.
        reduce_only=order.reduce_only and order.position_side == PositionSide.BOTH,
        position_side=PositionSide(order.position_side),
    )


def acknowledged(order: SimOrder) -> Acknowledged:
    """The exchange's order as the engine speaks of it."""
    filled = order.filled_quantity
    return Acknowledged(
        client_id=order.client_id,
        venue_order_id=str(order.order_id),
        state=_STATES[order.status],
        filled_quantity=filled,
        average_price=order.average_price if filled else None,
    )


def _fill(trade: SimTrade) -> Fill:
    return Fill(
        trade_id=str(trade.trade_id),
        venue_order_id=str(trade.order_id),
        client_id=trade.client_id,
        symbol=trade.symbol,
        side=trade.side,
        quantity=trade.quantity,
        price=trade.price,
        fee_usd=trade.fee_usd,
        realised_pnl_usd=trade.realised_pnl_usd,
        maker=trade.maker,
        timestamp_ms=trade.timestamp_ms,
        position_side="" if trade.position_side is PositionSide.BOTH else trade.position_side.value,
    )
