"""A cycle's name is never used twice, not even by two engines within one second."""

from pathlib import Path

import pytest

from bot.cycle import Engine
from bot.records.cycle import CycleStatus
from tests.cycle_scene import open_scene


class Killed(BaseException):
    """The process is gone."""


async def test_an_engine_that_died_within_the_second_has_used_the_name(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        scene.faults.by_call["place"] = Killed()
        with pytest.raises(Killed):
            await scene.cycle()
        (used,) = scene.journal.cycles_with_intents()
        assert scene.journal.cycle_count() == 0, "it was never recorded"
        del scene.faults.by_call["place"]

        now_ms = scene.clock.now_ms()
        again = Engine(scene.engine._parts, scene.engine._policy)
        await again.start()
        assert scene.clock.now_ms() == now_ms
        record = await again.cycle()
        assert record.status is CycleStatus.HEDGED, record.reason
        assert record.cycle_id > used
        assert record.cycle_id[-7:] == used[-7:] == "-000001"
        assert scene.journal.cycles_with_intents() == {used, record.cycle_id}
