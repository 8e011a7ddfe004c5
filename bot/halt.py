"""The kill switch: a file in the state directory. While it is there, nothing is traded.

Anything that can create a file can stop the engine: a script, a cron job, a hand, and the engine
itself. It works with the journal and the network down and outlives restarts. Removing the file
lifts nothing: once an engine has seen it, the halt is in the journal as well, which puts the file
back until somebody resumes by name and with a reason.
"""

import contextlib
import errno
from pathlib import Path

from bot.state_files import StateFolder, state_folder

HALT_NAME = "HALT"

_THERE = frozenset({errno.ENOLINK, errno.EISDIR, errno.ELOOP})
"""Reading fails so where something stands in its place, which counts as a switch that is on."""

_ASIDE = "LIFTING"
"""What the file is called while it is lifted."""

_LONGEST = 2000  # bytes of a reason; whatever else the file holds is not read


class HaltSwitch:
    """On while ``state_dir/HALT`` exists; its text is the reason."""

    def __init__(self, state_dir: Path | StateFolder) -> None:
        self._folder = state_folder(state_dir)
        self._path = self._folder.path / HALT_NAME
        self._unwritten: str | None = None

    @property
    def folder(self) -> StateFolder:
        """The state directory."""
        return self._folder

    @property
    def reason(self) -> str | None:
        """Why trading is halted, one line; None when it is not."""
        return self._unwritten or self._read()

    @property
    def unwritten(self) -> str | None:
        """Why the last trip is not safely on the disk, one line; then no other process may see it.

        None where it is, or something else had switched it on before.
        """
        return self._unwritten

    @property
    def on_disk(self) -> str | None:
        """The reason that other processes see."""
        return self._read()

    def _is_there(self) -> bool:
        """Whether the file is, whatever can be read of it."""
        try:
            return self._folder.read(HALT_NAME, _LONGEST) is not None
        except OSError as error:
            return error.errno in _THERE

    def _read(self) -> str | None:
        try:
            content = self._folder.read(HALT_NAME, _LONGEST)
        except OSError as error:
            # A switch that cannot be read counts as on; so does a link that leads nowhere.
            if error.errno == errno.ENOLINK:
                return f"{self._path} is a broken link"
            return f"{self._path} cannot be read: {error.strerror}"
        if content is None:
            return None
        return " ".join(content.decode(errors="replace").split()) or f"{self._path} exists"

    def trip(self, reason: str) -> None:
        """Switch on, unless it is on already; where the file cannot be written, until restart."""
        if not self._is_there():
            self._put(reason)

    def _put(self, reason: str) -> None:
        try:
            self._folder.put(HALT_NAME, f"{reason}\n")
        except OSError as error:
            self._unwritten = f"{reason} ({self._path} cannot be written: {error.strerror})"

    def trip_again(self, reason: str) -> None:
        """Switch on for a reason of its own: who clears what was there before does not clear this.

        The newer reason stands first.
        """
        there, before = self._is_there(), self.content or b""
        text = f"{reason}\n{before.decode(errors='replace')}"[:_LONGEST]
        try:
            self._folder.put_whole(HALT_NAME, text)
        except OSError:
            if not there:
                self._put(reason)  # it needs no second file, and tells whether it is safe

    @property
    def content(self) -> bytes | None:
        """What the file holds; None where it is not there or cannot be read."""
        try:
            return self._folder.read(HALT_NAME, _LONGEST)
        except OSError:
            return None

    def clear_seen(self, seen: bytes | None) -> None:
        """Switch off, unless somebody has switched it on anew since its content was this.

        The file is taken aside in one step and only then compared, so that whatever is written in
        between is either what is compared or a new file, which stays.

        Raises:
            OSError: the file cannot be removed; the switch stays on.
        """
        if self.content != seen:
            return
        if not self._is_there():
            self.clear()
            return
        try:
            self._folder.set_aside(HALT_NAME, _ASIDE)
            if self._folder.read(_ASIDE, _LONGEST) != seen:
                self.recover()
                return
            self._folder.remove(_ASIDE)
        except FileNotFoundError:
            pass  # somebody else has just removed it
        except OSError:
            self._stay_on()
            raise
        self._unwritten = None

    def _stay_on(self) -> None:
        """What was to be lifted is not, as far as the disk allows; here in any case."""
        with contextlib.suppress(OSError):
            self.recover()
        if not self._is_there():
            self._unwritten = f"{self._path} could not be removed safely"

    def recover(self) -> None:
        """Puts back a file that was being lifted when its process ended: nobody knows if it may.

        Raises:
            OSError: it cannot be put back.
        """
        if self._folder.read(_ASIDE, 1) is None:
            return
        if self._is_there():
            self._folder.remove(_ASIDE)  # a newer halt is in its place
        else:
            self._folder.set_aside(_ASIDE, HALT_NAME)

    def clear(self) -> None:
        """Switch off.

        Raises:
            OSError: the file cannot be removed; the switch stays on.
        """
        self._folder.remove(HALT_NAME)
        self._unwritten = None
