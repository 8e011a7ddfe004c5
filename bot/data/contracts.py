"""What an exchange says of its contracts, kept beside their bars: replays trade by it."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from bot.feeds.recorded_files import FUNDING_HOURS, INSTRUMENTS_FILE, read_instrument_rows
from bot.feeds.remarks import Tell
from risk.instrument import Instrument

_NUMBERS = ("tick", "lot", "min_notional", "maker_fee", "taker_fee", "funding_interval_hours")


def contract_facts(instruments: Iterable[Instrument], tell: Tell) -> dict[str, dict[str, float]]:
    """By symbol, as ``read_instrument_rows`` gives them; one that pays in another interval than
    files may have is left out and told."""
    found = {}
    for one in instruments:
        if one.funding_interval_hours not in FUNDING_HOURS:
            tell(
                f"{one.symbol}: pays funding every {one.funding_interval_hours:g} hours; its "
                "contract is left out"
            )
            continue
        found[one.symbol] = {
            "tick": float(one.tick),
            "lot": float(one.lot),
            "min_notional": float(one.min_notional_usd),
            "maker_fee": one.maker_fee,
            "taker_fee": one.taker_fee,
            "funding_interval_hours": one.funding_interval_hours,
            "min_quantity": float(one.min_quantity),
            **_known("listed_at_ms", one.listed_at_ms),
            **_known("max_quantity", one.max_quantity),
        }
    return found


def contract_table(folder: Path, fresh: Mapping[str, Mapping[str, float]]) -> tuple[Any, int, int]:
    """The rows that ``instruments.parquet`` of the folder has from now on, how many there are, and
    how many symbols are new; of one that was there the fresh row counts.

    Raises:
        DataError: the file that is there cannot be used.
    """
    before = read_instrument_rows(folder)
    rows = dict(sorted({**before, **fresh}.items()))
    listed = [_whole(row.get("listed_at_ms")) for row in rows.values()]
    columns: dict[str, Any] = {"symbol": pa.array(list(rows), pa.string())}
    columns |= {
        name: pa.array([row[name] for row in rows.values()], pa.float64()) for name in _NUMBERS
    }
    columns |= {
        name: pa.array([row.get(name) for row in rows.values()], pa.float64())
        for name in ("min_quantity", "max_quantity")
    }
    columns["listed_at"] = pa.array(listed, pa.int64()).cast(pa.timestamp("ms", tz="UTC"))
    return pa.table(columns), len(rows), len(rows.keys() - before.keys())


def contracts_path(folder: Path) -> Path:
    """Where they are kept."""
    return folder / INSTRUMENTS_FILE


def _known(name: str, value: Decimal | int | None) -> dict[str, float]:
    return {} if value is None else {name: float(value)}


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
