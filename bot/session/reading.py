"""Reads recorded sessions: parts of one run, each what was told up to the end of a cycle."""

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bot.journal.reader import JOURNAL_NAME
from bot.session.codec import unpacked
from bot.session.recorder import FORMAT, LINES_NAME
from bot.session.stand_ins import Offer
from config.settings import Settings
from risk.errors import DataError


@dataclass(frozen=True, slots=True)
class Told:
    """One answer: of which door to what, and what; or what it raised, both still packed."""

    door: str
    method: str
    args: Any
    answer: Any
    raised: bool


@dataclass(slots=True)
class Part:
    """What was told in one cycle, or by a start.

    Attributes:
        begun_ms: UTC milliseconds.
        files: what lay in the state directory for the engine, by name.
        times_ms: that the clock told, in order.
        answers: in order.
        document: of the cycle; None for a start, and for a cycle that never ended.
    """

    begun_ms: int
    files: dict[str, str]
    times_ms: list[int] = field(default_factory=list)
    answers: list[Told] = field(default_factory=list)
    document: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """One run of an engine, from its start on.

    Attributes:
        version: of the program that ran.
        settings: as they were, without secrets.
        doors: what each door offered.
        journal: as it was when the doors were open and nothing had been asked.
        parts: the start, then each cycle; read as they are asked for, once.
    """

    folder: Path
    version: str
    settings: Settings
    doors: dict[str, dict[str, Offer]]
    journal: Path
    parts: Iterator[Part]


def recorded_runs(folder: Path) -> list[Path]:
    """The folders of the runs in a session, oldest first; one run's own folder counts as one.

    Raises:
        DataError: there is none.
    """
    if (folder / LINES_NAME).exists():
        return [folder]
    found = sorted(one.parent for one in folder.glob(f"*/{LINES_NAME}"))
    if not found:
        raise DataError(
            f"session {folder}: holds no {LINES_NAME}; record one by perphedge run --record"
        )
    return found


def open_run(folder: Path) -> RecordedRun:
    """The beginning of one run.

    Raises:
        DataError: it is damaged, or of another format.
    """
    lines = _lines(folder / LINES_NAME)
    head = next(lines, {})
    if head.get("session") != FORMAT:
        raise DataError(f"session {folder}: format {head.get('session')!r}, {FORMAT} is read here")
    try:
        settings = Settings.model_validate(unpacked(head["settings"]))
    except ValidationError as error:
        one = error.errors()[0]
        where = ".".join(map(str, one["loc"]))
        raise DataError(f"session {folder}: settings, {where}: {one['msg']}") from error
    return RecordedRun(
        folder=folder,
        version=str(head["version"]),
        settings=settings,
        doors={
            name: {method: Offer(kind) for method, kind in one.items()}
            for name, one in head["doors"].items()
        },
        journal=folder / JOURNAL_NAME,
        parts=_parts(Part(int(head["begun_ms"]), head["files"]), lines),
    )


def _parts(part: Part, lines: Iterator[dict[str, Any]]) -> Iterator[Part]:
    last: dict[tuple[str, str], Told] = {}
    for line in lines:
        if "cycle_ms" in line:
            yield part
            part = Part(int(line["cycle_ms"]), line["files"])
        elif "times_ms" in line:
            part.times_ms += accumulate(line["times_ms"])
        elif "ended" in line:
            part.document = line["ended"]
        else:
            key = line["door"], line["method"]
            if "args" in line:  # else as the last time
                raised = "error" in line
                answer = line["error" if raised else "is"]
                last[key] = Told(*key, line["args"], answer, raised)
            part.answers.append(last[key])
    yield part


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Whole lines; what a run that was killed left unfinished at the end is left out."""
    try:
        with gzip.open(path, "rb") as file:
            for number, line in enumerate(_whole(file, path), 1):
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise DataError(f"session {path}: line {number} is no JSON") from error
    except gzip.BadGzipFile as error:
        raise DataError(f"session {path}: damaged ({error})") from error
    except OSError as error:
        raise DataError(f"session {path}: {error.strerror or error}") from error


def _whole(file: Any, path: Path) -> Iterator[bytes]:
    try:
        for line in file:
            if line.endswith(b"\n"):
                yield line
    except EOFError:
        return
    except zlib.error as error:
        raise DataError(f"session {path}: damaged ({error})") from error
