"""The dead-man switches of exchanges that have one which a request renews.

Bybit's acts when a stream breaks and hyperliquid's cannot be taken back, so neither is used.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from bot.venues.ccxt_pacing import without_waiting
from bot.venues.ccxt_wire import CcxtWire

_Arm = Callable[[Any, str, int], Awaitable[bool]]


async def _binance(exchange: Any, symbol: str, after_ms: int) -> bool:
    market_id = exchange.market(symbol)["id"]
    reply = await exchange.fapiprivate_post_countdowncancelall(
        {"symbol": market_id, "countdownTime": after_ms}
    )
    return (str(reply["symbol"]), str(reply["countdownTime"])) == (market_id, str(after_ms))


async def _okx(exchange: Any, _symbol: str, after_ms: int) -> bool:
    reply = await exchange.cancel_all_orders_after(after_ms)
    (row,) = reply["data"]
    return (int(row["triggerTime"]) > 0) == (after_ms > 0)


async def _gate(exchange: Any, symbol: str, after_ms: int) -> bool:
    market = exchange.market(symbol)
    reply = await exchange.private_futures_post_settle_countdown_cancel_all(
        {
            "settle": market["settleId"],
            "contract": market["id"],
            "timeout": -(-after_ms // 1000),
        }
    )
    return (float(reply["triggerTime"]) > 0) == (after_ms > 0)


_ARMS: Final[Mapping[str, _Arm]] = {"binanceusdm": _binance, "okx": _okx, "gate": _gate}
_WHOLE_ACCOUNT: Final = frozenset({"okx"})

HAS_DEAD_MAN: Final = frozenset(_ARMS)
"""By ccxt's exchange id."""


class CcxtDeadMan:
    """The switch behind one client."""

    def __init__(self, wire: CcxtWire) -> None:
        self._wire = wire
        self._armed: set[str] = set()

    async def arm(self, symbol: str, after_ms: int) -> bool:
        """Arms it for a symbol, or for all; 0 disarms. True where the exchange has said so."""
        arm, whole = _ARMS.get(self._wire.venue), self._wire.venue in _WHOLE_ACCOUNT
        if arm is None:
            return False
        if whole and not after_ms and self._armed - {symbol}:
            self._armed.discard(symbol)
            return True  # it still stands for the others
        exchange = self._wire.exchange
        with without_waiting():
            done, reply = await self._wire.observe(lambda: arm(exchange, symbol, after_ms))
        if reply is not None or not done:
            return False
        (self._armed.add if after_ms else self._armed.discard)(symbol)
        return True
