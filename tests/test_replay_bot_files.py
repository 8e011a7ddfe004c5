"""A bot's course from files, and every way in which one is refused."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bot.errors import UsageError
from bot.replay.bot_files import read_holdings
from risk.errors import DataError
from risk.returns import HOUR_MS
from tests.panel_market import instrument

START_MS = 1_738_368_000_000  # 2025-02-01
HOURS = START_MS + HOUR_MS * np.arange(6, dtype=np.int64)
FET, TAO = "FET/USDT:USDT", "TAO/USDT:USDT"
KNOWN = {symbol: instrument(symbol) for symbol in (FET, TAO)}

CSV = f"""timestamp,symbol,quantity_base
2025-01-31T00:00:00Z,{TAO},3
2025-02-01T01:20:00Z,{FET},100
2025-02-01T03:00:00Z,{FET},-40.5
2025-02-01T04:00:00+00:00,{TAO},0
"""


def held(path: Path) -> dict[str, list[float]]:
    found = read_holdings(path, KNOWN, HOURS)
    return {s: found.quantity_base[:, k].tolist() for k, s in enumerate(found.symbols)}


EXPECTED = {FET: [0, 0, 100, -40.5, -40.5, -40.5], TAO: [3, 3, 3, 3, 0, 0]}


def test_a_csv_tells_what_is_held_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "bot.csv"
    path.write_text(CSV, encoding="utf-8")
    assert held(path) == EXPECTED


def test_so_does_a_parquet_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "bot.parquet"
    rows = [line.split(",") for line in CSV.splitlines()[1:]]
    table = pd.DataFrame(rows, columns=["timestamp", "symbol", "quantity_base"])
    table["timestamp"] = pd.to_datetime(table["timestamp"], utc=True)
    table["quantity_base"] = table["quantity_base"].astype(float)
    table.iloc[::-1].to_parquet(path)
    assert held(path) == EXPECTED


def trade(pair: str, amount: float, opened: float, closed: float, *, short: bool = False) -> dict:
    at = {"open_timestamp": opened, "close_timestamp": closed}
    ms = {k: int(START_MS + hours * HOUR_MS) for k, hours in at.items()}
    return {"pair": pair, "amount": amount, "is_short": short, **ms}


TRADES = [
    trade(FET, 0.1, 0.5, 2.5),
    trade(FET, 0.2, 1.0, 3.0),
    trade(TAO, 7.0, -5.0, 4.0, short=True),
    trade(TAO, 1.0, 4.2, 4.3),  # opened and closed between two full hours
]


@pytest.mark.parametrize("packed", [False, True])
def test_trades_of_a_freqtrade_backtest_add_up(tmp_path: Path, packed: bool) -> None:
    text = json.dumps({"strategy": {"Mine": {"trades": TRADES}}})
    path = tmp_path / ("backtest-result.zip" if packed else "backtest-result.json")
    if packed:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("backtest-result.json", text)
            archive.writestr("backtest-result_config.json", "{}")
    else:
        path.write_text(text, encoding="utf-8")
    found = held(path)
    assert found[TAO] == [-7, -7, -7, -7, 0, 0]
    assert found[FET] == pytest.approx([0, 0.3, 0.3, 0, 0, 0])
    assert found[FET][3] == 0.0  # no dust of floats stays open


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("timestamp,symbol\n", "column quantity_base is missing"),
        (
            f"timestamp,symbol,quantity_base\n2025-02-01T00:00:00,{FET},1\n",
            "row 1: timestamp: 2025",
        ),
        (f"timestamp,symbol,quantity_base\nnoon,{FET},1\n", "row 1: timestamp: noon, must be"),
        (f"timestamp,symbol,quantity_base\n,{FET},1\n", "row 1: timestamp: , must be"),
        (f"timestamp,symbol,quantity_base\n2025-02-01T00:00Z,{FET},\n", "row 1: quantity_base: ,"),
        (f"timestamp,symbol,quantity_base\n2025-02-01T00:00Z,{FET},inf\n", "quantity_base: inf"),
        ("timestamp,symbol,quantity_base\n2025-02-01T00:00Z,FET,1\n", "FET: not in the data"),
        (
            f"timestamp,symbol,quantity_base\n2025-02-01T00:00Z,{FET},1\n2025-02-01T00:00Z,{FET},2\n",
            "told twice",
        ),
    ],
)
def test_a_bad_table_is_refused_by_name(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "bot.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=told) as caught:
        held(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"strategy": {}},
        {"strategy": {"A": {}}},
        {"strategy": {"A": {"trades": [{}]}}},
        {"strategy": {"A": {"trades": [{**TRADES[0], "amount": 0}]}}},
        {"strategy": {"A": {"trades": []}, "B": {"trades": []}}},
    ],
)
def test_a_bad_backtest_is_refused_by_name(tmp_path: Path, document: object) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(DataError, match=str(path)):
        held(path)


def test_what_is_no_such_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        held(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="must end in"):
        held(tmp_path / "none.txt")
    (tmp_path / "bad.parquet").write_bytes(b"no table")
    with pytest.raises(DataError, match="no Parquet file"):
        held(tmp_path / "bad.parquet")
    (tmp_path / "bad.zip").write_bytes(b"no archive")
    with pytest.raises(DataError, match="no backtest result"):
        held(tmp_path / "bad.zip")
