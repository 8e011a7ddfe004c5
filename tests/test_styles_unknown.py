"""Resting orders of which nobody heard whether they arrived, and programs that are given up."""

from decimal import Decimal
from pathlib import Path

from bot.errors import VenueError
from bot.records.cycle import CycleStatus
from bot.trading.orders import OrderOutcome, OrderRequest, OrderState, Side, UnknownOutcome
from tests.cycle_scene import open_scene, paper_settings
from tests.execute_scene import ACCOUNT, FET, NOW_MS, TAO, leg, plan_of
from tests.styles_scene import Street, StyleStage, open_styles

SHORT_FET = leg(FET, Decimal(0), Decimal(-2000), 0.5)  # 1000 USD
SHORT_TAO = leg(TAO, Decimal(0), Decimal(-2), 400.0)
WHOLE = {(FET, "BOTH"): Decimal(-2000)}


def lose_replies(stage: StyleStage, *, arrives: bool) -> None:
    """Of orders in FET that are to rest."""
    real = stage.venue.place

    async def place(order: OrderRequest) -> OrderOutcome:
        lost = order.symbol == FET and order.time_in_force == "GTX"
        if arrives or not lost:
            outcome = await real(order)
        return UnknownOutcome(order.client_id, "no reply") if lost else outcome

    stage.venue.place = place  # type: ignore[method-assign] # played


def blind(until_ms: int) -> object:
    def silent(street: Street, what: str) -> None:
        if what == "find" and street.clock.now_ms() < until_ms:
            raise VenueError("no answer")

    return silent


async def test_an_order_whose_reply_is_lost_is_found_resting_and_goes_on(tmp_path: Path) -> None:
    async with open_styles(tmp_path) as stage:
        lose_replies(stage, arrives=True)
        stage.street.later(3, FET, 0.503)
        report = await stage.run(plan_of(SHORT_FET))
        assert stage.own == WHOLE
        assert [r.state for r in report.results] == [OrderState.FILLED]
        assert report.fills[0].maker
        assert stage.cancels() == []
        assert stage.clock.now_ms() == NOW_MS + 3_000


async def test_one_that_nobody_can_find_is_cancelled_by_its_id_when_the_time_is_up(
    tmp_path: Path,
) -> None:
    async with open_styles(tmp_path) as stage:
        lose_replies(stage, arrives=True)
        stage.street.at = blind(NOW_MS + 15_000)  # type: ignore[assignment] # played
        await stage.run(plan_of(SHORT_FET))
        first = stage.venue.placed[0]
        assert stage.venue.cancelled == [first.client_id]
        assert stage.cancels() == ["cancel_sending", "cancel_confirmed"]
        assert stage.account.open_orders() == []
        assert stage.clock.now_ms() == NOW_MS + 15_000, "not with the next cycle"
        assert [o.time_in_force for o in stage.venue.placed] == ["GTX", "IOC"]
        assert stage.own == WHOLE, "what is left is taken, once the order's end is known"
        assert stage.journal.unresolved_orders(ACCOUNT) == ()


async def test_what_it_filled_unseen_is_not_sold_again(tmp_path: Path) -> None:
    async with open_styles(tmp_path) as stage:
        lose_replies(stage, arrives=True)
        stage.street.at = blind(NOW_MS + 15_000)  # type: ignore[assignment]
        stage.street.later(5, FET, 0.503)
        await stage.run(plan_of(SHORT_FET))
        assert len(stage.venue.placed) == 1
        assert stage.cancels() == [], "the last look finds it filled"
        assert stage.own == WHOLE


async def test_one_that_never_arrived_blocks_its_symbol_alone(tmp_path: Path) -> None:
    async with open_styles(tmp_path) as stage:
        lose_replies(stage, arrives=False)
        stage.street.later(3, TAO, 405.0)
        report = await stage.run(plan_of(SHORT_FET, SHORT_TAO))
        assert stage.own == {(TAO, "BOTH"): Decimal(-2)}
        assert {r.request.symbol: r.state for r in report.results} == {
            TAO: OrderState.FILLED,
            FET: OrderState.UNKNOWN,
        }
        assert stage.cancels() == ["cancel_sending", "cancel_unknown"]
        [row] = stage.journal.unresolved_orders(ACCOUNT)
        assert (row.symbol, row.state) == (FET, OrderState.UNKNOWN)
        assert len([o for o in stage.venue.placed if o.symbol == FET]) == 0, "none arrived"


async def test_a_program_that_is_given_up_wakes_a_decision(tmp_path: Path) -> None:
    chosen = paper_settings(tmp_path)
    update = {
        "style": "sliced",
        "breach_style": "sliced",
        "slice_depth_share": 0.0005,
        "max_slices": 4,
        "slice_every_seconds": 60.0,
    }
    caps = (
        "net_usd",
        "beta_net_usd",
        "cae_usd",
        "cluster_gross_usd",
        "token_usd",
        "sector_net_usd",
    )
    loose = dict.fromkeys(caps, 1e8)
    sections = {
        "execution": chosen.execution.model_copy(update=update),
        "caps": chosen.caps.model_copy(update=loose),  # no breach is to wake it
    }
    async with open_scene(tmp_path, settings=chosen.model_copy(update=sections)) as scene:

        async def thin(_go_on: object) -> dict[Side, float]:
            return {Side.BUY: 1e6, Side.SELL: 1e6}

        async def empty(_go_on: object) -> dict[Side, float]:
            return {Side.BUY: 0.0, Side.SELL: 0.0}

        scene.faults.by_call["depth_usd"] = thin
        first = await scene.cycle()
        assert first.breaches_before == ()
        programs = scene.engine._parts.executor.programs
        begun = set(programs.active)
        assert begun
        scene.faults.by_call["depth_usd"] = empty  # no slice can go out
        scene.advance(hours=9 / 60)
        given_up = await scene.cycle()
        assert given_up.proposal is not None
        assert given_up.proposal.strategy == "sliced", "no decision was due"
        assert programs.active == {}
        ended = scene.journal.events(kind="program_ended")
        assert {e.document["symbol"] for e in ended} == begun
        scene.faults.by_call["depth_usd"] = thin
        scene.advance(hours=1 / 60)
        record = await scene.cycle()
        assert record.proposal is not None
        assert record.proposal.strategy != "sliced", "long before the next decision is due"
        assert record.status is CycleStatus.HEDGED
        assert set(programs.active) & begun
