"""Kills real engines at every boundary that they cross, and judges what came of it.

``python -m tests.kill_matrix --seeds 3`` is the whole of it: each scene of ``kill_scenes``, and in
it each boundary that the scene is about; in many an engine has died before, so that the second
death comes while the first is being recovered from. It prints one JSON document and ends with 1 if
anything is wrong.
"""

import argparse
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

from tests.kill_oracle import ask, in_band, judge
from tests.kill_scenes import SCENES
from tests.kill_stage import Stage, Story, kill_stage

KILLED = -9
AT_ONCE = 2 * (os.cpu_count() or 1) + 1
"""Stories that are played side by side: an engine waits twice as long as it works."""


@dataclass(frozen=True)
class Plan:
    """One story: a scene, and where the engine dies in it.

    Attributes:
        kill_at: boundary, and number of the crossing.
        seed: of what the scene itself leaves open.
    """

    scene: str
    kill_at: tuple[str, int]
    seed: int = 0

    @property
    def name(self) -> str:
        """Scene and boundary."""
        return f"{self.scene}: {self.kill_at[0]}"

    def __str__(self) -> str:
        return f"{self.name} #{self.kill_at[1]}, seed {self.seed}"


@dataclass
class Findings:
    """What came of all stories."""

    stories: int = 0
    killed: Counter[str] = field(default_factory=Counter)
    not_reached: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    out_of_band: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "stories": self.stories,
            "scenes": len({name.partition(":")[0] for name in self.killed}),
            "boundaries": len({name.partition(": ")[2] for name in self.killed}),
            "kills": sum(self.killed.values()),
            "ended_in_band": self.stories - len(self.out_of_band),
            "out_of_band": self.out_of_band,
            "not_reached": self.not_reached,
            "violations": self.violations,
        }


def begin(stage: Stage, number: int, name: str, seed: int) -> Story:
    """A story up to the life that is to be killed."""
    scene = SCENES[name]
    story, die = stage.story(number, scene.settings, scene.venue), random.Random(f"kill {seed}")
    for act in scene.before:
        act(story, die)
    return story


def crossings(stage: Stage, number: int, name: str) -> dict[str, int]:
    """How often each boundary is crossed in a life of that scene that nobody ends."""
    story = begin(stage, number, name, 0)
    ended = story.engine(SCENES[name].cycles)
    assert ended.code == 0, (name, ended, story.said[-2000:])
    return ended.crossed


def plans(found: Mapping[str, Mapping[str, int]], seeds: Iterable[int]) -> list[Plan]:
    """One story for each seed, scene, and boundary it is about; the seed picks the crossing."""
    made = []
    for seed in seeds:
        for name, crossed in found.items():
            die = random.Random(f"kill {seed} {name}")
            made += [
                Plan(name, (boundary, die.randint(1, count)), seed)
                for boundary, count in sorted(crossed.items())
                if SCENES[name].is_about(boundary)
            ]
    return made


def play(stage: Stage, number: int, plan: Plan, findings: Findings) -> bool:
    """All lives of a story, and the verdict; whether it came to the boundary."""
    scene, die = SCENES[plan.scene], random.Random(f"kill {plan.seed}")
    story = begin(stage, number, plan.scene, plan.seed)
    ended = story.engine(scene.cycles, plan.kill_at)
    for act in scene.after:
        act(story, die)
    last = story.engine(scene.cycles)
    told = stage.loop.run_until_complete(ask(story))
    wrong = judge(story, told)
    if last.code != 0:
        wrong.append(f"the last life ended with {last.code}: {story.said[-300:]}")
    if ended.code not in (0, KILLED):
        wrong.append(f"the life before ended with {ended.code}: {story.said[-300:]}")
    with findings.lock:
        findings.stories += 1
        findings.killed.update([plan.scene + ": earlier"] * (story.deaths - (ended.code == KILLED)))
        if ended.code == KILLED:
            findings.killed[plan.name] += 1
        else:
            findings.not_reached.append(str(plan))
        if not in_band(story, told):
            findings.out_of_band.append(str(plan))
        findings.violations += [f"{plan}: {line}" for line in wrong]
    return ended.code == KILLED


Job = Callable[[Stage, int], None]


def work(folder: Path, jobs: Sequence[Job]) -> None:
    """Does jobs side by side, each worker with an exchange and a launcher of its own."""
    waiting, lock = list(enumerate(jobs)), Lock()

    def worker(number: int) -> None:
        with kill_stage(folder / f"stage-{number}", 2 * len(jobs)) as stage:
            while True:
                with lock:
                    if not waiting:
                        return
                    job_number, job = waiting.pop(0)
                job(stage, job_number)

    count = max(1, min(AT_ONCE, len(jobs)))
    with ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(worker, n) for n in range(count)]:
            done.result()


def survey(folder: Path, only: str) -> dict[str, dict[str, int]]:
    """The boundaries of each scene."""
    found: dict[str, dict[str, int]] = {}

    def job(name: str) -> Job:
        def look(stage: Stage, number: int) -> None:
            found[name] = crossings(stage, number, name)

        return look

    work(folder, [job(name) for name in SCENES if only in ("", name)])
    return {name: found[name] for name in SCENES if name in found}


def run(folder: Path, todo: Sequence[Plan], findings: Findings) -> None:
    """Plays the stories, and says now and then how far it has come."""

    def job(plan: Plan) -> Job:
        def tell(stage: Stage, number: int) -> None:
            # How often something happens differs from run to run; the first time surely comes.
            if not play(stage, number, plan, findings) and plan.kill_at[1] > 1:
                play(
                    stage, len(todo) + number, replace(plan, kill_at=(plan.kill_at[0], 1)), findings
                )
            if findings.stories % 10 == 0:
                far = f"{findings.stories} of {len(todo)} stories"
                sys.stderr.write(f"{far}, {len(findings.violations)} violations\n")

        return tell

    work(folder, [job(plan) for plan in todo])


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--scene", default="", choices=("", *SCENES), help="this one alone")
    parser.add_argument("--only", default="", help="boundaries that hold this text")
    parser.add_argument("--list", action="store_true", help="print what there is, kill nothing")
    asked = parser.parse_args(arguments)
    began, findings = time.monotonic(), Findings()
    with TemporaryDirectory() as folder:
        found = survey(Path(folder) / "survey", asked.scene)
        if asked.list:
            sys.stdout.write(json.dumps(found, indent=2) + "\n")
            return 0
        todo = [plan for plan in plans(found, range(asked.seeds)) if asked.only in plan.kill_at[0]]
        run(Path(folder) / "stories", todo, findings)
    document = {**findings.document(), "seconds": round(time.monotonic() - began)}
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    return 1 if findings.violations else 0


if __name__ == "__main__":
    raise SystemExit(main())
