"""The dashboard: pages for people, on a port of their own (section ``web``)."""

import os
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, SecretStr

from config.api import Host
from config.errors import ConfigError
from config.fields import FilePath, Listed, Note, SecretPath, Strict
from config.secrets import read_secret

VARIABLE = "PERPHEDGE_WEB_PASSWORD_HASH"
_FIELD = "web.password_hash_file"

Origin = Annotated[
    str, Field(pattern=r"^https://[a-z0-9][a-z0-9.-]{0,252}(:[1-9][0-9]{0,4})?$", max_length=270)
]


class Web(Strict):
    """Pages for a browser: what is held and why, and the switches; always with a login."""

    enabled: bool = Field(
        default=False,
        description="`perphedge run` serves them, in a process of its own; so does `run --web`.",
    )
    host: Host = Field(
        default="127.0.0.1",
        description="Where it listens. Beyond this machine only with a certificate.",
    )
    port: Annotated[int, Field(ge=1, le=65_535)] = Field(default=8844, description="Its port.")
    password_hash_file: SecretPath = Field(
        default=None,
        description="File with the hash of the password that `perphedge web-password` writes; or "
        f"the environment variable {VARIABLE}.",
    )
    certificate_file: Annotated[FilePath | None, Note("the path of a file", null="no TLS")] = Field(
        default=None, description="Certificate chain, PEM."
    )
    certificate_key_file: SecretPath = Field(
        default=None, description="The certificate's private key, PEM."
    )
    allowed_origins: Annotated[
        tuple[Origin, ...], Listed, Note("a list of addresses such as https://hedge.example:8844")
    ] = Field(
        default=(),
        description="Addresses beside this machine's own under which browsers reach it, exactly as "
        "they show them. Every other Host or Origin is refused.",
    )
    session_minutes: Annotated[int, Field(ge=5, le=1_440), Note(unit="minutes")] = Field(
        default=720, description="After so long everybody has to log in again."
    )
    idle_minutes: Annotated[int, Field(ge=5, le=1_440), Note(unit="minutes")] = Field(
        default=60, description="So does whoever has no page open for so long."
    )


def origins(web: Web) -> frozenset[str]:
    """Every address under which browsers may reach it; the port is left out where it is usual."""
    scheme = "http" if web.certificate_file is None else "https"
    usual = web.port == (80 if scheme == "http" else 443)
    port = "" if usual else f":{web.port}"
    names = ["127.0.0.1", "localhost", "[::1]"]
    told = [one.removesuffix(":443") for one in web.allowed_origins]
    return frozenset([*(f"{scheme}://{name}{port}" for name in names), *told])


def find_password_hash(web: Web, *, environment: Mapping[str, str] | None = None) -> SecretStr:
    """The hash of the password, from the environment or else from the file.

    Raises:
        ConfigError: neither names one.
    """
    text = (os.environ if environment is None else environment).get(VARIABLE, "").strip()
    if text:
        return SecretStr(text)
    if web.password_hash_file is None:
        raise ConfigError(
            f"{_FIELD}: missing — name the file that `perphedge web-password` writes, or set "
            f"{VARIABLE}; the dashboard is never served without a password"
        )
    return read_secret(web.password_hash_file, _FIELD)
