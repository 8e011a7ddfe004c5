"""One engine for one state directory: a file lock that dies with its process."""

import fcntl
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from bot.errors import JournalError, LockHeldError
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME
from bot.journal.schema import Opener, open_file
from bot.ports import Clock

LOCK_NAME = "engine.lock"
BUSY_MS = 1_000
"""So long a running engine stands still for a journal that another program has locked: less than
its own orders may still be open after a halt."""
PATIENCE_MS = 20_000
"""So long it waits between two cycles."""
_RANGE = struct.Struct("hhqqi4x")
"""Linux's struct flock: kind, whence, start, length (0: to the end), process (0 for this kind)."""
_CAN_ASK = sys.platform == "linux"


class EngineLock:
    """An exclusive lock on ``state_dir/engine.lock``; the kernel frees it when the process ends."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / LOCK_NAME
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Takes the lock and writes this process's id into the file.

        Raises:
            LockHeldError: another process has it; names its id.
            JournalError: the directory cannot be used.
        """
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(f"lock {self._path}: {error.strerror}; check state_dir") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise LockHeldError(
                f"another engine (process {holder}) runs on {self._path.parent}; "
                "stop it, or give this one its own state_dir"
            ) from None
        try:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
            _mark(descriptor)
        except OSError as error:  # a full disk, or one that cannot lock
            os.close(descriptor)
            raise JournalError(f"lock {self._path}: {error.strerror}; check state_dir") from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Gives the lock back; the file stays, since removing it would let two in."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def lock_holder(state_dir: Path) -> int | None:
    """Process id of the running engine, 0 where it is not known; None when none runs.

    It is that of the engine's own container, where it runs in one. To ask disturbs nobody: an
    engine that starts in the same moment gets its lock.
    """
    try:
        descriptor = os.open(state_dir / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not _is_taken(descriptor):
            return None
        text = os.read(descriptor, 32).decode(errors="replace").strip()
        return int(text) if text.isdigit() else 0
    finally:
        os.close(descriptor)


def _mark(descriptor: int) -> None:
    """A second lock beside the first, of a kind that can be asked for without taking it."""
    if _CAN_ASK:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _RANGE.pack(fcntl.F_WRLCK, 0, 0, 0, 0))


def _is_taken(descriptor: int) -> bool:
    if _CAN_ASK:
        wanted = _RANGE.pack(fcntl.F_RDLCK, 0, 0, 0, 0)
        found = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, wanted)
        return bool(_RANGE.unpack(found)[0] != fcntl.F_UNLCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


@contextmanager
def engine_state(
    state_dir: Path,
    clock: Clock,
    *,
    install_key: bytes | None = None,
    opener: Opener = open_file,
    same_epoch: bool = False,
) -> Iterator[Journal]:
    """The journal of a state directory, held by this process alone, with one more epoch counted.

    ``opener`` stands in for the journal's file where the disk is not a real one. ``same_epoch``
    counts none: what is played again is the engine that wrote the last lines.

    Raises:
        LockHeldError: another engine has it.
        JournalError, SafetyError: the journal cannot be used.
    """
    with (
        EngineLock(state_dir),
        Journal.open(
            state_dir / JOURNAL_NAME, clock, install_key=install_key, opener=opener
        ) as journal,
    ):
        journal.wait_at_most(BUSY_MS)
        if not same_epoch:
            journal.start_epoch()
        yield journal


async def when_free(journal: Journal, clock: Clock) -> None:
    """Waits while another program keeps the journal locked, and lets everything else go on.

    Between a cycle's reads and its end nothing waits like this: what is seen must not grow old.

    Raises:
        JournalError: it is locked for longer than can be waited for, or cannot be written to.
    """
    with journal.impatient(0):
        if journal.is_free():
            return
        until_ms, last_ms = clock.now_ms() + PATIENCE_MS, clock.now_ms()
        # A clock that is set back must not make it longer.
        while last_ms <= clock.now_ms() < until_ms:
            last_ms = clock.now_ms()
            await clock.sleep(0.1)
            if journal.is_free():
                return
    raise JournalError(
        f"journal {journal.path}: another program has kept it locked for "
        f"{PATIENCE_MS / 1000:g} s; end that program"
    )
