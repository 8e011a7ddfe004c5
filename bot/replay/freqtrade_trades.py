"""The trades of a backtest that freqtrade exported, by their filled orders. Pure, but for reading.

Each trade of the export has ``orders``: those of a backtest with ``amount``, ``safe_price``,
``ft_is_entry`` and ``order_filled_timestamp`` (UTC milliseconds, null while open), which tell every
part by which a position was scaled in or out; those of a bot that ran have ``filled`` as well. A
trade without them, as older versions export it, is its whole ``amount`` from opening to close.
"""

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bot.replay.changes import LARGEST_BASE, Change, row_of
from risk.errors import DataError

_REST: Final = 1e-3
"""Of what was entered: as much as rounding may leave of a trade that is closed."""


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade.

    Attributes:
        changes: of the position, in order; they add up to nothing.
        entered_usd: notional of all its entries; None: a price is not told.
    """

    changes: tuple[Change, ...]
    entered_usd: float | None


def read_trades(path: Path) -> list[Trade]:
    """All trades of the one strategy that the file holds.

    Raises:
        DataError: it holds something that cannot be used; one line naming file, trade and value.
        OSError: the file cannot be read.
    """
    strategies = _document(path).get("strategy")
    if not isinstance(strategies, dict) or len(strategies) != 1:
        raise DataError(f"{path}: strategy: must hold the trades of exactly one strategy")
    (result,) = strategies.values()
    trades = result.get("trades") if isinstance(result, dict) else None
    if not isinstance(trades, list):
        raise DataError(f"{path}: trades: missing, must be a list")
    return [_trade(f"{path}: trades[{i}]", trade) for i, trade in enumerate(trades)]


def unseen_remark(path: Path, trades: Sequence[Trade], time_ms: NDArray[np.int64]) -> str | None:
    """One line about the trades between two of these hours, which none sees; None without any."""
    within = []
    for one in trades:
        rows = {row_of(moment, time_ms) for moment, _, _ in one.changes}
        if len(rows) == 1 and 0 < rows.pop() < len(time_ms):
            within.append(one.entered_usd)
    if not within:
        return None
    known = [usd for usd in within if usd is not None]
    told = f"{sum(known):,.0f} USD" if len(known) == len(within) else "at prices not told"
    return (
        f"{path}: {len(within)} of {len(trades)} trades ({told}) opened and closed between two "
        "full hours and are not seen"
    )


def _trade(where: str, trade: Any) -> Trade:
    try:
        side = -1 if trade["is_short"] else 1
        opened, closed = int(trade["open_timestamp"]), int(trade["close_timestamp"])
        symbol, amount = str(trade["pair"]), float(trade["amount"])
        orders = trade.get("orders") or ()
        filled = [_filled(one) for one in orders if one["order_filled_timestamp"] is not None]
        open_rate = trade.get("open_rate")
        whole_usd = None if open_rate is None else amount * float(open_rate)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{where}: {error}: missing or unusable") from error
    if not (0 < amount <= LARGEST_BASE and opened <= closed):
        raise DataError(f"{where}: amount {amount}, opened {opened}, closed {closed}")
    if not filled:
        return Trade(((opened, symbol, side * amount), (closed, symbol, -side * amount)), whole_usd)
    return _of_orders(where, symbol, side, closed, filled)


@dataclass(frozen=True, slots=True)
class _Fill:
    """What an order bought or sold, base units above 0, and at what price, None: not told."""

    moment_ms: int
    entry: bool
    base: float
    price: float | None


def _filled(order: Mapping[str, Any]) -> _Fill:
    """Raises: KeyError, TypeError, ValueError, AttributeError: it is another document."""
    told = order.get("filled")
    base = float(order["amount"] if told is None else told)
    if not 0 < base <= LARGEST_BASE:
        raise ValueError(f"orders: amount {base}")
    entry, price = order["ft_is_entry"], order.get("safe_price")
    if not isinstance(entry, bool):
        raise ValueError(f"orders: ft_is_entry {entry}")
    moment_ms = int(order["order_filled_timestamp"])
    return _Fill(moment_ms, entry, base, None if price is None else float(price))


def _of_orders(where: str, symbol: str, side: int, closed: int, filled: Sequence[_Fill]) -> Trade:
    ordered = sorted(filled, key=lambda one: one.moment_ms)
    changes = [
        (one.moment_ms, symbol, (side if one.entry else -side) * one.base) for one in ordered
    ]
    entered = sum(one.base for one in ordered if one.entry)
    rest = sum(base for _, _, base in changes)
    if abs(rest) > _REST * entered:
        raise DataError(f"{where}: its filled orders leave {rest:g} open at its close")
    if rest:
        changes.append((max(closed, ordered[-1].moment_ms), symbol, -rest))
    usd = [None if one.price is None else one.base * one.price for one in ordered if one.entry]
    known = [one for one in usd if one is not None]
    return Trade(tuple(changes), sum(known) if len(known) == len(usd) else None)


def _document(path: Path) -> dict[str, Any]:
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                names = [n for n in archive.namelist() if n == f"{path.stem}.json"]
                if not names:
                    raise DataError(f"{path}: holds no {path.stem}.json")
                text = archive.read(names[0]).decode()
        else:
            text = path.read_text(encoding="utf-8")
        document = json.loads(text)
    except (ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: no backtest result of freqtrade ({error})") from error
    if not isinstance(document, dict):
        raise DataError(f"{path}: no backtest result of freqtrade")
    return document
