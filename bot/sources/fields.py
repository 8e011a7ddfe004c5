"""Fields of a reply, each of the kind that it must be; anything else is named and refused."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from bot.sources.file import is_unified_symbol
from bot.sources.json_file import is_number, shown
from risk.errors import DataError, MissingDataError

Row = Mapping[str, Any]
_LARGEST: Final = Decimal("1e15")


def mapping(value: object, where: str) -> Row:
    """An object.

    Raises:
        DataError: it is none.
    """
    if not isinstance(value, dict):
        raise _wrong(value, where, "an object")
    return value


def rows(value: object, where: str) -> list[Row]:
    """A list of objects.

    Raises:
        DataError: it is none; ``null`` and an object are no empty list.
    """
    if not isinstance(value, list):
        raise _wrong(value, where, "a list")
    return [mapping(one, f"{where}[{i}]") for i, one in enumerate(value)]


def text(row: Row, key: str, where: str) -> str:
    """Text that is not empty.

    Raises:
        DataError: it is missing or something else.
    """
    value = _there(row, key, where)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise _wrong(value, f"{where}.{key}", "text")
    return value


def flag(row: Row, key: str, where: str) -> bool:
    """True or false.

    Raises:
        DataError: it is missing or something else.
    """
    value = _there(row, key, where)
    if not isinstance(value, bool):
        raise _wrong(value, f"{where}.{key}", "true or false")
    return value


def quantity(row: Row, key: str, where: str) -> Decimal:
    """A number that is not negative, exactly as written.

    Raises:
        DataError: it is missing or something else.
    """
    value = _there(row, key, where)
    number = _finite(value)
    if number is None or number < 0:
        raise _wrong(value, f"{where}.{key}", "a number, at least 0")
    return number


def signed(row: Row, key: str, where: str) -> Decimal:
    """A number of either sign, exactly as written.

    Raises:
        DataError: it is missing or something else.
    """
    value = _there(row, key, where)
    number = _finite(value)
    if number is None:
        raise _wrong(value, f"{where}.{key}", "a number")
    return number


def whole(row: Row, key: str, where: str) -> int:
    """A whole number that is not negative.

    Raises:
        DataError: it is missing or something else.
    """
    number = quantity(row, key, where)
    if number != number.to_integral_value():
        raise _wrong(row[key], f"{where}.{key}", "a whole number")
    return int(number)


def optional_price(row: Row, key: str, where: str) -> float | None:
    """A number above 0, or None where it is not told.

    Raises:
        DataError: it is something else.
    """
    value = row.get(key)
    if value is None:
        return None
    number = _finite(value)
    if number is None or number < 0:
        raise _wrong(value, f"{where}.{key}", "a number above 0, or null")
    return float(number) or None


def optional_number(row: Row, key: str, where: str) -> float | None:
    """A number of either sign, or None where it is not told.

    Raises:
        DataError: it is something else.
    """
    value = row.get(key)
    number = None if value is None else _finite(value)
    if value is not None and number is None:
        raise _wrong(value, f"{where}.{key}", "a number, or null")
    return None if number is None else float(number)


def pair(row: Row, key: str, where: str) -> str:
    """A perpetual in ccxt's unified form.

    Raises:
        DataError: it is missing or something else.
    """
    name = text(row, key, where)
    if not is_unified_symbol(name):
        raise _wrong(name, f"{where}.{key}", "a perpetual like FET/USDT:USDT")
    return name


def _wrong(value: object, where: str, must_be: str) -> DataError:
    return DataError(f"{where}: {shown(value)}, must be {must_be}")


def _finite(value: object) -> Decimal | None:
    if not isinstance(value, int | Decimal) or not is_number(value):
        return None
    number = Decimal(value)
    return number if number.is_finite() and abs(number) <= _LARGEST else None


def _there(row: Row, key: str, where: str) -> Any:
    value = row.get(key)
    if value is None:
        told = "null" if key in row else "missing"
        raise MissingDataError(f"{where}.{key}: {told}, and nothing may be guessed")
    return value
