"""Series from outside the market as numbers over time: out of CSV text or a JSON document.

Strict: what is not understood raises and is named, for a value that is skipped in silence would
look calm. Only cells that say themselves that there is no value (empty, or ``.``) are left out.
"""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from risk.errors import DataError
from risk.returns import utc

MAX_BYTES = 5_000_000
_NO_VALUE = ("", ".")
_SECONDS_UNTIL = 1e11  # larger numbers are milliseconds


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a series."""

    time_ms: int
    value: float


def csv_points(text: str, time_column: str, value_column: str) -> tuple[Point, ...]:
    """The points of a CSV file with a header, oldest first.

    Raises:
        DataError: a column is missing, a cell is not a time or number, or a time stands twice.
    """
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        names = reader.fieldnames or []
        for wanted in (time_column, value_column):
            if names.count(wanted) != 1:
                raise DataError(f"{_times(names.count(wanted))} column {wanted!r} in the header")
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise DataError(f"line {reader.line_num}: {error}") from None
    return _ordered(
        (f"line {number}", row.get(time_column), row.get(value_column)) for number, row in rows
    )


def json_points(
    document: Any, records_at: str, time_column: str, value_column: str
) -> tuple[Point, ...]:
    """The points of a JSON document, oldest first.

    Args:
        records_at: keys on the way to a record or a list of them, joined by dots.

    Raises:
        DataError: as ``csv_points``, or nothing is at the place.
    """
    found = document
    for key in filter(None, records_at.split(".")):
        found = _inside(found, key)
    records = found if isinstance(found, list) else [found]
    if records and not isinstance(records[0], list | dict):
        records = [found]
    return _ordered(
        (f"record {i}", _inside(one, time_column), _inside(one, value_column))
        for i, one in enumerate(records)
    )


def json_document(content: bytes) -> Any:
    """Parsed strictly.

    Raises:
        DataError: not JSON.
    """
    try:
        return json.loads(content, parse_constant=_refused_constant)
    except (ValueError, RecursionError):
        raise DataError("the answer is not JSON") from None


def _refused_constant(name: str) -> Any:
    raise ValueError(name)


def _inside(holder: Any, key: str) -> Any:
    if isinstance(holder, Mapping) and key in holder:
        return holder[key]
    if isinstance(holder, list) and key.isascii() and key.isdigit() and int(key) < len(holder):
        return holder[int(key)]
    raise DataError(f"there is no {key!r} where it should be")


def _ordered(rows: Iterable[tuple[str, Any, Any]]) -> tuple[Point, ...]:
    points = {}
    for where, time, value in rows:
        if value is None or (isinstance(value, str) and value.strip() in _NO_VALUE):
            continue
        point = Point(_time_ms(where, time), _number(where, value))
        if point.time_ms in points:
            raise DataError(f"{where}: a second value for {utc(point.time_ms)}")
        points[point.time_ms] = point
    return tuple(points[time_ms] for time_ms in sorted(points))


def _number(where: str, value: Any) -> float:
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        number = float(value)
        if not math.isfinite(number):
            raise ValueError
    except (ValueError, OverflowError):
        raise DataError(f"{where}: the value {_short(value)} is not a finite number") from None
    return number


def _time_ms(where: str, value: Any) -> int:
    try:
        if isinstance(value, bool):
            raise ValueError
        if isinstance(value, int | float) or (isinstance(value, str) and _is_number(value)):
            seconds = float(value)
            seconds = seconds / 1000 if abs(seconds) > _SECONDS_UNTIL else seconds
            moment = datetime.fromtimestamp(seconds, tz=UTC)
        elif isinstance(value, str) and "-" in value:
            moment = datetime.fromisoformat(value.strip())
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        else:
            raise ValueError
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise DataError(
            f"{where}: the time {_short(value)} is neither ISO 8601 (2026-03-01) nor a number of "
            "seconds since 1970"
        ) from None


def _is_number(text: str) -> bool:
    plain = text.strip()
    return len(plain) >= 9 and plain.isascii() and plain.replace(".", "", 1).isdigit()


def _short(value: Any) -> str:
    shown = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return shown if len(shown) <= 32 else shown[:31] + "…"


def _times(count: int) -> str:
    return "no" if count == 0 else f"more than one ({count})"
