"""The server that bots ask and push their positions to (section ``api``)."""

import os
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from config.errors import ConfigError
from config.fields import FRACTION, FilePath, Listed, Note, SecretPath, Strict
from config.secrets import read_secret

VARIABLE = "PERPHEDGE_BOT_TOKEN"
_LEAST = 16
_FIELD = "api.token_file"
LOOPBACK = ("127.0.0.1", "::1", "localhost")

Host = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$|^::1?$"),
    Note("an address or a host's name"),
]
Policy = Literal["refuse", "allow"]


class EntryCheckSettings(Strict):
    """How a bot that asks before it enters is answered."""

    book: Literal["hedged", "bots"] = Field(
        default="hedged",
        description="`hedged`: the hedges that stand count against the bots' positions. `bots`: "
        "the bots must keep to the caps on their own.",
    )
    least_share: Annotated[float, Field(ge=0, le=1), Note(unit=FRACTION)] = Field(
        default=0.1, description="An entry that could only be smaller than this share is refused."
    )
    max_age_seconds: Annotated[float, Field(ge=1, le=86_400), Note(unit="seconds")] = Field(
        default=180.0, description="A book older than this is stale."
    )
    when_stale: Policy = Field(
        default="refuse", description="What is said where there is no fresh book."
    )
    when_unknown: Policy = Field(
        default="refuse", description="What is said of a symbol whose risk is not measured."
    )
    grant_seconds: Annotated[float, Field(ge=1, le=86_400), Note(unit="seconds")] = Field(
        default=300.0,
        description="An entry that was allowed counts for so long, until the book shows it.",
    )


class Api(Strict):
    """A server on this machine, for bots: entry checks and pushed positions."""

    enabled: bool = Field(
        default=False, description="`perphedge run` starts it, in a process of its own."
    )
    host: Host = Field(
        default="127.0.0.1",
        description="Where it listens. Beyond this machine only with a certificate.",
    )
    port: Annotated[int, Field(ge=1, le=65_535)] = Field(default=8799, description="Its port.")
    token_file: SecretPath = Field(
        default=None,
        description="File with the token that every request must bring, at least 16 characters; "
        f"or the environment variable {VARIABLE}.",
    )
    certificate_file: Annotated[FilePath | None, Note("the path of a file", null="no TLS")] = Field(
        default=None, description="Certificate chain, PEM."
    )
    certificate_key_file: SecretPath = Field(
        default=None, description="The certificate's private key, PEM."
    )
    allowed_hosts: Annotated[tuple[Host, ...], Listed, Note("a list of hosts' names")] = Field(
        default=(),
        description="Names beside `host` under which bots may call it, such as the name of its "
        "container.",
    )
    max_body_kib: Annotated[int, Field(ge=1, le=16_384), Note(unit="KiB")] = Field(
        default=256, description="Longer requests are refused."
    )


def find_token(api: Api, *, environment: Mapping[str, str] | None = None) -> SecretStr:
    """The token, from the environment or else from the file.

    Raises:
        ConfigError: neither names one, or it is too short.
    """
    text = (os.environ if environment is None else environment).get(VARIABLE, "").strip()
    if text:
        return _strong(SecretStr(text), f"{VARIABLE} (environment)")
    if api.token_file is None:
        raise ConfigError(
            f"{_FIELD}: missing — name a file with a token of at least {_LEAST} characters, or "
            f"set {VARIABLE}"
        )
    return _strong(read_secret(api.token_file, _FIELD), _FIELD)


def _strong(secret: SecretStr, where: str) -> SecretStr:
    value = secret.get_secret_value()
    if len(value) >= _LEAST and value.isascii() and value.isprintable() and " " not in value:
        return secret
    raise ConfigError(
        f"{where}: (not shown) — one word of at least {_LEAST} characters, for instance from "
        "`openssl rand -hex 32`"
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it there."""
    return host in LOOPBACK
