"""An attribution held against the income that the exchange itself lists. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bot.attribution.income import Difference, differences
from bot.attribution.period import Attribution
from bot.controls.books import Income

KINDS = ("REALIZED_PNL", "COMMISSION", "FUNDING_FEE")
_DOLLARS = frozenset({"USDT", "USDC", "BUSD", "FDUSD", "USD"})
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What was booked beside what the exchange lists, of one period.

    Attributes:
        rows: of each kind in each symbol of the hedges, agreeing or not.
        beside: what is no result of a hedge: transfers, results of others in a shared account, and
            what was paid in another coin than a dollar; kind and asset, and the sum in that asset.
    """

    rows: tuple[Difference, ...]
    beside: Mapping[tuple[str, str], Decimal]

    @property
    def difference_usd(self) -> Decimal:
        """What the exchange paid beyond what was booked, of all rows."""
        return sum((one.usd for one in self.rows), _ZERO)

    @property
    def agrees(self) -> bool:
        """No row differs by any digit."""
        return not any(one.usd for one in self.rows)

    def totals(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Booked and paid by kind."""
        return {
            kind: (
                sum((one.booked_usd for one in self.rows if one.kind == kind), _ZERO),
                sum((one.paid_usd for one in self.rows if one.kind == kind), _ZERO),
            )
            for kind in KINDS
        }

    def document(self) -> dict[str, Any]:
        """As plain JSON types; money as exact decimal text."""
        return {
            "agrees": self.agrees,
            "difference_usd": _text(self.difference_usd),
            "totals": {
                kind: {"booked_usd": _text(booked), "paid_usd": _text(paid)}
                for kind, (booked, paid) in self.totals().items()
            },
            "rows": [
                {
                    "kind": one.kind,
                    "symbol": one.symbol,
                    "booked_usd": _text(one.booked_usd),
                    "paid_usd": _text(one.paid_usd),
                    "difference_usd": _text(one.usd),
                }
                for one in self.rows
            ],
            "beside": [
                {"kind": kind, "asset": asset, "amount": _text(amount)}
                for (kind, asset), amount in sorted(self.beside.items())
            ],
        }


def reconciled(found: Attribution, income: Iterable[Income]) -> Reconciled:
    """Compare them, over the time that the attribution counts bookings of.

    Args:
        income: of the account, at least of that time.
    """
    ours = {one.symbol for one in found.hedges}
    until_ms = found.booked_until_ms
    counted: list[tuple[str, str, Decimal]] = []
    beside: dict[tuple[str, str], Decimal] = {}
    for one in income:
        if one.timestamp_ms < found.start_ms:
            continue
        if until_ms is not None and one.timestamp_ms >= until_ms:
            continue
        amount = Decimal(one.amount_usd)
        if one.kind in KINDS and one.symbol in ours and one.asset in _DOLLARS:
            counted.append((one.kind, one.symbol, amount))
        else:
            key = (one.kind, one.asset)
            beside[key] = beside.get(key, _ZERO) + amount
    return Reconciled(tuple(differences(found.hedges, counted)), beside)


def _text(value: Decimal) -> str:
    """All digits that say something: 1.5, not 1.50000000 nor 1.5E+0."""
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
