"""The last look before an order is sent: small independent checks, each with a name. Pure.

They know nothing of strategies or plans. An order passes only when every one of them passes.
"""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal

from bot.controls import order_checks
from bot.controls.facts import (
    Asked,
    Denied,
    OpenOrder,
    PretradeFacts,
    PretradeLimits,
    SentOrder,
    exact,
)
from bot.trading.orders import OrderRequest, Side

__all__ = [
    "CONTROLS",
    "Denied",
    "OpenOrder",
    "PretradeFacts",
    "PretradeLimits",
    "SentOrder",
    "check_order",
]

_ZERO = Decimal(0)

_Check = Callable[[Asked], str | None]


def check_order(order: OrderRequest, facts: PretradeFacts, limits: PretradeLimits) -> Denied | None:
    """The first control that denies the order; None when all accept it."""
    asked = Asked(order, facts, limits)
    for control, check in CONTROLS.items():
        reason = check(asked)
        if reason is not None:
            return Denied(control, f"{order.symbol}: {reason}")
    return None


def _numbers(asked: Asked) -> str | None:
    """What the order and the account say is finite and positive."""
    state = asked.facts.account.state
    if not (asked.order.quantity.is_finite() and asked.order.quantity > 0):
        return f"quantity {asked.order.quantity}, must be above 0"
    if not (asked.order.limit_price.is_finite() and asked.order.limit_price > 0):
        return f"limit price {asked.order.limit_price}, must be above 0"
    if not (math.isfinite(state.equity_usd) and state.equity_usd > 0):
        return f"equity of {state.equity_usd} USD, must be above 0"
    if not math.isfinite(state.available_usd):
        return f"{state.available_usd} USD available"
    return None


def _market(asked: Asked) -> str | None:
    """The venue lists the symbol, and its prices are finite and positive."""
    if asked.order.symbol not in asked.facts.instruments:
        return "not listed by the venue"
    quote = asked.facts.quotes.get(asked.order.symbol)
    if quote is None:
        return "no price"
    for name, price in (("mark", quote.mark), ("last", quote.last), ("index", quote.index)):
        if not (math.isfinite(price) and price > 0):
            return f"{name} price {price}, must be above 0"
    return None


def _mark_age(asked: Asked) -> str | None:
    read_ms = asked.quote.timestamp_ms
    return _too_old("mark price", asked.facts.now_ms - read_ms, asked.limits.mark_max_age_ms)


def _positions_age(asked: Asked) -> str | None:
    return _too_old(
        "positions",
        asked.facts.now_ms - asked.facts.positions_ms,
        asked.limits.positions_max_age_ms,
    )


def _balance_age(asked: Asked) -> str | None:
    age_ms = asked.facts.now_ms - asked.facts.account.state.timestamp_ms
    return _too_old("balance", age_ms, asked.limits.balance_max_age_ms)


def _too_old(what: str, age_ms: int, max_age_ms: int) -> str | None:
    if -max_age_ms <= age_ms <= max_age_ms:
        return None
    return f"{what} {age_ms / 1000:.1f} s old, at most {max_age_ms / 1000:.1f} s is accepted"


def _divergence(asked: Asked) -> str | None:
    quote = asked.quote
    for name, price in (("last", quote.last), ("index", quote.index)):
        distance = abs(price / quote.mark - 1)
        if distance > asked.limits.max_divergence:
            return (
                f"{name} price {price:g} is {distance:.1%} from the mark price {quote.mark:g}, "
                f"at most {asked.limits.max_divergence:.1%} is accepted"
            )
    return None


def _collar(asked: Asked) -> str | None:
    mark = exact(asked.quote.mark)
    if abs(asked.order.limit_price - mark) <= mark * exact(asked.limits.collar):
        return None
    return (
        f"limit price {asked.order.limit_price} is more than {asked.limits.collar:.1%} "
        f"from the mark price {mark}"
    )


