"""Whether every change of the account's money is of a known kind. Pure, but for the reading."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

INCOME_TYPES = frozenset(
    {
        "TRANSFER", "REALIZED_PNL", "COMMISSION", "FUNDING_FEE", "INSURANCE_CLEAR",
        "DELIVERED_SETTELMENT", "WELCOME_BONUS", "REFERRAL_KICKBACK", "COMMISSION_REBATE",
        "API_REBATE", "CONTEST_REWARD", "INTERNAL_TRANSFER", "CROSS_COLLATERAL_TRANSFER",
        "COIN_SWAP_DEPOSIT", "COIN_SWAP_WITHDRAW", "FEE_RETURN", "AUTO_EXCHANGE",
        "STRATEGY_UMFUTURES_TRANSFER", "POSITION_LIMIT_INCREASE_FEE", "FUTURES_PRESENT",
        "BFUSD_REWARD",
    }
)  # fmt: skip
"""Kinds of income that are understood, as Binance names them."""


@dataclass(frozen=True, slots=True)
class Income:
    """One change of the wallet by the venue's own list."""

    income_id: str
    kind: str
    symbol: str
    amount_usd: str
    timestamp_ms: int


@runtime_checkable
class IncomeReader(Protocol):
    """A venue that lists every change of the wallet with its kind."""

    async def income(self, since_ms: int) -> Sequence[Income]:
        """Since then, oldest first."""
        ...


def unknown_kinds(rows: Iterable[Income]) -> Mapping[str, Income]:
    """The first row of every kind that is not understood."""
    found: dict[str, Income] = {}
    for row in rows:
        if row.kind not in INCOME_TYPES:
            found.setdefault(row.kind, row)
    return found
