"""What an order cost against what the decision expected it to. Pure.

Everything is signed so that positive is a cost, and counts what was filled only. The measure is
the shortfall against the middle price at the decision (Perold 1988), told apart into what it is
made of: what the market moved until the order left, half the spread, what was paid beyond the best
price, and fees. The four add up to the whole.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any

from bot.ports import Quote
from bot.trading.orders import Fill, Side

_ZERO = Decimal(0)
_BP = 1e4


@dataclass(frozen=True, slots=True)
class SymbolCost:
    """What the decision reckoned with in one symbol.

    Attributes:
        fee, half_spread: of a crossing trade, fractions.
        impact_per_root_usd: b, so that a trade of z USD has an impact of b·|z|^{3/2} USD.
        impact_scale: σ/√ADV, so that b is the coefficient of impact times this.
    """

    fee: float
    half_spread: float
    impact_per_root_usd: float
    impact_scale: float


@dataclass(frozen=True, slots=True)
class Arrival:
    """Prices when the decision was made, and what it reckoned with; None where it is not known."""

    mark: float
    mid: float
    expected: SymbolCost | None

    def document(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def arrival_of(document: Mapping[str, Any] | None) -> Arrival | None:
    """The arrival that a document tells of; None where there is none."""
    if document is None:
        return None
    expected = document["expected"]
    return Arrival(
        document["mark"], document["mid"], None if expected is None else SymbolCost(**expected)
    )


@dataclass(frozen=True, slots=True)
class Touch:
    """The best prices when an order left."""

    bid: Decimal
    ask: Decimal

    @property
    def mid(self) -> Decimal:
        """Between them."""
        return (self.bid + self.ask) / 2

    def taken_by(self, side: Side) -> Decimal:
        """The price that an order of this side meets first."""
        return self.ask if side is Side.BUY else self.bid


def touch_of(quote: Quote) -> Touch:
    """From a quote."""
    return Touch(Decimal(repr(quote.bid)), Decimal(repr(quote.ask)))


@dataclass(frozen=True, slots=True)
class OrderCost:
    """Expected and realised cost of what one order filled, USD; positive is a cost.

    Attributes:
        notional_usd: filled quantity at the middle price of the decision.
        intent_usd: the whole intent at the middle price of the decision, above 0.
        participation_root: √(intent in USD · σ²/ADV) as the impact law has it; None if unknown.
        maker_share: of the filled quantity.
        expected_*: by the decision's cost model, which reckons with crossing; None if unknown.
        fee_usd: paid, negative for a rebate; None where the venue did not tell it of every fill.
        drift_usd, spread_usd, impact_usd: None where the best prices at the send are not known.
        shortfall_usd: all but the fee.
    """

    client_id: str
    intent_id: str
    symbol: str
    side: str
    style: str
    notional_usd: float
    maker_share: float
    arrival_mark: float
    arrival_mid: float
    average_price: float
    expected_fee_usd: float | None
    expected_spread_usd: float | None
    expected_impact_usd: float | None
    fee_usd: float | None
    drift_usd: float | None
    spread_usd: float | None
    impact_usd: float | None
    shortfall_usd: float
    intent_usd: float
    participation_root: float | None

    @property
    def expected_usd(self) -> float | None:
        """Fee, half-spread and impact."""
        parts = (self.expected_fee_usd, self.expected_spread_usd, self.expected_impact_usd)
        known = [part for part in parts if part is not None]
        return sum(known) if len(known) == len(parts) else None

    @property
    def realised_usd(self) -> float | None:
        """Shortfall and fee."""
        return None if self.fee_usd is None else self.shortfall_usd + self.fee_usd

    def in_bp(self, usd: float | None) -> float | None:
        """Of what was filled."""
        return None if usd is None or not self.notional_usd else _BP * usd / self.notional_usd

    def document(self) -> dict[str, Any]:
        """Plain JSON types, with the sums in USD and basis points."""
        sums = {"expected": self.expected_usd, "realised": self.realised_usd}
        told = {f"{name}_usd": usd for name, usd in sums.items()}
        told |= {f"{name}_bp": self.in_bp(usd) for name, usd in sums.items()}
        known = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: _short(value) for name, value in {**known, **told}.items()}


def order_cost(
    fills: Iterable[Fill],
    arrival: Arrival,
    touch: Touch | None,
    *,
    client_id: str,
    intent_id: str,
    intent_quantity: Decimal,
    style: str,
) -> OrderCost | None:
    """The cost of one order; None where it filled nothing.

    Args:
        fills: all of the order.
        touch: best prices when it left, where they are known.
        intent_quantity: base units of the whole intent: what its impact is expected by.
    """
    fills = tuple(fills)
    quantity = sum((fill.quantity for fill in fills), _ZERO)
    if not quantity:
        return None
    first, mid = fills[0], Decimal(repr(arrival.mid))
    sign, quote_usd = first.side.sign, sum((f.quantity * f.price for f in fills), _ZERO)
    notional = quantity * mid
    maker = sum((fill.quantity for fill in fills if fill.maker), _ZERO)
    fees = [fill.fee_usd for fill in fills]
    known = [fee for fee in fees if fee is not None]
    intent_usd = float(abs(intent_quantity) * mid)
    return OrderCost(
        client_id=client_id,
        intent_id=intent_id,
        symbol=first.symbol,
        side=first.side.value,
        style=style,
        notional_usd=float(notional),
        maker_share=float(maker / quantity),
        arrival_mark=arrival.mark,
        arrival_mid=arrival.mid,
        average_price=float(quote_usd / quantity),
        **_expected(arrival.expected, float(notional), intent_usd),
        fee_usd=float(sum(known, _ZERO)) if len(known) == len(fees) else None,
        **_parts(fills, mid, touch),
        shortfall_usd=float(sign * (quote_usd - notional)),
        intent_usd=intent_usd,
    )


def _expected(
    expected: SymbolCost | None, notional_usd: float, intent_usd: float
) -> dict[str, float | None]:
    """The order's share of what its intent was expected to cost."""
    if expected is None:
        names = ("expected_fee_usd", "expected_spread_usd", "expected_impact_usd")
        return dict.fromkeys((*names, "participation_root"))
    root = intent_usd**0.5
    return {
        "expected_fee_usd": expected.fee * notional_usd,
        "expected_spread_usd": expected.half_spread * notional_usd,
        "expected_impact_usd": expected.impact_per_root_usd * root * notional_usd,
        "participation_root": expected.impact_scale * root,
    }


def _parts(
    fills: tuple[Fill, ...], arrival_mid: Decimal, touch: Touch | None
) -> dict[str, float | None]:
    """What the shortfall is made of; an order that rested took nothing beyond the best price."""
    if touch is None:
        return dict.fromkeys(("drift_usd", "spread_usd", "impact_usd"))
    drift = spread = impact = _ZERO
    for fill in fills:
        sign, best = fill.side.sign, touch.taken_by(fill.side)
        drift += sign * (touch.mid - arrival_mid) * fill.quantity
        if fill.maker:
            spread += sign * (fill.price - touch.mid) * fill.quantity
        else:
            spread += sign * (best - touch.mid) * fill.quantity
            impact += sign * (fill.price - best) * fill.quantity
    return {"drift_usd": float(drift), "spread_usd": float(spread), "impact_usd": float(impact)}


def _short(value: Any) -> Any:
    return round(value, 8) if isinstance(value, float) else value
