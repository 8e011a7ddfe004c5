"""Paper: proposals and hedges beside a positions file, on an exchange that is only looked at."""

import json
import re
import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.journal.reader import JOURNAL_NAME, JournalReader
from tests.e2e_scene import (
    AUTO,
    LONGS,
    Finished,
    ServedExchange,
    called,
    clear_of_the_hour,
    finish,
    one_line,
    paper_config,
    perphedge,
    served_exchange,
    start,
    until,
    write_positions,
)

ACCOUNT = "paper-hedge"

LASTS_SECONDS = 150.0
"""What these tests take on a busy machine: some ask that nothing new is decided between two."""


@pytest.fixture(scope="module")
def served() -> Iterator[ServedExchange]:
    clear_of_the_hour(LASTS_SECONDS)
    with served_exchange() as exchange:
        yield exchange


@pytest.fixture(scope="module")
def proposed(
    served: ServedExchange, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Finished]:
    """Two cycles of the paper profile as it comes, in its default autonomy."""
    folder = tmp_path_factory.mktemp("propose")
    config = paper_config(folder, served.host)
    write_positions(folder / "positions.json", LONGS)
    return config, perphedge("run", "-c", str(config), "--cycles", "2", "--json")


@pytest.fixture(scope="module")
def hedged(
    served: ServedExchange, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Finished]:
    """The same, allowed to trade in its simulated account."""
    folder = tmp_path_factory.mktemp("auto")
    config = paper_config(folder, served.host, AUTO)
    write_positions(folder / "positions.json", LONGS)
    return config, perphedge("run", "-c", str(config), "--cycles", "2", "--json")


def journal_of(config: Path) -> JournalReader:
    return JournalReader.open_reader(config.parent / "state" / JOURNAL_NAME)


def test_proposals_are_journaled_and_nothing_is_ordered(proposed: tuple[Path, Finished]) -> None:
    config, finished = proposed
    assert finished.code == 0
    cycles = finished.document["cycles"]
    assert [c["status"] for c in cycles] == ["proposed", "proposed"]
    for cycle in cycles:
        assert cycle["orders"] == cycle["fills"] == []
        assert cycle["hedge_gross_usd"] == 0
        assert cycle["breaches_before"]
        trades = {leg["symbol"]: leg["trade_usd"] for leg in cycle["legs"] if leg["trade_usd"]}
        assert trades
        assert not trades.keys() & LONGS.keys()
        assert all(usd < 0 for usd in trades.values())
        alone = cycle["volatility_unhedged_daily_usd"]
        assert cycle["proposal"]["expected_volatility_daily_usd"] < 0.5 * alone
    with journal_of(config) as journal:
        assert journal.cycles() == cycles
        assert journal.accounts() == ()
        assert journal.own_fills(ACCOUNT) == []


def test_the_log_tells_the_proposal(proposed: tuple[Path, Finished]) -> None:
    config, finished = proposed
    lines = (config.parent / "state" / "hedge.jsonl").read_text(encoding="utf-8").splitlines()
    # Signals that are mere notes are in the file alone.
    quiet = [line for line in lines if line not in finished.err.splitlines()]
    assert {json.loads(line)["event"] for line in quiet} <= {"signal"}
    assert len(finished.err.splitlines()) + len(quiet) == len(lines)
    told = [event for event in finished.events if event["event"] == "cycle"]
    cycles = finished.document["cycles"]
    assert [e["reason"] for e in told] == [c["proposal"]["sentence"] for c in cycles]


def test_in_auto_it_hedges_in_its_own_simulated_account(hedged: tuple[Path, Finished]) -> None:
    config, finished = hedged
    assert finished.code == 0
    first, second = finished.document["cycles"]
    assert first["status"] == "hedged"
    assert first["breaches_before"]
    assert first["breaches_after"] == second["breaches_after"] == []
    alone = first["volatility_unhedged_daily_usd"]
    assert first["volatility_after_daily_usd"] <= 0.5 * alone
    assert second["status"] == "no_hedge"
    with journal_of(config) as journal:
        own = journal.own_positions(ACCOUNT)
        fills = journal.own_fills(ACCOUNT)
    assert len(fills) == len(first["fills"]) > 0
    assert all(quantity < 0 for quantity in own.values())
    assert not {symbol for symbol, _ in own} & LONGS.keys()


def test_amounts_are_written_as_people_write_them(hedged: tuple[Path, Finished]) -> None:
    _, finished = hedged
    for cycle in finished.document["cycles"]:
        for row in (*cycle["orders"], *cycle["fills"]):
            for key in ("quantity", "filled_quantity", "price", "limit_price", "fee_usd"):
                text = row.get(key, "0")
                assert "E" not in text, (key, text)
                assert len(text) <= 20, (key, text)


