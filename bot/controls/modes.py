"""Position mode, margin mode and leverage against what they were when first seen. Pure."""

from collections.abc import Mapping
from typing import Any

from bot.controls.order_checks import EVERYTHING
from bot.ports import VenueAccount

_NOISE = 1e-9


def changed_modes(expected: Mapping[str, Any], account: VenueAccount) -> dict[str, str]:
    """What is no more as expected, in one line by symbol; "*" where it concerns all of them."""
    found: dict[str, str] = {}
    hedge = expected.get("hedge_mode")
    if hedge is not None and hedge != account.hedge_mode:
        found[EVERYTHING] = f"position mode is {_mode(account.hedge_mode)}, it was {_mode(hedge)}"
    rates: Mapping[str, float] = expected.get("margin_rate", {})
    for symbol, rate in account.margin_rate.items():
        was = rates.get(symbol)
        if was is not None and abs(was - rate) > _NOISE:
            found[symbol] = f"leverage is {1 / rate:g}, it was {1 / was:g}"
    margins: Mapping[str, str] = expected.get("margin_mode", {})
    for symbol, mode in account.margin_mode.items():
        if margins.get(symbol, mode) != mode:
            found[symbol] = f"margin mode is {mode}, it was {margins[symbol]}"
    return found


def with_new(expected: Mapping[str, Any], account: VenueAccount) -> dict[str, Any]:
    """The expectation, with what is seen for the first time."""
    return {
        "hedge_mode": expected.get("hedge_mode", account.hedge_mode),
        "margin_rate": {**account.margin_rate, **expected.get("margin_rate", {})},
        "margin_mode": {**account.margin_mode, **expected.get("margin_mode", {})},
    }


def _mode(hedge: bool) -> str:
    return "hedge" if hedge else "one-way"
