"""positions.json: what is read, and one line for everything that is wrong with it."""

import json
import os
import re
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import UnreachableError
from bot.sources.file import FileSource, parse_positions
from risk.errors import DataError, MissingDataError

STAMP = "2026-01-31T12:00:00Z"
STAMP_MS = 1_769_860_800_000
ROW = {"symbol": "FET/USDT:USDT", "side": "long", "base": 1200.0}


def document(*rows: Any, **more: Any) -> dict[str, Any]:
    return {"timestamp": STAMP, "positions": list(rows), **more}


def row(**changes: Any) -> dict[str, Any]:
    return {**ROW, **changes}


def text_of(**changes: Any) -> str:
    return json.dumps(document(row(**changes)))


def raw(base: str) -> str:
    """A document whose base is written as it stands."""
    return json.dumps(document(row(base="BASE"))).replace('"BASE"', base)


def source(path: Path) -> FileSource:
    return FileSource("manual", path, 300_000)


async def test_a_file_that_is_written_anew_is_another_edition(tmp_path: Path) -> None:
    path = tmp_path / "positions.json"
    path.write_text(text_of())
    first = await source(path).read()
    assert (await source(path).read()).edition == first.edition
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    again = await source(path).read()
    assert (again.positions, again.timestamp_ms) == (first.positions, first.timestamp_ms)
    assert again.edition != first.edition


async def test_everything_that_a_row_may_say(tmp_path: Path) -> None:
    path = tmp_path / "positions.json"
    rows = (
        row(entry_price=1.21, leverage=3),
        {"symbol": "TAO/USDT:USDT", "side": "short", "base": 0.1},
        {"symbol": "WLD/USDT:USDT", "side": "long", "base": 0, "entry_price": None},
    )
    path.write_text(json.dumps(document(*rows)))
    snapshot = await source(path).read()
    assert (snapshot.source, snapshot.timestamp_ms) == ("manual", STAMP_MS)
    fet, tao = snapshot.positions
    assert (fet.symbol, fet.base_quantity, fet.position_side) == (
        "FET/USDT:USDT",
        Decimal(1200),
        "BOTH",
    )
    assert (fet.entry_price, fet.leverage) == (1.21, 3.0)
    assert (tao.base_quantity, tao.leverage) == (Decimal("-0.1"), None)


def test_flat_is_an_empty_list_and_times_may_have_any_zone() -> None:
    assert parse_positions(json.dumps(document()), "f", "s").positions == ()
    for stamp in ("2026-01-31T13:00:00+01:00", "2026-01-31T12:00:00.000Z", "20260131T120000Z"):
        told: dict[str, Any] = {"timestamp": stamp, "positions": []}
        assert parse_positions(json.dumps(told), "f", "s").timestamp_ms == STAMP_MS


def test_quantities_are_taken_digit_by_digit() -> None:
    for text in ("0.1", "1200.000000000000000001", "1e-8", "123456789.123456789", "7"):
        [position] = parse_positions(raw(text), "f", "s").positions
        assert position.base_quantity == Decimal(text)


def test_long_and_short_of_one_symbol_are_two_positions() -> None:
    told = parse_positions(json.dumps(document(row(), row(side="short", base=200))), "f", "s")
    assert [p.base_quantity for p in told.positions] == [1200, -200]


