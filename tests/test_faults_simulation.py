"""A short run of the fault simulation: no promise is broken, and it repeats to the byte."""

import json
import os
import subprocess
import sys
from collections import Counter
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, getcontext, localcontext

import pytest
from ccxt.base.decimal_to_precision import decimal_to_precision

from bot.faults.kinds import CRASH_POINTS, PLAYABLE
from bot.faults.phases import Phase, all_pairs, phases
from bot.faults.runner import play_chunk, run_many
from bot.faults.schedule import Outcome, run_seed
from tests.planted_sending import paper_orders_mirrored

STEPS = 100


@pytest.fixture(scope="module")
def singles() -> list[Outcome]:
    """Each fault that can be played, alone: about 10,000 steps, 15 seconds on a quiet machine."""
    return [run_seed(seed, STEPS) for seed in range(len(PLAYABLE))]


def test_no_promise_is_broken_under_any_fault(singles: list[Outcome]) -> None:
    broken = {one.seed: one.violations[:2] for one in singles if one.violations}
    assert broken == {}


def test_nearly_all_end_ready_and_inside_their_band(singles: list[Outcome]) -> None:
    ended = Counter(one.ended for one in singles)
    assert ended["ready"] >= 0.9 * len(singles), ended


def test_nearly_every_fault_strikes_when_it_is_on(singles: list[Outcome]) -> None:
    silent = {PLAYABLE[o.seed] for o in singles if not o.fired.get(PLAYABLE[o.seed])}
    assert len(silent) <= 10, silent  # a short run may hold no close, or no lost reply


def test_orders_were_sent_and_filled(singles: list[Outcome]) -> None:
    assert sum(one.orders_sent for one in singles) > 300
    assert sum(one.orders_filled for one in singles) > 250


@pytest.mark.parametrize("beside", ["power_loss", "sigkill"])
def test_a_sync_that_is_lost_once_breaks_no_promise(beside: str) -> None:
    """Beside the numbered schedules, with what may show that the disk has it not."""
    phase = Phase(("sync_lost_once", beside))
    played = [run_seed(seed, STEPS, stretches=(phase,)) for seed in range(3)]
    assert [one.violations for one in played] == [[]] * 3
    assert sum(one.fired.get("sync_lost_once", 0) for one in played) >= 3
    assert {one.ended for one in played} == {"ready"}


def test_processes_die_at_boundaries_of_the_list_only(singles: list[Outcome]) -> None:
    crossed = set().union(*(one.crossed for one in singles))
    assert crossed <= set(CRASH_POINTS)
    assert {"journal.sync.before", "network.place.before", "network.place.after"} <= crossed


def test_the_same_seed_gives_the_same_trace_in_another_process() -> None:
    """Also under another seed of Python's hashes."""
    here = run_seed(77, STEPS, keep_trace=True)
    code = f"from bot.faults.schedule import run_seed; print(run_seed(77, {STEPS}).digest)"
    for hash_seed in ("0", "4242"):
        there = subprocess.run(  # noqa: S603 - this very interpreter
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert there.stdout.strip() == here.digest
    assert len(here.lines) > 50


def test_a_rounding_that_ccxt_leaves_behind_changes_nothing() -> None:
    with localcontext() as context:
        context.rounding = ROUND_HALF_EVEN
        before = run_seed(77, STEPS).digest
        decimal_to_precision("1.25", precision=1)
        assert getcontext().rounding == ROUND_HALF_UP  # what this test is about
        assert run_seed(77, STEPS).digest == before
        assert getcontext().rounding == ROUND_HALF_UP  # and left as it was found


def test_other_seeds_give_other_traces() -> None:
    kinds = [Phase(("stall",))]
    one, other = (run_seed(seed, 60, stretches=kinds).digest for seed in (1, 2))
    assert one != other


def test_seeds_play_singles_then_pairs_then_triples() -> None:
    assert [phases(seed)[0].kinds for seed in range(len(PLAYABLE))] == [(k,) for k in PLAYABLE]
    played = {
        pair.kinds
        for seed in range(len(PLAYABLE), len(PLAYABLE) + len(all_pairs()) // 2)
        for pair in phases(seed)
    }
    assert len(played) >= len(all_pairs()) - 1
    late = phases(10_000)
    assert all(len(set(phase.kinds)) == 3 for phase in late)


@pytest.mark.parametrize("kind", ["sigkill", "power_loss", "timeout_before", "auto_deleveraging"])
def test_an_engine_on_paper_hedges_and_leaves_the_exchange_alone(kind: str) -> None:
    outcome = run_seed(3, STEPS, stretches=[Phase((kind,))], paper=True, keep_trace=True)
    assert outcome.violations == []
    assert (outcome.ended, outcome.orders_sent) == ("ready", 0)
    assert any("cycle hedged" in line for line in outcome.lines)


def test_an_engine_on_paper_books_what_went_with_its_exchange() -> None:
    """In this schedule it dies between an order's outcome and its executions."""
    outcome = run_seed(2, STEPS, stretches=[Phase(("sigkill",))], paper=True)
    assert (outcome.ended, outcome.violations) == ("ready", [])


def test_one_seed_in_forty_is_played_on_paper_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    paper_orders_mirrored(monkeypatch)
    other, both = play_chunk(([38, 39], STEPS))
    assert other.violations == []
    assert {one.invariant for one in both.violations} >= {"I14"}
    assert all(one.text.startswith("on paper: ") for one in both.violations)


def test_the_sum_of_many_is_plain_json() -> None:
    document = run_many(2, 60, jobs=1).document()
    assert json.loads(json.dumps(document)) == document
    assert document["schedules"] == 2
    assert document["steps"] >= 120
    assert document["violations"] == []
    assert set(document["faults_fired"]) == set(PLAYABLE)
