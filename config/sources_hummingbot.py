"""hummingbot, asked over hummingbot-api (``kind: hummingbot``)."""

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from config.fields import Listed, Note, Strict, refuse
from config.logins import BotUrl, LoginAccess
from config.venue import Exchange

Connector = Literal["binance_perpetual", "gate_io_perpetual", "hyperliquid_perpetual"]
EXCHANGES: Final[dict[Connector, Exchange]] = {
    "binance_perpetual": "binanceusdm",
    "gate_io_perpetual": "gate",
    "hyperliquid_perpetual": "hyperliquid",
}
"""ccxt's id of the exchange behind a connector."""
_INSTEAD: Final = "; read that exchange with a source of kind account"
UNFIT: Final = {
    "okx_perpetual": "it tells amounts in dollars and one-way positions as shorts",
    "bybit_perpetual": "it asks for positions in its own pairs alone and passes over what fails",
    "bitget_perpetual": "it asks for positions in the quote currencies of its own pairs alone",
    "bitget_unified_perpetual": "it asks for positions in the kinds of contract of its own pairs "
    "alone, and for their first page",
    "kucoin_perpetual": "it tells amounts in contracts",
}
"""Connectors whose positions cannot be taken, and why."""


def _fit(value: object) -> object:
    if isinstance(value, str) and value in UNFIT:
        raise refuse(f"another connector, since of this one {UNFIT[value]}{_INSTEAD}")
    if isinstance(value, str) and value and "_perpetual" not in value:
        raise refuse(
            f"a connector of perpetuals, one of {', '.join(EXCHANGES)}: what a spot connector "
            "holds are no perpetuals"
        )
    return value


AccountName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"),
    Note("a name of 1 to 64 letters, digits, _ - that begins with a letter or digit"),
]


class HummingbotSource(LoginAccess, Strict):
    """Accounts that bots trade through hummingbot, on one exchange."""

    kind: Literal["hummingbot"] = Field(description="What kind of source it is.")
    url: BotUrl = Field(description="Address of hummingbot-api, such as http://127.0.0.1:8000.")
    connector: Annotated[Connector, BeforeValidator(_fit)] = Field(
        description="The connector through which they trade, by hummingbot's name; a source of "
        "its own for each."
    )
    accounts: Annotated[
        tuple[AccountName, ...],
        Listed,
        Field(min_length=1, max_length=20),
        Note("a list of 1 to 20 names of accounts in hummingbot"),
    ] = Field(
        default=("master_account",),
        description="Accounts in hummingbot that trade through it. Each is expected to answer.",
    )
    resting_orders: bool = Field(
        default=False,
        description="Its bots keep orders resting while they hold nothing, so that margin in use "
        "is no sign of a position that is not told.",
    )
    max_age_seconds: Annotated[float, Field(ge=1, le=86_400), Note(unit="seconds")] = Field(
        default=30.0, description="Older positions mean that no cycle runs."
    )
    timeout_seconds: Annotated[float, Field(ge=0.1, le=60), Note(unit="seconds")] = Field(
        default=10.0,
        description="How long one request may take; hummingbot asks the exchange meanwhile.",
    )
