"""An engine beside hummingbot: it hedges what the accounts hold, and holds while one is skipped."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot.cli.check import _words
from bot.clock import SimulatedClock
from bot.records.cycle import CycleStatus
from bot.sources.hummingbot.client import HummingbotClient
from bot.sources.hummingbot.source import HummingbotSource
from bot.surroundings import Surroundings, open_source
from config.load import settings_from
from tests.cycle_scene import DAY_MS, HISTORY_DAYS, open_scene, small_tape
from tests.hummingbot_scene import (
    CONNECTOR,
    LOGIN,
    MASTER,
    NOW_MS,
    SECOND,
    FakeHummingbot,
    row,
    served,
)


async def test_hedges_stay_while_a_connector_is_skipped(tmp_path: Path) -> None:
    server = FakeHummingbot()
    server.holds(MASTER, row("FET-USDT", "LONG", 20_000.0))
    server.holds(SECOND, row("TAO-USDT", "LONG", 20.0))
    tape = small_tape()
    clock = SimulatedClock(tape.start_ms + HISTORY_DAYS * DAY_MS + 17 * 60_000)
    async with served(server), AsyncExitStack() as stack:
        client = HummingbotClient("hb", server.url, LOGIN, timeout_s=20)
        source = HummingbotSource(
            "hb", client, clock, 30_000, connector=CONNECTOR, accounts=(MASTER, SECOND)
        )
        stack.push_async_callback(source.close)
        async with open_scene(tmp_path, tape=tape, clock=clock, source=source) as scene:
            first = await scene.cycle()
            assert first.status is CycleStatus.HEDGED
            server.skipped = {(MASTER, CONNECTOR)}
            held = await scene.cycle()
            assert held.status is CycleStatus.HELD
            assert "master_account binance_perpetual: tells no position, but" in str(held.reason)
            assert not held.orders


async def test_a_config_opens_it_and_check_tells_who_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = FakeHummingbot()
    server.holds(MASTER, row("FET-USDT", "SHORT", 5.0))
    monkeypatch.setenv("PERPHEDGE_HB_PASSWORD", LOGIN.password.get_secret_value())
    async with served(server), AsyncExitStack() as stack:
        item = {"kind": "hummingbot", "name": "hb", "url": server.url, "username": LOGIN.username}
        given = {
            "mode": "paper",
            "state_dir": "state",
            "venue": {"exchange": "binanceusdm", "account": "h"},
            "sources": [item | {"connector": CONNECTOR}],
        }
        settings = settings_from(given, where="c.yaml", base=tmp_path)
        around = Surroundings(SimulatedClock(NOW_MS))
        source = open_source(settings.sources[0], settings, around, stack)
        (one,) = (await source.read()).positions
        assert (one.symbol, one.base_quantity, one.holder) == ("FET/USDT:USDT", -5, MASTER)
        assert source.max_age_ms == 30_000
        assert _words(source) == f"answers: hummingbot-api 1.0.1, {CONNECTOR} of {MASTER}"
