"""``perphedge explain``: real cycles of every kind told from their journal."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.cli.main import main
from bot.errors import UnreachableError
from bot.explain.gather import told_of
from bot.explain.story import Told, story_of
from bot.records.cycle import CycleRecord
from tests.cycle_scene import FET, LONGS, Scene, open_scene, paper_settings


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path) as opened:
        yield opened


def told(scene: Scene, record: CycleRecord) -> dict[str, list[str]]:
    """The sections of a cycle by their title."""
    found = told_of(scene.journal, record.cycle_id)
    assert found is not None
    return {one.title: list(one.lines) for one in story_of(found)}


def has(lines: list[str], *parts: str) -> bool:
    """Whether one line has them all."""
    return any(all(part in line for part in parts) for line in lines)


async def test_a_hedged_cycle_tells_every_figure_of_its_record(scene: Scene) -> None:
    record = await scene.cycle()
    assert record.proposal is not None
    for hours in (1, 1, 1):
        scene.advance(hours)
        await scene.cycle()
    story = told(scene, record)
    assert list(story) == [
        "What it saw",
        "Which caps bound",
        "What it considered",
        "What it did",
        "What it cost",
        "What came of it",
    ]
    assert has(story["What it saw"], f"{record.bot_gross_usd:,.0f} USD gross", "FET")
    assert has(story["Which caps bound"], "Over:", "over")
    assert has(story["Which caps bound"], "At the end every cap held.")
    assert has(story["What it considered"], "FET", "hands off: held by a bot")
    assert len(record.orders) == sum(line.startswith("Order to") for line in story["What it did"])
    assert all(has(story["What it did"], one.symbol.split("/")[0]) for one in record.orders)
    realised = sum(float(cost["realised_usd"]) for cost in record.costs)
    assert has(story["What it cost"], f"{realised:,.2f} USD", "were expected")
    assert has(story["What came of it"], "with these hedges for 3.0 hours", "the newest cycle")


async def test_what_came_of_it_is_what_the_prices_of_the_records_say(scene: Scene) -> None:
    first = await scene.cycle()
    scene.advance(2)
    second = await scene.cycle()
    found = told_of(scene.journal, first.cycle_id)
    assert found is not None
    assert found.outcome is not None
    marks = {leg.symbol: leg.mark_price for leg in second.legs}
    bot = sum(float(LONGS[s]) * (marks[s] - leg.mark_price) for s, leg in _legs(first, LONGS))
    assert found.outcome.bot_usd == pytest.approx(bot, abs=0.01)
    assert found.outcome.hours == pytest.approx((second.timestamp_ms - first.timestamp_ms) / 3.6e6)
    assert not found.outcome.traded_again


def _legs(record: CycleRecord, symbols: Any) -> list[tuple[str, Any]]:
    return [(leg.symbol, leg) for leg in record.legs if leg.symbol in symbols]


async def test_a_held_cycle_says_what_was_missing_and_invents_nothing(scene: Scene) -> None:
    scene.faults.by_call["account"] = UnreachableError("the venue does not answer")
    story = told(scene, await scene.cycle())
    assert has(story["What it saw"], "could not be measured")
    assert story["Which caps bound"] == ["No cap could be checked: the book was not measured."]
    assert has(story["What it did"], "Nothing was sent", "held still")
    assert has(story["What it did"], "the venue does not answer")
    assert "What it cost" not in story
    assert story["What came of it"] == ["Nobody knows yet: no later cycle has measured the book."]


async def test_a_denied_cycle_names_the_control_and_its_rule(scene: Scene) -> None:
    async def apart(go_on: Callable[[], Awaitable[Any]]) -> Any:
        return {s: replace(q, index=q.mark * 1.05) for s, q in (await go_on()).items()}

    scene.faults.by_call["quotes"] = apart
    story = told(scene, await scene.cycle())
    assert has(story["What it did"], "Control 18 (divergence) refused", "index price")
    assert has(story["What it did"], "Its rule: Last, mark and index price are near each other.")
    assert has(story["What it considered"], "minimum_risk", "proposed")
    told_once = [line for line in story["What it did"] if "Its rule:" in line]
    assert len(told_once) == 1
    assert len(set(story["What it did"])) == len(story["What it did"]), "no line twice"
    assert any("orders)" in line for line in story["What it did"]), "several of one symbol"
    assert "At the end all of that was still so." in story["Which caps bound"]


async def test_a_proposal_and_a_halt_are_told(tmp_path: Path) -> None:
    async with open_scene(tmp_path, settings=paper_settings(tmp_path, autonomy="propose")) as scene:
        story = told(scene, await scene.cycle())
        assert story["What it did"] == ["Nothing was sent: it only writes proposals down."]
        scene.halt_file.write_text("too much news")
        story = told(scene, await scene.cycle())
        assert has(story["What it did"], "trading is halted")
        assert has(story["What it did"], "too much news")


async def test_the_command_takes_an_id_a_number_or_the_newest_that_traded(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    hedged = await scene.cycle()
    scene.advance(0.1)
    last = await scene.cycle()
    assert last.status.value == "no_hedge"
    for name, expected in ((hedged.cycle_id, hedged), ("2", last), ("latest", hedged)):
        with pytest.raises(SystemExit) as left:
            main(["explain", name, "--state", str(scene.folder), "--json"])
        assert left.value.code == 0
        document = json.loads(capsys.readouterr().out)
        assert document["cycle_id"] == document["cycle"]["cycle_id"] == expected.cycle_id
        assert {"headline", "sections", "outcome", "events", "later_costs"} <= set(document)
    with pytest.raises(SystemExit) as left:
        main(["explain", "3", "--state", str(scene.folder)])
    assert left.value.code == 2
    assert capsys.readouterr().err.startswith("perphedge: cycle 3: there is none in ")


async def test_nothing_from_outside_steers_the_terminal(scene: Scene) -> None:
    record = await scene.cycle()
    evil = "x\x1b[31m[bold]<script>\n"
    document = json.loads(json.dumps(record.document()))
    document["sources"] = [{"name": evil, "failing": True, "last_error": evil}]
    document["excluded"] = {evil: evil}
    document["reason"] = evil
    document["proposal"]["strategy"] = evil
    lines = [
        line
        for one in story_of(
            Told(
                document,
                [
                    {
                        "event": "order_denied",
                        "symbol": evil,
                        "side": evil,
                        "control": evil,
                        "number": 3,
                        "reason": evil,
                    }
                ],
            )
        )
        for line in one.lines
    ]
    assert all(line.isprintable() for line in lines)
    assert FET in {leg["symbol"] for leg in document["legs"]}
