"""The real ccxt client, pointed at a simulated exchange on this machine and nowhere else."""

import ipaddress
from collections.abc import Callable
from typing import Any

from bot.errors import SafetyError

_VERSIONED = {
    "fapiPublic": "v1",
    "fapiPublicV2": "v2",
    "fapiPublicV3": "v3",
    "fapiPrivate": "v1",
    "fapiPrivateV2": "v2",
    "fapiPrivateV3": "v3",
}
# Every other door of the exchange leads to a path that the simulated one answers with 404.
_CLOSED = (
    "public",
    "private",
    "v1",
    "sapiV2",
    "sapiV3",
    "sapiV4",
    "papi",
    "papiV2",
    "dapiPublic",
    "dapiPrivate",
    "dapiPrivateV2",
    "dapiData",
    "eapiPublic",
    "eapiPrivate",
)
_CLOSED_STREAMS = (
    "spot",
    "margin",
    "inverse",
    "stock",
    "option",
    "optionMarket",
    "optionPrivate",
    "papi",
)


def require_loopback(host: str) -> str:
    """The host name or address of ``name[:port]``, if it means this machine.

    Raises:
        SafetyError: it may lead elsewhere.
    """
    name, port = _split(host)
    if (port is None or port.isdecimal()) and (name == "localhost" or _is_loopback_address(name)):
        return name
    raise SafetyError(
        f"the simulated exchange lives on this machine only: {host!r} is no loopback address, "
        "use 127.0.0.1, ::1 or localhost"
    )


def _split(host: str) -> tuple[str, str | None]:
    """Name and port; a bare IPv6 address has no port."""
    if host.startswith("["):
        name, closing, rest = host[1:].partition("]")
        if not closing:
            return host, None
        return name, rest[1:] if rest.startswith(":") else rest or None
    if host.count(":") > 1:
        return host, None
    name, colon, port = host.partition(":")
    return name, port if colon else None


def _is_loopback_address(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def loopback_options(host: str) -> dict[str, Any]:
    """Constructor arguments that send ccxt's binanceusdm to ``host`` (``127.0.0.1:18080``).

    Raises:
        SafetyError: ``host`` is not this machine.
    """
    require_loopback(host)
    http, stream = f"http://{host}", f"ws://{host}"
    api: dict[str, Any] = {name: f"{http}/fapi/{version}" for name, version in _VERSIONED.items()}
    api["fapiData"] = f"{http}/futures/data"
    api["sapi"] = f"{http}/sapi/v1"
    for name in _CLOSED:
        api[name] = f"{http}/_forbidden/{name}"
    api["ws"] = {name: f"{stream}/_forbidden/{name}" for name in _CLOSED_STREAMS}
    # The client puts the kind of stream in front: /private/ws, /public/ws, /market/ws.
    api["ws"] |= {"linear": f"{stream}/ws", "ws-api": {"linear": f"{stream}/ws-fapi/v1"}}
    return {
        "urls": {"api": api},
        "options": {
            "fetchCurrencies": False,
            "fetchMargins": False,
            "fetchOpenOrders": {"warnWithoutSymbol": False},
            "broker": {"swap": "perphedge", "future": "perphedge"},
        },
    }


def client(
    host: str,
    *,
    key: str | None = None,
    secret: str | None = None,
    now_ms: Callable[[], int] | None = None,
    streams: bool = False,
) -> Any:
    """An unmodified ``ccxt.async_support.binanceusdm`` that talks to ``host``; close it after use.

    With ``streams`` it is ``ccxt.pro``'s.

    With ``now_ms`` it signs by that clock, reads wall time nowhere and does not pace itself:
    requests sent one after another are then the same on every run.

    Raises:
        SafetyError: ``host`` is not this machine.
    """
    options = loopback_options(host)
    library = ccxt_library(streams=streams)
    settings: dict[str, Any] = {
        "enableRateLimit": now_ms is None,
        "rateLimiterAlgorithm": "rollingWindow",  # the default one queues orders behind data
        **options,
    }
    if key is not None and secret is not None:
        settings |= {"apiKey": key, "secret": secret}
    exchange = library.binanceusdm(settings)
    exchange.timeout_on_exit = 0  # it waits for ends of TLS, of which there is none here
    # ccxt picks the USD-M error table by the real host name, which this is not.
    exchange.exceptions["exact"].update(exchange.exceptions["linear"]["exact"])
    if now_ms is not None:
        exchange.nonce = now_ms
        exchange.milliseconds = now_ms
    return exchange


def ccxt_library(*, streams: bool) -> Any:
    """ccxt's classes of clients; those with streams take longer to import."""
    if streams:
        import ccxt.pro

        return ccxt.pro
    import ccxt.async_support

    return ccxt.async_support
