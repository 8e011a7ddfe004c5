"""Numbers of the venue's documents, as the decimals that it wrote. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from risk.errors import DataError, MissingDataError

Document = Mapping[str, Any]


def decimal_of(document: Document, field: str, what: str) -> Decimal:
    """A finite number as the decimal that the venue wrote.

    Raises:
        MissingDataError: it is not there.
        DataError: it is no finite number.
    """
    value = document.get(field)
    if value is None or value == "":
        raise MissingDataError(f"{what}: no {field}")
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        number = Decimal("NaN")
    if not number.is_finite():
        raise DataError(f"{what}: {field} is {value!r}, not a number")
    return number


def optional_decimal(document: Document, field: str, what: str) -> Decimal | None:
    """The same, None where it is not there."""
    return None if document.get(field) in (None, "") else decimal_of(document, field, what)
