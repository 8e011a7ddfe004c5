"""Turns a proposal into orders: exact lots and ticks, bounded prices, small enough pieces. Pure.

This is one of the two places where float becomes Decimal. Rounding never helps the order along: a
trade never grows, a close never exceeds what is held, a limit price never leaves the collar.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from bot.ports import Quote
from bot.trading.client_ids import derive_client_id
from bot.trading.orders import OrderRequest, Side
from risk.instrument import Instrument
from strategies.proposal import HedgeLeg, HedgeProposal

_ZERO = Decimal(0)
_ONE = Decimal(1)
# A trade is a whole number of lots up to the noise of float arithmetic; less than this is noise.
_LOT_NOISE = Decimal("1e-6")
# Orders stay a little below the cap: until they are checked, marks move and fees lower equity.
_CAP_SHARE = Decimal("0.98")


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """How orders are cut and priced.

    Attributes:
        max_order_usd: largest notional of one order, USD.
        slippage: how far beyond the best price a limit may reach, a fraction.
        collar: how far from the mark price a limit may lie, a fraction.
        time_in_force: of every order.
        hedge_mode: the account holds long and short apart.
    """

    max_order_usd: Decimal
    slippage: Decimal = Decimal("0.003")
    collar: Decimal = Decimal("0.01")
    time_in_force: str = "IOC"
    hedge_mode: bool = False


@dataclass(frozen=True, slots=True)
class PlanIdentity:
    """From what the client ids are derived."""

    account: str
    cycle_id: str
    install_key: bytes
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class PlannedIntent:
    """One leg of the proposal: all its orders together trade this much, signed base units.

    Attributes:
        most_orders: how many orders it may take; None: as many as the plan has.
        done: what earlier orders of it traded, or may have, signed base units.
        known: it is in the journal already.
    """

    intent_id: str
    symbol: str
    trade_quantity: Decimal
    most_orders: int | None = None
    done: Decimal = _ZERO
    known: bool = False


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """One order of an intent; ``leg`` names it within the intent (``close-0``, ``open-1``)."""

    request: OrderRequest
    leg: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A leg, or the opening part of one, that is not carried out, and why."""

    symbol: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Orders in the order of their sending: everything that closes comes first."""

    intents: tuple[PlannedIntent, ...]
    orders: tuple[PlannedOrder, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of a leg on one position side: a close or an opening."""

    quantity: Decimal
    reduce_only: bool
    position_side: str


def plan_orders(
    proposal: HedgeProposal,
    instruments: Mapping[str, Instrument],
    quotes: Mapping[str, Quote],
    own: Mapping[tuple[str, str], Decimal],
    *,
    identity: PlanIdentity,
    settings: PlanSettings,
) -> Plan:
    """The orders that carry out a proposal.

    A trade that crosses zero becomes a close and an opening. A leg that needs more than one order
    is cut into pieces of nearly the same size. What cannot be ordered is left out, with a reason.

    Args:
        own: our hedges by (symbol, position side), signed base units, exact.
    """
    intents: list[PlannedIntent] = []
    closes: list[PlannedOrder] = []
    opens: list[PlannedOrder] = []
    skipped: list[Skipped] = []
    for leg in proposal.trades:
        cut = _cut_leg(leg, instruments, quotes, own, settings)
        skipped += [Skipped(leg.symbol, reason) for reason in cut.reasons]
        if not cut.pieces:
            continue
        intent_id = f"{identity.cycle_id}:{leg.symbol}"
        for number, (part, quantity) in enumerate(cut.pieces):
            name = f"{'close' if part.reduce_only else 'open'}-{number}"
            request = OrderRequest(
                client_id=derive_client_id(
                    identity.install_key,
                    account=identity.account,
                    symbol=leg.symbol,
                    intent_id=intent_id,
                    leg=name,
                    attempt=identity.attempt,
                ),
                intent_id=intent_id,
                symbol=leg.symbol,
                side=cut.side,
                quantity=quantity,
                limit_price=cut.limit,
                time_in_force=settings.time_in_force,
                reduce_only=part.reduce_only,
                position_side=part.position_side,
            )
            order = PlannedOrder(request, name, identity.attempt)
            (closes if part.reduce_only else opens).append(order)
        total = sum((quantity for _, quantity in cut.pieces), _ZERO)
        intents.append(PlannedIntent(intent_id, leg.symbol, cut.side.sign * total))
    return Plan(tuple(intents), (*closes, *opens), tuple(skipped))


@dataclass(frozen=True, slots=True)
class _Cut:
    side: Side
    limit: Decimal
    pieces: tuple[tuple[_Part, Decimal], ...]
    reasons: tuple[str, ...]


def _cut_leg(
    leg: HedgeLeg,
    instruments: Mapping[str, Instrument],
    quotes: Mapping[str, Quote],
    own: Mapping[tuple[str, str], Decimal],
    settings: PlanSettings,
) -> _Cut:
    side = Side.BUY if leg.trade_usd > 0 else Side.SELL

    def nothing(reason: str) -> _Cut:
        return _Cut(side, _ZERO, (), (reason,))

    instrument, quote = instruments.get(leg.symbol), quotes.get(leg.symbol)
    if instrument is None:
        return nothing("not listed by the venue")
    if quote is None:
        return nothing("no price")
    limit = limit_price(side, quote, instrument.tick, settings)
    if limit is None:
        return nothing("no usable price inside the collar")
    parts = _parts(leg, instrument, own, side, settings)
    if isinstance(parts, str):
        return nothing(parts)
    worst_price = max(limit, _decimal(quote.mark))
    pieces: list[tuple[_Part, Decimal]] = []
    reasons = []
    for part in parts:
        children = _children(part, instrument, worst_price, settings)
        if isinstance(children, str):
            reasons.append(children)
        else:
            pieces += [(part, quantity) for quantity in children]
    return _Cut(side, limit, tuple(pieces), tuple(reasons))


