"""Finds the address to which alerts are posted; it is a secret, since who knows it can post."""

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from pydantic import SecretStr

from config.controls import Controls
from config.errors import ConfigError
from config.secrets import read_secret

VARIABLE = "PERPHEDGE_ALERT_WEBHOOK"
_FIELD = "controls.alert_webhook_file"


def find_webhook(
    controls: Controls, *, environment: Mapping[str, str] | None = None
) -> SecretStr | None:
    """The address, from the environment or else from the file; None where neither names one.

    Raises:
        ConfigError: it cannot be read, or would send alerts in the clear to another machine.
    """
    text = (os.environ if environment is None else environment).get(VARIABLE, "").strip()
    if text:
        return _address(SecretStr(text), f"{VARIABLE} (environment)")
    if controls.alert_webhook_file is None:
        return None
    return _address(read_secret(controls.alert_webhook_file, _FIELD), _FIELD)


def _address(secret: SecretStr, where: str) -> SecretStr:
    try:
        parts = urlsplit(secret.get_secret_value())
        port = parts.port
        here = parts.scheme == "http" and parts.hostname == "127.0.0.1" and port is not None
        safe = parts.scheme == "https" or here
        if safe and parts.hostname and parts.username is None:
            return secret
    except ValueError:
        pass
    raise ConfigError(f"{where}: (not shown) — an address that begins with https://")
