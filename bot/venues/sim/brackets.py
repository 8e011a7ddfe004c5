"""Leverage brackets: how much leverage and maintenance margin a position of some size needs.

Deep markets allow more. The class of a symbol follows its daily volume when it is first quoted.
"""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from bot.venues.sim.records import USD_STEP, ZERO, Bracket

# Leverage, notional cap in USD, maintenance margin ratio; by smallest daily volume in USD.
_CLASSES: tuple[tuple[float, tuple[tuple[int, int, str], ...]], ...] = (
    (
        2e9,
        (
            (125, 300_000, "0.004"),
            (100, 800_000, "0.005"),
            (75, 3_000_000, "0.0065"),
            (50, 12_000_000, "0.01"),
            (25, 70_000_000, "0.02"),
            (20, 100_000_000, "0.025"),
            (10, 230_000_000, "0.05"),
            (5, 480_000_000, "0.1"),
            (4, 600_000_000, "0.125"),
            (2, 1_200_000_000, "0.25"),
            (1, 1_800_000_000, "0.5"),
        ),
    ),
    (
        2e8,
        (
            (75, 50_000, "0.01"),
            (50, 250_000, "0.015"),
            (25, 1_000_000, "0.02"),
            (20, 2_000_000, "0.025"),
            (10, 10_000_000, "0.05"),
            (5, 20_000_000, "0.1"),
            (4, 25_000_000, "0.125"),
            (2, 50_000_000, "0.25"),
            (1, 100_000_000, "0.5"),
        ),
    ),
    (
        2e7,
        (
            (50, 25_000, "0.015"),
            (25, 100_000, "0.02"),
            (20, 250_000, "0.025"),
            (10, 1_500_000, "0.05"),
            (5, 3_000_000, "0.1"),
            (4, 3_750_000, "0.125"),
            (2, 7_500_000, "0.25"),
            (1, 12_000_000, "0.5"),
        ),
    ),
    (
        0.0,
        (
            (25, 10_000, "0.02"),
            (20, 50_000, "0.025"),
            (10, 250_000, "0.05"),
            (5, 500_000, "0.1"),
            (4, 625_000, "0.125"),
            (2, 1_250_000, "0.25"),
            (1, 3_000_000, "0.5"),
        ),
    ),
)


def _build(rows: tuple[tuple[int, int, str], ...]) -> tuple[Bracket, ...]:
    built = [Bracket(1, rows[0][0], ZERO, Decimal(rows[0][1]), Decimal(rows[0][2]), ZERO)]
    for number, (lower, row) in enumerate(pairwise(rows), start=2):
        floor, ratio = Decimal(lower[1]), Decimal(row[2])
        cumulative = built[-1].cumulative_usd + floor * (ratio - Decimal(lower[2]))
        built.append(Bracket(number, row[0], floor, Decimal(row[1]), ratio, cumulative))
    return tuple(built)


_BRACKETS = tuple((volume, _build(rows)) for volume, rows in _CLASSES)


def brackets_by_volume(daily_volume_usd: float) -> tuple[Bracket, ...]:
    """The brackets of a symbol with this daily volume in USD, smallest positions first."""
    return next(brackets for volume, brackets in _BRACKETS if daily_volume_usd >= volume)


def bracket_of(brackets: Sequence[Bracket], notional_usd: Decimal) -> Bracket:
    """The bracket of a position of this absolute notional; the last one beyond the last cap."""
    for bracket in brackets:
        if notional_usd <= bracket.notional_cap_usd:
            return bracket
    return brackets[-1]


def maintenance_margin_usd(brackets: Sequence[Bracket], notional_usd: Decimal) -> Decimal:
    """Notional times ratio minus the cumulative amount, USD; ``notional_usd`` is absolute."""
    if not notional_usd:
        return ZERO
    bracket = bracket_of(brackets, notional_usd)
    margin = notional_usd * bracket.maintenance_margin_ratio - bracket.cumulative_usd
    return margin.quantize(USD_STEP)


def max_notional_usd(brackets: Sequence[Bracket], leverage: int) -> Decimal:
    """Largest position at this leverage, USD: the larger the position, the less leverage."""
    fitting = (b.notional_cap_usd for b in reversed(brackets) if b.initial_leverage >= leverage)
    return next(fitting, ZERO)


def max_leverage(brackets: Sequence[Bracket]) -> int:
    """Largest leverage of the symbol."""
    return brackets[0].initial_leverage
