"""A whole sweep: what is played, what was played already, what is chosen, what came of it."""

import json
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bot.errors import UsageError
from bot.sweep.choices import Choice
from bot.sweep.courses import averaged
from bot.sweep.runs import NO_FIGURES, Bot, Row, Run, window_of
from bot.sweep.spread import Spread
from bot.sweep.windows import Part, Window

OnRow = Callable[[int, int, Row], None]
"""Told how many runs are done, of how many, and the newest."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What makes one choice better than another.

    Attributes:
        field: of a row, such as ``hedged.es95_daily_usd``.
        sign: 1: more is better; -1: less.
    """

    field: str
    sign: int

    def require_in(self, row: Row, tried: Collection[str]) -> None:
        """A figure that there is not must not show after hours of replays; what is tried is none.

        Raises:
            UsageError: the row has figures, and none of that name.
        """
        figures = sorted(row.keys() - NO_FIGURES - set(tried))
        if row["error"] is None and self.field not in figures:
            option = "--maximize" if self.sign > 0 else "--minimize"
            raise UsageError(
                f"{option} {self.field}: no such figure; there are {', '.join(figures)}"
            )

    def of(self, row: Row) -> float | None:
        """Its figure, None where the row has none."""
        value = row.get(self.field)
        if not isinstance(value, int | float) or not math.isfinite(value):
            return None
        return float(value)

    def best(self, rows: Sequence[Row]) -> Row | None:
        """The best of these; the first of equals."""
        known = [(row, value) for row in rows if (value := self.of(row)) is not None]
        return max(known, key=lambda one: self.sign * one[1])[0] if known else None


class Rows:
    """Rows of runs that ended, each in a file of its own as soon as it is known."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "runs"

    def known(self, run: Run) -> Row | None:
        """The row of a run that ended earlier."""
        try:
            row: Row = json.loads(self._path(run.key).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None  # not there, or cut off: it is played again
        return row

    def keep(self, row: Row) -> None:
        """Whole or not at all.

        Raises:
            UsageError: the folder cannot be written to.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._path(row["key"])
            beside = path.with_suffix(".part")
            beside.write_text(json.dumps(row, allow_nan=False), encoding="utf-8")
            beside.replace(path)
        except OSError as error:
            raise UsageError(f"{self._folder}: {error.strerror}") from error

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"


@dataclass(frozen=True, slots=True)
class Sweep:
    """What is to be found out.

    Attributes:
        first: a run of the first choice in the first window; all others differ in these alone.
        walk: training and test in turn; empty: everything is played on the first run's window.
        courses: how many random bots each choice is played beside, with seeds from that of the
            first run on; it is judged by the mean.
    """

    first: Run
    choices: Sequence[Choice]
    walk: Sequence[tuple[Window, Window]]
    objective: Objective
    courses: int = 1

    @property
    def most_runs(self) -> int:
        """How many there will be, if every training chooses one."""
        return self.courses * (len(self.choices) * max(1, len(self.walk)) + len(self.walk))

    @property
    def bots(self) -> list[Bot]:
        """One for each course."""
        bot = self.first.bot
        return [
            replace(bot, random=replace(bot.random, seed=bot.random.seed + k))
            for k in range(self.courses)
        ]

    def means(self, rows: Sequence[Row]) -> list[Row]:
        """A row for each choice in each window, over all courses."""
        return averaged(rows, self.choices[0], self.objective.field)

    def trainings(self) -> list[Run]:
        """Every choice on every window that is not a test, beside every bot."""
        windows = [train for train, _ in self.walk] or [self.first.window]
        return [
            replace(self.first, choice=choice, window=window, bot=bot)
            for window in windows
            for choice in self.choices
            for bot in self.bots
        ]

    def tests(self, trained: Sequence[Row]) -> list[Run]:
        """The best choice of each training, on the window that follows it."""
        by_key = {run.key: run.choice for run in self.trainings()}
        found = []
        for train, test in self.walk:
            rows = [row for row in trained if row["window"] == train.number]
            best = self.objective.best(self.means(_in_order(rows, by_key)))
            if best is not None:
                chosen = by_key[best["key"]]
                found += [
                    replace(self.first, choice=chosen, window=test, bot=bot) for bot in self.bots
                ]
        return found


def swept(sweep: Sweep, spread: Spread, rows: Rows, on_row: OnRow) -> list[Row]:
    """Every row, trainings first, each in the order of the choices.

    Raises:
        UsageError: the first run that was played knows no such figure as the objective's.
    """
    done = 0

    def told(one: Row) -> Row:
        nonlocal done
        done += 1
        sweep.objective.require_in(one, sweep.choices[0])
        on_row(done, sweep.most_runs, one)
        return one

    trained = [told(row) for row in _all(sweep.trainings(), spread, rows)]
    tested = [told(row) for row in _all(sweep.tests(trained), spread, rows)]
    order = {run.key: number for number, run in enumerate(sweep.trainings())}
    trained.sort(key=lambda row: order[row["key"]])
    tested.sort(key=lambda row: (int(row["window"]), row["bot_seed"] or 0))
    return trained + tested


def summary(sweep: Sweep, rows: Sequence[Row]) -> dict[str, Any]:
    """What a sweep came to: the best, or of a walk what was chosen and what it was worth."""
    objective = sweep.objective
    found: dict[str, Any] = {
        "objective": objective.field,
        "sign": objective.sign,
        "runs": len(rows),
        "failed": sum(row["error"] is not None for row in rows),
        "courses": sweep.courses,
    }
    rows = sweep.means(rows)
    if not sweep.walk:
        return {**found, "best": objective.best(rows)}
    walked: list[dict[str, Any]] = []
    for train, _ in sweep.walk:
        of_it = [row for row in rows if row["window"] == train.number]
        tests = [row for row in of_it if row["part"] == Part.TEST]
        best = objective.best([row for row in of_it if row["part"] == Part.TRAIN])
        walked.append(
            {
                "window": train.number,
                "chosen": None if best is None else {n: best[n] for n in sweep.choices[0]},
                "train": None if best is None else objective.of(best),
                "test": objective.of(tests[0]) if tests else None,
                "error": tests[0]["error"] if tests else None,
            }
        )
    told: list[float] = [one["test"] for one in walked if one["test"] is not None]
    return {**found, "windows": walked, "mean_test": sum(told) / len(told) if told else None}


def _all(runs: Sequence[Run], spread: Spread, rows: Rows) -> Iterator[Row]:
    left = []
    for run in runs:
        row = rows.known(run)
        if row is None:
            left.append(run)
        else:  # of a test, it may have been a training's before
            yield {**row, **window_of(run.window)}
    if left:
        for row in spread.rows(left):
            if not row["lost"]:
                rows.keep(row)
            yield row


def _in_order(rows: Sequence[Row], by_key: dict[str, Choice]) -> list[Row]:
    order = {key: number for number, key in enumerate(by_key)}
    return sorted(rows, key=lambda row: order[row["key"]])
