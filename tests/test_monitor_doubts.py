"""Small doubts hold nothing, as long as those of all bots and the account together are small."""

from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from bot.measuring.agreement import AgreementRule
from bot.measuring.doubts import Doubts
from bot.ports import ReportedPosition, SourceSnapshot
from risk.errors import DataError
from tests.execute_scene import FET
from tests.monitor_scene import Scene, Source, rows, scene

__all__ = ["scene"]  # a fixture


@dataclass
class Flapping(Source):
    """A bot whose list of positions is told whole and cut in turns, while it flaps."""

    told: list[str] = field(default_factory=list)
    base: str = "40"

    async def read(self) -> SourceSnapshot:
        base = Decimal(self.told.pop(0) if self.told else self.base)
        self.held = (ReportedPosition(FET, base),) if base else ()
        return await super().read()

    def flap(self, *told: str) -> None:
        self.told = list(told)


@pytest.fixture
def bots(scene: Scene) -> list[Flapping]:
    """Two bots with 40 FET at 0.50 USD each; a doubt of 25 USD is small."""
    scene.agreement = AgreementRule(pause_ms=100, doubt_usd=25.0)
    found = [Flapping(scene.clock, name=f"bot-{n}") for n in "ab"]
    scene.sources = list(found)
    return found


async def test_a_doubt_of_one_bot_holds_nothing(scene: Scene, bots: list[Flapping]) -> None:
    await scene.look()
    bots[0].flap("0", "20")
    seen = await scene.look()
    assert rows(seen)["bot", "bot-a", FET, "BOTH"] == 40.0, "as the largest that was told"
    bots[1].flap("0", "20")
    assert rows(await scene.look())["bot", "bot-b", FET, "BOTH"] == 40.0, "the other is over"


async def test_doubts_of_two_bots_count_together(scene: Scene, bots: list[Flapping]) -> None:
    await scene.look()
    for bot in bots:
        bot.flap("0", "20", "0", "20")
    with pytest.raises(DataError, match=r"source bot-[ab]: of 4 reads of its positions no 2"):
        await scene.look()
    for bot in bots:
        bot.flap()
    await scene.look()


async def test_the_account_and_a_bot_count_together(scene: Scene, bots: list[Flapping]) -> None:
    scene.venue_holds(FET="40")  # somebody's
    await scene.look()
    bots[0].flap("0", "20")
    scene.venue_tells = [{"FET": base} for base in ("0", "20", "0", "20")]
    with pytest.raises(DataError, match="hedge account hedge: of 4 reads"):
        await scene.look()


def test_what_is_left_in_doubt_takes_from_what_others_may_leave() -> None:
    doubts = Doubts()
    assert doubts.left("a", 20.0, most_usd=25.0)
    assert not doubts.left("b", 5.1, most_usd=25.0)
    assert doubts.left("b", 5.0, most_usd=25.0)
    assert doubts.left("a", 19.0, most_usd=25.0), "its own of before counts no more"
    doubts.over("a")
    assert doubts.left("b", 25.0, most_usd=25.0)
    doubts.begin()
    assert doubts.left("c", 25.0, most_usd=25.0)
