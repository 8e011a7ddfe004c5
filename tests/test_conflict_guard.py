"""Hands off what bots hold, list or have orders in: at the start and at every cycle."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bot.cli.records import margin_lines
from bot.errors import SafetyError, UnreachableError
from bot.measuring.conflict import Conflicts, find_conflicts
from bot.measuring.universe import base_of
from bot.ports import Clock, ReportedPosition, SourceAccount, SourceSnapshot
from config.settings import Settings
from tests.cycle_scene import BASES, Scene, open_scene, own_positions, paper_settings

UNIVERSE = tuple(f"{base}/USDT:USDT" for base in BASES)
BASE_UNITS = {"BTC": "0.1", "ETH": "3", "FET": "9000", "TAO": "25", "RENDER": "1500"}
BASE_UNITS |= {"NEAR": "3000", "WLD": "4000", "INJ": "500", "VIRTUAL": "4000"}


@dataclass
class Bot:
    """Holds and lists what it is told to."""

    held: dict[str, str] = field(default_factory=dict)
    listed: frozenset[str] = frozenset()
    name: str = "bot"
    max_age_ms: int = 60_000
    clock: Clock | None = None
    fails: bool = False

    async def read(self) -> SourceSnapshot:
        if self.fails or self.clock is None:
            raise UnreachableError("source bot: no reply")
        positions = tuple(ReportedPosition(s, Decimal(q)) for s, q in self.held.items())
        now_ms = self.clock.now_ms()
        money = SourceAccount(now_ms, equity_usd=9_000.0, free_usd=4_000.0)
        return SourceSnapshot(self.name, now_ms, positions, self.listed, account=money)

    async def close(self) -> None:
        pass


def shared(folder: Path, **hedge: Any) -> Settings:
    settings = paper_settings(folder, **hedge)
    venue = settings.venue.model_copy(update={"ownership": "shared"})
    return settings.model_copy(update={"venue": venue})


def test_conflicts_by_hand() -> None:
    def found(**changes: Any) -> Conflicts:
        given: dict[str, Any] = {"universe": ("A/USDT:USDT", "B/USDT:USDT"), "hedges": ()}
        given |= {"held_by_bot": (), "listed_by_bot": ()}
        return find_conflicts(**(given | changes))

    assert found() == Conflicts({}, nothing_left=False, lasting=False)
    by_token = found(hedges=("B/USDT:USDT",), held_by_bot=("B/USDC:USDC",))
    assert by_token.hedges == {"B/USDT:USDT": "hands off: held by a bot"}
    assert not by_token.nothing_left
    both = found(held_by_bot=("A/USDT:USDT",), listed_by_bot=("B/USDT:USDT",))
    assert (both.nothing_left, both.lasting) == (True, False)
    listed = found(listed_by_bot=("A/USDT:USDT", "B/USDT:USDT"))
    assert (listed.nothing_left, listed.lasting) == (True, True)
    assert found(universe=()).nothing_left is False  # then nothing is looked for at all


@pytest.fixture(params=[0, 1])
def random(request: pytest.FixtureRequest) -> Random:
    return Random(request.param)


@pytest.mark.parametrize("one_account", [False, True])
async def test_no_order_ever_grows_a_hedge_in_what_a_bot_holds_or_lists(
    tmp_path: Path, random: Random, one_account: bool
) -> None:
    """A bot that holds something else at every decision, before the real planner and executor."""
    settings = (shared if one_account else paper_settings)(tmp_path)
    bot = Bot(held={UNIVERSE[2]: BASE_UNITS["FET"], UNIVERSE[3]: BASE_UNITS["TAO"]})
    shrunk, grown = 0, 0
    async with open_scene(tmp_path, settings=settings, source=bot) as scene:
        bot.clock = scene.clock
        for _ in range(6):
            before, sent = dict(own_positions(scene)), len(scene.venue.placed)
            record = await scene.cycle()
            after = own_positions(scene)
            theirs = {base_of(s) for s in bot.held}
            assert record.bot_gross_usd, record.reason
            for symbol in {s for s, _ in (*before, *after)}:
                then = abs(before.get((symbol, "BOTH"), Decimal(0)))
                now = abs(after.get((symbol, "BOTH"), Decimal(0)))
                listed = one_account and symbol in bot.listed
                if base_of(symbol) in theirs or listed:
                    assert now <= then, f"{symbol}: {then} grew to {now}"
                    shrunk += now < then
                else:
                    grown += now > then
            for order in scene.venue.placed[sent:]:
                if base_of(order.symbol) in theirs or (one_account and order.symbol in bot.listed):
                    assert order.reduce_only, order
            scene.clock.advance_to(scene.clock.now_ms() + 5 * 3_600_000)
            held = random.sample(UNIVERSE, 3)
            bot.held = {s: BASE_UNITS[base_of(s)] for s in held}
            bot.listed = frozenset(random.sample(UNIVERSE, 2))
        told = scene.journal.events(kind="hedge_hands_off")
        over = scene.journal.events(kind="hedge_hands_off_over")
        last = record
    assert shrunk > 0
    assert grown > 0
    assert told
    assert over
    margin = last.bot_margin
    assert margin is not None
    assert margin["shared_account"] is one_account
    assert (margin["hedges_usd"] > 0) is (one_account and bool(own_gross(last)))
    lines = dict(margin_lines({"bot_margin": margin}))
    assert lines["Money of bot"] == "equity 9,000 USD, free 4,000 USD"
    assert ("Bot's margin that hedges take" in lines) is one_account


def own_gross(record: Any) -> float:
    return sum(abs(leg.hedge_before_usd) for leg in record.legs)


async def started(scene: Scene, bot: Bot) -> None:
    bot.clock = scene.clock
    await scene.engine.require_room()


async def test_where_bots_list_everything_a_shared_account_is_refused(tmp_path: Path) -> None:
    bot = Bot(listed=frozenset(UNIVERSE))
    async with open_scene(tmp_path, settings=shared(tmp_path), source=bot) as scene:
        with pytest.raises(SafetyError) as caught:
            await started(scene, bot)
        assert "bots list or have orders in all 9 symbols" in str(caught.value)
        assert "venue.ownership: sub_account" in str(caught.value)
        (event,) = scene.journal.events(kind="refused")
        assert event.document == {"control": "hands_off", "reason": str(caught.value)}


@pytest.mark.parametrize("one_account", [False, True])
async def test_what_they_only_hold_or_list_elsewhere_is_no_reason(
    tmp_path: Path, one_account: bool
) -> None:
    bot = Bot(held={s: BASE_UNITS[base_of(s)] for s in UNIVERSE})
    settings = paper_settings(tmp_path)
    if one_account:
        settings = shared(tmp_path)
    else:
        bot.listed = frozenset(UNIVERSE)
    async with open_scene(tmp_path, settings=settings, source=bot) as scene:
        await started(scene, bot)
        assert scene.journal.events(kind="refused") == []
        record = await scene.cycle()
        assert record.orders == ()
        assert len(scene.journal.events(kind="nothing_left_to_hedge_with")) == 1
        scene.clock.advance_to(scene.clock.now_ms() + 60_000)
        bot.held = {UNIVERSE[2]: BASE_UNITS["FET"]}
        await scene.cycle()
        assert len(scene.journal.events(kind="hedgeable_again")) == 1


async def test_hedges_of_ours_are_looked_after_however_much_is_listed(tmp_path: Path) -> None:
    bot = Bot(held={s: BASE_UNITS[base_of(s)] for s in UNIVERSE[2:5]})
    async with open_scene(tmp_path, settings=shared(tmp_path), source=bot) as scene:
        bot.clock = scene.clock
        await scene.cycle()
        hedged = {symbol for symbol, _ in own_positions(scene)}
        assert hedged
        bot.listed = frozenset(UNIVERSE)
        await started(scene, bot)
        told = {e["symbol"] for e in scene.events if e["event"] == "hedge_hands_off_at_start"}
        assert told == hedged
        assert [e["event"] for e in scene.events].count("nothing_left_at_start") == 1


async def test_a_bot_that_is_silent_at_the_start_may_come_later(tmp_path: Path) -> None:
    bot = Bot(fails=True)
    async with open_scene(tmp_path, settings=shared(tmp_path), source=bot) as scene:
        await started(scene, bot)
        (event,) = [e for e in scene.events if e["event"] == "conflicts_unknown"]
        assert event["reason"] == "source bot: no reply"


async def test_a_hedge_beside_what_the_bot_holds_in_the_same_account_is_told(
    tmp_path: Path,
) -> None:
    """The account nets both: ours is what the journal has, the rest is the bot's."""
    bot = Bot(held={UNIVERSE[2]: BASE_UNITS["FET"]})
    async with open_scene(tmp_path, settings=shared(tmp_path), source=bot) as scene:
        bot.clock = scene.clock
        await scene.cycle()
        (symbol, side), own = next(iter(own_positions(scene).items()))

        async def with_more(go_on: Any) -> Any:
            account = await go_on()
            more = {**account.base_quantity, (symbol, side): own * 3}
            return replace(account, base_quantity=more)

        await started(scene, bot)
        assert [e for e in scene.events if e["event"] == "hedge_hands_off_at_start"] == []
        scene.faults.by_call["account"] = with_more
        await started(scene, bot)
        (told,) = [e for e in scene.events if e["event"] == "hedge_hands_off_at_start"]
        assert (told["symbol"], told["reason"]) == (symbol, "hands off: held by a bot")
