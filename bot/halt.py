"""The kill switch: a file in the state directory. While it is there, nothing is traded.

Anything that can create a file can stop the engine: a script, a cron job, a hand, and the engine
itself. It works with the journal and the network down and outlives restarts. Whoever put the file
there may remove it; a halt of the engine's own is in the journal as well, which puts the file back
until somebody resumes by name and with a reason.
"""

import os
from pathlib import Path

HALT_NAME = "HALT"

_LONGEST = 2000  # bytes of a reason; whatever else the file holds is not read


class HaltSwitch:
    """On while ``state_dir/HALT`` exists; its text is the reason."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / HALT_NAME
        self._unwritten: str | None = None

    @property
    def folder(self) -> Path:
        """The state directory."""
        return self._path.parent

    @property
    def reason(self) -> str | None:
        """Why trading is halted, one line; None when it is not."""
        return self._unwritten or self._read()

    def _read(self) -> str | None:
        try:
            # Not blocking, so that a named pipe in its place cannot stop the engine's clock.
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                text = os.read(descriptor, _LONGEST).decode(errors="replace")
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            # A link that leads nowhere is there all the same.
            return f"{self._path} is a broken link" if self._path.is_symlink() else None
        except OSError as error:
            # A switch that cannot be read counts as on.
            return f"{self._path} cannot be read: {error.strerror}"
        return " ".join(text.split()) or f"{self._path} exists"

    def trip(self, reason: str) -> None:
        """Switch on, unless it is on already; where the file cannot be written, until restart."""
        if self._read() is not None:
            return
        try:
            self._path.write_text(f"{reason}\n", encoding="utf-8")
        except OSError as error:
            self._unwritten = f"{reason} ({self._path} cannot be written: {error.strerror})"

    def clear(self) -> None:
        """Switch off.

        Raises:
            OSError: the file cannot be removed; the switch stays on.
        """
        self._path.unlink(missing_ok=True)
        self._unwritten = None
