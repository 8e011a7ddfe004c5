"""What a report tells beside its cycles, and ``perphedge report`` from a real journal."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.cli.main import main
from bot.demo.stage import DemoOptions, run_demo
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.report import gather
from bot.report.beside import Beside, result_facts, result_rows, signal_rows, trip_rows
from bot.report.gather import beside_of, period_of
from bot.report.page import render_report
from tests.cycle_scene import ACCOUNT, FET, LONGS, Scene, open_scene


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a demo of nine cycles left."""
    folder = tmp_path_factory.mktemp("state")
    asyncio.run(run_demo(DemoOptions(None, 9, 7, folder)))
    return folder


def reported(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(["report", *arguments])
    told = capsys.readouterr()
    assert isinstance(left.value.code, int)
    return left.value.code, told.out, told.err


async def test_rows_add_up_to_what_is_booked(scene: Scene) -> None:
    for longs in (LONGS, {FET: "15000"}, {}):
        scene.hold(longs)
        await scene.cycle()
        scene.advance(9, longs)
    _, beside = period_of(scene.journal)
    assert beside.attribution is not None
    *rows, total = result_rows(beside.attribution)
    assert total.symbol == "All"
    fees = sum((own.fill.fee_usd or Decimal(0)) for own in scene.journal.own_fills(ACCOUNT))
    assert total.fees == f"−{fees:,.2f}"
    assert {row.symbol for row in rows} >= {"FET", "TAO", "WLD"}
    by_symbol = {one.symbol: one for one in beside.attribution.hedges}
    for row in rows:
        known = by_symbol.get(f"{row.symbol}/USDT:USDT")
        assert (row.net == "–") == (known is None)
    facts = dict(result_facts(beside.attribution))
    assert "realised" in facts["Variance taken away"]
    assert facts["Cost: fees and slippage less funding"].endswith(" USD")


async def test_controls_that_acted_are_counted_with_their_rule(scene: Scene) -> None:
    async def apart(go_on: Callable[[], Awaitable[Any]]) -> Any:
        return {s: replace(q, index=q.mark * 1.05) for s, q in (await go_on()).items()}

    scene.faults.by_call["quotes"] = apart
    denied = await scene.cycle()
    (row,) = [one for one in trip_rows(beside_of(scene.journal).events) if "18" in one.control]
    assert row.control == "18 divergence"
    assert int(row.times) == len(scene.journal.events(kind="order_denied")) > 1
    assert row.says == "Last, mark and index price are near each other."
    assert "index price" in row.reason
    page = render_report(
        [json.loads(json.dumps(denied.document()))], title="t", beside=beside_of(scene.journal)
    )
    assert "Controls that acted" in page
    assert "18 divergence" in page


def test_signals_come_by_weight_and_nothing_from_outside_is_markup() -> None:
    evil = "<script>alert(1)</script>\x1b"
    cycle = {
        "signals": [
            {"severity": "note", "since": "2026-01-01T01:00:00.000Z", "sentence": "small"},
            {"severity": "alarm", "since": "2026-01-01T02:00:00.000Z", "sentence": evil},
        ]
    }
    rows = signal_rows(cycle)
    assert [one.severity for one in rows] == ["alarm", "note"]
    assert rows[0].since == "2026-01-01 02:00"
    assert rows[0].sentence.isprintable()
    events = [
        {"event": "alert", "control": evil, "timestamp_ms": 0, "text": evil},
    ]
    page = render_report(
        [{"cycle_id": "x", "timestamp_ms": 0, "bot_gross_usd": 1.0, **cycle}],
        title="t",
        beside=Beside(events=events),
    )
    assert "<script>alert" not in page
    assert signal_rows(None) == []


def test_the_command_writes_a_page_of_the_journal(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "page.html"
    code, told, _ = reported(capsys, "--state", str(state), "--out", str(out), "--json")
    document = json.loads(told)
    assert code == 0
    assert document["cycles"] == 9
    page = out.read_text(encoding="utf-8")
    assert "Who earned and cost what" in page
    with JournalReader.open_reader(state / JOURNAL_NAME) as journal:
        cycles = journal.cycles()
        account = journal.accounts()[0]
        fees = sum((own.fill.fee_usd or 0) for own in journal.own_fills(account))
    assert all(one["cycle_id"] in page for one in cycles)
    assert Decimal(document["attribution"]["total"]["fees_usd"]) == fees
    demo = (state / "report.html").read_text(encoding="utf-8")
    results = re.compile(r"<h2>Who earned.*?</section>", re.S)
    mine, theirs = results.search(page), results.search(demo)
    assert mine is not None
    assert theirs is not None
    assert mine[0] == theirs[0], "the demo's report has the same"


def test_a_period_without_cycles_is_refused_in_one_line(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "page.html"
    code, _, told = reported(
        capsys, "--state", str(state), "--out", str(out), "--since", "2026-06-01T00:00:00Z"
    )
    assert code == 2
    assert "no cycle is recorded since 2026-06-01 00:00 UTC" in told
    assert not out.exists()


def test_very_many_cycles_are_thinned_but_none_that_traded(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "MOST_CYCLES", 3)
    with JournalReader.open_reader(state / JOURNAL_NAME) as journal:
        every = journal.cycles()
        cycles, beside = period_of(journal)
    assert beside.cycles_total == 9
    traded = {one["cycle_id"] for one in every if one["orders"]}
    shown = [one["cycle_id"] for one in cycles]
    assert traded <= set(shown)
    assert len(shown) < 9
    assert shown[-1] == every[-1]["cycle_id"]
    assert sum(one["correlation"] is not None for one in cycles) <= 1
    assert "of 9 cycles" in render_report(cycles, title="t", beside=beside)
