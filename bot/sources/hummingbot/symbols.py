"""hummingbot's names of perpetuals as ccxt's unified symbols. Pure."""

from typing import Final

from bot.sources.file import is_unified_symbol
from bot.sources.json_file import shown
from config.sources_hummingbot import Connector
from risk.errors import DataError

_SETTLED: Final[dict[Connector, dict[str, tuple[str, str]]]] = {
    "binance_perpetual": {"USDT": ("USDT", "USDT"), "USDC": ("USDC", "USDC")},
    "gate_io_perpetual": {"USDT": ("USDT", "USDT")},
    # hummingbot calls the quote USD, as that exchange does; margin and profit are paid in USDC.
    "hyperliquid_perpetual": {"USD": ("USDC", "USDC"), "USDC": ("USDC", "USDC")},
}
"""Quote and settlement currency by the quote in hummingbot's name; others are no linear ones."""


def unified_symbol(connector: Connector, trading_pair: str, where: str) -> str:
    """``SOL-USDT`` as ``SOL/USDT:USDT``.

    Raises:
        DataError: it is no name of a linear perpetual there.
    """
    base, _, quote = trading_pair.rpartition("-")
    settled = _SETTLED[connector].get(quote)
    # A market that others run on Hyperliquid has their name before its own: XYZ:TSLA-USD.
    if settled is None or not base or set(base) & set("-/:"):
        known = " or ".join(f"BASE-{one}" for one in _SETTLED[connector])
        raise DataError(
            f"{where}: {shown(trading_pair)}, must be a linear perpetual of {connector}: {known}"
        )
    # ccxt writes bases in capitals, also kPEPE.
    symbol = f"{base.upper()}/{settled[0]}:{settled[1]}"
    if not is_unified_symbol(symbol):
        raise DataError(f"{where}: {shown(trading_pair)}, must be like SOL-USDT")
    return symbol
