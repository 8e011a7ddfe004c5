"""Where in a reply each exchange's code stands."""

from collections.abc import Mapping
from typing import Any, Final

from bot.venues.codes.table import Finder, clean_text, fields

_code_and_msg = fields("code", "msg")
_inner = fields("sCode", "sMsg")


def _okx(document: Mapping[str, Any]) -> tuple[str, str]:
    """The one order's own code where there is one: the outer one is 1 whatever went wrong."""
    code, text = _code_and_msg(document)
    rows = document.get("data")
    if code not in ("1", "2") or not isinstance(rows, list) or not rows:
        return code, text
    first = rows[0]
    if len(rows) != 1 or not isinstance(first, dict):
        return code, clean_text(text or "an answer about several orders")
    return _inner(first) if "sCode" in first else (code, text)


def _gate(document: Mapping[str, Any]) -> tuple[str, str]:
    label = document.get("label")
    if not isinstance(label, str) or not label:
        return "", ""
    return label, clean_text(str(document.get("message") or document.get("detail") or ""))


_SENTENCES: Final[Mapping[str, str]] = {
    "Price must be divisible by tick size": "Tick",
    "Order must have minimum value of": "MinTradeNtl",
    "Insufficient margin to place order": "PerpMargin",
    "Reduce only order would increase position": "ReduceOnly",
    "Post only order would have immediately matched": "BadAloPx",
    "Order could not immediately match against any resting orders": "IocCancel",
    "Order would increase open interest while open interest is capped": "OpenInterestCap",
    "Order rejected due to price more aggressive than oracle": "TooAggressiveAtOpenInterestCap",
    "Order would increase open interest too quickly": "OpenInterestIncrease",
    "Order price too far from oracle": "Oracle",
    "Order price cannot be more than": "PriceTooFar",
    "Order would cause position to exceed margin tier limit": "PerpMaxPosition",
    "Order has invalid size": "InvalidSize",
    "Order has zero size": "ZeroSize",
    "Order has invalid price": "InvalidPrice",
    "User or API Wallet": "UnknownWallet",
    "Order was never placed, already canceled, or filled": "MissingOrder",
    "Too many cumulative requests sent": "TooManyRequests",
}
"""Hyperliquid's names, of its own list of errors where it has one, by how the sentence begins;
what may follow (an asset, a price) does not matter."""


def _hyperliquid(document: Mapping[str, Any]) -> tuple[str, str]:
    if document.get("status") == "unknownOid":
        return "unknownOid", "no order has this id"
    text = _sentence(document)
    if text is None:
        return "", ""
    code = next((name for start, name in _SENTENCES.items() if text.startswith(start)), "unlisted")
    return code, clean_text(text)


def _sentence(document: Mapping[str, Any]) -> str | None:
    """What is wrong with the whole request, or with the one order in it; None where nothing is."""
    response = document.get("response")
    if document.get("status") == "err":
        return response if isinstance(response, str) else None
    data = response.get("data") if isinstance(response, dict) else None
    rows = data.get("statuses") if isinstance(data, dict) else None
    if not isinstance(rows, list) or len(rows) != 1 or not isinstance(rows[0], dict):
        return None
    error = rows[0].get("error")
    return error if isinstance(error, str) else None


FINDERS: Final[Mapping[str, Finder]] = {
    "binanceusdm": _code_and_msg,
    "bybit": fields("retCode", "retMsg"),
    "okx": _okx,
    "hyperliquid": _hyperliquid,
    "bitget": _code_and_msg,
    "gate": _gate,
}
"""By ccxt's exchange id."""
