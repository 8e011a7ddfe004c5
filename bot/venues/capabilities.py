"""What an exchange must be able to do before orders go there."""

from collections.abc import Mapping
from typing import Any, Final

from bot.errors import SafetyError
from bot.venues.outcomes import TABLES

NEEDED: Final = (
    *("createOrder", "cancelOrder", "fetchOrder", "fetchOpenOrders"),
    *("fetchMyTrades", "fetchBalance", "fetchPositions"),
)
USEFUL: Final[Mapping[str, str]] = {
    "fetchFundingHistory": "funding paid is not booked",
    "fetchLeverages": "leverage is known of open positions only",
    "fetchPositionMode": "the position mode is known from open positions only",
}


def require_tradable(exchange: Any) -> list[str]:
    """One line for each useful thing that the exchange lacks; empty when it has all.

    Raises:
        SafetyError: its codes are not known here, or something needed is missing.
    """
    if exchange.id not in TABLES:
        raise SafetyError(
            f"{exchange.id}: no orders are sent there, since what its codes mean is not known; "
            f"live trading is for {', '.join(TABLES)}"
        )
    missing = [name for name in NEEDED if not exchange.has.get(name)]
    if missing:
        raise SafetyError(f"{exchange.id}: no orders are sent there, it lacks {', '.join(missing)}")
    return [f"{name}: {loss}" for name, loss in USEFUL.items() if not exchange.has.get(name)]
