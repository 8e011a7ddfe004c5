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
    Plan((("running:net:place:after", 2),)),
    Plan((("running:row:fill:within", 3),)),
    Plan((("running:commit:sending:after", 2), ("recovery:commit:state:after", 1))),
    Plan((("running:net:place:before", 2), ("running:net:cancel:after", 1)), halted=True),
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
    play(stage.story(number), PLANS[number], findings)
    assert findings.violations == []
    assert findings.not_reached == []
    assert sum(findings.killed.values()) == len(PLANS[number].kills)
