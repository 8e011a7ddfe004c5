"""A whole engine whose decisions wait for somebody: nothing is sent that nobody approved."""

from pathlib import Path

import pytest

from bot.approval import Action, Asked, Decision, PendingProposal, ProposalState, decide, pending
from bot.approval.reading import newest
from bot.errors import HaltedError, SafetyError, UsageError
from bot.records.cycle import CycleStatus
from tests.cycle_scene import FET, LONGS, Scene, open_scene, own_positions, paper_settings

WHO = Asked("ana", "looks right")
MINUTE_H = 1 / 60


def waiting(scene: Scene) -> PendingProposal:
    """The only proposal that waits."""
    (found,) = pending(scene.journal, scene.folder, scene.clock.now_ms())
    return found


def say(scene: Scene, action: Action, proposal_id: str) -> Decision:
    """Somebody's decision, as command line and pages leave it."""
    now_ms = scene.clock.now_ms()
    return decide(scene.journal, scene.folder, proposal_id, action, WHO, now_ms=now_ms)


def state_of(scene: Scene) -> ProposalState:
    found = newest(scene.journal, scene.settings.venue.account)
    assert found is not None
    return found.state


def kinds(scene: Scene) -> list[str]:
    return [e.kind for e in scene.journal.events() if e.kind.startswith(("proposal", "decision"))]


async def first_proposal(scene: Scene) -> PendingProposal:
    record = await scene.cycle()
    found = waiting(scene)
    assert record.status is CycleStatus.PROPOSED
    assert record.reason.startswith(f"proposal {found.proposal_id} waits for approval until ")
    assert record.orders == ()
    return found


async def test_nothing_is_sent_before_somebody_approves_and_then_once(tmp_path: Path) -> None:
    async with open_scene(tmp_path, settings=paper_settings(tmp_path, autonomy="approve")) as scene:
        found = await first_proposal(scene)
        assert found.opens_usd > 0
        assert found.notional_usd == pytest.approx(found.opens_usd)
        assert all(leg.trade_usd < 0 for leg in found.legs)
        scene.advance(MINUTE_H)
        assert (await scene.cycle()).orders == ()
        assert waiting(scene).proposal_id == found.proposal_id, "the same, as long as it holds"
        assert not scene.venue.placed

        said = say(scene, Action.APPROVE, found.proposal_id)
        assert not said.repeated
        assert waiting(scene).asked is Action.APPROVE
        again = say(scene, Action.APPROVE, found.proposal_id)
        assert again.repeated
        assert again.text == f"Proposal {found.proposal_id} was approved already (ana); " + (
            "nothing was changed"
        )
        scene.advance(MINUTE_H)
        record = await scene.cycle()
        assert record.status is CycleStatus.HEDGED, record.reason
        shown = {leg.symbol: leg.trade_usd for leg in found.legs}
        sold = {s: float(q) for (s, _), q in own_positions(scene).items()}
        assert sold.keys() <= shown.keys()
        assert {leg.symbol for leg in record.legs if leg.trade_usd} <= shown.keys()
        for leg in record.legs:
            assert abs(leg.hedge_after_usd) <= 1.1 * abs(shown.get(leg.symbol, 0.0)) + 1
        assert state_of(scene) is ProposalState.EXECUTED

        sent = len(scene.venue.placed)
        assert say(scene, Action.APPROVE, found.proposal_id).repeated
        scene.advance(MINUTE_H)
        await scene.cycle()
        assert len(scene.venue.placed) == sent, "approved once more, sent not once more"
        assert not list(scene.folder.glob("APPROVE-*"))
        assert kinds(scene) == [
            "proposal_pending",
            "proposal_approved",
            "proposal_executing",
            "proposal_executed",
        ]


async def test_a_proposal_ends_by_itself_and_is_made_anew_while_a_cap_is_exceeded(
    tmp_path: Path,
) -> None:
    async with open_scene(tmp_path, settings=paper_settings(tmp_path, autonomy="approve")) as scene:
        found = await first_proposal(scene)
        scene.advance(1.0)
        with pytest.raises(SafetyError, match=f"{found.proposal_id}: has expired at "):
            say(scene, Action.APPROVE, found.proposal_id)
        await scene.cycle()
        ended = scene.journal.events(kind="proposal_expired")
        assert [e.document["proposal_id"] for e in ended] == [found.proposal_id]
        with pytest.raises(SafetyError, match="it is expired: nobody decided until "):
            say(scene, Action.APPROVE, found.proposal_id)
        assert found.cures
        assert waiting(scene).proposal_id != found.proposal_id
        assert not scene.venue.placed


