"""Settings of an account: leverage, margin type, position mode, with the exchange's refusals."""

from bot.venues.sim.account import SimAccount
from bot.venues.sim.brackets import max_leverage, max_notional_usd
from bot.venues.sim.errors import Code, reject
from bot.venues.sim.margin import MarginRules
from bot.venues.sim.market import Markets
from bot.venues.sim.records import ZERO, MarginType, SymbolConfig


def symbol_config(account: SimAccount, symbol: str, margin: MarginRules) -> SymbolConfig:
    """The account's settings for one symbol."""
    return SymbolConfig(
        symbol=symbol,
        margin_type=account.margin_type_of(symbol),
        leverage=margin.leverage(account, symbol),
        max_notional_usd=margin.max_notional(account, symbol),
    )


def set_leverage(
    account: SimAccount, symbol: str, leverage: int, markets: Markets, margin: MarginRules
) -> SymbolConfig:
    """Change the leverage of a symbol, as far as position, orders and margin allow.

    Raises:
        VenueReject: out of range, too large a position, or too little margin.
    """
    market = markets[symbol]
    market.require_trading()
    if not 1 <= leverage <= max_leverage(market.brackets):
        raise reject(Code.BAD_LEVERAGE, leverage=leverage)
    now = margin.leverage(account, symbol)
    legs = [(p, leg) for p, leg in margin.legs(account) if p.symbol == symbol]
    held = [p for p, _ in legs if p.quantity]
    if account.isolated(symbol) and held and leverage < now:
        raise reject(Code.ISOLATED_LEVERAGE_POSITION)
    limit = max_notional_usd(market.brackets, leverage)
    if any(abs(leg.notional) > limit for _, leg in legs):
        raise reject(Code.MAX_POSITION_AT_LEVERAGE)
    if leverage < now:
        orders = account.open_orders(symbol)
        added = ZERO
        for position, leg in legs:
            mine = [o for o in orders if o.position_side is position.side]
            then = margin.leg(account, position, mine, leverage=leverage)
            added += then.position_initial + then.open_order_initial
            added -= leg.position_initial + leg.open_order_initial
        if added > margin.summary(account).available_usd:
            raise reject(Code.LEVERAGE_MARGIN_INSUFFICIENT)
    account.leverage[symbol] = leverage
    return symbol_config(account, symbol, margin)


def set_margin_type(
    account: SimAccount, symbol: str, margin_type: MarginType, markets: Markets
) -> None:
    """Change between cross and isolated margin.

    Raises:
        VenueReject: already so, or an order or a position is open.
    """
    symbol = markets[symbol].symbol
    if account.margin_type_of(symbol) is margin_type:
        raise reject(Code.MARGIN_TYPE_UNCHANGED)
    if account.open_orders(symbol):
        raise reject(Code.MARGIN_TYPE_OPEN_ORDERS)
    if account.held(symbol):
        raise reject(Code.MARGIN_TYPE_POSITION)
    account.margin_type[symbol] = margin_type


def set_position_mode(account: SimAccount, *, hedge: bool) -> None:
    """Change between one-way and hedge mode.

    Raises:
        VenueReject: already so, or an order or a position is open.
    """
    if account.hedge_mode == hedge:
        raise reject(Code.POSITION_MODE_UNCHANGED)
    if account.open_ids:
        raise reject(Code.POSITION_MODE_OPEN_ORDERS)
    if account.held():
        raise reject(Code.POSITION_MODE_POSITION)
    account.hedge_mode = hedge