BAD: dict[str, tuple[str, str]] = {
    "empty": ("", "P: empty"),
    "blank": (" \n\t", "P: empty"),
    "not JSON": ("{positions: []}", "P: not JSON: Expecting property name"),
    "cut in half": (text_of()[:60], "P: not JSON: "),
    "two documents": (text_of() + text_of(), "P: not JSON: Extra data"),
    "trailing comma": ('{"timestamp": 1,}', "P: not JSON: "),
    "byte order mark": ("\ufeff" + text_of(), "P: starts with a byte order mark; save it"),
    "nested too deeply": ("[" * 200_000, "P: not JSON: nested too deeply"),
    "a list": (json.dumps([ROW]), 'P: must be an object with "timestamp" and "positions"'),
    "a number": ("12", "P: must be an object"),
    "null": ("null", "P: must be an object"),
    "no timestamp": (json.dumps({"positions": []}), "P: timestamp: missing, must be UTC like"),
    "timestamp null": (
        json.dumps({"timestamp": None, "positions": []}),
        "P: timestamp: missing, must be UTC",
    ),
    "timestamp a number": (
        json.dumps({"timestamp": STAMP_MS, "positions": []}),
        f"P: timestamp: {STAMP_MS}, must be UTC like",
    ),
    "timestamp no time": (
        json.dumps({"timestamp": "yesterday", "positions": []}),
        "P: timestamp: 'yesterday', must be UTC like",
    ),
    "no time zone": (
        json.dumps({"timestamp": "2026-01-31T12:00:00", "positions": []}),
        "P: timestamp: '2026-01-31T12:00:00' has no time zone, must be",
    ),
    "a day only": (
        json.dumps({"timestamp": "2026-01-31", "positions": []}),
        "P: timestamp: '2026-01-31' has no time zone",
    ),
    "no positions": (json.dumps({"timestamp": STAMP}), "P: positions: missing, must be a list"),
    "positions an object": (
        json.dumps({"timestamp": STAMP, "positions": {}}),
        "P: positions: missing, must be a list",
    ),
    "unknown key at the top": (
        json.dumps(document(positons=[])),
        "P: 'positons': unknown key, allowed: positions, timestamp",
    ),
    "the same key twice": (
        '{"timestamp": "2026-01-31T12:00:00Z", "positions": [], "positions": []}',
        "P: not JSON: the key 'positions' stands twice in one object",
    ),
    "unknown key in a row": (
        text_of(amount=5),
        "P: positions[0]: 'amount': unknown key, allowed: base, entry_price, leverage, side, sym",
    ),
    "a key with a line break": (
        text_of(**{"a\nb": 5}),
        "P: positions[0]: 'a\\nb': unknown key",
    ),
    "a row that is no object": (
        json.dumps(document(ROW, "FET")),
        "P: positions[1]: must be an object with symbol, side and base",
    ),
    "no symbol": (
        json.dumps(document({"side": "long", "base": 1})),
        "P: positions[0]: symbol: None, must be like FET/USDT:USDT",
    ),
    "a venue's own symbol": (
        text_of(symbol="FETUSDT"),
        "P: positions[0]: symbol: 'FETUSDT', must be like FET/USDT:USDT",
    ),
    "a spot symbol": (text_of(symbol="FET/USDT"), "P: positions[0]: symbol: 'FET/USDT', must be"),
    "an endless symbol": (text_of(symbol="F" * 9_000), "P: positions[0]: symbol: 'FFFF"),
    "no side": (
        json.dumps(document({"symbol": "FET/USDT:USDT", "base": 1})),
        "P: positions[0]: side: None, must be long or short",
    ),
    "side of an order": (
        text_of(side="buy"),
        "P: positions[0]: side: 'buy', must be long or short",
    ),
    "side in capitals": (text_of(side="LONG"), "P: positions[0]: side: 'LONG', must be long or"),
    "no base": (
        json.dumps(document({"symbol": "FET/USDT:USDT", "side": "long"})),
        "P: positions[0]: base: missing, must be a number: base units, at least 0",
    ),
    "negative base": (
        text_of(base=-5.5),
        "P: positions[0]: base: -5.5, must not be negative; side tells the direction",
    ),
    "base a string": (
        text_of(base="1200"),
        "P: positions[0]: base: '1200', must be a number: base units",
    ),
    "base true": (text_of(base=True), "P: positions[0]: base: True, must be a number"),
    "base a list": (text_of(base=[1]), "P: positions[0]: base: [1], must be a number"),
    "NaN": (raw("NaN"), "P: not JSON: NaN is no number"),
    "infinity": (raw("Infinity"), "P: not JSON: Infinity is no number"),
    "minus infinity": (raw("-Infinity"), "P: not JSON: -Infinity is no number"),
    "a huge base": (raw("1e30"), "P: positions[0]: base: 1E+30, must be finite and plausible"),
    "beyond every float": (raw("1e400"), "P: positions[0]: base: 1E+400, must be finite and pl"),
    "beyond every decimal": (raw("1e99999999999999999999"), "P: a number in it has an exponent"),
    "thousands of digits": (raw("9" * 20_000), "P: positions[0]: base: 999999"),
    "entry price 0": (
        text_of(entry_price=0),
        "P: positions[0]: entry_price: 0, must be above 0",
    ),
    "entry price a string": (
        text_of(entry_price="1.2"),
        "P: positions[0]: entry_price: '1.2', must be a number: above 0",
    ),
    "negative leverage": (
        text_of(leverage=-3),
        "P: positions[0]: leverage: -3, must be above 0",
    ),
    "leverage false": (text_of(leverage=False), "P: positions[0]: leverage: False, must be a"),
    "symbol and side twice": (
        json.dumps(document(ROW, row(base=3))),
        "P: FET/USDT:USDT: the same symbol and side twice",
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, name: str) -> None:
    text, expected = BAD[name]
    path = tmp_path / "positions.json"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        await source(path).read()
    message = str(caught.value).replace(str(path), "P")
    assert message.startswith(expected)
    assert "\n" not in message
    assert len(message) < 250


def test_the_table_is_long_enough() -> None:
    assert len(BAD) >= 25


UNREADABLE: dict[str, tuple[Callable[[Path], object], type[Exception], str]] = {
    "missing": (lambda path: None, UnreachableError, "cannot read .*: No such file or directory"),
    "a folder": (lambda path: path.mkdir(), UnreachableError, "cannot read .*: Is a directory"),
    "a pipe": (os.mkfifo, DataError, "not a regular file"),
    "not UTF-8": (lambda path: path.write_bytes(b"\xff\xfe{}"), DataError, "not UTF-8 text"),
    "too large": (lambda path: path.write_bytes(b" " * 5_000_001), DataError, "larger than 5 MB"),
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_what_cannot_be_read(tmp_path: Path, name: str) -> None:
    prepare, kind, pattern = UNREADABLE[name]
    path = tmp_path / "positions.json"
    prepare(path)
    with pytest.raises(kind) as caught:
        await source(path).read()
    assert re.search(pattern, str(caught.value))
    assert str(path) in str(caught.value)


def test_missing_is_told_apart_from_wrong() -> None:
    with pytest.raises(MissingDataError):
        parse_positions('{"timestamp": "2026-01-31T12:00:00Z"}', "f", "s")


async def test_replaced_while_it_is_read_it_is_one_or_the_other(tmp_path: Path) -> None:
    path, other = tmp_path / "positions.json", tmp_path / "next.json"
    texts = [
        json.dumps(document(*[row(symbol=f"{s}{i}/USDT:USDT") for i in range(400)])) for s in "AB"
    ]
    path.write_text(texts[0])
    done = threading.Event()

    def replace_it() -> None:
        for i in range(300):
            other.write_text(texts[i % 2])
            other.replace(path)
        done.set()

    writer = threading.Thread(target=replace_it)
    writer.start()
    seen = set()
    try:
        while not done.is_set():
            snapshot = await source(path).read()
            assert len(snapshot.positions) == 400
            assert len({p.symbol[0] for p in snapshot.positions}) == 1
            seen.add(snapshot.positions[0].symbol[0])
    finally:
        writer.join()
    assert seen


@given(
    st.text(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["timestamp", "positions", "symbol", "side", "base", "x"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ).map(json.dumps)
)
def test_whatever_it_holds_it_is_read_or_refused(text: str) -> None:
    told: list[str] = []
    try:
        snapshot = parse_positions(text, "f", "s")
    except DataError as error:
        told.append(str(error))
    else:
        assert all(p.base_quantity.is_finite() for p in snapshot.positions)
    assert all("\n" not in line for line in told)
