"""One engine for one state directory: a file lock that dies with its process."""

import fcntl
import os
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
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
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
    """Process id of the running engine; None when none runs."""
    try:
        descriptor = os.open(state_dir / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(descriptor, 32).decode(errors="replace").strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(descriptor)
    return None


@contextmanager
def engine_state(
    state_dir: Path,
    clock: Clock,
    *,
    install_key: bytes | None = None,
    opener: Opener = open_file,
) -> Iterator[Journal]:
    """The journal of a state directory, held by this process alone, with one more epoch counted.

    ``opener`` stands in for the journal's file where the disk is not a real one.

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


def lock_holder_by_name(state_dir: Path) -> int | None:
    """As ``lock_holder``, for who asks every second: touches the lock only while it is taken.

    To ask is to hold it for a moment, and an engine that starts in that moment would not come up.
    """
    try:
        text = (state_dir / LOCK_NAME).read_text(encoding="ascii", errors="replace").strip()
        if not text.isdigit():
            return None
        os.kill(int(text), 0)
    except PermissionError:
        pass  # it is there, and another user's
    except (OSError, OverflowError):
        return None
    return lock_holder(state_dir)
