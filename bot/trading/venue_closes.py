"""Closes that the exchange itself makes: auto-deleveraging, liquidation, settlement. Pure.

No such execution is an order of ours, so none is ever booked as a fill. Where the account's list of
trades shows executions by others that together make up just what a hedge shrank by, the hedge is
booked as closed by them, with their price, fee and PnL.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, Protocol, runtime_checkable

from bot.trading.attribution import HedgeClosedExternally
from bot.trading.orders import Fill

_ZERO = Decimal(0)


class CloseKind(StrEnum):
    """Who closed a hedge of ours."""

    ADL = "adl"
    LIQUIDATION = "liquidation"
    SETTLEMENT = "settlement"
    OTHERS = "others"

    @property
    def words(self) -> str:
        """For people."""
        return _WORDS[self]


_WORDS: Final[Mapping[CloseKind, str]] = {
    CloseKind.ADL: "deleveraged by the exchange",
    CloseKind.LIQUIDATION: "liquidated by the exchange",
    CloseKind.SETTLEMENT: "settled by the exchange",
    CloseKind.OTHERS: "closed by others",
}

_BY_CLIENT_ID: Final = (
    ("adl_autoclose", CloseKind.ADL),
    ("settlement_autoclose-", CloseKind.SETTLEMENT),
    ("delivery_autoclose-", CloseKind.SETTLEMENT),
    ("autoclose-", CloseKind.LIQUIDATION),
)
"""Beginnings of the client ids that Binance gives to orders of its own."""


@dataclass(frozen=True, slots=True)
class VenueTrade:
    """An execution by others that closed a part of a hedge."""

    fill: Fill
    kind: CloseKind


@runtime_checkable
class OriginReader(Protocol):
    """A venue whose list of trades does not tell who made them, but which tells when asked."""

    async def origins(self, symbol: str, trades: Sequence[Fill]) -> Mapping[str, CloseKind]:
        """Who made which order, by the venue's order id; those that nobody can tell left out."""
        ...


def kind_of_client_id(client_id: str) -> CloseKind | None:
    """By the ids that exchanges give to orders of their own; None where it is nobody's of them."""
    return next((kind for start, kind in _BY_CLIENT_ID if client_id.startswith(start)), None)


def explaining(
    change: HedgeClosedExternally, foreign: Iterable[Fill], booked: Callable[[str], bool]
) -> tuple[Fill, ...]:
    """The newest trades by others that add up to just what the hedge lost; none where none do.

    Args:
        foreign: trades of the symbol that are not ours. In hedge mode those of the other side,
            where the venue tells it, moved another position.
        booked: whether a trade was booked as a close before.
    """
    wanted = change.quantity_change
    fresh = [
        one
        for one in foreign
        if one.side.sign * wanted > 0
        and one.position_side in ("", change.position_side)
        and not booked(one.trade_id)
    ]
    found: list[Fill] = []
    total = _ZERO
    for fill in sorted(fresh, key=lambda f: (f.timestamp_ms, len(f.trade_id), f.trade_id))[::-1]:
        found.append(fill)
        total += fill.quantity
        if total >= abs(wanted):
            break
    return tuple(reversed(found)) if total == abs(wanted) else ()


def kind_of(trades: Iterable[VenueTrade]) -> CloseKind:
    """Of a whole close: the gravest of its trades."""
    kinds = {one.kind for one in trades}
    for kind in (CloseKind.LIQUIDATION, CloseKind.ADL, CloseKind.SETTLEMENT):
        if kind in kinds:
            return kind
    return CloseKind.OTHERS
