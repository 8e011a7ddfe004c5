"""Kills real engines at every boundary that they cross, and judges what came of it.

``python -m tests.kill_matrix --seeds 3`` is the whole of it: each boundary of a first run, each one
of a recovery (the second death comes while the first is being recovered from), and each one around
a cancel. It prints one JSON document and ends with 1 if anything is wrong.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.kill_oracle import ask, in_band, judge
from tests.kill_stage import Ended, Stage, Story, kill_stage

KILLED = -9
CYCLES = 2


@dataclass(frozen=True)
class Plan:
    """One story: where the engine dies, one life after the other.

    Attributes:
        kills: boundary and number of the crossing for each life but the last.
        halted: the second life begins with the kill switch on, so it cancels what may be open.
    """

    kills: tuple[tuple[str, int], ...]
    halted: bool = False

    @property
    def name(self) -> str:
        """Of the last boundary."""
        return f"{'halted ' if self.halted else ''}{self.kills[-1][0]}"


@dataclass
class Findings:
    """What came of all stories."""

    stories: int = 0
    killed: Counter[str] = field(default_factory=Counter)
    not_reached: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    in_band: int = 0

    def note(self, of: int) -> str:
        """How far it has come."""
        return f"{self.stories} of {of} stories, {len(self.violations)} violations"

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "stories": self.stories,
            "boundaries": len(self.killed),
            "kills": sum(self.killed.values()),
            "ended_in_band": self.in_band,
            "not_reached": self.not_reached,
            "violations": self.violations,
        }


def crossings(stage: Stage, number: int) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """How often each boundary is crossed: by a first run, by a recovery, around a cancel."""
    calm = stage.story(number)
    first = _ended(calm, calm.engine(CYCLES))
    hurt = stage.story(number + 1)
    hurt.engine(CYCLES, ("running:net:place:after", 2))
    recovery = {k: n for k, n in _ended(hurt, hurt.engine(1)).items() if "recovery:" in k}
    halted = stage.story(number + 2)
    halted.engine(CYCLES, ("running:net:place:before", 2))
    halted.command("halt", "--reason", "a test")
    around = _ended(halted, halted.engine(CYCLES))
    return first, recovery, {k: n for k, n in around.items() if ":cancel:" in k}


def _ended(story: Story, ended: Ended) -> dict[str, int]:
    assert ended.code == 0, (ended, story.said[-2000:])
    return ended.crossed


def plans(
    found: tuple[Mapping[str, int], Mapping[str, int], Mapping[str, int]], seeds: Iterable[int]
) -> list[Plan]:
    """One story for each boundary and seed; the seed picks the crossing."""
    first, recovery, cancel = found
    made = []
    for seed in seeds:
        die = random.Random(f"kill {seed}")
        made += [Plan(((name, die.randint(1, n)),)) for name, n in sorted(first.items())]
        for name, n in sorted(recovery.items()):
            earlier = die.choice(("running:net:place:after", "running:commit:sending:after"))
            made.append(Plan(((earlier, die.randint(1, 4)), (name, die.randint(1, n)))))
        for name, n in sorted(cancel.items()):
            before = "running:net:place:before", die.randint(1, 4)
            made.append(Plan((before, (name, die.randint(1, n))), halted=True))
    return made


def play(story: Story, plan: Plan, findings: Findings) -> None:
    """All lives of a story, and the verdict."""
    findings.stories += 1
    for life, kill_at in enumerate(plan.kills):
        if life == 1 and plan.halted:
            story.command("halt", "--reason", "a test")
        ended = story.engine(CYCLES, kill_at)
        if ended.code == KILLED:
            findings.killed[f"{'halted ' if plan.halted and life else ''}{kill_at[0]}"] += 1
        elif ended.code == 0:
            findings.not_reached.append(f"{kill_at[0]} #{kill_at[1]}")
        else:
            findings.violations.append(f"{plan}: code {ended.code}: {story.said[-300:]}")
    if plan.halted:
        story.command("resume", "--reason", "the test goes on")
    last = story.engine(CYCLES)
    told = story.stage.loop.run_until_complete(ask(story))
    wrong = judge(story, told)
    findings.in_band += in_band(story, told)
    if last.code != 0:
        wrong.append(f"the last life ended with {last.code}: {story.said[-300:]}")
    findings.violations += [f"{plan.name} {plan.kills}: {line}" for line in wrong]


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="boundaries that hold this text")
    asked = parser.parse_args(arguments)
    began, findings = time.monotonic(), Findings()
    with TemporaryDirectory() as folder, kill_stage(Path(folder), 400 * asked.seeds) as stage:
        todo = plans(crossings(stage, 0), range(asked.seeds))
        todo = [one for one in todo if asked.only in one.name]
        for number, plan in enumerate(todo, start=3):
            play(stage.story(number), plan, findings)
            if number % 10 == 0:
                sys.stderr.write(f"{findings.note(len(todo))}\n")
    document = {**findings.document(), "seconds": round(time.monotonic() - began)}
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    return 1 if findings.violations else 0


if __name__ == "__main__":
    raise SystemExit(main())
