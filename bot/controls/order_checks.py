"""Checks of one order against what was sent lately and against the account's state. Pure.

Each returns why the order is denied, in one line, or None.
"""

from decimal import Decimal

from bot.controls.facts import Asked, exact

_ZERO = Decimal(0)
EVERYTHING = "*"
"""Stands for all symbols among those that are halted."""


def symbol_halted(asked: Asked) -> str | None:
    """The symbol is not halted."""
    halted = asked.facts.halted
    return halted.get(asked.order.symbol) or halted.get(EVERYTHING)


def style(asked: Asked) -> str | None:
    """A limit order of a style that was chosen."""
    if asked.order.time_in_force in asked.limits.styles:
        return None
    chosen = " or ".join(sorted(asked.limits.styles))
    return f"time in force {asked.order.time_in_force}, only {chosen} is allowed"


def clock_halt(asked: Asked) -> str | None:
    """The venue's clock is so far off that nothing can be relied on."""
    offset_ms = asked.facts.clock_offset_ms
    if offset_ms is None or abs(offset_ms) < asked.limits.halt_clock_offset_ms:
        return None
    return f"the exchange's clock is {offset_ms} ms from ours"


def clock_offset(asked: Asked) -> str | None:
    """The venue's clock is near ours."""
    offset_ms = asked.facts.clock_offset_ms
    if offset_ms is None or abs(offset_ms) <= asked.limits.max_clock_offset_ms:
        return None
    most_ms = asked.limits.max_clock_offset_ms
    return f"the exchange's clock is {offset_ms} ms from ours, at most {most_ms} ms is accepted"


def filters_age(asked: Asked) -> str | None:
    """Tick, lot and smallest sizes are fresh and exact."""
    read_ms = asked.facts.instruments_ms
    if read_ms is None:
        return "it is not known when tick and lot were read"
    age_ms, most_ms = asked.facts.now_ms - read_ms, asked.limits.instruments_max_age_ms
    if not -most_ms <= age_ms <= most_ms:
        return f"tick and lot {age_ms / 1000:.0f} s old, at most {most_ms / 1000:.0f} s is accepted"
    one = asked.instrument
    for name, value in (("tick", one.tick), ("lot", one.lot), ("contract size", one.contract_size)):
        if not (isinstance(value, Decimal) and value.is_finite() and value > 0):
            return f"{name} {value!r}, must be an exact decimal above 0"
    return None


def duplicate(asked: Asked) -> str | None:
    """Not the same symbol, side and size again so soon; slices of one intent are no duplicates."""
    order, limits = asked.order, asked.limits
    for sent in asked.facts.recent:
        age_ms = asked.facts.now_ms - sent.sent_ms
        if (
            0 <= age_ms <= limits.duplicate_window_ms
            and sent.side is order.side
            and sent.quantity == order.quantity
            and sent.intent_id != order.intent_id
        ):
            return f"the same order as {sent.client_id} of {age_ms / 1000:.1f} s ago"
    return None


def repeated(asked: Asked) -> str | None:
    """Orders of one side beyond the planned slices bring the rest to be traded down."""
    order, facts, limits = asked.order, asked.facts, asked.limits
    same = [
        sent
        for sent in facts.recent
        if sent.side is order.side and 0 <= facts.now_ms - sent.sent_ms <= limits.repeat_window_ms
    ]
    if not same or facts.rest is None:
        return None
    beyond = len(same) + 1 - (facts.slices or 1)
    if beyond <= limits.max_repeats:
        return None
    first = same[0].rest_before
    if facts.rest <= first * (1 - exact(limits.repeat_progress)):
        return None
    return (
        f"{len(same) + 1} {order.side} orders in {limits.repeat_window_ms / 1000:.0f} s, and what "
        f"is left to trade went from {first} to {facts.rest}"
    )


def liquidation(asked: Asked) -> str | None:
    """After the trade the liquidation price is still far away."""
    if asked.order.reduce_only:
        return None
    distance = liquidation_distance(asked)
    least = asked.limits.min_liquidation_distance
    if distance is None or distance >= exact(least):
        return None
    return (
        f"liquidation {max(distance, _ZERO):.1%} from the mark price after it, "
        f"at least {least:.1%} is needed"
    )


def liquidation_distance(asked: Asked) -> Decimal | None:
    """Share of the mark price that it may move before liquidation, after the order; None if flat.

    The nearer of two: what the venue tells of the position now, thinned by its growth, and what
    the account's money above its maintenance margin bears on the position alone.
    """
    order, account = asked.order, asked.facts.account
    key = order.symbol, order.position_side
    mark = exact(asked.quote.mark)
    now = account.base_quantity.get(key, _ZERO)
    pending = sum(
        (
            one.side.sign * one.quantity
            for one in asked.facts.open_orders
            if one.symbol == order.symbol and not one.reduce_only
        ),
        _ZERO,
    )
    after = abs(now + pending + order.side.sign * order.quantity)
    if not after:
        return None
    state = account.state
    cushion_usd = exact(state.equity_usd) - exact(state.maintenance_margin_usd)
    distance = cushion_usd / (after * mark)
    told = account.liquidation_price.get(key)
    if told is not None and now:
        distance = min(distance, abs(exact(told) - mark) / mark * abs(now) / max(after, abs(now)))
    return distance


def self_trade(asked: Asked) -> str | None:
    """Our order would never end an order of somebody else's in the same account."""
    if asked.facts.self_trade_safe or asked.order.symbol not in asked.facts.foreign_orders:
        return None
    return "somebody else has an open order here, and the exchange may end it in place of ours"


def turnover(asked: Asked) -> str | None:
    """The day's turnover stays within its limit."""
    cap_usd = exact(asked.limits.max_daily_turnover * asked.equity_usd)
    after_usd = asked.facts.turnover_usd + asked.notional_usd
    if asked.order.reduce_only or after_usd <= cap_usd:
        return None
    return f"turnover of {after_usd:.0f} USD in 24 hours, at most {cap_usd:.0f} USD is allowed"
