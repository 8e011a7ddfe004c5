"""What kind of coin a contract is about, as exchangeInfo says it."""

from collections.abc import Mapping
from typing import Final

from config.sectors import load_sectors
from risk.instrument import Instrument

_BENCHMARKS: Final = {"BTC": "PoW", "ETH": "Layer-1"}


def themes_of(instruments: Mapping[str, Instrument]) -> dict[str, tuple[str, ...]]:
    """By unified symbol the names of its sectors, ``AI``; nothing for a coin of no sector."""
    sectors = load_sectors()
    found = {}
    for symbol, instrument in instruments.items():
        themes = [_BENCHMARKS[instrument.base]] if instrument.base in _BENCHMARKS else []
        themes += [name.upper() for name, one in sectors.items() if instrument.base in one.tokens]
        found[symbol] = tuple(themes)
    return found
