"""Finds user name and password of a bot's own interface, as keys of accounts are found."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from config.errors import ConfigError
from config.logins import LoginAccess
from config.secrets import keyring_texts, one_word, read_secret


@dataclass(frozen=True, slots=True)
class Login:
    """A user name with its password; printing it shows asterisks."""

    username: str
    password: SecretStr


def need_login(item: LoginAccess, *, environment: Mapping[str, str] | None = None) -> Login:
    """What lets us in: the environment first, then the file, then the keyring.

    Raises:
        ConfigError: user name or password is missing or unusable.
    """
    field = f"source {item.name}"
    known = os.environ if environment is None else environment
    username, password = item.username, None
    if text := known.get(f"{item.prefix}_USERNAME", "").strip():
        username = one_word(text, f"{item.prefix}_USERNAME (environment)").get_secret_value()
    if text := known.get(f"{item.prefix}_PASSWORD", "").strip():
        password = one_word(text, f"{item.prefix}_PASSWORD (environment)")
    elif item.password_file is not None:
        password = read_secret(item.password_file, f"{field}.password_file")
    elif item.keyring_service is not None:
        found = keyring_texts(
            item.keyring_service, ("username", "password"), f"{field}.keyring_service"
        )
        password = found.get("password")
        if username is None and "username" in found:
            username = found["username"].get_secret_value()
    if password is None:
        raise ConfigError(
            f"{field}: no password — set {item.prefix}_PASSWORD, or name password_file or "
            "keyring_service"
        )
    if username is None:
        raise ConfigError(f"{field}: no user name — set username or {item.prefix}_USERNAME")
    if ":" in username:
        raise ConfigError(f"{field}: the user name holds a colon, which no login can carry")
    return Login(username, password)
