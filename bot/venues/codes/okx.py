"""OKX, version 5. The outer code of an order is 1 whatever went wrong; its element tells more."""

from collections.abc import Mapping
from typing import Any, Final

from bot.venues.codes.table import CodeTable, clean_text, fields

_outer = fields("code", "msg")
_inner = fields("sCode", "sMsg")


def _find(document: Mapping[str, Any]) -> tuple[str, str]:
    """The one order's own code where there is one, else the request's."""
    code, text = _outer(document)
    rows = document.get("data")
    if code not in ("1", "2") or not isinstance(rows, list) or not rows:
        return code, text
    first = rows[0]
    if len(rows) != 1 or not isinstance(first, dict):
        return code, clean_text(text or "an answer about several orders")
    return _inner(first) if "sCode" in first else (code, text)


_KEYS = {
    "50007": "the account is blocked",
    "50027": "the account may not trade",
    "50101": "the key is for another environment",
    "50103": "the key is missing in the request",
    "50104": "the passphrase is missing in the request",
    "50105": "the passphrase is wrong",
    "50106": "the signature is missing in the request",
    "50107": "the time is missing in the request",
    "50110": "the key does not work from this address",
    "50111": "unknown key",
    "50112": "the time of the request is malformed",
    "50113": "the signature does not fit",
    "50114": "the authorisation is not valid",
}
_REQUEST = {
    "50000": "the body is empty",
    "50002": "the body is no JSON",
    "50006": "the content type is wrong",
    "50014": "a needed parameter is missing",
    "50015": "one of two parameters is missing",
    "50016": "two parameters do not fit each other",
    "50024": "two parameters exclude each other",
    "50115": "no such method",
    "51000": "a parameter is wrong",
    "51001": "no such instrument",
    "51003": "an id is missing",
    "51015": "instrument and type do not fit",
    "51204": "a limit order without a price",
}
_FUNDS = {
    "51008": "the balance or margin does not suffice",
    "51119": "the balance does not suffice",
    "51127": "the available balance is 0",
    "51131": "the balance does not suffice",
}
_RULES = {
    "51004": "more than this tier allows",
    "51005": "the amount is above the largest",
    "51006": "the price is out of its range",
    "51007": "less than one contract",
    "51009": "orders of this account are blocked",
    "51010": "the account mode does not support it",
    "51020": "the amount is below the least",
    "51021": "the contract is not yet listed",
    "51022": "the contract is suspended",
    "51025": "as many orders as are allowed",
    "51027": "the contract has expired",
    "51028": "the contract is being delivered",
    "51031": "the price is out of the closing range",
    "51100": "the amount is below the least",
    "51101": "the amount is above the largest",
    "51102": "as many pending contracts as are allowed",
    "51103": "as many pending contracts as are allowed",
    "51104": "as many pending contracts as are allowed",
    "51105": "more than this contract allows",
    "51106": "more than this underlying allows",
    "51107": "more than may be held",
    "51112": "it would close more than there is",
    "51116": "the price is above its limit",
    "51117": "as many closing orders as are allowed",
    "51120": "the quantity is below the least",
    "51121": "no whole number of lots",
    "51122": "the price is below the least",
    "51135": "a close beyond the price limit",
    "51136": "a close beyond the price limit",
    "51137": "an opening beyond the price limit",
    "51138": "an opening beyond the price limit",
    "51155": "local rules forbid it",
    "51169": "there is no position to reduce",
    "51174": "as many pending orders as are allowed",
    "51185": "the value is above the largest",
    "51203": "the amount is above the largest",
    "51205": "reduce-only is not available",
    "54072": "the contract may not be traded",
}

TABLE: Final = CodeTable(
    venue="okx",
    found_in="`code` and `msg`; `data[0].sCode` and `sMsg` where `code` is 1 or 2",
    find=_find,
    rejected={**_KEYS, **_REQUEST, **_FUNDS, **_RULES},
    not_accepted={
        "50011": "too many requests",
        "50061": "too many orders of this account",
        "50102": "the clock is off",
    },
    exists={"51016": "an order has this client id already"},
    absent={"51603": "there is no such order"},
    over={
        "51400": "there is no such order to cancel",
        "51401": "it is cancelled",
        "51402": "it has ended",
    },
    left_unknown={
        "1": "an order failed, and its own code is not there",
        "50001": "the matching engine is being changed; whether it was queued is not told",
        "50004": "timed out; that says nothing of the order, it says",
        "50005": "the interface is not available",
        "50013": "the system is busy",
        "50026": "an error inside the exchange",
        "51011": "a duplicate of the venue's own id, which proves nothing about ours",
    },
)
