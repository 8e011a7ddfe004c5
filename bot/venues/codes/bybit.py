"""Bybit, version 5."""

from typing import Final

from bot.venues.codes.table import CodeTable, fields

_KEYS = {
    "10003": "unknown key",
    "10004": "the signature does not fit",
    "10005": "the key may not do this",
    "10007": "the key is missing in the request",
    "10008": "the account is banned",
    "10009": "the address is banned",
    "10010": "the key does not work from this address",
    "10024": "local rules forbid it",
    "10027": "the account is banned from trading",
    "10028": "only for unified accounts",
    "10029": "the key may not trade this symbol",
    "33004": "the key has expired",
}
_REQUEST = {
    "10001": "a parameter is wrong",
    "10017": "no such path or method",
    "10020": "the account is no unified account",
    "110018": "the user id is not valid",
    "110032": "such a combination is no order",
}
_FUNDS = {
    "110004": "the wallet does not suffice",
    "110006": "the position's margin cannot be paid",
    "110007": "the available balance does not suffice",
    "110012": "the available balance does not suffice",
    "110044": "the available margin does not suffice",
    "110045": "the wallet does not suffice",
    "110051": "the balance does not cover the lowest price",
    "110052": "the balance does not cover this price",
    "110053": "the balance does not cover the price limits",
}
_RULES = {
    "110003": "the price is out of its range",
    "110011": "it would be liquidated at once",
    "110016": "more than the risk limit",
    "110017": "reduce-only, and there is nothing to reduce",
    "110020": "as many open orders as are allowed",
    "110021": "the open interest is at its limit",
    "110022": "the quantity is limited",
    "110023": "the contract may only be reduced",
    "110040": "it would be liquidated at once",
    "110042": "before delivery positions may only be reduced",
    "110066": "no trading at this time",
    "110068": "this user may not trade",
    "110069": "this user may not trade",
    "110070": "this symbol may not be traded",
    "110094": "the notional is below the least",
}

TABLE: Final = CodeTable(
    venue="bybit",
    found_in="`retCode` and `retMsg`",
    find=fields("retCode", "retMsg"),
    rejected={**_KEYS, **_REQUEST, **_FUNDS, **_RULES},
    not_accepted={
        "10002": "the clock is off",
        "10006": "too many requests",
        "10018": "too many requests from this address",
    },
    exists={"110072": "an order has this client id already"},
    absent={"110001": "there is no such order"},
    over={
        "110008": "it has ended",
        "110010": "it is cancelled",
    },
    left_unknown={
        "10000": "the server timed out",
        "10014": "a duplicate request, of which the first may have been taken",
        "10016": "an error inside the exchange",
        "110030": "a duplicate of the venue's own id, which proves nothing about ours",
        "110063": "a settlement runs; whether it was queued is not told",
    },
)