async def test_what_was_rejected_is_not_asked_again_until_it_grows(tmp_path: Path) -> None:
    async with open_scene(tmp_path, settings=paper_settings(tmp_path, autonomy="approve")) as scene:
        found = await first_proposal(scene)
        assert say(scene, Action.REJECT, found.proposal_id).text.startswith("Rejected: ")
        with pytest.raises(SafetyError, match="ana has rejected it"):
            say(scene, Action.APPROVE, found.proposal_id)
        for _ in range(2):
            scene.advance(MINUTE_H)
            record = await scene.cycle()
            assert record.reason.startswith(f"ana rejected proposal {found.proposal_id}")
        assert say(scene, Action.REJECT, found.proposal_id).repeated
        with pytest.raises(SafetyError, match="it is rejected: looks right"):
            say(scene, Action.APPROVE, found.proposal_id)
        scene.advance(MINUTE_H, {**LONGS, FET: "18000"})
        await scene.cycle()
        scene.advance(MINUTE_H, {**LONGS, FET: "18000"})
        await scene.cycle()
        assert waiting(scene).notional_usd > found.notional_usd
        assert not scene.venue.placed


async def test_an_approval_of_what_has_grown_is_refused_and_asked_anew(tmp_path: Path) -> None:
    async with open_scene(tmp_path, settings=paper_settings(tmp_path, autonomy="approve")) as scene:
        found = await first_proposal(scene)
        say(scene, Action.APPROVE, found.proposal_id)
        scene.advance(MINUTE_H, {FET: "27000", "TAO/USDT:USDT": "75", "WLD/USDT:USDT": "12000"})
        record = await scene.cycle()
        assert record.status is CycleStatus.PROPOSED
        assert record.reason.startswith(f"proposal {found.proposal_id} was approved, but ")
        fresh = waiting(scene)
        assert fresh.proposal_id != found.proposal_id
        assert not scene.venue.placed
        with pytest.raises(SafetyError, match="it is refused: "):
            say(scene, Action.APPROVE, found.proposal_id)


async def test_a_word_on_an_earlier_proposal_is_told_of_once(tmp_path: Path) -> None:
    async with open_scene(tmp_path, settings=paper_settings(tmp_path, autonomy="approve")) as scene:
        await first_proposal(scene)
        with pytest.raises(UsageError, match="proposal 7-abcdef: there is none; perphedge propos"):
            say(scene, Action.APPROVE, "7-abcdef")
        (scene.folder / "APPROVE-7-abcdef").write_text('{"by": "eve", "reason": "x"}')
        (scene.folder / "APPROVE-8-abcdef").write_text("not json")
        await scene.cycle()
        told = {e.document["reason"] for e in scene.journal.events(kind="decision_refused")}
        assert told == {
            "it is not the newest proposal any more",
            "it names nobody or no reason",
        }
        assert not list(scene.folder.glob("APPROVE-*"))
        assert not scene.venue.placed


async def test_a_halt_ends_an_approval_and_lets_nobody_give_one(tmp_path: Path) -> None:
    async with open_scene(tmp_path, settings=paper_settings(tmp_path, autonomy="approve")) as scene:
        found = await first_proposal(scene)
        say(scene, Action.APPROVE, found.proposal_id)
        scene.halt_file.write_text("enough\n")
        record = await scene.cycle()
        assert record.status is CycleStatus.HALTED
        assert state_of(scene) is ProposalState.REFUSED
        scene.engine.guard.resume(Asked("ana", "all good"))
        scene.advance(MINUTE_H)
        assert (await scene.cycle()).status is CycleStatus.PROPOSED, "asked anew after a resume"
        fresh = waiting(scene)
        scene.halt_file.write_text("enough\n")
        with pytest.raises(HaltedError, match="trading is halted \\(enough\\); resume first"):
            say(scene, Action.APPROVE, fresh.proposal_id)
        assert not scene.venue.placed


async def hedged(scene: Scene) -> None:
    found = await first_proposal(scene)
    say(scene, Action.APPROVE, found.proposal_id)
    scene.advance(MINUTE_H)
    assert (await scene.cycle()).status is CycleStatus.HEDGED


async def test_hedges_of_a_bot_that_has_closed_are_unwound_unasked(tmp_path: Path) -> None:
    async with open_scene(tmp_path, settings=paper_settings(tmp_path, autonomy="approve")) as scene:
        await hedged(scene)
        for _ in range(6):
            scene.advance(1.0, {})
            await scene.cycle()
        assert not any(own_positions(scene).values())
        assert kinds(scene).count("proposal_approved") == 1
        closing = [o for o in scene.venue.placed if o.side == "buy"]
        assert closing
        assert all(o.reduce_only for o in closing)


async def test_reductions_wait_where_the_owner_wants_to_be_asked(tmp_path: Path) -> None:
    settings = paper_settings(tmp_path, autonomy="approve")
    approval = settings.approval.model_copy(update={"reductions": "ask"})
    settings = settings.model_copy(update={"approval": approval})
    async with open_scene(tmp_path, settings=settings) as scene:
        await hedged(scene)
        before = own_positions(scene)
        for _ in range(6):
            scene.advance(1.0, {})
            await scene.cycle()
        assert own_positions(scene) == before
        found = waiting(scene)
        assert found.opens_usd == 0
        say(scene, Action.APPROVE, found.proposal_id)
        scene.advance(MINUTE_H, {})
        await scene.cycle()
        assert not any(own_positions(scene).values())
