"""What six exchanges say in their own formats about one account, its trades and its payments.

It is short 1000 FET at 0.5 (a contract is 10 FET on okx and gate), the mark price is 0.52, so 20
USD are lost that are not yet realised: a wallet of 10,000 is an equity of 9,980. One order of ours
rests. Of three trades two are of ours, one of them at 400 FET; a payment of 1.25 came in.
"""

from typing import Any

from tests.venue_binance import BINANCE_ACCOUNT
from tests.venue_bitget import BITGET_ACCOUNT, BITGET_HEDGED
from tests.venue_bybit import BYBIT_ACCOUNT, BYBIT_HEDGED
from tests.venue_gate import GATE_ACCOUNT, GATE_HEDGED
from tests.venue_hyperliquid import HYPERLIQUID_ACCOUNT
from tests.venue_okx import OKX_ACCOUNT, OKX_HEDGED

ACCOUNTS: dict[str, dict[str, Any]] = {
    "binanceusdm": BINANCE_ACCOUNT,
    "bybit": BYBIT_ACCOUNT,
    "okx": OKX_ACCOUNT,
    "hyperliquid": HYPERLIQUID_ACCOUNT,
    "bitget": BITGET_ACCOUNT,
    "gate": GATE_ACCOUNT,
}
"""By exchange, what it answers to which request."""

HEDGED: dict[str, dict[str, Any]] = {
    "bybit": BYBIT_HEDGED,
    "okx": OKX_HEDGED,
    "bitget": BITGET_HEDGED,
    "gate": GATE_HEDGED,
}
"""The same account where long and short are held apart, with the empty rows that come along."""
