"""Names of contracts on other exchanges than that of the hedges: ``FET/USDT:USDT@bybit``. Pure.

What stands behind the mark is ccxt's id of the exchange; a symbol without one is the hedge venue's.
"""

from typing import Final

_MARK: Final = "@"


def at_venue(symbol: str, venue: str) -> str:
    """The name of another exchange's contract."""
    return f"{symbol}{_MARK}{venue}"


def parted(symbol: str) -> tuple[str, str | None]:
    """What the exchange calls it, and the exchange; None: that of the hedges."""
    own, mark, venue = symbol.rpartition(_MARK)
    return (own, venue) if mark else (symbol, None)


def is_elsewhere(symbol: str) -> bool:
    """Whether it is another exchange's."""
    return _MARK in symbol
