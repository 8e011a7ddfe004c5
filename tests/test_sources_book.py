"""BOOK.json: signed notionals for a past moment, and one line for everything wrong with it."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.clock import SimulatedClock
from bot.errors import UsageError
from bot.sources.book import BookSource
from bot.sources.symbols import Mapped, SymbolMap
from config.aliases import Aliases
from risk.errors import DataError, MissingDataError
from tests.execute_scene import FET, INSTRUMENTS, NOW_MS, QUOTES, TAO


def book(tmp_path: Path, content: Any) -> BookSource:
    path = tmp_path / "BOOK.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return BookSource(path, SimulatedClock(NOW_MS))


async def test_notionals_become_quantities_at_the_prices_of_then(tmp_path: Path) -> None:
    rows = [
        {"symbol": FET, "notional_usd": 10_000},
        {"symbol": TAO, "notional_usd": -800.5},
        {"symbol": "WLD/USDT:USDT", "notional_usd": 0},
    ]
    source = book(tmp_path, rows)
    source.price_with({**QUOTES, "WLD/USDT:USDT": QUOTES[FET]})
    snapshot = await source.read()
    assert (snapshot.source, snapshot.timestamp_ms) == ("book", NOW_MS)
    assert {p.symbol: p.base_quantity for p in snapshot.positions} == {
        FET: Decimal(20_000),
        TAO: Decimal("-2.00125"),
    }


def test_a_symbol_without_a_price_then_is_named(tmp_path: Path) -> None:
    source = book(tmp_path, [{"symbol": "WLD/USDT:USDT", "notional_usd": 1}])
    with pytest.raises(MissingDataError, match=r"BOOK.json: WLD/USDT:USDT: no price in the data"):
        source.price_with(QUOTES)


def one(usd: str, symbol: str = FET) -> str:
    return f'[{{"symbol": "{symbol}", "notional_usd": {usd}}}]'


FORM = 'must be a list of {"symbol", "notional_usd"}'
BAD: dict[str, tuple[Any, str]] = {
    "empty": ("", "P: empty"),
    "not JSON": ("symbol,notional_usd", "P: not JSON: Expecting value"),
    "cut in half": (one("10")[:20], "P: not JSON: "),
    "byte order mark": ("\ufeff" + one("1"), "P: starts with a byte order mark"),
    "nested too deeply": ("[" * 200_000, "P: not JSON: nested too deeply"),
    "an object": ({"symbol": FET, "notional_usd": 1}, f"P: {FORM}"),
    "positions.json": ({"timestamp": "2026-01-31T12:00:00Z", "positions": []}, f"P: {FORM}"),
    "a row that is no object": (["FET"], f"P: row 0: 'FET': {FORM}"),
    "no notional": ([{"symbol": FET}], f"P: row 0: {{'symbol': '{FET}'}}: {FORM}"),
    "another key": ([{"symbol": FET, "notional_usd": 1, "side": "long"}], "P: row 0: {"),
    "a venue's own symbol": (one("1", "FETUSDT"), "P: row 0: symbol: 'FETUSDT', must be like"),
    "a spot symbol": (one("1", "FET/USDT"), "P: row 0: symbol: 'FET/USDT', must be like"),
    "a symbol that is none": (one("1", "a:b/c"), "P: row 0: symbol: 'a:b/c', must be like"),
    "a string": (one('"10"'), "P: row 0: notional_usd: '10', must be a number of USD"),
    "true": (one("true"), "P: row 0: notional_usd: True, must be a number of USD"),
    "null": (one("null"), "P: row 0: notional_usd: None, must be a number of USD"),
    "NaN": (one("NaN"), "P: not JSON: NaN is no number"),
    "infinity": (one("-Infinity"), "P: not JSON: -Infinity is no number"),
    "beyond every float": (one("1e400"), "P: row 0: notional_usd: 1E+400, must be a number"),
    "more money than there is": (one("1e13"), "P: row 0: notional_usd: 1E+13, must be"),
    "hundreds of digits": (one("9" * 400), "P: row 0: notional_usd: 999"),
    "thousands of digits": (one("9" * 9_000), "P: row 0: notional_usd: 999"),
    "the same symbol twice": (
        [{"symbol": FET, "notional_usd": 1}, {"symbol": FET, "notional_usd": 2}],
        f"P: row 1: {FET}: the same symbol twice",
    ),
    "the same key twice": (
        f'[{{"symbol": "{FET}", "notional_usd": 1, "notional_usd": 2}}]',
        "P: not JSON: the key 'notional_usd' stands twice in one object",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, name: str) -> None:
    content, expected = BAD[name]
    with pytest.raises(DataError) as caught:
        book(tmp_path, content)
    message = str(caught.value).replace(str(tmp_path / "BOOK.json"), "P")
    assert message.startswith(expected)
    assert "\n" not in message
    assert len(message) < 250


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--book .*none.json: No such file"):
        BookSource(tmp_path / "none.json", SimulatedClock(NOW_MS))
    with pytest.raises(UsageError, match="Is a directory"):
        BookSource(tmp_path, SimulatedClock(NOW_MS))


async def test_an_empty_list_is_a_flat_book(tmp_path: Path) -> None:
    source = book(tmp_path, [])
    source.price_with({})
    assert (await source.read()).positions == ()


async def test_a_symbol_under_another_name_is_worth_what_was_said(tmp_path: Path) -> None:
    thousand = "1000FET/USDC:USDC"
    symbols = SymbolMap(Aliases({}, {"1000FET": ("FET", 1000)}), INSTRUMENTS, date(2026, 1, 1))
    source = book(tmp_path, [{"symbol": thousand, "notional_usd": -5_000}])
    source.price_with(QUOTES, symbols)
    (position,) = (await source.read()).positions
    found = symbols.find(None, thousand)
    assert isinstance(found, Mapped)
    here = found.position(position)
    assert here.symbol == FET
    assert float(here.base_quantity) * QUOTES[FET].mark == pytest.approx(-5_000, rel=1e-12)
    assert source.set_aside({FET: "too young"})
    assert source.unmeasured == {thousand: (-5_000.0, "too young")}
