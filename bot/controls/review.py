"""What became of orders: slippage, prices outside the collar, cost and turnover of a day. Pure.

Prices are judged against the mark price at the send where it is known, else at the plan.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bot.controls.facts import Denied, PretradeLimits, exact
from bot.journal.rows import OrderRow
from bot.trading.ledger import FundingReceipt, OwnFill

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One fill beside what it should have been.

    Attributes:
        reference: mark price at the send, or at the plan; None where nobody noted it.
        notional_usd: quantity times price.
        slippage_usd: paid more, or got less, than at the reference; negative: better.
        timestamp_ms: of the fill.
    """

    own: OwnFill
    order: OrderRow
    reference: Decimal | None
    notional_usd: Decimal = field(init=False)
    slippage_usd: Decimal = field(init=False)
    timestamp_ms: int = field(init=False)

    def __post_init__(self) -> None:
        fill, reference = self.own.fill, self.reference
        slipped = _ZERO
        if reference is not None:
            slipped = fill.side.sign * (fill.price - reference) * fill.quantity
        # Once: a day of them is looked through and added up at every order.
        object.__setattr__(self, "timestamp_ms", fill.timestamp_ms)
        object.__setattr__(self, "notional_usd", fill.quantity * fill.price)
        object.__setattr__(self, "slippage_usd", slipped)


def reference_of(client_id: str, marks: Mapping[str, Decimal], inputs: Mapping[str, Any]) -> Any:
    """The mark price that an order's fills are judged by."""
    known = marks.get(client_id)
    if known is not None:
        return known
    told = inputs.get("mark")
    return None if told is None else Decimal(str(told))


def bad_price(one: Reviewed, limits: PretradeLimits, *, at_send: bool) -> Denied | None:
    """A fill that its order did not allow, or outside the collar around the mark at its send."""
    fill, limit = one.own.fill, one.order.request.limit_price
    if fill.side.sign * (fill.price - limit) > 0:
        reason = f"{fill.symbol}: trade {fill.trade_id} at {fill.price}, the limit was {limit}"
        return Denied("fill_price", reason)
    if not at_send or one.reference is None:
        return None
    if abs(fill.price - one.reference) > one.reference * exact(limits.collar):
        return Denied(
            "fill_price",
            f"{fill.symbol}: trade {fill.trade_id} at {fill.price}, more than {limits.collar:.1%} "
            f"from the mark price {one.reference} at the send",
        )
    return None


def slippage(symbol: str, fills: Sequence[Reviewed], limits: PretradeLimits) -> Denied | None:
    """Average slippage of these fills of a symbol, weighted by notional."""
    known = [one for one in fills if one.reference is not None]
    usd = sum((one.own.fill.quantity * one.reference for one in known if one.reference), _ZERO)
    if not usd:
        return None
    share = sum((one.slippage_usd for one in known), _ZERO) / usd
    if share <= exact(limits.max_slippage):
        return None
    return Denied(
        "slippage",
        f"{symbol}: fills {share * 10_000:.1f} bp from the mark price in "
        f"{limits.slippage_window_ms / 60_000:g} minutes, at most "
        f"{limits.max_slippage * 10_000:g} bp is accepted",
    )


def spending(
    fills: Sequence[Reviewed],
    funding: Sequence[FundingReceipt],
    equity_usd: float,
    limits: PretradeLimits,
) -> Denied | None:
    """Cost and turnover of these fills and payments against equity."""
    turnover_usd = sum((one.notional_usd for one in fills), _ZERO)
    most_usd = exact(limits.max_daily_turnover * equity_usd)
    if turnover_usd > most_usd:
        reason = f"turnover of {turnover_usd:.0f} USD in 24 hours, at most {most_usd:.0f} USD"
        return Denied("daily_turnover", reason)
    cost_usd = cost_of(fills, funding)
    most_usd = exact(limits.max_daily_cost * equity_usd)
    if cost_usd > most_usd:
        reason = f"cost of {cost_usd:.2f} USD in 24 hours, at most {most_usd:.2f} USD"
        return Denied("daily_cost", reason)
    return None


def cost_of(fills: Sequence[Reviewed], funding: Sequence[FundingReceipt]) -> Decimal:
    """Fees, slippage and funding paid, USD; what was received lowers it."""
    cost_usd = _ZERO
    for one in fills:
        cost_usd += (one.own.fill.fee_usd or _ZERO) + one.slippage_usd
    for receipt in funding:
        cost_usd -= receipt.amount_usd
    return cost_usd
