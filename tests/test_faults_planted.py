"""Each planted bug is found by the oracle; the same faults without it break no promise.

About half a minute of processor time: each bug needs schedules of its own.
"""

import pytest

from bot.faults.phases import Phase
from bot.faults.schedule import run_seed
from tests.faults_planted import BUGS
from tests.planted_bug import Bug

SEEDS = 8
STEPS = 160


def test_there_are_enough_of_them() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 25


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_oracle_finds_it(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    bug.plant(monkeypatch)
    seen = []
    for seed in range(SEEDS):
        outcome = run_seed(
            seed, STEPS, stretches=[Phase(bug.faults)], style=bug.style, paper=bug.paper
        )
        seen += outcome.violations
        # A bug that no longer fits the code it is planted into proves nothing.
        assert not [v for v in outcome.violations if "TypeError" in v.text]
        if any(one.invariant in bug.promises for one in outcome.violations):
            return
    pytest.fail(f"not found in {SEEDS} schedules; seen instead: {seen[:3]}")
