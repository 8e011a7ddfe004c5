"""Open trades as freqtrade tells them, read strictly. Pure.

Three traits of ``GET /status`` matter:

- ``amount`` of a trade is unsigned, and follows an order only once that has ended. What an order
  that is still open has filled is told in ``orders``, and belongs to the position as well.
- ``stake_amount`` is margin; it is never read here.
- Rates that it could not get are ``null``; nothing here needs them.
"""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from bot.ports import ReportedPosition
from bot.sources.fields import (
    Row,
    flag,
    optional_number,
    optional_price,
    pair,
    quantity,
    rows,
    text,
    whole,
)
from bot.sources.freqtrade.facts import ccxt_id
from bot.sources.json_file import shown
from risk.errors import DataError

_NOTHING: Final = Decimal(0)
TradeKey = tuple[int, str, int]
"""A trade's number, its pair, and when it was opened, UTC milliseconds, which never changes."""


@dataclass(frozen=True, slots=True)
class Trade:
    """One open trade.

    Attributes:
        key: what makes it the same trade, also where the bot began to count anew.
        exchange: ccxt's id of where it was opened.
        base_quantity: signed base units, with what open orders have filled.
    """

    key: TradeKey
    exchange: str
    base_quantity: Decimal
    leverage: float | None
    open_rate: float | None
    liquidation_price: float | None
    profit_usd: float | None

    @property
    def trade_id(self) -> int:
        """Its number."""
        return self.key[0]

    @property
    def pair(self) -> str:
        """In what it is."""
        return self.key[1]


def read_trades(document: object, where: str) -> tuple[Trade, ...]:
    """``GET /status``: all open trades.

    Raises:
        DataError: it is no list, or something in it is missing or cannot be.
    """
    found = tuple(_trade(row, f"{where}[{i}]") for i, row in enumerate(rows(document, where)))
    seen: set[int] = set()
    for one in found:
        if one.trade_id in seen:
            raise DataError(f"{where}: trade_id {one.trade_id}: the same trade twice")
        seen.add(one.trade_id)
    return found


def _trade(row: Row, where: str) -> Trade:
    if not flag(row, "is_open", where):
        raise DataError(f"{where}.is_open: False, must be true: these are open trades")
    if text(row, "trading_mode", where) != "futures":
        raise DataError(f"{where}.trading_mode: {shown(row['trading_mode'])}, must be 'futures'")
    short = flag(row, "is_short", where)
    amount = quantity(row, "amount", where) + _filled_in_open_orders(row, where, short=short)
    if amount < 0:
        raise DataError(f"{where}.orders: exits have filled more than the trade's amount")
    return Trade(
        key=read_key(row, where),
        exchange=ccxt_id(text(row, "exchange", where)),
        base_quantity=-amount if short else amount,
        leverage=optional_price(row, "leverage", where),
        open_rate=optional_price(row, "open_rate", where),
        liquidation_price=optional_price(row, "liquidation_price", where),
        profit_usd=optional_number(row, "profit_abs", where),
    )


def read_key(row: Row, where: str) -> TradeKey:
    """Which trade a row is about.

    Raises:
        DataError: something is missing or cannot be.
    """
    return (
        whole(row, "trade_id", where),
        pair(row, "pair", where),
        whole(row, "open_timestamp", where),
    )


def _filled_in_open_orders(row: Row, where: str, *, short: bool) -> Decimal:
    """By which the position is larger than ``amount``; below 0 where exits have filled."""
    entry_side = "sell" if short else "buy"
    more = _NOTHING
    for i, order in enumerate(rows(row.get("orders"), f"{where}.orders")):
        at = f"{where}.orders[{i}]"
        if not flag(order, "is_open", at):
            continue
        side = text(order, "ft_order_side", at)
        if side not in ("buy", "sell", "stoploss"):
            raise DataError(f"{at}.ft_order_side: {shown(side)}, must be buy, sell or stoploss")
        if side == "stoploss" and order.get("filled") is None:
            continue  # it waits for its price; nothing is told of it before
        filled = quantity(order, "filled", at)
        more += filled if side == entry_side else -filled
    return more


def positions_of(trades: Collection[Trade]) -> tuple[ReportedPosition, ...]:
    """One position a pair: several trades of a pair are one position at the exchange."""
    found = []
    for symbol, size in held_of(trades).items():
        of_pair = [one for one in trades if one.pair == symbol]
        alone = of_pair[0] if len(of_pair) == 1 else None
        found.append(
            ReportedPosition(
                symbol=symbol,
                base_quantity=size,
                entry_price=None if alone is None else alone.open_rate,
                leverage=None if alone is None else alone.leverage,
                liquidation_price=None if alone is None else alone.liquidation_price,
                unrealised_pnl_usd=None if alone is None else alone.profit_usd,
            )
        )
    return tuple(found)


def held_of(trades: Collection[Trade]) -> dict[str, Decimal]:
    """Signed base units by pair, of all trades of each; only what is not flat."""
    total: dict[str, Decimal] = {}
    for one in trades:
        total[one.pair] = total.get(one.pair, _NOTHING) + one.base_quantity
    return {pair: size for pair, size in sorted(total.items()) if size != 0}
