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

WITH_PASSPHRASE = frozenset({"okx", "bitget", "kucoinfutures"})
"""Exchanges whose keys come with a third secret."""


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
    shared_account: bool = Field(
        default=False,
        description="The bot trades in this very account. Then no hedge is placed in a symbol "
        "that the bot holds, lists or has an order in, and the bot's positions here need no "
        "source of their own.",
    )
    urls_host: UrlsHost = Field(
        default=None, description="Address of a simulated exchange, in place of the real one."
    )
    paper_wallet_usd: Annotated[float, Field(ge=10, le=1e9), Note(unit="USD")] = Field(
        default=60_000.0, description="Wallet of the simulated hedge account in paper mode."
    )

    @property
    def prefix(self) -> str:
        """Beginning of the names of this account's environment variables."""
        return self.env_prefix or "PERPHEDGE"