def limit_price(side: Side, quote: Quote, tick: Decimal, settings: PlanSettings) -> Decimal | None:
    """A price that fills at once: a little beyond the best one, never outside the collar.

    Rounded to the tick away from the market. None: the quote is not usable, or no tick fits.
    """
    prices = (quote.mark, quote.bid, quote.ask)
    if not all(math.isfinite(p) and p > 0 for p in prices) or quote.bid > quote.ask:
        return None
    mark = _decimal(quote.mark)
    low = _to_step(mark * (_ONE - settings.collar), tick, ROUND_CEILING)
    high = _to_step(mark * (_ONE + settings.collar), tick, ROUND_FLOOR)
    if side is Side.BUY:
        wanted = _to_step(_decimal(quote.ask) * (_ONE + settings.slippage), tick, ROUND_FLOOR)
    else:
        wanted = _to_step(_decimal(quote.bid) * (_ONE - settings.slippage), tick, ROUND_CEILING)
    price = min(max(wanted, low), high)
    return price if 0 < low <= high else None


def _parts(
    leg: HedgeLeg,
    instrument: Instrument,
    own: Mapping[tuple[str, str], Decimal],
    side: Side,
    settings: PlanSettings,
) -> list[_Part] | str:
    """What the leg closes and what it opens, or why it does neither."""
    sides = ("LONG", "SHORT") if settings.hedge_mode else ("BOTH",)
    held = {name: own.get((leg.symbol, name), _ZERO) for name in sides}
    if settings.hedge_mode:  # a rest below one lot stays: no order can close it
        held = {name: amount for name, amount in held.items() if abs(amount) >= instrument.lot}
    net = sum(held.values(), _ZERO)
    price = _decimal(leg.price_usd)
    if price <= 0:
        return "the proposal has no price for it"
    seen = _decimal(leg.current_usd) / price
    if abs(seen - net) > instrument.lot:
        return f"we hold {net}, the proposal was made for {seen:.8g}"
    quantity = _trade_quantity(leg, net, price, instrument.lot)
    parts = []
    for name, amount in held.items():
        if amount * side.sign < 0 and quantity > 0:
            closing = min(quantity, abs(amount))
            parts.append(_Part(closing, reduce_only=True, position_side=name))
            quantity -= closing
    opening = _to_step(quantity, instrument.lot, ROUND_FLOOR)
    if opening > 0:
        name = "BOTH" if not settings.hedge_mode else "LONG" if side is Side.BUY else "SHORT"
        parts.append(_Part(opening, reduce_only=False, position_side=name))
    return parts or "less than one lot"


def _trade_quantity(leg: HedgeLeg, net: Decimal, price: Decimal, lot: Decimal) -> Decimal:
    """Base units to trade, above 0; exactly what is held where the leg goes flat."""
    trade = _decimal(leg.trade_usd) / price
    target = _decimal(leg.target_usd) / price
    if abs(target) < lot / 2 and net * trade < 0:
        return abs(net)
    lots = abs(trade) / lot
    nearest = lots.to_integral_value()
    if abs(lots - nearest) <= _LOT_NOISE * max(_ONE, nearest):
        return nearest * lot
    return lots.to_integral_value(ROUND_FLOOR) * lot


def _children(
    part: _Part, instrument: Instrument, price: Decimal, settings: PlanSettings
) -> list[Decimal] | str:
    """Quantities of the orders of one part, each within every limit, or why there are none."""
    largest = settings.max_order_usd * _CAP_SHARE / price
    if instrument.max_quantity is not None:
        largest = min(largest, instrument.max_quantity)
    largest = _to_step(largest, instrument.lot, ROUND_FLOOR)
    if largest <= 0:
        return f"one lot is {instrument.lot * price:.2f} USD, above the largest order allowed"
    children = split_quantity(part.quantity, largest, instrument.lot)
    if part.reduce_only:
        return children
    smallest = min(children)
    if smallest < instrument.min_quantity:
        return f"{smallest} is below the venue's smallest quantity {instrument.min_quantity}"
    if smallest * price < instrument.min_notional_usd:
        return (
            f"{smallest * price:.2f} USD is below the venue's smallest order "
            f"{instrument.min_notional_usd}"
        )
    return children


def split_quantity(quantity: Decimal, largest: Decimal, lot: Decimal) -> list[Decimal]:
    """Pieces of nearly the same size, each at most ``largest``, that add up exactly.

    Every piece is whole lots, except that the last carries what is not (the rest of a position
    that is closed entirely). ``largest`` is at least one lot and whole lots.
    """
    if quantity <= largest:
        return [quantity]
    lots = int(quantity / lot)
    rest = quantity - lots * lot
    most = int(largest / lot)
    count = -(-lots // most)
    if rest and lots // count == most:
        count += 1  # the rest needs room beside the whole lots
    each, extra = divmod(lots, count)
    pieces = [(each + (i < extra)) * lot for i in range(count)]
    pieces[-1] += rest
    return pieces


def _to_step(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    return (value / step).to_integral_value(rounding) * step


def _decimal(value: float) -> Decimal:
    """The shortest decimal that reads back as this float."""
    return Decimal(repr(float(value)))
