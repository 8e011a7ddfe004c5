"""Margin of an account: initial, maintenance, available, and the liquidation price.

In one-way mode the initial margin of a symbol is the larger of what its position would need after
all buys and after all sells; in hedge mode each leg needs margin for itself and its opening orders.
Orders that can only close need none.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from bot.trading.orders import Side
from bot.venues.sim.account import PositionState, SimAccount
from bot.venues.sim.brackets import (
    bracket_of,
    maintenance_margin_usd,
    max_leverage,
    max_notional_usd,
)
from bot.venues.sim.market import Markets, SymbolMarket
from bot.venues.sim.records import (
    USD_STEP,
    ZERO,
    MarginSummary,
    MarginType,
    PositionSide,
    SimOrder,
    SimPosition,
)
from bot.venues.sim.settings import ExchangeSettings
from risk.quick_init import quick_init

_ADL_FULL_QUEUE = 4


@quick_init
@dataclass(frozen=True, slots=True)
class LegMargin:
    """What one leg needs, USD; bids and asks are of orders that may grow it."""

    notional: Decimal
    bids: Decimal
    asks: Decimal
    position_initial: Decimal
    open_order_initial: Decimal
    maintenance: Decimal
    unrealised: Decimal


_Held = tuple[Decimal, Decimal, Decimal, int]
"""All that the margin of a leg without orders depends on: quantity, cost, mark, leverage."""


class MarginRules:
    """Computes margins from accounts and markets.

    Keeps for each leg without open orders what it came to last, since it is asked for many times
    between two changes.
    """

    def __init__(self, markets: Markets, settings: ExchangeSettings) -> None:
        self._markets = markets
        self._settings = settings
        self._last: dict[tuple[str, str, PositionSide], tuple[_Held, LegMargin]] = {}

    def leverage(self, account: SimAccount, symbol: str) -> int:
        """As set by the account, else the default, within what the symbol allows."""
        chosen = account.leverage.get(symbol, self._settings.default_leverage)
        most = max_leverage(self._markets[symbol].brackets)
        return most if most < chosen else chosen

    def leverages(self, account: SimAccount, symbols: Iterable[str]) -> dict[str, int]:
        """The same of each of these."""
        chosen, default, markets = account.leverage, self._settings.default_leverage, self._markets
        return {
            symbol: min(max_leverage(markets[symbol].brackets), chosen.get(symbol, default))
            for symbol in symbols
        }

    def max_notional(self, account: SimAccount, symbol: str) -> Decimal:
        """Largest position at the account's leverage, USD."""
        return max_notional_usd(self._markets[symbol].brackets, self.leverage(account, symbol))

    def leg(
        self,
        account: SimAccount,
        position: PositionState,
        orders: Sequence[SimOrder],
        *,
        leverage: int | None = None,
    ) -> LegMargin:
        """Margin of one leg with these open orders; worth its cost while it has no price."""
        symbol = position.symbol
        lever = leverage or self.leverage(account, symbol)
        if orders:
            return self._leg(position, orders, lever)
        key = account.name, symbol, position.side
        held = position.quantity, position.cost_usd, self._markets[symbol].mark, lever
        last = self._last.get(key)
        if last is None or last[0] != held:
            last = self._last[key] = held, self._leg(position, (), lever)
        return last[1]

    def _leg(self, position: PositionState, orders: Sequence[SimOrder], lever: int) -> LegMargin:
        market = self._markets[position.symbol]
        mark = market.mark or position.entry_price
        notional = position.quantity * mark
        size = abs(notional)
        bids, asks = _opening_notional(orders)
        if not (bids or asks):
            worst = size
        elif position.side is PositionSide.BOTH:
            worst = max(abs(notional + bids), abs(notional - asks))
        else:
            worst = size + bids + asks
        return LegMargin(
            notional=notional.quantize(USD_STEP),
            bids=bids,
            asks=asks,
            position_initial=(size / lever).quantize(USD_STEP),
            open_order_initial=(max(ZERO, worst - size) / lever).quantize(USD_STEP),
            maintenance=maintenance_margin_usd(market.brackets, size),
            unrealised=position.unrealised_pnl_usd(mark) if market.mark else ZERO,
        )

    def legs(self, account: SimAccount) -> list[tuple[PositionState, LegMargin]]:
        """Every leg with a position or an open order, in the order of symbol and side."""
        if not account.open_ids:
            return [(p, self.leg(account, p, ())) for p in account.held()]
        orders: dict[tuple[str, PositionSide], list[SimOrder]] = defaultdict(list)
        for order in account.open_orders():
            orders[order.symbol, order.position_side].append(order)
        keys = {(p.symbol, p.side) for p in account.held()} | set(orders)
        positions = [account.position(*key) for key in sorted(keys)]
        return [(p, self.leg(account, p, orders.get((p.symbol, p.side), ()))) for p in positions]

    def summary(self, account: SimAccount) -> MarginSummary:
        """The account's money."""
        unrealised = initial = ordered = maintenance = cross_unrealised = reserved = ZERO
        for position, leg in self.legs(account):
            unrealised += leg.unrealised
            initial += leg.position_initial
            ordered += leg.open_order_initial
            maintenance += leg.maintenance
            if not account.isolated(position.symbol):
                cross_unrealised += leg.unrealised
                reserved += leg.position_initial
        cross_wallet = account.cross_wallet_usd
        free = cross_wallet + cross_unrealised - reserved - ordered
        certain = cross_wallet + min(ZERO, cross_unrealised) - reserved - ordered
        return MarginSummary(
            wallet_usd=account.wallet_usd,
            unrealised_pnl_usd=unrealised,
            position_initial_margin_usd=initial,
            open_order_initial_margin_usd=ordered,
            maintenance_margin_usd=maintenance,
            cross_wallet_usd=cross_wallet,
            cross_unrealised_pnl_usd=cross_unrealised,
            available_usd=max(ZERO, free),
            max_withdraw_usd=max(ZERO, certain),
        )

    def leg_with(self, account: SimAccount, order: SimOrder) -> LegMargin:
        """What the order's leg needs once it is taken, or put in the place of the one of its id."""
        position = account.position(order.symbol, order.position_side)
        return self.leg(account, position, _of_leg(account, position, order))

    def shortfall(self, account: SimAccount, order: SimOrder, then: LegMargin) -> Decimal:
        """USD missing to take ``order``, which makes its leg ``then``; 0 or less: there is enough.

        An order that raises no initial margin needs nothing. Otherwise the margin it adds and the
        loss that a fill at its price, beyond mark, would open must be covered by what is
        available. A market order comes here with the price that is assumed for it.
        """
        position = account.position(order.symbol, order.position_side)
        now = self.leg(account, position, _of_leg(account, position))
        added = then.open_order_initial - now.open_order_initial
        if added <= 0:
            return ZERO
        mark = self._markets[order.symbol].mark
        open_loss = max(ZERO, order.side.sign * (order.price - mark)) * order.remaining
        available = self.summary(account).available_usd
        return added + open_loss.quantize(USD_STEP) - available

    def exceeds_bracket(self, account: SimAccount, order: SimOrder, leg: LegMargin) -> bool:
        """Whether ``leg``, with all orders of the order's side filled, is larger than allowed."""
        reach = leg.notional + leg.bids if order.side is Side.BUY else leg.notional - leg.asks
        grows = abs(reach) > abs(leg.notional)
        return grows and abs(reach) > self.max_notional(account, order.symbol)

    def row(
        self, account: SimAccount, position: PositionState, leg: LegMargin, liquidation: Decimal
    ) -> SimPosition:
        """One position as the exchange shows it."""
        symbol = position.symbol
        isolated = account.isolated(symbol)
        leverage = self.leverage(account, symbol)
        wallet = position.isolated_wallet_usd
        return SimPosition(
            symbol=symbol,
            position_side=position.side,
            quantity=position.quantity,
            entry_price=position.entry_price,
            break_even_price=position.break_even_price,
            mark_price=self._markets[symbol].mark,
            unrealised_pnl_usd=leg.unrealised,
            notional_usd=leg.notional,
            liquidation_price=liquidation,
            leverage=leverage,
            margin_type=MarginType.ISOLATED if isolated else MarginType.CROSSED,
            isolated_wallet_usd=wallet,
            isolated_margin_usd=wallet + leg.unrealised if isolated else ZERO,
            position_initial_margin_usd=leg.position_initial,
            open_order_initial_margin_usd=leg.open_order_initial,
            maintenance_margin_usd=leg.maintenance,
            bid_notional_usd=leg.bids,
            ask_notional_usd=leg.asks,
            max_notional_usd=self.max_notional(account, symbol),
            adl=_adl(leg),
            updated_ms=position.updated_ms,
        )

    def rows(self, account: SimAccount) -> list[SimPosition]:
        """Every leg that is not flat or has open orders, in the order of symbol and side."""
        return [self.row(account, *one) for one in self.liquidations(account)]

    def liquidations(
        self, account: SimAccount
    ) -> Iterator[tuple[PositionState, LegMargin, Decimal]]:
        """The same legs, each with its margin and its liquidation price; 0: none."""
        legs = self.legs(account)
        shared = account.cross_wallet_usd + sum(
            (leg.unrealised - leg.maintenance for p, leg in legs if not account.isolated(p.symbol)),
            ZERO,
        )
        by_symbol: dict[str, list[tuple[PositionState, LegMargin]]] = defaultdict(list)
        for position, leg in legs:
            by_symbol[position.symbol].append((position, leg))
        for position, leg in legs:
            together = by_symbol[position.symbol]
            if account.isolated(position.symbol):
                together, balance = [(position, leg)], position.isolated_wallet_usd
            else:
                own = (each.unrealised - each.maintenance for _, each in together)
                balance = shared - sum(own, ZERO)
            market = self._markets[position.symbol]
            price = liquidation_price(market, balance, together) if position.quantity else ZERO
            yield position, leg, price


