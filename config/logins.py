"""Where a bot's own interface is, and where user name and password for it come from."""

import re
from typing import Annotated

from pydantic import Field

from config.fields import EnvPrefix, KeyringService, Name, Note, SecretPath, Strict

_PORT = (
    r"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
)
_BYTE = r"(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_NEAR = (
    rf"(127(\.{_BYTE}){{3}}|[A-Za-z][A-Za-z0-9_-]*|10(\.{_BYTE}){{3}}"
    rf"|192\.168(\.{_BYTE}){{2}}|172\.(1[6-9]|2[0-9]|3[01])(\.{_BYTE}){{2}})"
)

Username = Annotated[
    str,
    Field(pattern=r"^[^\s:\x00-\x1f\x7f]{1,64}$"),
    Note("a user name of 1 to 64 characters, without spaces and colons"),
]
BotUrl = Annotated[
    str,
    Field(
        pattern=rf"^(https://[A-Za-z0-9][A-Za-z0-9.-]*|http://{_NEAR}){_PORT}/?$",
        max_length=200,
    ),
    Note(
        "an address without path, user name and password: https://HOST:PORT, or http://HOST:PORT "
        "on this machine or in its own network, since a password goes there"
    ),
]


class LoginAccess(Strict):
    """Where user name and password come from; the password is never in this file."""

    name: Name = Field(description="Name of the source in journal and reports.")
    username: Username | None = Field(
        default=None, description="User name; null: read from where the password is."
    )
    env_prefix: EnvPrefix = Field(
        default=None, description="They are read from PREFIX_USERNAME and PREFIX_PASSWORD."
    )
    password_file: SecretPath = Field(
        default=None, description="File with the password, mode 0600."
    )
    keyring_service: KeyringService = Field(
        default=None, description="Service in the keyring with entries username and password."
    )

    @property
    def prefix(self) -> str:
        """Beginning of the names of the environment variables."""
        return self.env_prefix or "PERPHEDGE_" + re.sub(r"[^A-Z0-9]", "_", self.name.upper())
