"""Bitget, version 2, classic accounts."""

from typing import Final

from bot.venues.codes.table import CodeTable, fields

_KEYS = {
    "40001": "the key is missing in the request",
    "40002": "the secret is missing",
    "40003": "the signature is missing in the request",
    "40006": "unknown key",
    "40009": "the signature does not fit",
    "40011": "the passphrase is missing in the request",
    "40012": "key or passphrase is wrong",
    "40014": "the key may not do this",
    "40018": "the key does not work from this address",
    "40024": "local rules forbid it",
    "40031": "the account is closed",
    "40037": "unknown key",
    "40085": "the account is a unified one, which has another interface",
}
_REQUEST = {
    "40007": "the content type is wrong",
    "40017": "a parameter is wrong",
    "40019": "a needed parameter is empty",
    "40020": "a parameter is wrong",
    "40102": "no such contract",
    "40302": "a parameter is wrong",
    "40304": "a parameter has the wrong type",
    "40305": "the client id is too long or has wrong letters",
    "40402": "the side to open is missing",
    "40403": "the side to open is malformed",
    "40774": "the order does not fit the position mode",
    "40808": "a number has too many decimals",
    "41103": "the price has too many decimals",
    "400172": "a parameter is wrong",
}
_FUNDS = {
    "40711": "the contract account does not suffice",
    "40712": "the margin does not suffice",
    "40762": "more than the balance allows",
    "43012": "the balance does not suffice",
}
_RULES = {
    "22002": "there is no position to close",
    "40108": "the quantity is wrong",
    "40309": "the contract is delisted",
    "40706": "the price is wrong",
    "41117": "the price is beyond its limit",
    "43006": "the quantity is below the least",
    "45110": "the value is below the least",
    "45113": "the value is above the largest",
}

TABLE: Final = CodeTable(
    venue="bitget",
    found_in="`code` and `msg`",
    find=fields("code", "msg"),
    rejected={**_KEYS, **_REQUEST, **_FUNDS, **_RULES},
    not_accepted={
        "429": "too many requests",
        "40004": "the clock is off",
        "40005": "the time of the request is not valid",
        "40008": "the clock is off",
    },
    exists={"40786": "an order has this client id already"},
    absent={
        "40109": "there is no such order",
        "43001": "there is no such order",
    },
    over={
        "22001": "there is no such open order to cancel",
        "40768": "there is no such order to cancel",
    },
    left_unknown={
        "1001": "throttled; at which place is not told",
        "40010": "described both as a wrong signature and as a timeout",
        "40015": "the system is not in order",
        "40200": "the server is being changed",
        "40604": "the server is busy",
    },
)
