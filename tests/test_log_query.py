"""``perphedge log``: what is asked for is found, by time, name, symbol and weight, and exported."""

import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cli.main import main
from bot.clock import SimulatedClock
from bot.journal.journal import Journal
from bot.journal.log_reads import LogQuery
from bot.records.choosing import kinds_asked, signal_weights_asked, statuses_asked
from bot.records.cycle import CycleRecord, CycleStatus, iso_utc
from bot.records.event_kinds import EVENTS, weight_of
from bot.records.reading import records_asked
from tests.execute_scene import NOW_MS

FET, FETCH, OTHER = "FET/USDT:USDT", "FETCH/USDT:USDT", "FET/USDT:USDT@bybit"
EVENTS_AT: Sequence[tuple[int, str, dict[str, Any]]] = (
    (0, "symbol_resumed", {"symbol": FET, "by": "ann"}),
    (1, "symbol_resumed", {"symbol": FETCH, "by": "ann"}),
    (2, "symbol_resumed", {"symbol": OTHER, "by": "ann"}),
    (3, "hedge_hands_off", {"symbol": FET, "reason": "held by a bot"}),
    (4, "signal", {"severity": "note", "sentence": "small", "symbols": [FET]}),
    (5, "signal", {"severity": "alarm", "sentence": "large", "symbols": [FET]}),
    (6, "halted", {"reason": "somebody said so"}),
    (7, "of_another_version", {"symbol": FET}),
)
STATUSES = ("hedged", "held", "halted")


@pytest.fixture
def journal(journal_path: Path, clock: SimulatedClock) -> Journal:
    """Eight events a second apart, and a cycle of three kinds after them."""
    opened = Journal.open(journal_path, clock)
    for second, kind, document in EVENTS_AT:
        clock.advance_to(NOW_MS + 1000 * second)
        opened.record_event(kind, document)
    for number, status in enumerate(STATUSES):
        at_ms = NOW_MS + 1000 * (10 + number)
        opened.record_cycle(
            CycleRecord(f"c{number}", iso_utc(at_ms), at_ms, CycleStatus(status), "because")
        )
    return opened


def names(journal: Journal, query: LogQuery) -> list[str]:
    return [
        f"{one['event']}@{(one['timestamp_ms'] - NOW_MS) // 1000}"
        if "event" in one
        else str(one["status"])
        for one in records_asked(journal, query)
    ]


def test_a_symbol_is_exact_and_a_base_is_all_that_begin_with_it(journal: Journal) -> None:
    by_base = LogQuery(symbol="FET", statuses=())
    assert [one[-1] for one in names(journal, by_base)] == ["0", "2", "3", "7"]
    assert [one[-1] for one in names(journal, replace(by_base, symbol=FET))] == ["0", "3", "7"]
    assert names(journal, replace(by_base, symbol=OTHER)) == ["symbol_resumed@2"]
    assert names(journal, replace(by_base, symbol="FE")) == []
    assert names(journal, replace(by_base, symbol="FET%")) == [], "no pattern, a name"


def test_times_are_from_and_before(journal: Journal) -> None:
    query = LogQuery(since_ms=NOW_MS + 2000, until_ms=NOW_MS + 5000)
    assert [one[-1] for one in names(journal, query)] == ["2", "3", "4"]


def test_the_newest_of_each(journal: Journal) -> None:
    assert names(journal, LogQuery(limit=1)) == ["of_another_version@7", "halted"]


@pytest.mark.parametrize("severity", ["note", "warning", "alarm"])
def test_weights_are_those_that_each_record_says(journal: Journal, severity: str) -> None:
    """Against a plain filter of everything that there is."""
    rank = ["note", "warning", "alarm"].index(severity)
    of_cycles = {"hedged": 0, "held": 1, "halted": 2}
    expected = [
        name
        for one, name in zip(
            records_asked(journal, LogQuery()), names(journal, LogQuery()), strict=True
        )
        if (of_cycles[one["status"]] if "event" not in one else weight_of(one["event"], one).rank)
        >= rank
        and one.get("event") != "of_another_version"
    ]
    query = LogQuery(
        kinds=kinds_asked([], severity),
        statuses=statuses_asked([], severity),
        signal_weights=signal_weights_asked(severity),
    )
    assert names(journal, query) == expected


