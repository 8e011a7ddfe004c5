"""What the journal booked beside what the exchange paid, to the last digit. Pure.

Kinds of income are named as Binance names them; a fee is income that is negative.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from bot.attribution.hedges import HedgeResult

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Difference:
    """One kind of income in one symbol."""

    kind: str
    symbol: str
    booked_usd: Decimal
    paid_usd: Decimal

    @property
    def usd(self) -> Decimal:
        """What the exchange paid beyond what was booked."""
        return self.paid_usd - self.booked_usd


def differences(
    hedges: Iterable[HedgeResult], income: Iterable[tuple[str, str, Decimal]]
) -> list[Difference]:
    """Every kind and symbol that either side knows, also where both say the same.

    Args:
        hedges: of the period.
        income: kind, symbol and USD, as the exchange lists the same period; received is positive.
    """
    booked: dict[tuple[str, str], Decimal] = {}
    for one in hedges:
        booked["REALIZED_PNL", one.symbol] = one.realised_usd
        booked["COMMISSION", one.symbol] = -one.fees_usd
        booked["FUNDING_FEE", one.symbol] = one.funding_usd
    paid: dict[tuple[str, str], Decimal] = {}
    for kind, symbol, usd in income:
        paid[kind, symbol] = paid.get((kind, symbol), _ZERO) + usd
    return [
        Difference(*key, booked.get(key, _ZERO), paid.get(key, _ZERO))
        for key in sorted({*booked, *paid})
    ]
