"""Markets and errors as ccxt gives them, in our own types."""

from decimal import Decimal
from typing import Any

import ccxt
import ccxt.async_support
import pytest

from bot.errors import UnreachableError, VenueError
from bot.venues.ccxt_market import (
    instruments_of,
    interval_hours,
    number,
    positive,
    reading,
    require_capabilities,
)
from risk.errors import DataError

SIGNED = "https://fapi.example.com/fapi/v3/account?timestamp=1&signature=abcdef0123"


def market(**more: Any) -> dict[str, Any]:
    return {
        "symbol": "FET/USDT:USDT",
        "base": "FET",
        "quote": "USDT",
        "swap": True,
        "linear": True,
        "active": True,
        "contractSize": 1.0,
        "precision": {"price": 1e-05, "amount": 0.1},
        "limits": {"amount": {"min": 0.1, "max": 1e7}, "cost": {"min": 5.0}},
        "maker": 0.0001,
        "taker": 0.0004,
        "created": 1_700_000_000_000,
        **more,
    }


def test_a_linear_perpetual_by_hand() -> None:
    found, refused = instruments_of("okx", [market(contractSize=10)], {"FET/USDT:USDT": 4.0})
    assert refused == []
    one = found["FET/USDT:USDT"]
    assert (one.tick, one.lot, one.min_quantity) == (Decimal("0.00001"), Decimal(1), Decimal(1))
    assert str(one.tick) == "0.00001"
    assert (one.contract_size, one.max_quantity) == (Decimal(10), Decimal(100_000_000))
    assert (one.min_notional_usd, one.maker_fee, one.taker_fee) == (Decimal(5), 0.0001, 0.0004)
    assert (one.funding_interval_hours, one.listed_at_ms) == (4.0, 1_700_000_000_000)
    assert one.venue == "okx"


def test_what_is_not_told_has_stated_defaults() -> None:
    bare = market(limits={"amount": {}}, maker=None, taker=None, created=None)
    one = instruments_of("x", [bare], {})[0]["FET/USDT:USDT"]
    assert (one.maker_fee, one.taker_fee) == (0.0002, 0.0005)
    assert (one.min_quantity, one.min_notional_usd) == (Decimal("0.1"), Decimal(0))
    assert (one.max_quantity, one.listed_at_ms, one.funding_interval_hours) == (None, None, 8.0)


@pytest.mark.parametrize(
    "more",
    [
        {"linear": False, "inverse": True},
        {"swap": False, "spot": True},
        {"swap": False, "future": True},
        {"active": False},
    ],
)
def test_inverse_spot_dated_and_halted_markets_are_passed_over(more: dict[str, Any]) -> None:
    assert instruments_of("x", [market(**more)], {}) == ({}, [])


@pytest.mark.parametrize(
    "more",
    [
        {"contractSize": None},
        {"contractSize": float("nan")},
        {"precision": {"price": None, "amount": 1.0}},
        {"precision": {"price": 0.1}},
        {"precision": None},
    ],
)
def test_a_market_without_its_steps_is_refused_in_one_line(more: dict[str, Any]) -> None:
    found, refused = instruments_of("x", [market(**more)], {})
    assert found == {}
    assert refused == ["FET/USDT:USDT: contract size, price step or amount step is not told"]


@pytest.mark.parametrize(
    ("raised", "expected", "says"),
    [
        (ccxt.RequestTimeout(f"x GET {SIGNED}"), UnreachableError, "RequestTimeout"),
        (ccxt.ExchangeNotAvailable(f"x GET {SIGNED} 503"), UnreachableError, "Exchange"),
        (ccxt.DDoSProtection('x 429 {"code":-1003,"msg":"Too many"}'), UnreachableError, "-1003"),
        (ccxt.RateLimitExceeded("x"), UnreachableError, "RateLimitExceeded: x"),
        (ccxt.OnMaintenance("x"), UnreachableError, "OnMaintenance"),
        (ccxt.BadSymbol('x {"code":-1121,"msg":"Invalid symbol."}'), VenueError, "-1121 Invalid"),
        (ccxt.AuthenticationError("x apiKey abc is wrong"), VenueError, "AuthenticationError"),
        (ccxt.NotSupported("x fetchFoo() is not supported yet"), VenueError, "NotSupported"),
        (KeyError("lastPrice"), DataError, r"cannot be understood \(KeyError\)"),
        (TypeError("secret"), DataError, r"cannot be understood \(TypeError\)"),
    ],
)
def test_errors_become_ours_and_show_no_secret(
    raised: Exception, expected: type[Exception], says: str
) -> None:
    with pytest.raises(expected, match=says) as caught, reading("x", "account"):
        raise raised
    text = str(caught.value)
    assert text.startswith("x: account: ")
    for secret in ("://", "signature", "abcdef", "abc is", "\n"):
        assert secret not in text
    assert caught.value.__suppress_context__


def test_what_reading_does_not_know_passes_through() -> None:
    with pytest.raises(OSError, match="disk"), reading("x", "account"):
        raise OSError("disk")


async def test_capabilities_are_asked_for() -> None:
    client = ccxt.async_support.binanceusdm()
    assert require_capabilities(client) == []
    client.has["fetchOpenInterest"] = False
    assert require_capabilities(client) == ["fetchOpenInterest: no open interest"]
    client.has["fetchTickers"] = None
    client.has["fetchOHLCV"] = False
    with pytest.raises(VenueError, match=r"it lacks fetchOHLCV, fetchTickers$"):
        require_capabilities(client)
    client.has.update(fetchTickers=True, fetchOHLCV=True)
    client.precisionMode = 2
    with pytest.raises(VenueError, match="precisions are not in steps"):
        require_capabilities(client)
    await client.close()


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, 1.0), ("2.5", 2.5), (Decimal("0.1"), 0.1), (float("nan"), None), ("inf", None),
     ("x", None), (None, None), (True, None), ([], None)],
)  # fmt: skip
def test_numbers(value: object, expected: float | None) -> None:
    assert number(value) == expected


def test_positive_numbers_and_intervals() -> None:
    assert positive(0) is None
    assert positive(-1) is None
    assert positive("3") == 3.0
    assert interval_hours({"interval": "4h"}) == 4.0
    assert interval_hours({"interval": None}) is None
    assert interval_hours({"interval": "1d"}) is None
    assert interval_hours({}) is None
