"""The small files of a state directory: what stops an engine, and what is asked of it.

A command that has said "halted" must stay true after a power cut, and a request that was carried
out must not come back after one. So files and their folder are synced before anybody goes on.
"""

import errno
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol


class FileDevice(Protocol):
    """What a disk does; each step alone may be lost in a power cut until it is synced."""

    def read(self, path: Path, longest: int) -> bytes | None:
        """The beginning of a file; None where there is none.

        Raises:
            OSError: it cannot be read; a link that leads nowhere is ENOLINK.
        """

    def names(self, folder: Path) -> Iterable[str]:
        """Of the files in it, in any order.

        Raises:
            OSError: it cannot be read.
        """

    def write(self, path: Path, content: bytes) -> None:
        """Make the file, or put this in place of what it held.

        Raises:
            OSError: it cannot be written.
        """

    def rename(self, path: Path, to: Path) -> None:
        """Give it that name, in place of what had it.

        Raises:
            OSError: it cannot be renamed.
        """

    def remove(self, path: Path) -> None:
        """Take it away, if it is there.

        Raises:
            OSError: it cannot be removed.
        """

    def sync(self, path: Path) -> None:
        """What a file or folder is now is on the disk when this returns.

        Raises:
            OSError: it is not known what is on the disk.
        """


class SystemDevice:
    """The machine's own files."""

    def read(self, path: Path, longest: int) -> bytes | None:
        """See the port."""
        try:
            # Not blocking, so that a named pipe in its place cannot stop the engine's clock.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            if path.is_symlink():
                raise OSError(errno.ENOLINK, "it is a broken link", str(path)) from None
            return None
        try:
            return os.read(descriptor, longest)
        finally:
            os.close(descriptor)

    def names(self, folder: Path) -> Iterable[str]:
        """See the port."""
        return [path.name for path in folder.iterdir()]

    def write(self, path: Path, content: bytes) -> None:
        """See the port."""
        path.write_bytes(content)

    def rename(self, path: Path, to: Path) -> None:
        """See the port."""
        path.replace(to)

    def remove(self, path: Path) -> None:
        """See the port."""
        path.unlink(missing_ok=True)

    def sync(self, path: Path) -> None:
        """See the port."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class StateFolder:
    """A state directory on one device."""

    def __init__(self, path: Path, device: FileDevice | None = None) -> None:
        self.path = path
        self._device = device or SystemDevice()
        self._read_so_far: dict[str, Path] = {}  # some files are looked for all the time

    def read(self, name: str, longest: int) -> bytes | None:
        """The beginning of a file; None where there is none.

        Raises:
            OSError: it cannot be read.
        """
        path = self._read_so_far.get(name)
        if path is None:
            path = self._read_so_far[name] = self.path / name
        return self._device.read(path, longest)

    def names(self, prefix: str) -> list[str]:
        """Files that begin so, sorted.

        Raises:
            OSError: the folder cannot be read.
        """
        return sorted(n for n in self._device.names(self.path) if n.startswith(prefix))

    def put(self, name: str, text: str) -> None:
        """Make a file whose being there says it all, whatever becomes of its text.

        Raises:
            OSError: it is not safely there, and may be there all the same.
        """
        path = self.path / name
        self._device.write(path, text.encode())
        self._device.sync(path)
        self._device.sync(self.path)

    def put_whole(self, name: str, text: str) -> None:
        """Make a file that is there with all of its text or not at all.

        Raises:
            OSError: it is not safely there.
        """
        beside = self.path / f".{name}.{os.getpid()}"
        self._device.write(beside, text.encode())
        self._device.sync(beside)
        self._device.rename(beside, self.path / name)
        self._device.sync(self.path)

    def set_aside(self, name: str, to: str) -> None:
        """Keep a file under another name, in place of what had it.

        Raises:
            OSError: it may still be there, or come back.
        """
        self._device.rename(self.path / name, self.path / to)
        self._device.sync(self.path)

    def remove(self, name: str) -> None:
        """Take a file away for good.

        Raises:
            OSError: it may still be there, or come back.
        """
        self._device.remove(self.path / name)
        self._device.sync(self.path)


def state_folder(where: Path | StateFolder) -> StateFolder:
    """A folder by its path is one of this machine's."""
    return where if isinstance(where, StateFolder) else StateFolder(where)
