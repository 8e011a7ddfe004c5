"""What six exchanges say in their own formats about one order: 1000 FET sold at 0.5.

A contract is 10 FET on okx and gate, 1 elsewhere. Every play tells of the same facts.
"""

from tests.venue_binance import BINANCE
from tests.venue_bitget import BITGET
from tests.venue_bybit import BYBIT
from tests.venue_gate import GATE
from tests.venue_hyperliquid import HYPERLIQUID
from tests.venue_okx import OKX

PLAYS = {
    "binanceusdm": BINANCE,
    "bybit": BYBIT,
    "okx": OKX,
    "hyperliquid": HYPERLIQUID,
    "bitget": BITGET,
    "gate": GATE,
}
SYMBOLS = dict.fromkeys(PLAYS, "FET/USDT:USDT") | {"hyperliquid": "FET/USDC:USDC"}
