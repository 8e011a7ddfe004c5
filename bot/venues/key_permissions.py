"""What each exchange tells of an API key: may it move money, is it bound to addresses.

Nothing that is not told is taken for harmless: it is None, and the caller says so.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from bot.controls.permissions import KeyPermissions
from bot.errors import VenueError
from bot.venues.ccxt_wire import CcxtWire
from risk.errors import DataError

_DOING: Final = "permissions of the key"

Document = Mapping[str, Any]


def _flag(document: Document, name: str) -> bool:
    """A field that must be told.

    Raises:
        DataError: it is not there, or neither true nor false.
    """
    value = document.get(name)
    if not isinstance(value, bool):
        raise DataError(f"{_DOING}: {name} is not told")
    return value


def _texts(value: object, name: str) -> list[str]:
    """A list of texts that must be told.

    Raises:
        DataError: it is something else.
    """
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise DataError(f"{_DOING}: {name} is no list")
    return value


def _document(value: object, name: str) -> Document:
    if not isinstance(value, dict):
        raise DataError(f"{_DOING}: {name} is not told")
    return value


async def _binance(wire: CcxtWire) -> KeyPermissions:
    told = await wire.read(_DOING, wire.exchange.sapi_get_account_apirestrictions)
    told = _document(told, "the answer")
    transfer = _flag(told, "enableInternalTransfer") or _flag(told, "permitsUniversalTransfer")
    return KeyPermissions(_flag(told, "enableWithdrawals"), transfer, _flag(told, "ipRestrict"))


async def _bybit(wire: CcxtWire) -> KeyPermissions:
    reply = await wire.read(_DOING, wire.exchange.private_get_v5_user_query_api)
    told = _document(_document(reply, "the answer").get("result"), "result")
    rights = _document(told.get("permissions"), "permissions")
    wallet = _texts(rights.get("Wallet", []), "permissions.Wallet")
    return KeyPermissions(
        withdraw="Withdraw" in wallet,
        transfer=any("Transfer" in right for right in wallet),
        ip_bound=_bound(_texts(told.get("ips"), "ips")),
    )


async def _okx(wire: CcxtWire) -> KeyPermissions:
    reply = await wire.read(_DOING, wire.exchange.private_get_account_config)
    rows = _document(reply, "the answer").get("data")
    told = _document(rows[0] if isinstance(rows, list) and rows else None, "data")
    rights, addresses = told.get("perm"), told.get("ip")
    if not isinstance(rights, str) or not rights or not isinstance(addresses, str):
        raise DataError(f"{_DOING}: perm or ip is not told")
    # Transfers within the exchange go with the right to trade and are not told apart.
    return KeyPermissions("withdraw" in _split(rights), None, _bound(_split(addresses)))


async def _bitget(wire: CcxtWire) -> KeyPermissions:
    reply = await wire.read(_DOING, wire.exchange.private_spot_get_v2_spot_account_info)
    told = _document(_document(reply, "the answer").get("data"), "data")
    rights, addresses = _texts(told.get("authorities"), "authorities"), told.get("ips")
    if addresses is not None and not isinstance(addresses, str):
        raise DataError(f"{_DOING}: ips is no text")
    return KeyPermissions(
        withdraw=any(right in ("wwow", "withdraw") for right in rights),
        transfer=any(right in ("wtow", "transfer") for right in rights),
        ip_bound=_bound(_split(addresses or "")),
    )


async def _gate(wire: CcxtWire) -> KeyPermissions | None:
    try:
        rows = await wire.read(_DOING, wire.exchange.private_account_get_main_keys)
    except VenueError:
        return None  # told to keys with the right to read the account only, of main accounts only
    if not isinstance(rows, list):
        rows = [rows]
    own = [row for row in rows if isinstance(row, dict) and row.get("key") == wire.exchange.apiKey]
    if len(own) != 1:
        return None
    rights = own[0].get("perms")
    if not isinstance(rights, list) or not all(isinstance(one, dict) for one in rights):
        raise DataError(f"{_DOING}: perms is no list")
    writes = {str(one.get("name")) for one in rights if one.get("read_only") is not True}
    return KeyPermissions(
        withdraw="withdraw" in writes or "withdrawal" in writes,
        transfer="wallet" in writes,
        ip_bound=_bound(_texts(own[0].get("ip_whitelist") or [], "ip_whitelist")),
    )


async def _hyperliquid(wire: CcxtWire) -> KeyPermissions:
    """The wallet's own key can do anything; that of an agent can trade and no more."""
    exchange = wire.exchange
    address = str(exchange.eth_get_address_from_private_key(exchange.privateKey))
    own = address.lower() == str(exchange.walletAddress).lower()
    return KeyPermissions(own, own, None)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _bound(addresses: list[str]) -> bool:
    """Some write a star, or a network of everything, where nothing is bound."""
    return bool(addresses) and not any(one == "*" or one.endswith("/0") for one in addresses)


_READERS: Final[Mapping[str, Callable[[CcxtWire], Awaitable[KeyPermissions | None]]]] = {
    "binanceusdm": _binance,
    "bybit": _bybit,
    "okx": _okx,
    "bitget": _bitget,
    "gate": _gate,
    "hyperliquid": _hyperliquid,
}

TOLD: Final[Mapping[str, str]] = {
    "binanceusdm": "withdrawals, transfers, binding to addresses",
    "bybit": "withdrawals, transfers, binding to addresses",
    "okx": "withdrawals, binding to addresses; transfers are not told",
    "bitget": "withdrawals, transfers, binding to addresses",
    "gate": "withdrawals, transfers, binding to addresses, to keys of a main account that may read "
    "the account; else nothing",
    "hyperliquid": "whether it is the wallet's own key or that of an agent, which cannot move "
    "money; keys are never bound to addresses",
}
"""In words, by ccxt's exchange id."""


async def read_permissions(wire: CcxtWire) -> KeyPermissions | None:
    """What the key of this client may do; None where the venue does not tell.

    Raises:
        UnreachableError, VenueError: the venue does not answer, or with an error.
        DataError: its answer cannot be read.
    """
    reader = _READERS.get(wire.venue)
    return None if reader is None else await reader(wire)
