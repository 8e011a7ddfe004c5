"""What one read says of other people's positions is not acted upon until another one agrees."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clock import SimulatedClock
from bot.journal.journal import Journal
from bot.measuring.agreement import Agreement, AgreementRule, Told
from bot.measuring.belief import Quantities, changes
from risk.errors import DataError
from tests.execute_scene import FET, NOW_MS, TAO

RULE = AgreementRule(reads=2, change_share=0.2, pause_ms=500)


def of(quantity: str | None) -> Quantities:
    return {} if quantity is None else {(FET, "BOTH"): Decimal(quantity)}


class Reader:
    """Tells one thing after the other; the last one again and again."""

    def __init__(self, *told: str | None) -> None:
        self.told = [of(one) for one in told]
        self.reads = 0

    async def read(self) -> Quantities:
        self.reads += 1
        return self.told.pop(0) if len(self.told) > 1 else self.told[0]


class Scene:
    def __init__(self, journal: Journal, clock: SimulatedClock) -> None:
        self.journal, self.clock = journal, clock
        self.agreement = self.anew(RULE)

    def anew(self, rule: AgreementRule) -> Agreement:
        return Agreement("source bot-a", rule, self.journal, self.clock)

    async def sees(self, *told: str | None) -> tuple[Quantities, int]:
        """What is believed, and after how many reads."""
        reader = Reader(*told)
        return (await self.agreement.agreed(reader.read, Told)).read, reader.reads

    @property
    def events(self) -> Sequence[dict[str, object]]:
        return [dict(e.document) for e in self.journal.events(kind="external_positions")]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    clock = SimulatedClock(NOW_MS)
    with Journal.open(tmp_path / "journal.sqlite", clock) as journal:
        yield Scene(journal, clock)


async def test_the_first_look_is_confirmed_too(scene: Scene) -> None:
    assert await scene.sees("100") == (of("100"), 2)
    assert scene.clock.now_ms() == NOW_MS + 500
    assert await scene.sees("100") == (of("100"), 1)


@pytest.mark.parametrize("wrong", ["100000", "0.1", None, "-100"])
async def test_a_position_that_is_wrong_for_one_read_moves_nothing(
    scene: Scene, wrong: str | None
) -> None:
    await scene.sees("100")
    assert await scene.sees(wrong, "100") == (of("100"), 2)
    [told] = scene.events
    assert told["confirmed"] == {}
    assert told["refuted"] == {FET: f"100 to {wrong or 0}"}
    assert await scene.sees("100") == (of("100"), 1)


async def test_what_two_reads_agree_on_is_believed_and_written_down(scene: Scene) -> None:
    await scene.sees("100")
    assert await scene.sees("250", "260") == (of("260"), 2)
    [told] = scene.events
    assert told["confirmed"] == {FET: "100 to 260"}
    assert await scene.sees(None, None) == ({}, 2)


async def test_small_changes_are_believed_at_once(scene: Scene) -> None:
    await scene.sees("100")
    for quantity in ("115", "120", "110"):
        assert await scene.sees(quantity) == (of(quantity), 1)
    assert scene.events == []


async def test_reads_that_never_agree_hold_the_cycle(scene: Scene) -> None:
    await scene.sees("100")
    with pytest.raises(DataError, match=r"^source bot-a: of 4 reads of its positions no 2 in a"):
        await scene.sees("1", "1000", "3", "5000", "7")
    assert await scene.sees("100") == (of("100"), 1), "the last that was believed still is"


async def test_the_last_read_counts_as_the_others_do(scene: Scene) -> None:
    await scene.sees("100")
    assert await scene.sees("1", "1000", "300", "300") == (of("300"), 4)


async def test_how_many_must_agree_is_the_owners_choice(scene: Scene) -> None:
    scene.agreement = scene.anew(AgreementRule(reads=3, pause_ms=0))
    assert await scene.sees("100") == (of("100"), 3)
    assert await scene.sees("900", "900", "100") == (of("100"), 3)
    scene.agreement = scene.anew(AgreementRule(reads=1, pause_ms=0))
    assert await scene.sees("100") == (of("100"), 1)
    assert await scene.sees("100000") == (of("100000"), 1)


@given(before=st.integers(-1000, 1000), now=st.integers(-1000, 1000), share=st.floats(0, 0.99))
def test_new_gone_and_turned_round_always_count_as_changes(
    before: int, now: int, share: float
) -> None:
    keys = (FET, "BOTH"), (TAO, "SHORT")
    found = changes(
        {keys[0]: Decimal(before), keys[1]: Decimal(5)},
        {keys[0]: Decimal(now), keys[1]: Decimal(5)},
        share,
    )
    assert keys[1] not in found
    if before * now <= 0 and before != now:
        assert keys[0] in found
    if before == now:
        assert not found
