"""Writes down what the world tells an engine, cycle by cycle, into its state directory.

One folder for each start: the journal as the last engine left it, and one compressed file of
lines. Recording never stands in the engine's way: where it fails it ends, and this is told.
"""

import errno
import gzip
import json
import shutil
import zlib
from contextlib import ExitStack
from hashlib import blake2b
from importlib.metadata import version
from itertools import pairwise
from typing import Any

from bot.doors import Doors
from bot.journal.copy import copy_journal
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME
from bot.logs import Logger
from bot.ports import Clock
from bot.records.cycle import CycleRecord, iso_utc
from bot.session.clocks import RecordedClock, hearing
from bot.session.codec import packed
from bot.session.files import left_files
from bot.session.stand_ins import offers, stand_in
from config.settings import Settings
from risk.errors import PerphedgeError

FOLDER = "session"
LINES_NAME = "answers.jsonl.gz"
FORMAT = 1
LEAST_FREE_BYTES = 1_000_000_000
"""Left to the journal on the same disk, whatever happens here."""
_FAST = 3  # of gzip's levels


class SessionRecorder:
    """Of one run of an engine, from before its start to its end.

    Attributes:
        clock: the engine's, whose times are part of what is written down.
    """

    def __init__(self, settings: Settings, clock: Clock, log: Logger) -> None:
        self._settings = settings
        self._clock = clock
        self.clock = RecordedClock(clock)
        self._log = log
        self._file: gzip.GzipFile | None = None
        self._closing = ExitStack()
        self._last: dict[tuple[str, str], tuple[str, bytes]] = {}

    def begin(self, doors: Doors, journal: Journal) -> Doors:
        """Keeps the journal as it is now, and gives doors through which all that is told is heard.

        To be called when the doors are open and before the engine looks through them.
        """
        begun_ms = self._clock.now_ms()
        name = iso_utc(begun_ms).replace("-", "").replace(":", "")
        folder = self._settings.state_dir / FOLDER / name
        try:
            self._require_room(2 * journal.path.stat().st_size)
            folder.mkdir(mode=0o700, parents=True)
            copy_journal(journal.path, folder / JOURNAL_NAME)
            file = self._closing.enter_context((folder / LINES_NAME).open("xb"))
            (folder / LINES_NAME).chmod(0o600)
            zipped = gzip.GzipFile("", "wb", _FAST, file)
            self._file = self._closing.enter_context(zipped)
        except (OSError, PerphedgeError) as error:
            self._give_up(error)
        offered = {name: offers(door) for name, door in doors.named().items()}
        try:
            settings = packed(self._settings.model_dump())
        except PerphedgeError as error:
            self._give_up(error)
            settings = None
        self._line(
            {
                "session": FORMAT,
                "version": version("perphedge"),
                "begun_ms": begun_ms,
                "settings": settings,
                "files": self._left(),
                "doors": {
                    name: {method: kind.value for method, kind in one.items()}
                    for name, one in offered.items()
                },
            }
        )
        return doors.through(
            lambda name, door: stand_in(name, offered[name], _Heard(self, door), door.close)
        )

    def cycle_begins(self) -> None:
        """From here on answers belong to the next cycle."""
        self._times()
        if self._file is not None:
            try:
                self._require_room()
            except OSError as error:
                self._give_up(error)
        self._line({"cycle_ms": self._clock.now_ms(), "files": self._left()})

    def cycle_ended(self, record: CycleRecord) -> None:
        """What came of it; on the disk's way when this returns."""
        self._times()
        self._line({"ended": record.document()})
        if self._file is not None:
            try:
                self._file.flush(zlib.Z_SYNC_FLUSH)
            except OSError as error:
                self._give_up(error)

    def end(self) -> None:
        """Closes the file."""
        try:
            self._file = None
            self._closing.close()
        except OSError as error:
            self._give_up(error)

    def note(
        self, door: str, method: str, args: tuple[Any, ...], answer: object, *, raised: bool
    ) -> None:
        """One question and its answer; one that is the same as the last is not written again."""
        if self._file is None:
            return
        try:
            asked, told = json.dumps(packed(list(args))), json.dumps(packed(answer))
        except PerphedgeError as error:
            self._give_up(error)
            return
        digest = blake2b(told.encode(), digest_size=16).digest()
        again = self._last.get((door, method)) == (asked, digest)
        self._last[door, method] = asked, digest
        head = f'{{"door":{json.dumps(door)},"method":"{method}"'
        kind = "error" if raised else "is"
        content = "" if again else f',"args":{asked},"{kind}":{told}'
        self._write(f"{head}{content}}}\n")

    def _require_room(self, besides_bytes: int = 0) -> None:
        """The journal stands on the same disk, and an engine without one must stop.

        Raises:
            OSError: too little is left, or it cannot be told.
        """
        free = shutil.disk_usage(self._settings.state_dir).free
        least = LEAST_FREE_BYTES + besides_bytes
        if free < least:
            told = f"{free / 1e9:.2f} GB left, {least / 1e9:.2f} GB are kept free for the journal"
            raise OSError(errno.ENOSPC, told)

    def _times(self) -> None:
        """What the clock told since the last time, one after another as differences."""
        told, self.clock.told = self.clock.told, []
        if told:
            steps = [after - before for before, after in pairwise(told)]
            self._line({"times_ms": [told[0], *steps]})

    def _left(self) -> dict[str, str]:
        try:
            return left_files(self._settings.state_dir)
        except OSError as error:
            self._give_up(error)
            return {}

    def _line(self, document: dict[str, Any]) -> None:
        self._write(json.dumps(document) + "\n")

    def _write(self, line: str) -> None:
        if self._file is None:
            return
        try:
            self._file.write(line.encode())
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._file = None
        self._log.warning("session_not_recorded", reason=str(error))


class _Heard:
    """Asks a door and notes what it says."""

    def __init__(self, recorder: SessionRecorder, door: Any) -> None:
        self._recorder = recorder
        self._door = door

    async def asked(self, door: str, method: str, args: tuple[Any, ...]) -> Any:
        """See Answers."""
        try:
            with hearing(on=False):
                answer = await getattr(self._door, method)(*args)
        except Exception as error:
            self._recorder.note(door, method, args, error, raised=True)
            raise
        self._recorder.note(door, method, args, answer, raised=False)
        return answer

    def called(self, door: str, method: str, args: tuple[Any, ...]) -> Any:
        """See Answers."""
        with hearing(on=False):
            found = getattr(self._door, method)
            answer = found(*args) if callable(found) else found
        self._recorder.note(door, method, args, answer, raised=False)
        return answer
