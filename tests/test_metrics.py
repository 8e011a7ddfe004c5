"""What Prometheus is told: equal to the journal, missing where nobody knows, over real HTTP."""

import json
import re
import signal
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.errors import UnreachableError
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.metrics.exposition import EngineCollector, exposition
from bot.metrics.gauges import cycle_gauges
from bot.metrics.tally import Tally
from tests.cycle_scene import ACCOUNT, FET, LONGS, Scene, open_scene
from tests.e2e_scene import finish, start

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path) as opened:
        yield opened


def samples(text: str) -> Samples:
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def at(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((f"perphedge_{name}", tuple(sorted(labels.items()))))


async def test_every_figure_is_the_newest_cycle_s(scene: Scene) -> None:
    record = await scene.cycle()
    found = samples(exposition(scene.folder))
    assert at(found, "bot_gross_usd") == record.bot_gross_usd
    assert at(found, "hedge_gross_usd") == record.hedge_gross_usd
    assert at(found, "volatility_daily_usd", book="bot") == record.volatility_unhedged_daily_usd
    assert at(found, "volatility_daily_usd", book="after") == record.volatility_after_daily_usd
    assert at(found, "cae_usd", book="before") == record.cae_before_usd
    for cap, use in record.cap_use_after.items():
        assert at(found, "cap_use", cap=cap) == use
    for leg in record.legs:
        assert at(found, "position_usd", symbol=leg.symbol, owner="bot") == (leg.bot_usd or None)
    assert at(found, "cycle_status", status="hedged") == 1
    assert at(found, "cycle_timestamp_seconds") == record.timestamp_ms / 1000
    assert at(found, "journal_readable") == 1
    assert at(found, "halted") == 0


async def test_sums_are_those_of_the_journal_whenever_they_are_asked_for(scene: Scene) -> None:
    asked_often = Tally()
    for longs in (LONGS, {FET: "15000"}, {}):
        scene.hold(longs)
        await scene.cycle()
        asked_often.read(scene.journal)
        scene.advance(9, longs)
    asked_once = Tally()
    asked_once.read(scene.journal)
    told = [
        {(s.name, tuple(s.labels.items())): s.value for f in one.families() for s in f.samples}
        for one in (asked_often, asked_once)
    ]
    assert told[0].keys() == told[1].keys()
    assert told[0] == pytest.approx(told[1])
    own = [one.fill for one in scene.journal.own_fills(ACCOUNT)]
    assert told[1]["perphedge_fills_total", ()] == len(own) > 5
    fees = sum((one.fee_usd or Decimal(0)) for one in own)
    assert told[1]["perphedge_fees_usd_total", ()] == pytest.approx(float(fees))
    filled = told[1]["perphedge_events_total", (("event", "order_filled"),)]
    assert filled == len(scene.journal.events(kind="order_filled"))


async def test_what_is_not_known_has_no_line(scene: Scene) -> None:
    scene.faults.by_call["account"] = UnreachableError("gone")
    record = await scene.cycle()
    assert record.bot_gross_usd is None
    found = samples(exposition(scene.folder))
    assert at(found, "cycle_status", status="held") == 1
    for name in ("bot_gross_usd", "equity_usd", "caps_factor", "hedge_effectiveness_expected"):
        assert at(found, name) is None, "an old or invented figure would be believed"
    assert not any(name == "perphedge_cap_use" for name, _ in found)


async def test_halts_and_alerts_are_told(scene: Scene) -> None:
    scene.halt_file.write_text("stop")
    await scene.cycle()
    found = samples(exposition(scene.folder))
    assert at(found, "halted") == 1
    assert at(found, "alerts_open") is not None
    assert at(found, "control_acted_total", control="kill_switch", number="30") == 1


def test_an_exceeded_cap_has_its_scope_and_a_name_cannot_break_the_format() -> None:
    evil = 'F"E\nT\\{}'
    cycle: dict[str, Any] = {
        "breaches_after": [{"cap": "token_usd", "scope": evil, "curable": False}],
        "crowding": {evil: 1.5, "TAO": None},
        "legs": [{"symbol": evil, "bot_usd": float("nan"), "hedge_after_usd": -5.0}],
    }
    told = {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in cycle_gauges(cycle)
        for sample in family.samples
    }
    assert told["perphedge_cap_exceeded", ("token_usd", evil, "no")] == 1
    assert told["perphedge_position_usd", (evil, "hedge")] == -5
    assert ("perphedge_position_usd", (evil, "bot")) not in told
    assert [key for key in told if key[0] == "perphedge_crowding_score"] == [
        ("perphedge_crowding_score", (evil,))
    ]


def test_without_a_journal_it_says_so(tmp_path: Path) -> None:
    found = samples(exposition(tmp_path))
    assert found == {
        ("perphedge_engine_running", ()): 0,
        ("perphedge_journal_readable", ()): 0,
    }


async def test_a_real_scrape_follows_the_engine_and_ends_cleanly(scene: Scene) -> None:
    """The server is a process of its own and reads beside the writing engine."""
    first = await scene.cycle()
    server = start("metrics", "--state", str(scene.folder), "--port", "0")
    try:
        assert server.stdout is not None
        address = re.search(r"http://127\.0\.0\.1:\d+/metrics", server.stdout.readline())
        assert address is not None
        assert at(_scrape(address[0]), "bot_gross_usd") == first.bot_gross_usd
        scene.advance(1, longs={FET: "26000"})
        second = await scene.cycle()
        found = _scrape(address[0])
        assert at(found, "bot_gross_usd") == second.bot_gross_usd != first.bot_gross_usd
        assert at(found, "cycles") == 2
    finally:
        server.send_signal(signal.SIGTERM)
        done = finish(server)
    assert (done.code, done.err) == (0, "")


def _scrape(address: str) -> Samples:
    return samples(httpx.get(address, timeout=30).raise_for_status().text)


async def test_every_name_keeps_to_the_naming_rules(scene: Scene) -> None:
    await scene.cycle()
    for family in EngineCollector(scene.folder).collect():
        assert re.fullmatch(r"perphedge_[a-z_]+", family.name)
        assert family.documentation.endswith(".")
        assert family.type in ("gauge", "counter", "histogram")
    with JournalReader.open_reader(scene.folder / JOURNAL_NAME) as journal:
        assert json.dumps(journal.cycles(limit=1))
