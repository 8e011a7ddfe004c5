"""Hyperliquid, which writes sentences where others have codes.

A sentence counts by its beginning; what may follow (an asset, a price) does not matter. The names
are those of the exchange's own list of errors where it has one.
"""

from collections.abc import Mapping
from typing import Any, Final

from bot.venues.codes.table import CodeTable, clean_text

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


def _find(document: Mapping[str, Any]) -> tuple[str, str]:
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


TABLE: Final = CodeTable(
    venue="hyperliquid",
    found_in="`response.data.statuses[0].error`, or `response` where `status` is `err`: a "
    "sentence, named here as below",
    find=_find,
    rejected={
        "Tick": "the price is not on a tick",
        "MinTradeNtl": "the notional is below the least",
        "PerpMargin": "the margin does not suffice",
        "ReduceOnly": "reduce-only, and it would increase the position",
        "BadAloPx": "post-only that would have taken",
        "IocCancel": "nothing to match at once, and nothing rests of it",
        "OpenInterestCap": "the open interest is at its limit",
        "TooAggressiveAtOpenInterestCap": "the price goes too far while open interest is capped",
        "OpenInterestIncrease": "the open interest would grow too fast",
        "Oracle": "the price is too far from the oracle's",
        "PriceTooFar": "the price is too far from the reference",
        "PerpMaxPosition": "more than this leverage allows",
        "InvalidSize": "the size is not valid",
        "ZeroSize": "the size is 0",
        "InvalidPrice": "the price is not valid",
        "UnknownWallet": "the signing wallet is not known to the exchange",
    },
    not_accepted={"TooManyRequests": "more requests than this account's volume allows"},
    absent={"unknownOid": "no order has this id"},
    over={"MissingOrder": "it was never there, or has ended"},
    left_unknown={
        "unlisted": "any other sentence, a nonce that was used among them: the first request "
        "that used it may have been ours",
    },
)
