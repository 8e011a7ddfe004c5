"""What was allowed, on disk: a server that is started anew gives no room twice.

One small file, replaced whole, which the server and desks inside bots share under a lock. It is
not synced: after a power cut the last grants may be missing, for as long as a grant lasts.
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from bot.advice.grants import Grant
from risk.errors import DataError

GRANTS_NAME = "entry-grants.json"
_LOCK_NAME = "entry-grants.lock"
_PATIENCE_S = 0.05


class GrantFile:
    """The file of one state folder."""

    def __init__(self, folder: Path, lasts_ms: int) -> None:
        """``lasts_ms``: how long a grant lasts at most."""
        self._folder = folder
        self._path = folder / GRANTS_NAME
        self._lasts_ms = lasts_ms
        self._seen: tuple[int, int, int] | None = None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else reads or writes meanwhile.

        Raises:
            OSError: the folder cannot be written to, or somebody holds the lock for too long.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / _LOCK_NAME).open("a") as lock:
            _lock(lock.fileno())  # closing gives it back, and so does our end
            yield

    def changed(self, now_ms: int) -> list[Grant] | None:
        """What stands there; None where it is what was read or written last.

        Raises:
            DataError: it is damaged, and what it held may count still.
            OSError: it cannot be read.
        """
        try:
            status = self._path.stat()
        except FileNotFoundError:
            gone, self._seen = self._seen is not None, None
            return [] if gone else None
        seen = status.st_mtime_ns, status.st_ino, status.st_size
        if seen == self._seen:
            return None
        try:
            rows = json.loads(self._path.read_text(encoding="utf-8"))
            found = [Grant(**row) for row in rows]
        except (ValueError, TypeError) as error:
            if status.st_mtime_ns // 1_000_000 + self._lasts_ms > now_ms:
                raise DataError(f"{GRANTS_NAME}: damaged, {type(error).__name__}") from error
            found = []  # whatever it held has ended
        self._seen = seen
        return found

    def write(self, grants: Iterable[Grant]) -> None:
        """Put these in place of what is there.

        Raises:
            OSError: it cannot be written.
        """
        beside = self._folder / f".{GRANTS_NAME}.{os.getpid()}"
        beside.write_text(json.dumps([asdict(one) for one in grants]), encoding="utf-8")
        beside.replace(self._path)
        status = self._path.stat()
        self._seen = status.st_mtime_ns, status.st_ino, status.st_size


def _lock(descriptor: int) -> None:
    """The lock is held for a millisecond; who stops while holding it must not stop us all.

    Raises:
        OSError: it is not free in time.
    """
    until_s = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until_s:
                raise
            time.sleep(0.001)
        else:
            return
