"""What our own fills add up to: positions, entry prices, realised PnL, fees, funding and cash.

Everything is exact Decimal: the cost of a position is carried as a sum, and the share of it that a
partial close takes out is rounded to a fixed step, the rest staying in the position. So nothing is
ever lost between what was realised and what is still open.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from bot.trading.orders import Fill

_EXACT = Context(prec=80)
_COST_STEP = Decimal("1e-12")
_ZERO = Decimal(0)

PositionKey = tuple[str, str]  # symbol, position side


@dataclass(frozen=True, slots=True)
class OwnFill:
    """An execution of an order of ours, and the position that it moved."""

    fill: Fill
    position_side: str

    @property
    def key(self) -> PositionKey:
        """Symbol and position side."""
        return self.fill.symbol, self.position_side

    @property
    def signed_quantity(self) -> Decimal:
        """Base units, positive for a buy."""
        return self.fill.side.sign * self.fill.quantity


@dataclass(frozen=True, slots=True)
class ExternalClose:
    """A part of a hedge that somebody else closed, the exchange itself for instance.

    Attributes:
        quantity_change: what to add to our position, base units, signed against it.
        kind: ``adl``, ``liquidation``, ``settlement`` or ``others``.
        price: None where no trade of it is known; then what it realised is not known either.
        fee_usd, realised_pnl_usd: of that trade; None where not told.
    """

    symbol: str
    position_side: str
    quantity_change: Decimal
    timestamp_ms: int
    kind: str = "others"
    price: Decimal | None = None
    fee_usd: Decimal | None = None
    realised_pnl_usd: Decimal | None = None

    @property
    def key(self) -> PositionKey:
        """Symbol and position side."""
        return self.symbol, self.position_side


@dataclass(frozen=True, slots=True)
class FundingReceipt:
    """One funding payment on our hedges; positive was received, negative paid, USD."""

    receipt_id: str
    symbol: str
    amount_usd: Decimal
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class LedgerPosition:
    """One position of ours and everything it has earned and cost so far.

    Attributes:
        base_quantity: signed base units.
        cost_usd: signed quantity times price of what is still open, USD.
        realised_pnl_usd: before fees, by average entry price.
        venue_pnl_usd: the same as the venue counts it, ours where it does not tell.
        fees_usd: paid (negative: rebates).
        fees_unknown: fills whose fee the venue did not tell in USD; they are not in ``fees_usd``.
        traded_usd: sum of absolute notionals.
        closed_unpriced: base units that were closed by others at an unknown price.
    """

    base_quantity: Decimal = _ZERO
    cost_usd: Decimal = _ZERO
    realised_pnl_usd: Decimal = _ZERO
    venue_pnl_usd: Decimal = _ZERO
    fees_usd: Decimal = _ZERO
    fees_unknown: int = 0
    traded_usd: Decimal = _ZERO
    closed_unpriced: Decimal = _ZERO

    @property
    def entry_price(self) -> Decimal | None:
        """Average price of what is open; None when flat."""
        return self.cost_usd / self.base_quantity if self.base_quantity else None


@dataclass(frozen=True, slots=True)
class Ledger:
    """The account of our hedges; ``positions`` keeps flat ones too, for what they realised."""

    positions: Mapping[PositionKey, LedgerPosition]
    funding_usd: Decimal

    @property
    def open_quantity(self) -> dict[PositionKey, Decimal]:
        """Signed base units of what is open."""
        return {k: p.base_quantity for k, p in self.positions.items() if p.base_quantity}

    @property
    def realised_pnl_usd(self) -> Decimal:
        """Before fees and funding."""
        return _sum(p.realised_pnl_usd for p in self.positions.values())

    @property
    def fees_usd(self) -> Decimal:
        """Paid."""
        return _sum(p.fees_usd for p in self.positions.values())

    @property
    def fees_unknown(self) -> int:
        """Fills without a known fee."""
        return sum(p.fees_unknown for p in self.positions.values())

    @property
    def traded_usd(self) -> Decimal:
        """Sum of absolute notionals."""
        return _sum(p.traded_usd for p in self.positions.values())

    @property
    def cash_change_usd(self) -> Decimal:
        """Realised PnL less fees plus funding."""
        return _sum((self.realised_pnl_usd, -self.fees_usd, self.funding_usd))

    def wallet_usd(self, starting_usd: Decimal) -> Decimal:
        """Wallet of an account that started with this much and did nothing else.

        Counts realised PnL as the venue did, so that its own wallet comes out to the last digit.
        """
        realised = _sum(p.venue_pnl_usd for p in self.positions.values())
        return _sum((starting_usd, realised, -self.fees_usd, self.funding_usd))


def replay(
    fills: Iterable[OwnFill],
    funding: Iterable[FundingReceipt] = (),
    closes: Iterable[ExternalClose] = (),
) -> Ledger:
    """The ledger after all of these, taken in order of their times."""
    positions: dict[PositionKey, LedgerPosition] = {}
    moves: list[OwnFill | ExternalClose] = sorted((*fills, *closes), key=_time_ms)
    with localcontext(_EXACT):
        for move in moves:
            before = positions.get(move.key, LedgerPosition())
            positions[move.key] = (
                after_fill(before, move)
                if isinstance(move, OwnFill)
                else _after_external_close(before, move)
            )
    return Ledger(positions, _sum(receipt.amount_usd for receipt in funding))


@dataclass(slots=True)
class Holding:
    """One position by its quantity alone, and when it was last moved.

    Attributes:
        base_quantity: signed base units.
        filled_ms, closed_ms: time of its latest fill and of its latest close by others; -1 without.
    """

    base_quantity: Decimal = _ZERO
    filled_ms: int = -1
    closed_ms: int = -1


def follow(
    holdings: dict[PositionKey, Holding],
    fills: Iterable[OwnFill],
    closes: Iterable[ExternalClose] = (),
) -> bool:
    """Moves what is held on by these; False where one of them belongs before what is in already.

    Fills add up in any order, but a close takes what was held at its time. After False the holdings
    are spoilt, and ``replay`` of everything tells what is held.
    """
    moves: list[OwnFill | ExternalClose] = sorted((*fills, *closes), key=_time_ms)
    with localcontext(_EXACT):
        for move in moves:
            held, time_ms = holdings.setdefault(move.key, Holding()), _time_ms(move)
            if isinstance(move, OwnFill):
                if time_ms <= held.closed_ms:
                    return False
                held.base_quantity += move.signed_quantity
                held.filled_ms = max(held.filled_ms, time_ms)
            else:
                if time_ms < max(held.filled_ms, held.closed_ms):
                    return False
                held.base_quantity += _opposing(held.base_quantity, move.quantity_change)
                held.closed_ms = time_ms
    return True


def after_fill(position: LedgerPosition, own: OwnFill) -> LedgerPosition:
    """The position once one fill is booked; a fill that crosses zero closes, then opens."""
    with localcontext(_EXACT):
        fill, signed = own.fill, own.signed_quantity
        closed = _opposing(position.base_quantity, signed)
        share = _cost_share(position, closed)
        opened = signed - closed
        realised = -closed * fill.price - share
        reported = realised if fill.realised_pnl_usd is None else fill.realised_pnl_usd
        return LedgerPosition(
            base_quantity=position.base_quantity + signed,
            cost_usd=position.cost_usd - share + opened * fill.price,
            realised_pnl_usd=position.realised_pnl_usd + realised,
            venue_pnl_usd=position.venue_pnl_usd + reported,
            fees_usd=position.fees_usd + (fill.fee_usd or _ZERO),
            fees_unknown=position.fees_unknown + (fill.fee_usd is None),
            traded_usd=position.traded_usd + fill.quantity * fill.price,
            closed_unpriced=position.closed_unpriced,
        )


def _after_external_close(position: LedgerPosition, close: ExternalClose) -> LedgerPosition:
    closed = _opposing(position.base_quantity, close.quantity_change)
    share = _cost_share(position, closed)
    left = replace(
        position,
        base_quantity=position.base_quantity + closed,
        cost_usd=position.cost_usd - share,
    )
    if close.price is None:
        return replace(left, closed_unpriced=position.closed_unpriced + abs(closed))
    realised = -closed * close.price - share
    told = close.realised_pnl_usd
    return replace(  # what was traded counts our own orders only
        left,
        realised_pnl_usd=position.realised_pnl_usd + realised,
        venue_pnl_usd=position.venue_pnl_usd + (realised if told is None else told),
        fees_usd=position.fees_usd + (close.fee_usd or _ZERO),
        fees_unknown=position.fees_unknown + (close.fee_usd is None),
    )


def _opposing(held: Decimal, change: Decimal) -> Decimal:
    """The part of a signed change that shrinks what is held, signed like the change."""
    if held * change >= 0:
        return _ZERO
    return change if abs(change) <= abs(held) else -held


def _cost_share(position: LedgerPosition, closed: Decimal) -> Decimal:
    """Cost of the part of a position that ``closed`` (signed against it) takes out."""
    if not closed:
        return _ZERO
    if closed == -position.base_quantity:
        return position.cost_usd
    share = position.cost_usd * -closed / position.base_quantity
    return share.quantize(_COST_STEP, ROUND_HALF_EVEN)


def _time_ms(move: OwnFill | ExternalClose) -> int:
    return move.fill.timestamp_ms if isinstance(move, OwnFill) else move.timestamp_ms


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    with localcontext(_EXACT):
        return sum(amounts, _ZERO)
