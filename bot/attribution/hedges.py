"""What the hedges earned and cost in a period, exactly, from what was booked. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from bot.trading.ledger import (
    ExternalClose,
    FundingReceipt,
    Ledger,
    LedgerPosition,
    OwnFill,
    replay,
)

_ZERO = Decimal(0)
_FLAT = LedgerPosition()


@dataclass(frozen=True, slots=True)
class Booked:
    """Everything that was ever booked in the account of the hedges, oldest first."""

    fills: Sequence[OwnFill] = ()
    funding: Sequence[FundingReceipt] = ()
    closes: Sequence[ExternalClose] = ()

    def until(self, end_ms: int | None) -> "Booked":
        """What happened before then."""
        if end_ms is None:
            return self
        return Booked(
            [one for one in self.fills if one.fill.timestamp_ms < end_ms],
            [one for one in self.funding if one.timestamp_ms < end_ms],
            [one for one in self.closes if one.timestamp_ms < end_ms],
        )

    def ledger(self) -> Ledger:
        """What all of it adds up to."""
        return replay(self.fills, self.funding, self.closes)


@dataclass(frozen=True, slots=True)
class HedgeResult:
    """The hedges of one symbol in a period, USD; a gain is positive, a fee paid is positive.

    Attributes:
        realised_usd: of closed parts, by the exchange's count where it tells one, before fees.
        unrealised_usd: change in worth of what was open, at the marks of first and last cycle;
            None where a mark is unknown.
        fees_usd, funding_usd: paid; received.
        traded_usd: sum of absolute notionals of our own orders.
        fees_unknown: fills whose fee nobody told; they are not in ``fees_usd``.
        closed_unpriced: base units that others closed at an unknown price; what they realised is in
            no figure.
    """

    symbol: str
    realised_usd: Decimal
    unrealised_usd: float | None
    fees_usd: Decimal
    funding_usd: Decimal
    traded_usd: Decimal
    fees_unknown: int = 0
    closed_unpriced: Decimal = _ZERO

    @property
    def net_usd(self) -> float | None:
        """Price, fees and funding together; None where the price part is not known."""
        if self.unrealised_usd is None:
            return None
        return float(self.realised_usd - self.fees_usd + self.funding_usd) + self.unrealised_usd


def hedge_results(
    booked: Booked,
    start_ms: int,
    end_ms: int | None,
    first_marks: Mapping[str, float],
    last_marks: Mapping[str, float],
) -> list[HedgeResult]:
    """By symbol, sorted: what came between ``start_ms`` and ``end_ms``, None being now.

    Args:
        booked: since the first order of all, so that entry prices are known.
        first_marks, last_marks: USD a coin, at either end.
    """
    whole = booked.until(end_ms)
    before, after = whole.until(start_ms).ledger(), whole.ledger()
    funding: dict[str, Decimal] = defaultdict(Decimal)
    for receipt in whole.funding:
        if receipt.timestamp_ms >= start_ms:
            funding[receipt.symbol] += receipt.amount_usd
    results = []
    for symbol in sorted({symbol for symbol, _ in after.positions} | set(funding)):
        keys = [key for key in after.positions if key[0] == symbol]
        pairs = [(before.positions.get(key, _FLAT), after.positions[key]) for key in keys]
        marks = first_marks.get(symbol), last_marks.get(symbol)
        results.append(_result(symbol, pairs, funding[symbol], marks))
    return [one for one in results if _anything(one)]


def _anything(result: HedgeResult) -> bool:
    """Whether the symbol moved or was held at all in the period."""
    still = (result.realised_usd, result.fees_usd, result.funding_usd, result.traded_usd)
    return any(still) or bool(result.closed_unpriced) or result.unrealised_usd != 0


def _result(
    symbol: str,
    pairs: Sequence[tuple[LedgerPosition, LedgerPosition]],
    funding_usd: Decimal,
    marks: tuple[float | None, float | None],
) -> HedgeResult:
    start = _open_usd((old for old, _ in pairs), marks[0])
    end = _open_usd((new for _, new in pairs), marks[1])
    return HedgeResult(
        symbol=symbol,
        realised_usd=sum((new.venue_pnl_usd - old.venue_pnl_usd for old, new in pairs), _ZERO),
        unrealised_usd=None if start is None or end is None else end - start,
        fees_usd=sum((new.fees_usd - old.fees_usd for old, new in pairs), _ZERO),
        funding_usd=funding_usd,
        traded_usd=sum((new.traded_usd - old.traded_usd for old, new in pairs), _ZERO),
        fees_unknown=sum(new.fees_unknown - old.fees_unknown for old, new in pairs),
        closed_unpriced=sum(
            (new.closed_unpriced - old.closed_unpriced for old, new in pairs), _ZERO
        ),
    )


def _open_usd(positions: Iterable[LedgerPosition], mark: float | None) -> float | None:
    """Worth of what is open above what it cost; 0 of what is flat, whatever the mark."""
    total = 0.0
    for one in positions:
        if not one.base_quantity:
            continue
        if mark is None:
            return None
        total += float(one.base_quantity) * mark - float(one.cost_usd)
    return total
