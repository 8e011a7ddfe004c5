"""A few of the deaths that ``make kill`` has real engines die, at every boundary that they cross.

Each engine is a process of its own with the command line's own ``main``, on an exchange that is
another process; SIGKILL comes at the boundary. The judge reads the exchange's log over its socket,
and the journal's bytes.
"""

from collections.abc import Iterator

import pytest

from tests.kill_matrix import Findings, Plan, play
from tests.kill_stage import Stage, kill_stage

PLANS = (
    Plan("first", ("running:net:place:after", 2)),
    Plan("first", ("running:row:fill:within", 3)),
    Plan("recovery", ("recovery:commit:state:after", 1)),
    Plan("halted", ("running:net:cancel:after", 1)),
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with kill_stage(tmp_path_factory.mktemp("kill"), len(PLANS)) as one:
        yield one


@pytest.mark.parametrize("number", range(len(PLANS)), ids=[plan.name for plan in PLANS])
def test_an_engine_killed_there_loses_nothing_and_does_nothing_twice(
    stage: Stage, number: int
) -> None:
    findings = Findings()
    play(stage, number, PLANS[number], findings)
    assert findings.violations == []
    assert findings.not_reached == []
    assert findings.killed[PLANS[number].name] == 1
