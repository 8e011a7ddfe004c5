"""The small files of a state directory on the simulated disk.

Names and contents get lost apart: a new name that nobody synced is gone after a power cut, whatever
became of the content, and a name that was taken away is back.
"""

import errno
import os
from collections.abc import Iterable
from pathlib import Path

from bot.faults.disk import Disk, DiskFile, Mount
from bot.halt import HALT_NAME
from bot.state_files import StateFolder


class DiskDevice:
    """What a process does to small files, by the rules of the disk."""

    def __init__(self, mount: Mount) -> None:
        self._mount = mount

    def read(self, path: Path, longest: int) -> bytes | None:
        """See the port."""
        file = self._mount.disk.small.names.get(path.name)
        return None if file is None else bytes(file.content[:longest])

    def names(self, folder: Path) -> Iterable[str]:
        """See the port."""
        return tuple(self._mount.disk.small.names)

    def write(self, path: Path, content: bytes) -> None:
        """See the port."""
        disk = self._changed("file.write")
        file = disk.small.names.setdefault(path.name, DiskFile())
        if disk.full:
            self._mount.fired("disk_full")
            raise _os_error(errno.ENOSPC)
        file.truncate(0)
        file.write(content, 0)

    def rename(self, path: Path, to: Path) -> None:
        """See the port."""
        names = self._changed("file.write").small.names
        if path.name not in names:
            raise _os_error(errno.ENOENT)
        names[to.name] = names.pop(path.name)

    def remove(self, path: Path) -> None:
        """See the port."""
        self._changed("file.write").small.names.pop(path.name, None)

    def sync(self, path: Path) -> None:
        """See the port: of a file its content, of the folder its names."""
        small = self._changed("file.sync.before").small
        file = small.names.get(path.name)
        if file is None:
            small.safe = dict(small.names)
        else:
            file.unsynced.clear()
        self._mount.boundary("file.sync.after")

    def _changed(self, boundary: str) -> Disk:
        self._mount.boundary(boundary)
        if self._mount.disk.failing:
            self._mount.fired("disk_error")
            raise _os_error(errno.EIO)
        return self._mount.disk


def _os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class Promise:
    """What was said of the kill switch: once somebody was told that it is on, it must stay so."""

    def __init__(self) -> None:
        self.halted = False


class PromisingFolder(StateFolder):
    """A state directory that writes down what it has promised."""

    def __init__(self, path: Path, mount: Mount, promise: Promise) -> None:
        super().__init__(path, DiskDevice(mount))
        self._promise = promise

    def put(self, name: str, text: str) -> None:
        """See the engine's own."""
        super().put(name, text)
        if name == HALT_NAME:
            self._promise.halted = True

    def remove(self, name: str) -> None:
        """See the engine's own."""
        if name == HALT_NAME:
            self._promise.halted = False
        super().remove(name)

    def set_aside(self, name: str, to: str) -> None:
        """See the engine's own."""
        if name == HALT_NAME:
            self._promise.halted = False
        super().set_aside(name, to)
        if to == HALT_NAME:
            self._promise.halted = True


def operators_folder(path: Path, disk: Disk, promise: Promise) -> PromisingFolder:
    """As a command of the operator's uses it: it meets no fault, and dies at no boundary."""

    def passed(_name: str) -> None:
        """Nothing happens there."""

    healthy = Disk()
    healthy.small = disk.small
    return PromisingFolder(path, Mount(healthy, passed, passed), promise)
