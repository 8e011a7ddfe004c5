"""What is held at one moment: the bot's positions and our own hedges, immutable and timestamped."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from risk.errors import DataError
from risk.quick_init import quick_init

FloatArray = NDArray[np.float64]


class Owner(StrEnum):
    """Whose decision a position is."""

    BOT = "bot"
    HEDGE = "hedge"


@quick_init
@dataclass(frozen=True, slots=True)
class Position:
    """One open position; long is positive, short negative.

    Attributes:
        symbol: ccxt's unified symbol.
        owner: the bot's, or a hedge of ours.
        source: name of the source that reported it.
        base_quantity: base units, signed.
        mark_price: USD for one base unit.
        timestamp_ms: when it was true, UTC milliseconds.
        position_side: ``BOTH`` in one-way mode, ``LONG`` or ``SHORT`` in hedge mode.
        entry_price, leverage, liquidation_price, unrealised_pnl_usd: None where not reported.
    """

    symbol: str
    owner: Owner
    source: str
    base_quantity: float
    mark_price: float
    timestamp_ms: int
    position_side: str = "BOTH"
    entry_price: float | None = None
    leverage: float | None = None
    liquidation_price: float | None = None
    unrealised_pnl_usd: float | None = None

    def __post_init__(self) -> None:
        if not isfinite(self.base_quantity):
            raise DataError(f"{self.symbol}: position of {self.base_quantity} base units")
        if not (isfinite(self.mark_price) and self.mark_price > 0):
            raise DataError(f"{self.symbol}: mark price {self.mark_price}, must be above 0")

    @property
    def notional_usd(self) -> float:
        """Signed notional at the mark price, USD."""
        return self.base_quantity * self.mark_price


@quick_init
@dataclass(frozen=True, slots=True)
class AccountState:
    """Money of one account, USD.

    Attributes:
        name: the account's name in the config.
        equity_usd: wallet balance plus unrealised PnL.
        available_usd: what new positions may still use as initial margin.
        initial_margin_usd, maintenance_margin_usd: of all open positions.
        timestamp_ms: when it was true, UTC milliseconds.
    """

    name: str
    equity_usd: float
    available_usd: float
    initial_margin_usd: float
    maintenance_margin_usd: float
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Book:
    """Everything held at ``timestamp_ms``, and the money of the account that holds the hedges."""

    timestamp_ms: int
    positions: tuple[Position, ...]
    hedge_account: AccountState

    def of(self, owner: Owner) -> tuple[Position, ...]:
        """The positions of one owner."""
        return tuple(p for p in self.positions if p.owner is owner)

    def symbols(self, owner: Owner | None = None) -> tuple[str, ...]:
        """Symbols with a position that is not zero, sorted, without repetition."""
        held = self.positions if owner is None else self.of(owner)
        return tuple(sorted({p.symbol for p in held if p.base_quantity != 0}))

    def notional_usd(self, symbols: Sequence[str], owner: Owner | None = None) -> FloatArray:
        """Signed notional for each of ``symbols``, USD, shape (N,); rows of one symbol add up.

        Raises:
            DataError: a position that is not zero is in none of ``symbols``.
        """
        held = self.positions if owner is None else self.of(owner)
        return net_notional_usd(held, symbols)


def net_notional_usd(positions: Iterable[Position], symbols: Sequence[str]) -> FloatArray:
    """Signed notional for each of ``symbols``, USD, shape (N,).

    Raises:
        DataError: a position that is not zero is in none of ``symbols``.
    """
    index = {symbol: i for i, symbol in enumerate(symbols)}
    total = np.zeros(len(symbols))
    for position in positions:
        if position.base_quantity == 0:
            continue
        if position.symbol not in index:
            raise DataError(f"{position.symbol}: held, but not among the symbols asked for")
        total[index[position.symbol]] += position.notional_usd
    return total


def require_notional(x_usd: FloatArray, symbols: Sequence[str]) -> FloatArray:
    """The signed notionals (N,) of N symbols as float64 after a check; NaN is never flat.

    Raises:
        DataError: the shape does not fit, or a notional is not finite, named with its symbol.
    """
    x = np.asarray(x_usd, dtype=np.float64)
    if x.shape != (len(symbols),):
        raise DataError(f"positions have shape {x.shape}, must be ({len(symbols)},)")
    if not np.all(np.isfinite(x)):
        raise DataError(f"{symbols[int(np.argmax(~np.isfinite(x)))]}: notional is not finite")
    return x