def test_the_exchange_sees_public_requests_only(
    served: ServedExchange, proposed: tuple[Path, Finished], hedged: tuple[Path, Finished]
) -> None:
    counters = served.exchange.counters
    assert counters.public_requests > 100
    assert counters.private_requests == 0
    assert (counters.orders_received, counters.fills) == (0, 0)


@pytest.mark.long
def test_a_clean_restart_goes_on_where_it_was(
    served: ServedExchange, hedged: tuple[Path, Finished]
) -> None:
    config, before = hedged
    write_positions(config.parent / "positions.json", LONGS)
    with journal_of(config) as journal:
        own = journal.own_positions(ACCOUNT)
    again = perphedge("run", "-c", str(config), "--cycles", "1", "--json")
    [cycle] = again.document["cycles"]
    assert cycle["fills"] == []
    assert cycle["status"] == "no_hedge"
    gross = before.document["cycles"][-1]["hedge_gross_usd"]
    assert cycle["hedge_gross_usd"] == pytest.approx(gross, rel=0.05)
    paid = sum(float(f["fee_usd"]) for f in before.document["cycles"][0]["fills"])
    assert cycle["equity_usd"] == pytest.approx(60_000 - paid, abs=500)
    with journal_of(config) as journal:
        assert journal.own_positions(ACCOUNT) == own
        assert journal.epoch == 2


@pytest.mark.long
def test_killed_it_knows_its_hedges_and_a_second_engine_stays_out(
    served: ServedExchange, tmp_path: Path
) -> None:
    config = paper_config(tmp_path, served.host, AUTO)
    write_positions(tmp_path / "positions.json", LONGS)
    log = tmp_path / "state" / "hedge.jsonl"
    first = start("run", "-c", str(config))
    try:
        until(lambda: log.exists() and '"hedged"' in log.read_text(encoding="utf-8"))
        second = called("run", "-c", str(config), "--cycles", "1")
        assert f"process {first.pid}" in one_line(second, 3)
        running = called("status", "-c", str(config), "--json").document
        assert running["running_process"] == first.pid
    finally:
        first.send_signal(signal.SIGKILL)
        finish(first)
    with journal_of(config) as journal:
        own = journal.own_positions(ACCOUNT)
    assert own
    again = perphedge("run", "-c", str(config), "--cycles", "2", "--json")
    assert again.code == 0
    cycles: list[dict[str, Any]] = again.document["cycles"]
    assert [c["status"] for c in cycles] == ["no_hedge", "no_hedge"]
    recovered = again.events[0]
    assert recovered["event"] == "recovered"
    assert recovered["own_hedges"] == {s: format(q, "f") for (s, _), q in own.items()}
    with journal_of(config) as journal:
        assert journal.own_positions(ACCOUNT) == own
    stopped = called("status", "-c", str(config), "--json").document
    assert stopped["running_process"] is None
    held = {k.split()[1]: Decimal(v) for k, v in stopped["hedges_base"].items()}
    assert held == {symbol: quantity for (symbol, _), quantity in own.items()}


def test_an_old_positions_file_is_no_flat_bot(served: ServedExchange, tmp_path: Path) -> None:
    config = paper_config(tmp_path, served.host, AUTO)
    write_positions(tmp_path / "positions.json", LONGS, age_seconds=7200)
    finished = perphedge("run", "-c", str(config), "--cycles", "1", "--json")
    assert finished.code == 0
    [cycle] = finished.document["cycles"]
    assert cycle["status"] == "held"
    assert re.match(r"source manual: 72\d\d s old, at most 3600 s", cycle["reason"])
    assert cycle["bot_gross_usd"] is None
    told = [e for e in finished.events if e["event"] == "cycle"]
    assert [e["level"] for e in told] == ["warning"]


@pytest.mark.parametrize("host", ["10.0.0.8:18080", "fapi.binance.com", "127.0.0.1.example.com:1"])
def test_only_this_machine_may_stand_in_for_the_exchange(host: str, tmp_path: Path) -> None:
    config = paper_config(tmp_path, host)
    line = one_line(called("run", "-c", str(config), "--cycles", "1"), 2)
    assert "venue.urls_host" in line
    assert "127.0.0.1" in line


def test_an_exchange_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    config = paper_config(tmp_path, "127.0.0.1:9")
    write_positions(tmp_path / "positions.json", LONGS)
    for command in (["run", "--cycles", "1"], ["check"], ["risk"], ["propose"]):
        line = one_line(called(*command, "-c", str(config)), 5)
        assert "binanceusdm" in line
        assert len(line) < 300, line


def test_the_log_file_is_json_lines(hedged: tuple[Path, Finished]) -> None:
    config, _ = hedged
    lines = (config.parent / "state" / "hedge.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    # Streams are looked after beside the cycles, and say what wakes or stops them.
    inside = [e for e in events if e["event"].startswith(("cycle", "order_"))]
    assert all(e.get("cycle_id") for e in inside), inside
    assert {e["event"] for e in inside} >= {"cycle", "order_filled"}
