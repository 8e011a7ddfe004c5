"""Finds the addresses of alert services; they are secrets, since who knows one can write there."""

import logging
import os
import warnings
from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr

from config.alerts import AlertRoute, Alerts
from config.errors import ConfigError
from config.secrets import one_word, read_secret

if TYPE_CHECKING:
    from apprise import NotifyBase

_HERE = ("127.0.0.1", "localhost", "::1")


def find_addresses(
    alerts: Alerts, *, environment: Mapping[str, str] | None = None
) -> dict[str, SecretStr]:
    """Each route's address, from the environment or else from its file.

    Raises:
        ConfigError: it is missing, or nothing that apprise knows; or it would send alerts in the
            clear to another machine.
    """
    known = os.environ if environment is None else environment
    return {
        route.name: _address(route, f"alerts.routes.{number}", known)
        for number, route in enumerate(alerts.routes)
    }


def _address(route: AlertRoute, field: str, environment: Mapping[str, str]) -> SecretStr:
    if text := environment.get(route.variable, "").strip():
        where = f"{route.variable} (environment)"
        secret = one_word(text, where)
    elif route.url_file is not None:
        where = f"{field}.url_file"
        secret = read_secret(route.url_file, where)
    else:
        raise ConfigError(
            f"{field}: no address — name url_file, or set {route.variable} in the environment"
        )
    problem = _problem(secret)
    if problem:
        raise ConfigError(f"{where}: (not shown) — {problem}")
    return secret


def _problem(secret: SecretStr) -> str:
    """What is wrong with an address, in words that tell nothing of it; empty where nothing is."""
    service = service_of(secret)
    if service is None:
        return "an address that apprise knows, such as ntfys://TOPIC or jsons://HOST/PATH"
    if service.host in _HERE:
        return ""
    if not service.verify_certificate:
        return "an address whose certificate is checked, so without verify=no"
    scheme = urlsplit(secret.get_secret_value()).scheme.lower()
    if not service.secure and service.secure_protocol and scheme in _names(service.protocol):
        return "an address that is encrypted, such as jsons:// in place of json://"
    return ""


def service_of(secret: SecretStr) -> "NotifyBase | None":
    """The service behind an address; None where it is none.

    It follows no redirects, since the address is a secret of the place that it names, keeps
    nothing on the disk, and says nothing on its own.
    """
    apprise = _apprise()
    asset = apprise.AppriseAsset(
        app_id="perphedge",
        app_desc="perphedge",
        app_url="",
        async_mode=False,
        http_redirects=False,
        storage_mode="memory",
    )
    text = secret.get_secret_value()
    found = apprise.Apprise.instantiate(text, asset=asset, suppress_exceptions=True)
    return found or None


@cache
def _apprise() -> ModuleType:
    """The library with its services loaded, and silent: what it logs may hold an address."""
    for name in ("apprise", "urllib3.connectionpool"):
        own = logging.getLogger(name)
        own.propagate, own.disabled = False, True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some services load parts of Python that are outdated
        import apprise

        apprise.Apprise.instantiate("json://localhost")
    return apprise


def _names(protocol: object) -> tuple[object, ...]:
    """A service has one name or several."""
    return tuple(protocol) if isinstance(protocol, tuple | list) else (protocol,)
