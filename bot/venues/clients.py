"""The one place where ccxt clients are made."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from bot.errors import SafetyError
from bot.venues.ccxt_pacing import pace
from bot.venues.ccxt_safety import harden, refuse_unsafe
from bot.venues.ccxt_tls import share_certificates
from bot.venues.ccxt_wire import watch
from bot.venues.loopback import ccxt_library
from bot.venues.loopback import client as loopback_client
from config.secrets import Credentials

SIMULATED: Final = "binanceusdm"
"""The exchange whose interface the simulated one speaks, whichever it plays."""


def make_client(
    exchange_id: str,
    *,
    urls_host: str | None = None,
    credentials: Credentials | None = None,
    now_ms: Callable[[], int] | None = None,
    streams: bool = False,
) -> Any:
    """An unmodified ``ccxt.async_support`` client for linear perpetuals; close it after use.

    Args:
        exchange_id: ccxt's id.
        urls_host: a simulated exchange on this machine, in place of the real one.
        credentials: None for public data only.
        now_ms: a simulated clock, with ``urls_host`` only; the client then reads no wall time.
        streams: a client of ``ccxt.pro``, which has websockets beside REST.

    Raises:
        SafetyError: ``urls_host`` is not this machine, or the exchange cannot be simulated.
    """
    if urls_host is not None:
        if exchange_id != SIMULATED:
            raise SafetyError(
                f"venue.urls_host: only {SIMULATED} can be simulated, not {exchange_id}"
            )
        key = credentials.api_key.get_secret_value() if credentials else None
        secret = credentials.api_secret.get_secret_value() if credentials else None
        near = loopback_client(urls_host, key=key, secret=secret, now_ms=now_ms, streams=streams)
        harden(near)
        share_certificates(near)
        watch(near)
        return near
    settings: dict[str, Any] = {
        "enableRateLimit": True,
        # The default limiter queues orders behind market data; this one does not.
        "rateLimiterAlgorithm": "rollingWindow",
        "options": {
            "defaultType": "swap",
            "fetchCurrencies": False,
            "fetchOpenOrders": {"warnWithoutSymbol": False},
            **_OPTIONS.get(exchange_id, {}),
        },
    }
    if credentials is not None:
        settings |= _secrets(exchange_id, credentials)
    exchange = getattr(ccxt_library(streams=streams), exchange_id)(settings)
    # With a key, ccxt would first ask for all currencies, which a key that may only trade must not.
    exchange.has = {**exchange.has, "fetchCurrencies": False}
    # ccxt merges what it finds in its own defaults; nothing in them may send an order again.
    refuse_unsafe(exchange)
    harden(exchange)
    share_certificates(exchange)
    pace(exchange)
    watch(exchange)
    return exchange


_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    # Only the markets that are hedged with are read, and no other kind of account is looked for.
    "bybit": {"fetchMarkets": {"types": ["linear"]}},
    "okx": {"fetchMarkets": {"types": ["swap"]}},
    "bitget": {"fetchMarkets": {"types": ["swap"]}, "uta": False},
    "gate": {"fetchMarkets": {"types": ["swap"]}, "unifiedAccount": False},
    "hyperliquid": {
        "fetchMarkets": {"types": ["swap"]},
        # Looked for when markets are shared, and missing where no such market was read.
        "hip3TokensByName": {},
        "cachedCurrenciesById": {},
    },
}


def _secrets(exchange_id: str, credentials: Credentials) -> dict[str, str]:
    key = credentials.api_key.get_secret_value()
    secret = credentials.api_secret.get_secret_value()
    if exchange_id in ("paradex", "hyperliquid"):  # they sign with a wallet's key instead
        return {"walletAddress": key, "privateKey": secret}
    found = {"apiKey": key, "secret": secret}
    if credentials.api_passphrase is not None:
        found["password"] = credentials.api_passphrase.get_secret_value()
    return found
