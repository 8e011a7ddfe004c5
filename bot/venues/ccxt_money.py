"""Equity and margins of an account out of each exchange's own balance. Pure.

ccxt's ``total`` holds unrealised profit on one exchange and leaves it out on the next, so money is
read from the fields that the exchange itself names. Nothing is filled in.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from bot.venues.ccxt_numbers import Document, decimal_of
from risk.book import AccountState
from risk.errors import DataError, MissingDataError


@dataclass(frozen=True, slots=True)
class Money:
    """USD; equity with unrealised profit, available for new margin."""

    equity: Decimal
    available: Decimal
    initial: Decimal
    maintenance: Decimal


@dataclass(frozen=True, slots=True)
class Statement:
    """What ccxt brought: its balance, its positions, and of which account and currency."""

    balance: Document
    positions: Sequence[Document]
    what: str
    currency: str

    def of_positions(self, field: str) -> Decimal:
        """A sum over the open positions."""
        rows = (row for row in self.positions if row.get("contracts"))
        amounts = (decimal_of(r, field, f"position in {r.get('symbol')}") for r in rows)
        return sum(amounts, Decimal(0))

    def inside(self, *path: str | int) -> Document:
        """A document within the exchange's own reply.

        Raises:
            MissingDataError: it is not there.
        """
        found: Any = self.balance.get("info")
        for step in path:
            if isinstance(step, int):
                found = found[step] if isinstance(found, list) and len(found) > step else None
            else:
                found = found.get(step) if isinstance(found, dict) else None
        if not isinstance(found, dict):
            raise MissingDataError(f"{self.what}: the balance is not told")
        return found


def _pick(document: Document, what: str, *names: str) -> Money:
    return Money(*(decimal_of(document, name, what) for name in names))


def _binance(told: Statement) -> Money:
    names = ("totalMarginBalance", "availableBalance", "totalInitialMargin", "totalMaintMargin")
    return _pick(told.inside(), told.what, *names)


def _bybit(told: Statement) -> Money:
    names = (
        *("totalEquity", "totalAvailableBalance"),
        *("totalInitialMargin", "totalMaintenanceMargin"),
    )
    return _pick(told.inside("result", "list", 0), told.what, *names)


def _okx(told: Statement) -> Money:
    account = told.inside("data", 0)
    if all(account.get(name) for name in ("availEq", "imr", "mmr")):
        return _pick(account, told.what, "totalEq", "availEq", "imr", "mmr")
    # An account in futures mode has margins by currency only.
    row = _row(account.get("details"), "ccy", told)
    return _pick(row, told.what, "eq", "availEq", "imr", "mmr")


def _bitget(told: Statement) -> Money:
    row = _row(told.balance.get("info"), "marginCoin", told)
    return Money(
        equity=decimal_of(row, "accountEquity", told.what),
        available=decimal_of(row, "crossedMaxAvailable", told.what),
        initial=told.of_positions("initialMargin"),
        maintenance=told.of_positions("maintenanceMargin"),
    )


def _gate(told: Statement) -> Money:
    row = told.inside(0)

    def number(name: str) -> Decimal:
        return decimal_of(row, name, told.what)

    money = Money(
        equity=number("total") + number("unrealised_pnl"),
        available=number("available"),
        initial=number("position_margin") + number("order_margin"),
        maintenance=number("maintenance_margin"),
    )
    if row.get("enable_evolved_classic") is not True:
        return money
    return Money(  # cross margin is counted apart in this mode
        equity=money.equity,
        available=number("cross_available"),
        initial=money.initial + number("cross_initial_margin") + number("cross_order_margin"),
        maintenance=money.maintenance + number("cross_maintenance_margin"),
    )


def _hyperliquid(told: Statement) -> Money:
    account, total = told.inside(), told.inside("marginSummary")
    equity = decimal_of(total, "accountValue", told.what)
    used = decimal_of(total, "totalMarginUsed", told.what)
    maintenance = decimal_of(account, "crossMaintenanceMarginUsed", told.what)
    return Money(equity, equity - used, used, maintenance)


def _row(rows: object, field: str, told: Statement) -> Document:
    if not isinstance(rows, list):
        raise MissingDataError(f"{told.what}: the balance is not told")
    found = [row for row in rows if isinstance(row, dict) and row.get(field) == told.currency]
    if len(found) != 1:
        raise MissingDataError(f"{told.what}: no balance in {told.currency}")
    return found[0]


def _unified(told: Statement) -> Money:
    """Where nothing better is known: ccxt's wallet, taken to be without unrealised profit."""
    wallet = told.balance.get(told.currency)
    if not isinstance(wallet, dict):
        raise MissingDataError(f"{told.what}: no balance in {told.currency}")
    return Money(
        equity=decimal_of(wallet, "total", told.what) + told.of_positions("unrealizedPnl"),
        available=decimal_of(wallet, "free", told.what),
        initial=told.of_positions("initialMargin"),
        maintenance=told.of_positions("maintenanceMargin"),
    )


_READERS: Final[Mapping[str, Callable[[Statement], Money]]] = {
    "binanceusdm": _binance,
    "bybit": _bybit,
    "okx": _okx,
    "bitget": _bitget,
    "gate": _gate,
    "hyperliquid": _hyperliquid,
}


def read_money(venue: str, told: Statement, name: str, now_ms: int) -> AccountState:
    """Equity and margins of an account, USD.

    Raises:
        DataError: something is missing or no number.
    """
    if not isinstance(told.balance, dict):
        raise DataError(f"{told.what}: the balance is no document")
    money = _READERS.get(venue, _unified)(told)
    return AccountState(
        name=name,
        equity_usd=float(money.equity),
        available_usd=float(money.available),
        initial_margin_usd=float(money.initial),
        maintenance_margin_usd=float(money.maintenance),
        timestamp_ms=now_ms,
    )
