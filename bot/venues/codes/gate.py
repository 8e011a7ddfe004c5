"""Gate, version 4, whose codes are words."""

from collections.abc import Mapping
from typing import Any, Final

from bot.venues.codes.table import CodeTable, clean_text


def _find(document: Mapping[str, Any]) -> tuple[str, str]:
    label = document.get("label")
    if not isinstance(label, str) or not label:
        return "", ""
    return label, clean_text(str(document.get("message") or document.get("detail") or ""))


_KEYS = {
    "INVALID_CREDENTIALS": "key and request do not fit",
    "INVALID_KEY": "unknown key",
    "IP_FORBIDDEN": "the key does not work from this address",
    "READ_ONLY": "the key may only read",
    "INVALID_SIGNATURE": "the signature does not fit",
    "MISSING_REQUIRED_HEADER": "a header is missing",
    "ACCOUNT_LOCKED": "the account is locked",
    "FORBIDDEN": "the key may not do this",
    "USER_NOT_FOUND": "there is no futures account",
}
_REQUEST = {
    "INVALID_PARAM_VALUE": "a parameter is wrong",
    "INVALID_PROTOCOL": "the request is malformed",
    "INVALID_ARGUMENT": "a parameter is wrong",
    "INVALID_REQUEST_BODY": "the body is malformed",
    "MISSING_REQUIRED_PARAM": "a needed parameter is missing",
    "BAD_REQUEST": "the request is malformed",
    "INVALID_CONTENT_TYPE": "the content type is wrong",
    "NOT_ACCEPTABLE": "the kind of answer asked for is not served",
    "METHOD_NOT_ALLOWED": "no such method",
    "CONTRACT_NOT_FOUND": "no such contract",
}
_RULES = {
    "INSUFFICIENT_AVAILABLE": "the available balance does not suffice",
    "BALANCE_NOT_ENOUGH": "the balance does not suffice",
    "RISK_LIMIT_EXCEEDED": "more than the risk limit",
    "LIQUIDATE_IMMEDIATELY": "it would be liquidated at once",
    "POSITION_EMPTY": "there is no position to reduce",
    "INCREASE_POSITION": "reduce-only, and it would increase the position",
    "CONTRACT_IN_DELISTING": "the contract is being delisted",
    "PRICE_TOO_DEVIATED": "the price is too far from the mark price",
    "PRICE_OVER_LIQUIDATION": "the price is beyond the liquidation price",
    "PRICE_OVER_BANKRUPT": "the price is beyond the bankruptcy price",
    "SIZE_TOO_LARGE": "the size is above the largest",
    "SIZE_TOO_SMALL": "the size is below the least",
    "ORDER_POC_IMMEDIATE": "post-only that would have taken",
    "POC_FILL_IMMEDIATELY": "post-only that would have taken",
    "TOO_MANY_ORDERS": "as many open orders as are allowed",
}

TABLE: Final = CodeTable(
    venue="gate",
    found_in="`label` and `message` (or `detail`)",
    find=_find,
    rejected={**_KEYS, **_REQUEST, **_RULES},
    not_accepted={
        "TOO_MANY_REQUESTS": "too many requests",
        "TOO_FAST": "too many requests",
        "REQUEST_EXPIRED": "the clock is off",
    },
    absent={
        "ORDER_NOT_FOUND": "there is no such order, or it ended a while ago",
        "CLIENT_ID_NOT_FOUND": "no order has this client id, or it ended a while ago",
    },
    over={"ORDER_FINISHED": "it has ended"},
    left_unknown={
        "INTERNAL": "an error inside the exchange",
        "SERVER_ERROR": "an error inside the exchange",
        "TOO_BUSY": "the exchange is busy",
        "REPEATED_CREATION": "a repeated request, of which the first may have been taken",
        "POSITION_IN_LIQUIDATION": "the position is being liquidated; nothing is told of the order",
    },
)
