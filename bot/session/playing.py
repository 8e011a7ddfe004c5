"""Plays recorded runs to an engine of today, and holds its cycles against the recorded ones."""

import json
import shutil
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.cycle import Engine
from bot.doors import Doors
from bot.journal.anchor import copy_anchor
from bot.journal.reader import JOURNAL_NAME
from bot.logs import LOG_NAME, open_log
from bot.session.clocks import PlayedClock, QuietClock
from bot.session.codec import packed, unpacked
from bot.session.comparing import Difference, differences
from bot.session.files import put_files
from bot.session.reading import Part, RecordedRun, Told, open_run
from bot.session.stand_ins import stand_in
from bot.surroundings import Surroundings
from bot.wiring import open_engine
from risk.errors import DataError, PerphedgeError

OnCycle = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PlayedRun:
    """What came of one run.

    Attributes:
        folder: of the recording.
        version: of the program that was recorded.
        cycles: that were played and held against the recorded ones.
        cut_short: one more had begun when the recorded engine ended.
        cycle_id: of the first that was not the same; None where all were.
        differences: what was not the same in it.
        not_compared: recorded cycles after that one, which rest on it.
        refused: why the engine did not start; empty where it did.
    """

    folder: Path
    version: str
    cycles: int = 0
    cut_short: bool = False
    cycle_id: str | None = None
    differences: tuple[Difference, ...] = ()
    not_compared: int = 0
    refused: str = ""

    @property
    def same(self) -> bool:
        """Every cycle that ended was decided as recorded."""
        return self.cycle_id is None and not self.refused


async def play_run(folder: Path, out: Path, on_cycle: OnCycle = lambda _id: None) -> PlayedRun:
    """One recorded run, in a state directory of its own.

    Raises:
        DataError: the recording is damaged.
        OSError: ``out`` cannot be written.
    """
    run = open_run(folder)
    out.mkdir(mode=0o700, parents=True)
    shutil.copyfile(run.journal, out / JOURNAL_NAME)
    copy_anchor(run.journal, out / JOURNAL_NAME)
    start = next(run.parts)
    clock = PlayedClock(start.begun_ms)
    world = PlayedWorld(run, clock, start)
    settings = run.settings.model_copy(update={"state_dir": out})
    around = Surroundings(
        clock=clock,
        simulated=True,
        played=world,
        live_account=settings.venue.account,  # consent was given to the recorded one
    )
    put_files(out, start.files)
    log = open_log(out / LOG_NAME, QuietClock(clock))
    async with AsyncExitStack() as stack:
        try:
            engine = await stack.enter_async_context(open_engine(settings, around, log))
        except PerphedgeError as error:
            return PlayedRun(folder, run.version, refused=str(error))
        return await _cycles(engine, run, world, out, on_cycle)


async def _cycles(
    engine: Engine, run: RecordedRun, world: "PlayedWorld", out: Path, on_cycle: OnCycle
) -> PlayedRun:
    count = 0
    for part in run.parts:
        if part.document is None:
            return PlayedRun(run.folder, run.version, count, cut_short=True)
        put_files(out, part.files)
        world.now_telling(part)
        record = await engine.cycle()
        # Through JSON, as the recorded one went.
        found = differences(part.document, json.loads(json.dumps(record.document())))
        count += 1
        on_cycle(record.cycle_id)
        if found or world.never_asked:
            never = tuple(Difference(one, "not asked", "asked") for one in world.never_asked)
            left = sum(one.document is not None for one in run.parts)
            named = str(part.document["cycle_id"])
            return PlayedRun(
                run.folder,
                run.version,
                count,
                cycle_id=named,
                differences=(*never, *found),
                not_compared=left,
            )
    return PlayedRun(run.folder, run.version, count)


class PlayedWorld:
    """Every door, with the recorded answers behind it.

    Attributes:
        never_asked: questions of this cycle to which the recording has no answer.
    """

    def __init__(self, run: RecordedRun, clock: PlayedClock, start: Part) -> None:
        self._offered = run.doors
        self._clock = clock
        self._start = start
        self._answers: dict[str, deque[Told]] = {}
        self._facts: dict[tuple[str, str], Told] = {}
        self.never_asked: list[str] = []

    def doors(self) -> Doors:
        """As the recorded engine had them when it started."""
        self.now_telling(self._start)
        made = {name: stand_in(name, one, self, _nothing) for name, one in self._offered.items()}
        sources = [one for name, one in made.items() if name.startswith("source ")]
        return Doors(made["market"], made["venue"], sources, other_venues=made.get("others"))

    def now_telling(self, part: Part) -> None:
        """From here on the answers of this part; what is left of the last one is void."""
        self._clock.play(part.times_ms)
        self._answers = {}
        self.never_asked = []
        for told in part.answers:
            self._answers.setdefault(_key(told.door, told.method, told.args), deque()).append(told)

    async def asked(self, door: str, method: str, args: tuple[Any, ...]) -> Any:
        """See Answers."""
        told = self._next(door, method, packed(list(args)))
        return _given(told)

    def called(self, door: str, method: str, args: tuple[Any, ...]) -> Any:
        """See Answers; a property that is read more often now is as it was."""
        told = self._next(door, method, packed(list(args)))
        return _given(told)

    def _next(self, door: str, method: str, args: Any) -> Told:
        waiting = self._answers.get(_key(door, method, args))
        if waiting:
            told = waiting.popleft()
            if not args:
                self._facts[door, method] = told
            return told
        known = self._facts.get((door, method))
        if not args and known is not None and not self._is_asked(door, method):
            return known
        question = f"{door}.{method}({', '.join(map(json.dumps, args))})"[:200]
        self.never_asked.append(question)
        raise DataError(f"session: {question} was never asked by the recorded engine")

    def _is_asked(self, door: str, method: str) -> bool:
        return self._offered[door][method].value == "asked"


def _key(door: str, method: str, args: Any) -> str:
    return json.dumps([door, method, args], sort_keys=True)


def _given(told: Told) -> Any:
    value = unpacked(told.answer)
    if told.raised:
        raise value
    return value


async def _nothing() -> None:
    """A played door holds nothing open."""


def proven_same(runs: Sequence[PlayedRun]) -> bool:
    """All that was held against the recording is the same, and that was one cycle at least."""
    return all(one.same for one in runs) and any(one.cycles for one in runs)


def summary(runs: Sequence[PlayedRun]) -> Mapping[str, Any]:
    """What ``perphedge replay --session --json`` prints."""
    return {
        "same": proven_same(runs),
        "cycles": sum(one.cycles for one in runs),
        "not_compared": sum(one.not_compared for one in runs),
        "runs": [_document(one) for one in runs],
    }


def _document(run: PlayedRun) -> dict[str, Any]:
    return {
        "session": str(run.folder),
        "version": run.version,
        "cycles": run.cycles,
        "same": run.same,
        "cut_short": run.cut_short,
        "refused": run.refused,
        "first_difference": run.cycle_id,
        "differences": [
            {"path": one.path, "recorded": one.recorded, "replayed": one.replayed}
            for one in run.differences
        ],
        "not_compared": run.not_compared,
    }
