"""Pages of ``POST /trading/positions``: every row whole, or the page is refused. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from bot.ports import ReportedPosition
from bot.sources.fields import (
    Row,
    flag,
    mapping,
    optional_number,
    optional_price,
    rows,
    signed,
    text,
    whole,
)
from bot.sources.hummingbot.symbols import unified_symbol
from bot.sources.json_file import shown
from config.sources_hummingbot import Connector
from risk.errors import DataError

_SIDES: Final = ("LONG", "SHORT", "BOTH")

Key = tuple[str, str, str]
"""Account, symbol, side: of each there is at most one row."""


@dataclass(frozen=True, slots=True)
class Holding:
    """One row.

    Attributes:
        side: ``LONG`` or ``SHORT``; ``BOTH`` where the exchange holds one position in a symbol.
        base_quantity: base units, signed; zero where the row says that nothing is held.
    """

    account: str
    symbol: str
    side: str
    base_quantity: Decimal
    entry_price: float | None
    leverage: float | None
    unrealised_pnl_usd: float | None

    @property
    def key(self) -> Key:
        """What it is the row of."""
        return self.account, self.symbol, self.side


@dataclass(frozen=True, slots=True)
class Page:
    """One reply.

    Attributes:
        total: how many rows there are on all pages, by the server's own word.
        next_cursor: asks for the next page; None: this is the last.
    """

    holdings: tuple[Holding, ...]
    total: int
    next_cursor: str | None


def read_page(document: object, where: str, connector: Connector, accounts: frozenset[str]) -> Page:
    """A reply to a question about ``accounts`` and ``connector`` alone.

    Raises:
        DataError: something is missing, cannot be, or was not asked for.
    """
    row = mapping(document, where)
    pagination = mapping(row.get("pagination"), f"{where}.pagination")
    found = tuple(
        _holding(one, f"{where}.data[{i}]", connector, accounts)
        for i, one in enumerate(rows(row.get("data"), f"{where}.data"))
    )
    keys = [one.key for one in found]
    for key in keys:
        if keys.count(key) > 1:
            raise DataError(f"{where}.data: {' '.join(key)}: stands twice on one page")
    return Page(
        found,
        whole(pagination, "total_count", f"{where}.pagination"),
        _next(pagination, f"{where}.pagination", bool(found)),
    )


def reported(holdings: Iterable[Holding], where: str) -> tuple[ReportedPosition, ...]:
    """Rows of whole pages as positions; the account is whose they are.

    Raises:
        DataError: one symbol is told net and by sides at once.
    """
    held = tuple(one for one in holdings if one.base_quantity)
    net = {(one.account, one.symbol) for one in held if one.side == "BOTH"}
    for one in held:
        if one.side != "BOTH" and (one.account, one.symbol) in net:
            raise DataError(
                f"{where}: {one.account} {one.symbol}: told as BOTH and as {one.side}, one of "
                "which is counted in the other"
            )
    return tuple(
        ReportedPosition(
            symbol=one.symbol,
            base_quantity=one.base_quantity,
            position_side=one.side,
            entry_price=one.entry_price,
            leverage=one.leverage,
            unrealised_pnl_usd=one.unrealised_pnl_usd,
            holder=one.account,
        )
        for one in sorted(held, key=lambda one: one.key)
    )


def _holding(row: Row, where: str, connector: Connector, accounts: frozenset[str]) -> Holding:
    account = text(row, "account_name", where)
    if account not in accounts:
        raise DataError(f"{where}.account_name: {shown(account)}, which was not asked for")
    if text(row, "connector_name", where) != connector:
        raise DataError(
            f"{where}.connector_name: {shown(row['connector_name'])}, which was not asked for"
        )
    side = text(row, "side", where)
    if side not in _SIDES:
        raise DataError(f"{where}.side: {shown(side)}, must be one of {', '.join(_SIDES)}")
    pair = text(row, "trading_pair", where)
    return Holding(
        account=account,
        symbol=unified_symbol(connector, pair, f"{where}.trading_pair"),
        side=side,
        base_quantity=_directed(signed(row, "amount", where), side, where),
        entry_price=optional_price(row, "entry_price", where),
        leverage=optional_price(row, "leverage", where),
        unrealised_pnl_usd=optional_number(row, "unrealized_pnl", where),
    )


def _directed(amount: Decimal, side: str, where: str) -> Decimal:
    """Of a short some connectors tell the amount with its sign and some without; in one-way mode
    (``BOTH``) nothing but the sign tells the direction."""
    if side == "BOTH":
        return amount
    if side == "SHORT":
        return -abs(amount)
    if amount < 0:
        raise DataError(f"{where}.amount: {amount}, but side is LONG: one of them is wrong")
    return amount


def _next(pagination: Row, where: str, any_rows: bool) -> str | None:
    more = flag(pagination, "has_more", where)
    if not more:
        if pagination.get("next_cursor") is not None:
            raise DataError(
                f"{where}.next_cursor: {shown(pagination['next_cursor'])}, but has_more is false"
            )
        return None
    if not any_rows:
        raise DataError(f"{where}.has_more: true, but this page is empty")
    return text(pagination, "next_cursor", where)