def liquidation_price(
    market: SymbolMarket, balance_usd: Decimal, legs: list[tuple[PositionState, LegMargin]]
) -> Decimal:
    """Solve balance + sum(q p - cost) = sum(|q| p ratio - cumulative) for the price p.

    ``legs`` are those of one symbol. The brackets of today's notional are used; 0 where no
    positive price solves it.
    """
    constant, slope = balance_usd, ZERO
    for position, leg in legs:
        bracket = bracket_of(market.brackets, abs(leg.notional))
        held = position.quantity
        constant += (bracket.cumulative_usd if held else ZERO) - position.cost_usd
        slope += abs(held) * bracket.maintenance_margin_ratio - held
    if not slope:
        return ZERO
    price = constant / slope
    return price.quantize(USD_STEP) if price > 0 else ZERO


def _opening_notional(orders: Iterable[SimOrder]) -> tuple[Decimal, Decimal]:
    """USD of buys and of sells that may grow the leg."""
    bids = asks = ZERO
    for order in orders:
        if order.closing:
            continue
        notional = (order.remaining * order.price).quantize(USD_STEP)
        if order.side is Side.BUY:
            bids += notional
        else:
            asks += notional
    return bids, asks


def _of_leg(
    account: SimAccount, position: PositionState, changed: SimOrder | None = None
) -> list[SimOrder]:
    """Open orders of a leg; ``changed`` is added, or takes the place of the one of its id."""
    orders = {
        o.order_id: o
        for o in account.open_orders(position.symbol)
        if o.position_side is position.side
    }
    if changed is not None:
        orders[changed.order_id] = changed
    return list(orders.values())


def _adl(leg: LegMargin) -> int:
    """Winners with much leverage are closed out first: 0 for a loser, 4 above 100 % return."""
    if leg.unrealised <= 0 or not leg.position_initial:
        return 0
    return min(_ADL_FULL_QUEUE, 1 + int(3 * leg.unrealised / leg.position_initial))
