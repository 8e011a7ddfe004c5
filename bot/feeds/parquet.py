"""Parquet files in, plain arrays out; every objection is one line that names file and column."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from risk.errors import DataError, MissingDataError

Kind = Literal["time", "text", "number"]
Columns = dict[str, NDArray[Any]]


def read_columns(
    path: Path,
    required: Mapping[str, Kind],
    optional: Mapping[str, Kind] | None = None,
    *,
    holes: Collection[str] = (),
) -> Columns:
    """Columns of a Parquet file by name: times as int64 UTC milliseconds, text as object, numbers
    as float64. Columns that nobody asked for are left alone.

    Args:
        holes: required columns of numbers in which a row may have no value, NaN then; optional
            ones may always have some.

    Raises:
        MissingDataError: the file or a required column is not there.
        DataError: the file cannot be read, is empty, or a column has the wrong type or holes.
    """
    wanted = {**required, **(optional or {})}
    table = _read(path, required, wanted)
    if table.num_rows == 0:
        raise DataError(f"{path}: is empty, must hold at least one row")
    holes = {*holes, *(optional or {})}
    return {
        name: _column(path, name, kind, table.column(name), may_have_holes=name in holes)
        for name, kind in wanted.items()
        if name in table.column_names
    }


def rows_by_text(values: NDArray[np.object_]) -> dict[str, NDArray[np.int64]]:
    """Indices of the rows of each text, by text in alphabetical order."""
    number: dict[str, int] = {}
    codes = np.array([number.setdefault(t, len(number)) for t in values.tolist()], dtype=np.int64)
    order = np.argsort(codes, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(codes))[:-1])
    found = zip(number, parts, strict=True)
    return dict(sorted((text, np.asarray(rows, dtype=np.int64)) for text, rows in found))


def _read(path: Path, required: Mapping[str, Kind], wanted: Mapping[str, Kind]) -> Any:
    try:
        with pq.ParquetFile(path) as file:
            names = set(file.schema_arrow.names)
            for name in required:
                if name not in names:
                    raise MissingDataError(
                        f"{path}: column {name} is missing; there are "
                        f"{', '.join(sorted(names)) or 'none'}"
                    )
            return file.read(columns=[name for name in wanted if name in names])
    except FileNotFoundError as error:
        raise MissingDataError(f"{path}: no such file") from error
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise DataError(f"{path}: cannot be read as Parquet: {reason}") from error


def _column(
    path: Path, name: str, kind: Kind, values: Any, *, may_have_holes: bool
) -> NDArray[Any]:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if values.null_count and not may_have_holes:
        row = int(np.flatnonzero(values.is_null().to_numpy())[0])
        raise DataError(f"{path}: column {name} has no value in row {row}")
    if kind == "time":
        return _times(path, name, values)
    if kind == "text":
        if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
            raise DataError(f"{path}: column {name} is {values.type}, must be text")
        encoded = values.combine_chunks().dictionary_encode()
        names = np.array(encoded.dictionary.to_pylist(), dtype=object)
        return np.asarray(names[_array(encoded.indices)], dtype=object)
    if not (pa.types.is_floating(values.type) or pa.types.is_integer(values.type)):
        raise DataError(f"{path}: column {name} is {values.type}, must be a number")
    return np.asarray(_array(values.cast(pa.float64())), dtype=np.float64)


def _array(values: Any) -> NDArray[Any]:
    """As numpy; without holes not by pyarrow's own way, which loads all of pandas."""
    if values.null_count:
        return np.asarray(values.to_numpy())
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return np.asarray(np.from_dlpack(whole))


def _times(path: Path, name: str, values: Any) -> NDArray[np.int64]:
    """UTC milliseconds; -1 where an optional time is not given."""
    if not pa.types.is_timestamp(values.type):
        raise DataError(
            f"{path}: column {name} is {values.type}, must be a timestamp with time zone UTC"
        )
    if values.type.tz is None:
        raise DataError(f"{path}: column {name} has no time zone, must be UTC")
    milliseconds = values.cast(pa.timestamp("ms", tz="UTC"), safe=False).cast(pa.int64())
    if milliseconds.null_count:
        milliseconds = milliseconds.fill_null(-1)
    return np.asarray(_array(milliseconds), dtype=np.int64)
