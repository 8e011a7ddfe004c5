"""What goes out in slices is covered by its approval, and by nothing else."""

from collections.abc import Mapping
from pathlib import Path

from bot.approval import Action, Asked, ProposalState, decide, pending
from bot.approval.reading import newest
from bot.records.cycle import CycleStatus
from bot.trading.orders import Side
from bot.trading.slices import Program
from config.settings import Settings
from tests.cycle_scene import FET, LONGS, Scene, open_scene, paper_settings

WHO = Asked("ana", "looks right")
MINUTE_H = 1 / 60


def settings_of(folder: Path, *, expires_minutes: float) -> Settings:
    """Hedges in slices, a minute apart, each of them after approval."""
    chosen = paper_settings(folder, autonomy="approve")
    sliced = {"style": "sliced", "breach_style": "sliced", "slice_depth_share": 0.001}
    execution = chosen.execution.model_copy(update={**sliced, "max_slices": 10})
    approval = chosen.approval.model_copy(update={"expires_minutes": expires_minutes})
    return chosen.model_copy(update={"execution": execution, "approval": approval})


async def begun(scene: Scene) -> Mapping[str, Program]:
    """Programs under way, of a proposal that was approved."""

    async def thin(_go_on: object) -> dict[Side, float]:
        return {Side.BUY: 1e6, Side.SELL: 1e6}

    scene.faults.by_call["depth_usd"] = thin
    assert (await scene.cycle()).status is CycleStatus.PROPOSED
    (found,) = pending(scene.journal, scene.folder, scene.clock.now_ms())
    now_ms = scene.clock.now_ms()
    decide(scene.journal, scene.folder, found.proposal_id, Action.APPROVE, WHO, now_ms=now_ms)
    scene.advance(MINUTE_H)
    assert (await scene.cycle()).status is CycleStatus.HEDGED
    active = scene.engine._parts.executor.programs.active
    assert active
    return active


def ends(scene: Scene) -> set[str]:
    """Why programs ended."""
    return {str(e.document["reason"]) for e in scene.journal.events(kind="program_ended")}


async def test_slices_go_on_while_the_approval_holds_and_end_with_it(tmp_path: Path) -> None:
    async with open_scene(tmp_path, settings=settings_of(tmp_path, expires_minutes=4)) as scene:
        active = await begun(scene)
        sent = len(scene.venue.placed)
        scene.advance(1.5 * MINUTE_H)  # slices are a minute apart, and up to a quarter late
        await scene.cycle()
        assert len(scene.venue.placed) > sent, "the approval still holds"
        sent = len(scene.venue.placed)
        scene.advance(3 * MINUTE_H)
        for _ in range(3):
            await scene.cycle()
            scene.advance(MINUTE_H)
        assert len(scene.venue.placed) == sent
        assert not active
        assert ends(scene) == {"a newer decision waits for approval"}, "a cap is still exceeded"


async def test_an_approval_that_is_over_covers_no_slice(tmp_path: Path) -> None:
    async with open_scene(tmp_path, settings=settings_of(tmp_path, expires_minutes=4)) as scene:
        active = await begun(scene)
        approving = scene.engine._approving
        assert approving is not None
        assert not approving.end_slices(scene.engine._parts.executor.programs)
        assert active
        scene.advance(4 * MINUTE_H)
        assert approving.end_slices(scene.engine._parts.executor.programs)
        assert not active
        assert ends(scene) == {"what was approved has expired"}


async def test_no_slice_goes_out_beside_a_newer_decision_that_waits(tmp_path: Path) -> None:
    async with open_scene(tmp_path, settings=settings_of(tmp_path, expires_minutes=600)) as scene:
        active = await begun(scene)
        sent = len(scene.venue.placed)
        more = {**LONGS, FET: "27000"}
        for _ in range(3):  # what has changed is believed when it was read twice
            scene.advance(MINUTE_H, more)
            record = await scene.cycle()
            if record.status is CycleStatus.PROPOSED:
                break
            sent = len(scene.venue.placed)
        assert record.status is CycleStatus.PROPOSED
        assert not active
        assert "a newer decision waits for approval" in ends(scene)
        for _ in range(3):
            scene.advance(MINUTE_H, more)
            await scene.cycle()
        assert len(scene.venue.placed) == sent
        found = newest(scene.journal, scene.settings.venue.account)
        assert found is not None
        assert found.state is ProposalState.PENDING
