"""The account that holds the hedges (section ``venue``), and how its key is found."""

from typing import Annotated, Literal

from pydantic import Field

from config.fields import (
    EnvPrefix,
    KeyringService,
    Name,
    Note,
    SecretPath,
    Strict,
    UrlsHost,
)

Exchange = Literal[
    "binanceusdm",
    "bybit",
    "okx",
    "hyperliquid",
    "bitget",
    "gate",
    "kucoinfutures",
    "bingx",
    "paradex",
]
"""Exchanges, by ccxt's id, whose interface has everything that perphedge needs to read. Orders are
sent to those only of which it is known what their codes mean."""

Ownership = Literal["sub_account", "shared", "hedge_mode"]

WITH_PASSPHRASE = frozenset({"okx", "bitget", "kucoinfutures"})
"""Exchanges whose keys come with a third secret."""


WITH_TESTNET = frozenset({"bybit", "okx", "hyperliquid", "bitget", "gate", "bingx", "paradex"})
"""Exchanges whose test network ccxt can be pointed at."""


class Access(Strict):
    """Where the key of an account comes from; the key itself is never in this file."""

    env_prefix: EnvPrefix = Field(
        default=None,
        description="The key is read from PREFIX_API_KEY, PREFIX_API_SECRET and, where the "
        "exchange wants one, PREFIX_API_PASSPHRASE.",
    )
    api_key_file: SecretPath = Field(default=None, description="File with the API key, mode 0600.")
    api_secret_file: SecretPath = Field(
        default=None, description="File with the API secret, mode 0600."
    )
    api_passphrase_file: SecretPath = Field(
        default=None,
        description="File with the passphrase, mode 0600, for okx, bitget and kucoinfutures.",
    )
    keyring_service: KeyringService = Field(
        default=None,
        description="Service in the keyring with entries api_key, api_secret, api_passphrase.",
    )


class VenueSettings(Access):
    """The account that holds the hedges. A separate sub-account is the safest choice."""

    exchange: Exchange = Field(description="The exchange, by ccxt's id.")
    account: Name = Field(description="Name of the account in journal and reports.")
    ownership: Ownership = Field(
        default="sub_account",
        description="Whose account this is. `sub_account`: the hedges' alone; whatever else turns "
        "up there stops trading. `shared`: the bot trades here too, in one-way mode; no hedge is "
        "placed in a symbol that it holds, lists or has an order in. `hedge_mode`: the bot trades "
        "here too, and long and short are held apart; our legs are the shorts. In the last two "
        "the bot's positions here need no source of their own.",
    )
    urls_host: UrlsHost = Field(
        default=None, description="Address of a simulated exchange, in place of the real one."
    )
    paper_wallet_usd: Annotated[float, Field(ge=10, le=1e9), Note(unit="USD")] = Field(
        default=60_000.0, description="Wallet of the simulated hedge account in paper mode."
    )

    @property
    def shared_account(self) -> bool:
        """The bot trades in this account too."""
        return self.ownership != "sub_account"

    @property
    def prefix(self) -> str:
        """Beginning of the names of this account's environment variables."""
        return self.env_prefix or "PERPHEDGE"