@given(
    st.lists(st.sampled_from(["cycle", "signal", "halted", "symbol_resumed"]), unique=True),
    st.sampled_from([None, "note", "warning", "alarm"]),
)
def test_names_and_weights_only_narrow(asked: list[str], severity: str | None) -> None:
    kinds, statuses = kinds_asked(asked, severity), statuses_asked(asked, severity)
    if kinds is not None:
        assert set(kinds) <= (set(asked) or set(EVENTS))
    assert (statuses == []) == bool(asked and "cycle" not in asked)


def test_the_command_refuses_what_is_no_name_or_weight(
    journal: Journal, journal_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal.close()
    for arguments, told in (
        (["--event", "hated"], "--event hated: must be cycle or one of"),
        (["--severity", "loud"], "--severity loud: must be note, warning or alarm"),
        (["--export", "x.xls"], "--export x.xls: must end in .parquet or .csv"),
        (["--until", "noon"], "--until noon: must be a time like"),
        (["--follow", "--until", "1h"], "--follow has no end"),
        (["--cycle", "c0", "--symbol", "FET"], "--cycle tells one cycle whole"),
        (["--verify", "--severity", "note"], "--verify reads the whole journal"),
    ):
        with pytest.raises(SystemExit) as left:
            main(["log", "--state", str(journal_path.parent), *arguments])
        assert left.value.code == 2
        assert told in capsys.readouterr().err


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_table_for_pandas_has_every_record(
    journal: Journal, journal_path: Path, tmp_path: Path, suffix: str
) -> None:
    quantity = Decimal("0.100")
    journal.record_event("order_overfilled", {"symbol": FET, "quantity": str(quantity)})
    journal.record_event("impact_refit", {"was": {"coefficient": 1.0}})
    journal.record_event("impact_refit", {"was": 0.5})
    journal.close()
    out = tmp_path / "deep" / f"log.{suffix}"
    with pytest.raises(SystemExit) as left:
        main(["log", "--state", str(journal_path.parent), "--export", str(out)])
    assert left.value.code == 0
    table = (
        pd.read_parquet(out) if suffix == "parquet" else pd.read_csv(out, dtype={"quantity": str})
    )
    assert len(table) == len(EVENTS_AT) + len(STATUSES) + 3
    assert list(table.columns[:5]) == ["event", "timestamp", "cycle_id", "client_id", "severity"]
    (told,) = table.loc[table["event"] == "order_overfilled", "quantity"]
    assert told == "0.100", "exact decimals stay as they were written"
    held = table.loc[table["event"] == "cycle", "equity_usd"]
    assert held.isna().all(), "what is not known is missing, not zero"
    assert json.loads(table.loc[table["event"] == "signal", "symbols"].iloc[0]) == [FET]
    if suffix == "parquet":
        assert str(table["timestamp"].dt.tz) == "UTC"


def test_a_token_or_a_cycle_is_found_without_reading_all_events(journal: Journal) -> None:
    """The plan of the database for the very questions that the log asks."""
    asked: list[str] = []
    database = journal._connection
    database.set_trace_callback(asked.append)
    journal.events_asked(LogQuery(symbol="FET"))
    journal.events(cycle_id="c1")
    database.set_trace_callback(None)
    plans = [
        " ".join(str(row[3]) for row in database.execute(f"EXPLAIN QUERY PLAN {one}"))
        for one in asked
        if "FROM events" in one
    ]
    assert len(plans) == 2
    assert "events_by_symbol" in plans[0]
    assert "events_by_cycle" in plans[1]