def _filters(asked: Asked) -> str | None:
    """Tick, lot and largest quantity; a close may end a rest that is not whole lots."""
    order, instrument = asked.order, asked.instrument
    if order.limit_price % instrument.tick:
        return f"limit price {order.limit_price} is not a multiple of the tick {instrument.tick}"
    if instrument.max_quantity is not None and order.quantity > instrument.max_quantity:
        return f"quantity {order.quantity} is above the venue's {instrument.max_quantity}"
    if order.quantity % instrument.lot and not _ends_position(asked):
        return f"quantity {order.quantity} is not a multiple of the lot {instrument.lot}"
    return None


def _smallest(asked: Asked) -> str | None:
    """Smallest quantity and notional, from which a close is free."""
    order, instrument = asked.order, asked.instrument
    if order.reduce_only:
        return None
    if order.quantity < instrument.min_quantity:
        return f"quantity {order.quantity} is below the venue's {instrument.min_quantity}"
    notional_usd = order.quantity * order.limit_price
    if notional_usd < instrument.min_notional_usd:
        return f"{notional_usd:.2f} USD is below the venue's {instrument.min_notional_usd} USD"
    return None


def _ends_position(asked: Asked) -> bool:
    return asked.order.reduce_only and asked.order.quantity == abs(asked.held)


def _notional(asked: Asked) -> str | None:
    cap_usd = asked.limits.order_cap_usd(asked.equity_usd)
    notional_usd = asked.notional_usd
    if notional_usd <= cap_usd:
        return None
    return f"order of {notional_usd:.2f} USD, at most {cap_usd:.2f} USD is allowed"


def _allow_list(asked: Asked) -> str | None:
    if asked.order.reduce_only or asked.order.symbol in asked.facts.allowed:
        return None
    return "hands-off: a hedge here may only shrink"


def _unresolved(asked: Asked) -> str | None:
    if any(open_order.symbol == asked.order.symbol for open_order in asked.facts.open_orders):
        return "an earlier order is not resolved"
    return None


def _closes(asked: Asked) -> str | None:
    """Against our position only reduce-only orders, and never more than is held."""
    expected = ("LONG", "SHORT") if asked.facts.account.hedge_mode else ("BOTH",)
    if asked.order.position_side not in expected:
        return (
            f"position side {asked.order.position_side}, the account wants {' or '.join(expected)}"
        )
    held = asked.held
    against = held * asked.order.side.sign < 0
    if asked.order.reduce_only and not against:
        return f"nothing to reduce: we hold {held}"
    if asked.order.reduce_only and asked.order.quantity > abs(held):
        return f"reduces by {asked.order.quantity}, we hold {held}"
    if against and not asked.order.reduce_only:
        return f"an order against our position of {held} must be reduce-only"
    opens = Side.BUY if asked.order.position_side == "LONG" else Side.SELL
    if (
        asked.order.position_side != "BOTH"
        and not asked.order.reduce_only
        and asked.order.side is not opens
    ):
        return f"a {asked.order.side} cannot open on position side {asked.order.position_side}"
    return None if asked.order.reduce_only else _other_side_held(asked)


def _other_side_held(asked: Asked) -> str | None:
    """Long and short at once come to nothing, cost margin twice, and no net close ends them.

    But a rest below one lot can never be closed, and must not keep the other side shut for ever.
    """
    other = {"LONG": "SHORT", "SHORT": "LONG"}.get(asked.order.position_side, "")
    held = asked.facts.own.get((asked.order.symbol, other), _ZERO)
    if abs(held) < asked.instrument.lot:
        return None
    return f"we still hold {held} on position side {other}, which is closed first"


def _symbol_gross(asked: Asked) -> str | None:
    if asked.order.reduce_only:
        return None
    cap_usd = exact(asked.limits.symbol_equity_fraction * asked.equity_usd)
    after_usd = _worst_usd(asked.order.symbol, asked.facts) + asked.notional_usd
    if after_usd <= cap_usd:
        return None
    return f"hedge of {after_usd:.2f} USD at worst, at most {cap_usd:.2f} USD in one symbol"


