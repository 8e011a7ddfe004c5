"""Plays many seeds on all cores and adds up what came of them."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from bot.faults.kinds import CRASH_POINTS, PLAYABLE
from bot.faults.oracle.verdict import Violation
from bot.faults.phases import phases
from bot.faults.schedule import Outcome, run_seed

_CHUNK = 2  # schedules; more would let one process wait long for the last of another
_AGAIN = 100  # every so many seeds one is played twice: it tries the simulation, not the engine
_ON_PAPER = 40  # every so many seeds one is played on paper as well
_MOST_SHOWN = 50


@dataclass(slots=True)
class Tally:
    """The sum of many schedules."""

    schedules: int = 0
    steps: int = 0
    seconds: float = 0.0
    orders_sent: int = 0
    orders_filled: int = 0
    recoverable: int = 0
    recovered: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    fired: Counter[str] = field(default_factory=Counter)
    killed_at: Counter[str] = field(default_factory=Counter)
    violations: list[dict[str, Any]] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """One more."""
        self.schedules += 1
        self.steps += outcome.steps
        self.orders_sent += outcome.orders_sent
        self.orders_filled += outcome.orders_filled
        self.recoverable += outcome.recoverable
        self.recovered += outcome.recoverable and outcome.ended == "ready"
        self.ended[outcome.ended] += 1
        self.fired.update(outcome.fired)
        self.killed_at.update(outcome.killed_at)
        for violation in outcome.violations:
            self.violations.append(
                {
                    "seed": outcome.seed,
                    "invariant": violation.invariant,
                    "text": violation.text,
                    "faults": [list(phase.kinds) for phase in phases(outcome.seed)],
                }
            )

    def document(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "schedules": self.schedules,
            "steps": self.steps,
            "violations": self.violations[:_MOST_SHOWN],
            "violations_total": len(self.violations),
            "failing_seeds": sorted({one["seed"] for one in self.violations}),
            "faults_fired": {name: self.fired[name] for name in PLAYABLE},
            "killed_at": {name: self.killed_at[name] for name in CRASH_POINTS},
            "orders_sent": self.orders_sent,
            "orders_filled": self.orders_filled,
            "ended_ready": self.ended["ready"],
            "ended_halted": self.ended["halted"],
            "ended_otherwise": {
                k: n for k, n in sorted(self.ended.items()) if k not in ("ready", "halted")
            },
            "recoverable": self.recoverable,
            "recovered": self.recovered,
            "seconds": round(self.seconds, 1),
            "steps_per_second": round(self.steps / self.seconds) if self.seconds else 0,
        }


def run_many(
    seeds: int,
    steps: int,
    *,
    jobs: int | None = None,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> Tally:
    """Seeds 0 to ``seeds``, on ``jobs`` processes (default: one for each core)."""
    tally, began = Tally(), perf_counter()
    for outcome in _outcomes(range(seeds), steps, jobs or os.cpu_count() or 1):
        tally.add(outcome)
        on_progress(tally.schedules)
    tally.seconds = perf_counter() - began
    return tally


def _outcomes(seeds: range, steps: int, jobs: int) -> Iterator[Outcome]:
    chunks = [(list(seeds[i : i + _CHUNK]), steps) for i in range(0, len(seeds), _CHUNK)]
    if jobs == 1:
        for chunk in chunks:
            yield from play_chunk(chunk)
        return
    with ProcessPoolExecutor(jobs) as pool:
        for found in pool.map(play_chunk, chunks):
            yield from found


def play_chunk(chunk: tuple[Iterable[int], int]) -> list[Outcome]:
    """Several seeds in this process; some of them twice (I15)."""
    seeds, steps = chunk
    return [_played(seed, steps) for seed in seeds]


def _played(seed: int, steps: int) -> Outcome:
    outcome = run_seed(seed, steps)
    if seed % _AGAIN == 0 and run_seed(seed, steps).digest != outcome.digest:
        outcome.violations.append(Violation("I15", "played again it went another way"))
    if seed % _ON_PAPER == _ON_PAPER - 1:
        on_paper = run_seed(seed, steps, paper=True).violations
        outcome.violations += [
            Violation(one.invariant, f"on paper: {one.text}") for one in on_paper
        ]
    return outcome
