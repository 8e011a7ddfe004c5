"""The hedge log as a table for pandas: one row a record, Parquet or CSV."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.errors import UsageError
from bot.records.event_kinds import weight_of

if TYPE_CHECKING:
    import pandas as pd

_FIRST = ("event", "timestamp", "cycle_id", "client_id", "severity")


def write_table(records: Iterable[Mapping[str, Any]], path: Path) -> int:
    """Writes them; how many rows.

    Cycles are rows whose ``event`` is ``cycle``. Lists and mappings are JSON text; exact decimals
    stay text; times are UTC. A field that a record does not have is missing, never zero.

    Raises:
        UsageError: the file's name ends in something else.
        OSError: it cannot be written.
    """
    if path.suffix not in (".parquet", ".csv"):
        raise UsageError(f"--export {path}: must end in .parquet or .csv")
    import pandas as pd

    rows = [_row(one) for one in records]
    names = [*_FIRST, *sorted({name for row in rows for name in row} - set(_FIRST))]
    table = pd.DataFrame.from_records(rows, columns=names)
    for name in table.columns:
        table[name] = _of_one_type(table[name])
    table["timestamp"] = pd.to_datetime(table["timestamp"], utc=True, format="ISO8601")
    table = table.convert_dtypes()  # else a count that is missing somewhere becomes a float
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path, index=False)
    return len(table)


def _of_one_type(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """A field that is text in one event and a number in another becomes text."""
    kinds = {type(value) for value in column.dropna()}
    if str not in kinds or len(kinds) == 1:
        return column
    return column.map(lambda value: value if isinstance(value, str) else str(value), "ignore")


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    event = str(record.get("event", "cycle"))
    plain = {
        name: json.dumps(value) if isinstance(value, list | dict | tuple) else value
        for name, value in record.items()
        if name != "timestamp_ms"
    }
    weight = None if event == "cycle" else weight_of(event, record).value
    # Signals have a severity of their own, which is their weight.
    return {**plain, "event": event, "severity": weight}
