"""Values that pass the doors, through JSON and back."""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import UnreachableError
from bot.ports import Quote, ReportedPosition, SourceSnapshot
from bot.session.codec import EngineDefectError, packed, unpacked
from bot.trading.orders import Acknowledged, OrderRequest, OrderState, Side, UnknownOutcome
from risk.errors import DataError, StaleDataError, UnmeasurableError
from risk.returns import BarPanel

FLOATS = st.floats(allow_nan=False)
PLAIN = st.none() | st.booleans() | st.integers() | FLOATS | st.text()
EXACT = (
    st.decimals(allow_nan=False, allow_infinity=False)
    | st.sampled_from(Side)
    | st.sampled_from(OrderState)
    | st.binary()
    | st.timedeltas()
    | st.datetimes(timezones=st.just(UTC))
)
KEYS = st.text() | st.tuples(st.text(), st.text()) | st.sampled_from(Side) | st.just("~")
VALUES = st.recursive(
    PLAIN | EXACT,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(KEYS, inner)
        | st.frozensets(st.text())
    ),
    max_leaves=20,
)


def there_and_back(value: object) -> Any:
    return unpacked(json.loads(json.dumps(packed(value))))


@given(VALUES)
def test_every_value_comes_back_as_it_was(value: object) -> None:
    found = there_and_back(value)
    assert found == value
    assert type(found) is type(value)


@given(st.text(), FLOATS, st.none() | FLOATS)
def test_a_quote_comes_back(symbol: str, price: float, maybe: float | None) -> None:
    quote = Quote(symbol, 1, price, price, price, price, price, 0.0, 1e-4, 8.0, 2, maybe, maybe)
    assert there_and_back({symbol: quote}) == {symbol: quote}


@pytest.mark.parametrize(
    "value",
    [
        SourceSnapshot(
            "bot", 5, (ReportedPosition("FET/USDT:USDT", Decimal("1.50")),), frozenset("ab")
        ),
        Acknowledged("h1", "17", OrderState.PARTIAL, Decimal("0.1"), None),
        UnknownOutcome("h1", "no answer"),
        OrderRequest(
            "h", "i", "FET/USDT:USDT", Side.SELL, Decimal(3), Decimal("0.5"), "IOC", False
        ),
        {("FET/USDT:USDT", "BOTH"): Decimal("-3")},
        Path("a/b"),
        timedelta(minutes=3),
        datetime(2025, 1, 1, tzinfo=UTC).date(),
    ],
)
def test_what_doors_give_comes_back(value: object) -> None:
    found = there_and_back(value)
    assert found == value
    assert type(found) is type(value)


def test_arrays_come_back_to_the_last_bit() -> None:
    close = np.array([[1.5, math.nan], [np.nextafter(2.0, 3.0), -0.0]])
    open_ms = np.array([0, 3_600_000], dtype=np.int64)
    panel = BarPanel(("A", "B"), open_ms, close, 2 * close)
    found = there_and_back(panel)
    assert found.symbols == panel.symbols
    for name in ("open_ms", "close", "quote_volume_usd"):
        there, here = getattr(found, name), getattr(panel, name)
        assert there.dtype == here.dtype
        assert there.tobytes() == here.tobytes()
        assert there.shape == here.shape


@pytest.mark.parametrize(
    "error",
    [
        UnreachableError("binance: no answer"),
        StaleDataError("old"),
        UnmeasurableError({"A": "few"}),
    ],
)
def test_errors_come_back_as_they_were(error: Exception) -> None:
    found = there_and_back(error)
    assert type(found) is type(error)
    assert str(found) == str(error)
    assert vars(found) == vars(error)


def test_a_foreign_error_comes_back_as_a_defect() -> None:
    found = there_and_back(ZeroDivisionError("signature=abc"))
    assert isinstance(found, EngineDefectError)
    assert str(found) == "ZeroDivisionError"  # its text may quote a key


@pytest.mark.parametrize(
    "document",
    [
        {"~": "data", "of": "os:system", "is": {}},
        {"~": "data", "of": "subprocess:Popen", "is": {"args": "true"}},
        {"~": "data", "of": "bot.clock:SystemClock", "is": {}},
        {"~": "data", "of": "bot.lock:EngineLock", "is": {"state_dir": "x"}},
        {"~": "data", "of": "bot.ports:Quote", "is": {"symbol": "FET"}},
        {"~": "error", "of": "builtins:SystemExit", "with": [], "is": {}},
        {"~": "enum", "of": "bot.trading.orders:Side", "is": "sideways"},
        {"~": "decimal", "is": "one"},
        {"~": "array", "type": "|O", "shape": [1], "is": "AAAAAAAAAAA="},
        {"~": "something", "is": 1},
    ],
)
def test_a_file_makes_nothing_but_values(document: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="session"):
        unpacked(document)


def made_here() -> None:
    """Nothing."""


@pytest.mark.parametrize("value", [object(), made_here, np.array([object()])])
def test_what_no_door_gives_is_refused(value: Callable[[], None] | object) -> None:
    with pytest.raises(DataError, match="cannot be recorded"):
        packed(value)
