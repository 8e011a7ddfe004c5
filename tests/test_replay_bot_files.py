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


def order(amount: float, hours: float | None, *, entry: bool = True, price: float = 2.0) -> dict:
    """As a backtest exports it."""
    return {
        "amount": amount,
        "safe_price": price,
        "ft_order_side": "buy",  # what a short sells is an entry as well: the side does not decide
        "order_filled_timestamp": None if hours is None else int(START_MS + hours * HOUR_MS),
        "ft_is_entry": entry,
        "ft_order_tag": "",
        "cost": amount * price,
    }


def backtest(tmp_path: Path, *trades: dict) -> tuple[dict[str, list[float]], list[str]]:
    path, told = tmp_path / "result.json", list[str]()
    path.write_text(json.dumps({"strategy": {"Mine": {"trades": trades}}}), encoding="utf-8")
    found = read_holdings(path, KNOWN, HOURS, told.append)
    held_then = {s: found.quantity_base[:, k].tolist() for k, s in enumerate(found.symbols)}
    return held_then, [line.removeprefix(f"{path}: ") for line in told]


@pytest.mark.parametrize("short", [False, True])
def test_a_trade_is_held_as_its_orders_scaled_it(tmp_path: Path, short: bool) -> None:
    """10 from 0:30, 30 more from 1:30, 15 out at 3:00, the rest at 3:30, the ``amount`` told."""
    orders = [
        order(10, 0.5),
        order(30, 1.5),
        order(99, None),  # never filled
        order(15, 3.0, entry=False),
        order(25, 3.5, entry=False),
    ]
    scaled = {**trade(FET, 25, 0.25, 3.5, short=short), "orders": orders}
    found, told = backtest(tmp_path, scaled)
    side = -1 if short else 1
    assert found == {FET: [0, side * 10, side * 40, side * 25, 0, 0]}
    assert told == []


def test_orders_of_a_bot_that_ran_count_by_what_was_filled(tmp_path: Path) -> None:
    orders = [order(10, 0.5) | {"filled": 4.0}, order(4, 3, entry=False) | {"filled": None}]
    found, _ = backtest(tmp_path, {**trade(FET, 4, 0.5, 3.0), "orders": orders})
    assert found == {FET: [0, 4, 4, 0, 0, 0]}


def test_what_rounding_leaves_is_closed_with_the_trade(tmp_path: Path) -> None:
    orders = [order(1_000, 0.5), order(999.5, 2.0, entry=False)]
    found, _ = backtest(tmp_path, {**trade(FET, 1_000, 0.5, 3.0), "orders": orders})
    assert found[FET] == pytest.approx([0, 1_000, 0.5, 0, 0, 0])


def test_trades_between_two_hours_are_counted(tmp_path: Path) -> None:
    exits = order(2, 4.4, entry=False)
    trades = [
        {**trade(FET, 2, 4.2, 4.4), "orders": [order(1, 4.2), order(1, 4.3, price=3.0), exits]},
        trade(TAO, 10, 2.1, 2.9) | {"open_rate": 100.0},
        trade(TAO, 10, 1.9, 2.1) | {"open_rate": 100.0},  # seen at 2:00
        trade(TAO, 10, -3.9, -3.1),  # before the replay
        trade(TAO, 10, 5.1, 5.2),  # after it
    ]
    found, told = backtest(tmp_path, *trades)
    assert found == {FET: [0] * 6, TAO: [0, 0, 10, 0, 0, 0]}
    unseen = "opened and closed between two full hours and are not seen"
    assert told == [f"2 of 5 trades (1,005 USD) {unseen}"]
    _, told = backtest(tmp_path, trades[0], trade(TAO, 1.0, 4.2, 4.3))
    assert told == [f"2 of 2 trades (at prices not told) {unseen}"]


@pytest.mark.parametrize(
    ("orders", "said"),
    [
        ([order(10, 0.5), order(9, 2, entry=False)], "filled orders leave 1 open at its close"),
        ([order(10, 0.5, entry=False)], "leave -10 open"),
        ([order(0, 0.5)], "orders: amount 0.0: missing or unusable"),
        ([{"amount": 1}], "'order_filled_timestamp': missing or unusable"),
        ([order(1, 0.5) | {"ft_is_entry": None}], "orders: ft_is_entry None"),
        (["filled"], "missing or unusable"),
        ("none", "missing or unusable"),
    ],
)
def test_orders_that_cannot_be_used_are_refused(tmp_path: Path, orders: object, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        backtest(tmp_path, {**trade(FET, 10, 0.5, 3.0), "orders": orders})
    assert "result.json: trades[0]: " in str(caught.value)


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