def _hedge_gross(asked: Asked) -> str | None:
    if asked.order.reduce_only:
        return None
    symbols = {symbol for symbol, _ in asked.facts.own} | {
        o.symbol for o in asked.facts.open_orders
    }
    quotes = asked.facts.quotes
    unpriced = sorted(s for s in symbols if s not in quotes or not math.isfinite(quotes[s].mark))
    if unpriced:
        return f"the gross of all hedges is not known: no price for {unpriced[0]}"
    cap_usd = exact(asked.limits.hedge_gross_equity_fraction * asked.equity_usd)
    held_usd = sum((_worst_usd(symbol, asked.facts) for symbol in symbols), _ZERO)
    after_usd = held_usd + asked.notional_usd
    if after_usd <= cap_usd:
        return None
    return f"all hedges {after_usd:.2f} USD at worst, at most {cap_usd:.2f} USD is allowed"


def _depth(asked: Asked) -> str | None:
    depth_usd = asked.facts.depth_usd.get((asked.order.symbol, asked.order.side))
    if depth_usd is None:
        return None
    cap_usd = exact(asked.limits.depth_fraction * depth_usd)
    notional_usd = asked.notional_usd
    if notional_usd <= cap_usd:
        return None
    return f"order of {notional_usd:.2f} USD, the book inside the collar bears {cap_usd:.2f} USD"


def _free_margin(asked: Asked) -> str | None:
    if asked.order.reduce_only:
        return None
    state = asked.facts.account.state
    needed_usd = _margin_usd(asked.order.symbol, asked.notional_usd, asked.facts)
    for pending in asked.facts.open_orders:
        if not pending.reduce_only and pending.symbol in asked.facts.quotes:
            mark = exact(asked.facts.quotes[pending.symbol].mark)
            needed_usd += _margin_usd(pending.symbol, pending.quantity * mark, asked.facts)
    free = (exact(state.available_usd) - needed_usd) / exact(state.equity_usd)
    if free >= exact(asked.limits.min_free_margin):
        return None
    return (
        f"{free:.1%} of equity free of margin after it, at least {asked.limits.min_free_margin:.1%}"
    )


CONTROLS: Mapping[str, _Check] = {
    "symbol_halted": order_checks.symbol_halted,
    "numbers": _numbers,
    "market": _market,
    "style": order_checks.style,
    "clock_halt": order_checks.clock_halt,
    "clock_offset": order_checks.clock_offset,
    "mark_age": _mark_age,
    "positions_age": _positions_age,
    "balance_age": _balance_age,
    "divergence": _divergence,
    "allow_list": _allow_list,
    "unresolved": _unresolved,
    "closes": _closes,
    "filters_age": order_checks.filters_age,
    "filters": _filters,
    "smallest": _smallest,
    "collar": _collar,
    "order_notional": _notional,
    "symbol_gross": _symbol_gross,
    "hedge_gross": _hedge_gross,
    "depth": _depth,
    "free_margin": _free_margin,
    "liquidation": order_checks.liquidation,
    "self_trade": order_checks.self_trade,
    "turnover": order_checks.turnover,
    "duplicate": order_checks.duplicate,
    "repeated": order_checks.repeated,
}
"""Every check by its name, in the order in which they are asked."""


def _margin_usd(symbol: str, notional_usd: Decimal, facts: PretradeFacts) -> Decimal:
    """Initial margin; the whole notional where the venue does not tell the leverage."""
    return notional_usd * exact(facts.account.margin_rate.get(symbol, 1.0))


def _worst_usd(symbol: str, facts: PretradeFacts) -> Decimal:
    """Gross of our hedge in a symbol if those unresolved orders filled that make it largest."""
    worst = _ZERO
    sides = {side for held, side in facts.own if held == symbol}
    sides |= {o.position_side for o in facts.open_orders if o.symbol == symbol}
    for position_side in sides:
        held = facts.own.get((symbol, position_side), _ZERO)
        pending = [
            o
            for o in facts.open_orders
            if o.symbol == symbol and o.position_side == position_side and not o.reduce_only
        ]
        up = sum((o.quantity for o in pending if o.side is Side.BUY), _ZERO)
        down = sum((o.quantity for o in pending if o.side is Side.SELL), _ZERO)
        worst += max(abs(held + up), abs(held - down), abs(held))
    return worst * exact(facts.quotes[symbol].mark) if worst else _ZERO
