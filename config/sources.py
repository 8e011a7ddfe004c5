"""Where the bot's positions are read (section ``sources``), told apart by ``kind``."""

import re
from typing import Annotated, Literal

from pydantic import Field

from config.fields import FilePath, Name, Note, Strict, UrlsHost
from config.sources_freqtrade import FreqtradeSource
from config.sources_hummingbot import HummingbotSource
from config.sources_pushed import PushedSource
from config.venue import Access, Exchange

Age = Annotated[float, Field(ge=1, le=86_400), Note(unit="seconds")]


class AccountSource(Access):
    """An exchange account in which a bot trades, read with a key that may only read."""

    kind: Literal["account"] = Field(description="What kind of source it is.")
    name: Name = Field(description="Name of the source in journal and reports.")
    exchange: Exchange = Field(description="The exchange, by ccxt's id.")
    account: Name | None = Field(
        default=None, description="Name of the account; null: the name of the source."
    )
    urls_host: UrlsHost = Field(
        default=None, description="Address of a simulated exchange, in place of the real one."
    )
    max_age_seconds: Age = Field(
        default=5.0, description="Older positions mean that no cycle runs."
    )

    @property
    def account_name(self) -> str:
        """The account, by its name."""
        return self.account or self.name

    @property
    def prefix(self) -> str:
        """Beginning of the names of this account's environment variables."""
        return self.env_prefix or "PERPHEDGE_" + re.sub(r"[^A-Z0-9]", "_", self.name.upper())


class FileSource(Strict):
    """A JSON file that a bot or its owner keeps up to date."""

    kind: Literal["file"] = Field(description="What kind of source it is.")
    name: Name = Field(description="Name of the source in journal and reports.")
    path: Annotated[FilePath, Note("the path of a file")] = Field(description="The positions file.")
    exchange: Exchange | None = Field(
        default=None,
        description="The exchange on which the bot trades, by ccxt's id; null: that of the hedges.",
    )
    max_age_seconds: Age = Field(
        default=300.0, description="A file whose own timestamp is older means that no cycle runs."
    )


Source = Annotated[
    AccountSource | FileSource | FreqtradeSource | HummingbotSource | PushedSource,
    Field(discriminator="kind"),
    Note(
        "a mapping with kind (account, file, freqtrade, hummingbot or pushed), name and more",
        later=("nautilus", "passivbot"),
    ),
]
