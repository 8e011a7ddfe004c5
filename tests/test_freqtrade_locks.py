"""Locks of entries in freqtrade: what is to be blocked, and that nothing piles up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bot.clock import SimulatedClock
from bot.errors import UnreachableError
from bot.records.cycle import CycleRecord, CycleStatus, LegRecord
from bot.sources.freqtrade.client import FreqtradeClient
from bot.sources.freqtrade.locks import EntryLocks
from bot.sources.freqtrade.source import FreqtradeSource
from bot.steps.entry_blocks import Block, entry_blocks
from risk.correlation.clusters import Clustering
from risk.limits.caps import LimitBreach
from tests.bot_server_scene import replied
from tests.cycle_scene import DAY_MS, HISTORY_DAYS, Scene, open_scene, paper_settings, small_tape
from tests.freqtrade_scene import (
    FET,
    LOGIN,
    NOW_MS,
    TAO,
    WLD,
    FakeBot,
    Told,
    opened,
    served_bot,
    trade,
)

HOUR_MS = 3_600_000
SYMBOLS = (FET, TAO, WLD, "BTC/USDT:USDT")
CLUSTERS = Clustering(np.arange(4), np.array([0, 0, 1, 2]), (FET, WLD, "BTC/USDT:USDT"), 0.6)
FULL = Block("FET", "long", "token_usd of FET/USDT:USDT at 12,000 USD, cap 10,000 USD")


def record(legs: dict[str, tuple[float, float]], *breaches: LimitBreach) -> CycleRecord:
    """A cycle after which bot and hedges hold this."""
    rows = tuple(LegRecord(s, bot, 0, hedge, 0, hedge, 1.0) for s, (bot, hedge) in legs.items())
    return CycleRecord("c1", "", 0, CycleStatus.NO_HEDGE, "", legs=rows, breaches_after=breaches)


def breach(cap: str, scope: str) -> LimitBreach:
    return LimitBreach(cap, scope, 12_000.0, 10_000.0, bot_alone=True, curable=True)


def test_a_token_over_its_cap_blocks_the_side_that_it_is_on() -> None:
    held = {FET: (15_000.0, -3_000.0), TAO: (-12_000.0, 0.0)}
    found = entry_blocks(
        record(held, breach("token_usd", FET), breach("token_usd", TAO)), CLUSTERS, SYMBOLS
    )
    assert [(one.base, one.side) for one in found] == [("FET", "long"), ("TAO", "short")]
    assert found[0].reason == FULL.reason


def test_a_cluster_over_its_cap_blocks_all_its_members_also_those_not_held() -> None:
    found = entry_blocks(
        record({FET: (15_000.0, -3_000.0)}, breach("cluster_net_usd", "cluster of FET")),
        CLUSTERS,
        SYMBOLS,
    )
    assert [(one.base, one.side) for one in found] == [("FET", "long"), ("TAO", "long")]


@pytest.mark.parametrize("cap", ["net_usd", "cae_usd", "cluster_gross_usd", "margin_use"])
def test_other_caps_block_nothing(cap: str) -> None:
    assert entry_blocks(record({FET: (1e6, 0.0)}, breach(cap, "")), CLUSTERS, SYMBOLS) == ()
    unknown = breach("cluster_net_usd", "cluster of AGIX")
    assert entry_blocks(record({FET: (1e6, 0.0)}, unknown), CLUSTERS, SYMBOLS) == ()


class Kept:
    """Locks in a bot, with what they told."""

    def __init__(self, bot: FakeBot, client: FreqtradeClient, source: FreqtradeSource) -> None:
        self.bot = bot
        self.told = Told()
        self.locks = EntryLocks(client, source, 600_000, self.told)

    def held(self) -> list[tuple[str, str]]:
        return [(one["pair"], one["side"]) for one in self.bot.locks]


@asynccontextmanager
async def keeping(bot: FakeBot) -> AsyncIterator[Kept]:
    """In a bot that was read once."""
    async with opened(bot) as (source, _):
        await source.read()
        client = FreqtradeClient("bot-a", bot.url, LOGIN, timeout_s=20)
        try:
            yield Kept(bot, client, source)
        finally:
            await client.close()


async def test_a_lock_is_set_kept_renewed_and_taken_away() -> None:
    bot = FakeBot(locks=[foreign(WLD)])
    async with keeping(bot) as kept:
        await kept.locks.keep([FULL, Block("ARKM", "long", "not listed")], NOW_MS + HOUR_MS)
        assert kept.held() == [(WLD, "*"), (FET, "long")]
        first = bot.locks[-1]
        assert first["reason"] == f"perphedge bot-a: {FULL.reason}"
        assert first["lock_end_timestamp"] >= NOW_MS + HOUR_MS + 600_000

        bot.asked.clear()
        await kept.locks.keep([FULL], NOW_MS + HOUR_MS)  # the same decision again
        assert bot.asked == ["GET locks"]

        await kept.locks.keep([FULL], NOW_MS + 2 * HOUR_MS)
        assert kept.held() == [(WLD, "*"), (FET, "long")]
        assert bot.locks[-1]["id"] != first["id"]
        assert bot.locks[-1]["lock_end_timestamp"] >= NOW_MS + 2 * HOUR_MS + 600_000

        await kept.locks.keep([], NOW_MS + 3 * HOUR_MS)
        assert kept.held() == [(WLD, "*")]  # what others set stays
        bot.asked.clear()
        await kept.locks.keep([], NOW_MS + 4 * HOUR_MS)
        assert bot.asked == []
    assert [name for name, _ in kept.told.events] == [
        "entry_locked",
        "entry_locked",
        "entry_unlocked",
    ]
    assert [one["renewed"] for one in kept.told.of("entry_locked")] == [False, True]


async def test_locks_of_an_earlier_run_are_found_and_doubles_go() -> None:
    bot = FakeBot()
    mine = [
        foreign(FET) | {"id": i, "side": "long", "reason": "perphedge bot-a: earlier"}
        for i in (5, 6)
    ]
    bot.locks = [*mine, mine[0] | {"id": 7, "reason": "perphedge bot-b: another"}]
    async with keeping(bot) as kept:
        await kept.locks.keep([FULL], NOW_MS)
        assert sorted(one["id"] for one in bot.locks) == [5, 7]
        await kept.locks.keep([], NOW_MS)
        assert [one["id"] for one in bot.locks] == [7]


async def test_a_lock_that_fails_is_told_and_tried_again() -> None:
    bot = FakeBot()
    async with keeping(bot) as kept:
        bot.faults["locks"] = replied("oops", 500)
        await kept.locks.keep([FULL], NOW_MS)
        (failed,) = kept.told.of("entry_locks_failed")
        assert "/locks: HTTP status 500" in failed["reason"]
        bot.faults = {"locks": replied('{"locks": [{"id": 1}]}')}
        await kept.locks.keep([FULL], NOW_MS)
        assert "locks[0].active: missing" in kept.told.of("entry_locks_failed")[1]["reason"]
        bot.faults = {}
        await kept.locks.keep([FULL], NOW_MS)
        assert kept.held() == [(FET, "long")]
        bot.faults["locks"] = replied("oops", 500)
        await kept.locks.keep([], NOW_MS)
        bot.faults = {}
        await kept.locks.keep([], NOW_MS)
        assert kept.held() == []


@dataclass
class Engine:
    """An engine that keeps locks in a bot whose FET is far over its cap."""

    scene: Scene
    bot: FakeBot
    told: Told

    @property
    def every_ms(self) -> int:
        return int(self.scene.settings.hedge.decide_every.total_seconds() * 1000)

    def lasts(self) -> bool:
        """Whether FET is locked until after the next decision."""
        ends = [lock["lock_end_timestamp"] for lock in self.bot.locks if lock["pair"] == FET]
        return bool(ends) and max(ends) >= self.scene.clock.now_ms() + self.every_ms

    def later(self) -> None:
        """The next decision is due."""
        self.scene.clock.advance_to(self.scene.clock.now_ms() + self.every_ms)


@asynccontextmanager
async def running(tmp_path: Path) -> AsyncIterator[Engine]:
    settings = paper_settings(tmp_path)
    caps = settings.caps.model_copy(update={"token_usd": 500.0})
    settings = settings.model_copy(update={"caps": caps})
    tape = small_tape()
    clock = SimulatedClock(tape.start_ms + HISTORY_DAYS * DAY_MS + 17 * 60_000)
    bot = FakeBot(trades=[trade(1, FET, 20_000.0), trade(2, TAO, 1.0)])
    async with served_bot(bot):
        client = FreqtradeClient("bot-a", bot.url, LOGIN, timeout_s=20)
        source = FreqtradeSource("bot-a", client, clock, 10**15)
        told = Told()
        locks = EntryLocks(client, source, 600_000, told)
        async with open_scene(
            tmp_path, settings=settings, tape=tape, clock=clock, source=source, lockers=(locks,)
        ) as scene:
            yield Engine(scene, bot, told)
        await source.close()


async def test_an_engine_locks_after_its_decisions_and_only_then(tmp_path: Path) -> None:
    async with running(tmp_path) as engine:
        scene, bot = engine.scene, engine.bot
        first = await scene.cycle()
        assert "token_usd" in {b.cap for b in first.breaches_after}
        (lock,) = bot.locks
        assert (lock["pair"], lock["side"]) == (FET, "long")
        assert lock["lock_end_timestamp"] >= scene.clock.now_ms() + engine.every_ms + 600_000

        bot.asked.clear()
        await scene.cycle()  # no decision is due
        assert not any("locks" in path for path in bot.asked)

        bot.trades = [trade(1, FET, 100.0), trade(2, TAO, 1.0)]
        engine.later()
        await scene.cycle()
        assert bot.locks == []
    assert [event for event, _ in engine.told.events] == ["entry_locked", "entry_unlocked"]


async def test_locks_that_failed_are_tried_again_after_the_next_cycle(tmp_path: Path) -> None:
    """A decision is an hour away, and a lock that is not there keeps nobody out."""
    async with running(tmp_path) as engine:
        scene, bot = engine.scene, engine.bot
        bot.faults["locks"] = replied("oops", 500)
        for _ in range(2):
            await scene.cycle()
            assert bot.locks == []
        bot.faults = {}
        await scene.cycle()  # no decision is due
        assert engine.lasts()
        bot.asked.clear()
        await scene.cycle()
        assert not any("locks" in path for path in bot.asked)
    assert [event for event, _ in engine.told.events] == ["entry_locks_failed", "entry_locked"]


async def test_locks_are_renewed_while_plans_are_stopped(tmp_path: Path) -> None:
    """The engine decides anew with each cycle then, and no decision is carried out."""
    async with running(tmp_path) as engine:
        scene = engine.scene
        scene.faults.by_call["depth_usd"] = UnreachableError("no answer")
        for _ in range(3):
            record = await scene.cycle()
            assert record.status in (CycleStatus.DENIED, CycleStatus.HELD)
            assert "token_usd" in {breach.cap for breach in record.breaches_after}
            assert engine.lasts()
            engine.later()


async def test_locks_are_renewed_as_they_were_while_nothing_can_be_seen(tmp_path: Path) -> None:
    async with running(tmp_path) as engine:
        scene = engine.scene
        await scene.cycle()
        for _ in range(3):
            engine.later()
            scene.faults.by_call["account"] = UnreachableError("no answer")
            assert (await scene.cycle()).status is CycleStatus.HELD
            assert engine.lasts()
        assert len(engine.bot.locks) == 1


async def test_locks_stay_where_a_cycle_breaks_off_after_its_decision(tmp_path: Path) -> None:
    """It has no figures of the book afterwards, so those before count."""
    async with running(tmp_path) as engine:
        scene = engine.scene
        await scene.cycle()
        engine.later()
        scene.faults.by_call["place"] = KeyError("a defect")
        engine.bot.trades = [trade(1, FET, 40_000.0), trade(2, TAO, 1.0)]
        record = await scene.cycle()
        assert (record.status, record.breaches_after) == (CycleStatus.HELD, ())
        assert engine.lasts()


async def test_a_halted_engine_locks_what_is_over_its_cap(tmp_path: Path) -> None:
    async with running(tmp_path) as engine:
        scene = engine.scene
        scene.halt_file.write_text("stop")
        assert (await scene.cycle()).status is CycleStatus.HALTED
        assert engine.lasts()
        engine.bot.asked.clear()
        await scene.cycle()
        assert not any("locks" in path for path in engine.bot.asked)
        engine.later()
        engine.bot.trades = [trade(1, FET, 100.0), trade(2, TAO, 1.0)]
        assert (await scene.cycle()).status is CycleStatus.HALTED
        assert engine.bot.locks == []


def foreign(pair: str) -> dict[str, object]:
    """A lock that the owner has set."""
    end = {"lock_end_timestamp": NOW_MS + 10 * HOUR_MS}
    return {"id": 1, "active": True, "pair": pair, "side": "*", "reason": "mine"} | end
