"""The demo, and single looks at the past, on real prices and funding."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.journal.reader import JOURNAL_NAME, JournalReader
from tests.e2e_scene import (
    CYCLE_KEYS,
    SHARED,
    STATUSES,
    Finished,
    called,
    finish,
    hedges_hold,
    one_line,
    start,
)

MARKET = SHARED / "market"
AT = "2025-06-01T12:00:00Z"
BOOK = [
    {"symbol": "FET/USDT:USDT", "notional_usd": 12_000},
    {"symbol": "WLD/USDT:USDT", "notional_usd": 9_000},
    {"symbol": "RENDER/USDT:USDT", "notional_usd": 11_000},
]

pytestmark = [
    pytest.mark.skipif(not MARKET.exists(), reason="../shared is not here"),
    pytest.mark.long,
]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finished]:
    """Two days of the demo."""
    out = tmp_path_factory.mktemp("recorded")
    arguments = ("demo", "--data", str(MARKET), "--cycles", "48", "--json", "--out", str(out))
    return out, finish(start(*arguments))


def test_two_days_of_real_prices_are_hedged(played: tuple[Path, Finished]) -> None:
    out, finished = played
    assert (finished.code, finished.err) == (0, "")
    document = finished.document
    cycles = document["cycles"]
    assert len(cycles) == 48
    assert all(set(cycle) >= CYCLE_KEYS for cycle in cycles)
    assert {cycle["status"] for cycle in cycles} <= STATUSES
    hedges_hold(document)
    with JournalReader.open_reader(out / JOURNAL_NAME) as journal:
        assert journal.cycles() == cycles
        assert journal.funding_receipts("demo-hedge")
        booked = len(journal.own_fills("demo-hedge"))
    assert booked == sum(len(cycle["fills"]) for cycle in cycles)
    assert document["venue"]["fills"] > booked
    assert (out / "report.html").stat().st_size > 10_000


def test_the_same_seed_is_the_same_to_the_last_byte(tmp_path: Path) -> None:
    arguments = ("demo", "--data", str(MARKET), "--cycles", "2", "--json", "--out")
    one, again = (called(*arguments, str(tmp_path / name)) for name in ("a", "b"))
    assert one.document == again.document
    assert one.out == again.out


@pytest.fixture
def book(tmp_path: Path) -> str:
    file = tmp_path / "book.json"
    file.write_text(json.dumps(BOOK), encoding="utf-8")
    return str(file)


def looked(command: str, book: str, at: str = AT) -> dict[str, Any]:
    arguments = ("--data", str(MARKET), "--at", at, "--book", book, "--json")
    finished = called(command, *arguments)
    assert (finished.code, finished.err) == (0, "")
    document: dict[str, Any] = finished.document
    return document


def test_risk_and_proposal_at_a_past_time(book: str) -> None:
    risk, proposal = looked("risk", book), looked("propose", book)
    for document in (risk, proposal):
        assert document["timestamp"].startswith("2025-06-01T12:00:00")
    exposure = risk["exposure"]
    assert exposure["gross_usd"] == pytest.approx(32_000, rel=1e-6)
    assert exposure["volatility_daily_usd"] == proposal["volatility_before_daily_usd"]
    assert exposure["cae_usd"] == proposal["cae_before_usd"]
    assert exposure["contributions"] == proposal["exposure"]["contributions_usd"]
    exceeded = [one["cap"] for one in proposal["breaches_before"]]
    assert [one["cap"] for one in risk["breaches"]] == exceeded
    assert exceeded
    assert proposal["status"] == "proposed"
    trades = {leg["symbol"]: leg["trade_usd"] for leg in proposal["legs"] if leg["trade_usd"]}
    assert trades
    assert max(trades.values()) < 0
    assert not trades.keys() & {row["symbol"] for row in BOOK}


def test_bars_of_the_future_change_nothing(book: str, tmp_path: Path) -> None:
    import pandas as pd

    cut = tmp_path / "cut"
    cut.mkdir()
    moment = pd.Timestamp(AT)
    hourly = pd.read_parquet(MARKET / "hourly.parquet")
    hourly[hourly["timestamp"] < moment].to_parquet(cut / "hourly.parquet")
    funding = pd.read_parquet(MARKET / "funding.parquet")
    funding[funding["timestamp"] <= moment].to_parquet(cut / "funding.parquet")
    arguments = ("--at", AT, "--book", book, "--json")
    whole = called("propose", "--data", str(MARKET), *arguments)
    past = called("propose", "--data", str(cut), *arguments)
    assert past.out == whole.out


def test_what_cannot_be_looked_at_is_said_in_one_line(book: str, tmp_path: Path) -> None:
    data, nowhere = str(MARKET), str(tmp_path / "nothing.json")
    wrong = [
        (("--at", "1999-01-01T00:00:00Z", "--book", book), "1999"),
        (("--at", "2099-01-01T00:00:00Z", "--book", book), "2099"),
        (("--at", "2025-06-01T12:00:00", "--book", book), "time zone"),
        (("--at", "yesterday", "--book", book), "yesterday"),
        (("--at", AT, "--book", nowhere), "nothing.json"),
        (("--at", AT), "--book"),
    ]
    for arguments, words in wrong:
        line = one_line(called("risk", "--data", data, *arguments), 2)
        assert words in line
    line = one_line(called("demo", "--data", data, "--cycles", "999999", "--out", nowhere), 2)
    assert "holds too little" in line
