"""Orders that nobody of the account sent: the exchange closed a position by force."""

from enum import StrEnum


class Forced(StrEnum):
    """Why the exchange traded for the account."""

    LIQUIDATION = "liquidation"
    AUTO_DELEVERAGING = "auto_deleveraging"
    SETTLEMENT = "settlement"


_PREFIXES = (
    ("settlement_autoclose-", Forced.SETTLEMENT),
    ("adl_autoclose", Forced.AUTO_DELEVERAGING),
    ("autoclose-", Forced.LIQUIDATION),
)
_TYPES = {
    "liquidation": Forced.LIQUIDATION,
    "adl": Forced.AUTO_DELEVERAGING,
    "settlement": Forced.SETTLEMENT,
}


def forced_by(client_id: str, order_type: str = "") -> Forced | None:
    """What kind of forced order this is; None for an order of a client.

    Binance tells by the beginning of the client id, others by the order's type. Our own ids begin
    otherwise, and the type of a client's order is none of these.
    """
    for prefix, forced in _PREFIXES:
        if client_id.startswith(prefix):
            return forced
    return _TYPES.get(order_type.lower())
