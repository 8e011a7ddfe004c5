"""A disk that can lose what was not synced, fill up, fail and rot, under SQLite as a VFS.

Files are bytes in memory. What was written since the last sync of a file is kept beside it, so
that a power cut takes it back, all or in part, as a real disk does.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import apsw

from bot.faults.errors import ProcessEndedError

VFS_NAME = "perphedge-faults"
SECTOR_BYTES = 4096
_SAVED = 0.3  # share of unsynced writes that a power cut happens to spare


_Change = tuple[int, bytearray, bytes, int]
"""One write or truncation since the last sync: where, what it replaced, what it put there, and the
size before it. There are thousands in a schedule, so they are no objects."""


@dataclass(slots=True)
class DiskFile:
    """Content as programs see it, and what of it a power cut may take back.

    Attributes:
        forgotten: what a sync failed to bring to the disk. The system takes it for clean since, so
            no later sync tries again; only what is written over it and synced is safe.
    """

    content: bytearray = field(default_factory=bytearray)
    unsynced: list[_Change] = field(default_factory=list)
    forgotten: list[_Change] = field(default_factory=list)

    def write(self, data: bytes, offset: int) -> None:
        """Overwrite or append; a gap is filled with zeros."""
        content = self.content
        size, end = len(content), offset + len(data)
        self.unsynced.append((offset, content[offset:end], data, size))
        if offset > size:
            content.extend(bytes(offset - size))
        content[offset:end] = data

    def truncate(self, size: int) -> None:
        """Cut off the end."""
        self.unsynced.append((size, self.content[size:], b"", len(self.content)))
        del self.content[size:]

    def lose_sync(self) -> None:
        """What was to be synced never is."""
        self.forgotten += self.unsynced
        self.unsynced.clear()

    def synced(self) -> None:
        """What was written since the last sync is safe."""
        if self.forgotten:
            self.forgotten = [
                (offset, before, after, size)
                for offset, before, after, size in self.forgotten
                if not any(o <= offset and offset + len(after) <= o + len(a)
                           for o, _, a, _ in self.unsynced if a)
            ]  # fmt: skip
        self.unsynced.clear()

    def cut_power(self, die: random.Random) -> None:
        """Take back what was not synced, except for the writes that the die spares."""
        spared = [change for change in self.unsynced if die.random() < _SAVED]
        for offset, before, after, size_before in reversed(self.unsynced):
            self.content[offset : offset + len(after)] = before
            del self.content[size_before:]
        for offset, _, after, _ in spared:
            self._put(after, offset)
        self.unsynced.clear()
        for offset, before, after, _ in reversed(self.forgotten):
            known = len(self.content) - offset  # of it, what is not cut off since
            was = before + bytes(max(0, len(after) - len(before)))
            self.content[offset : offset + len(after)] = was[: max(0, known)]
        self.forgotten.clear()

    def _put(self, data: bytes, offset: int) -> None:
        size = len(self.content)
        if offset > size:
            self.content.extend(bytes(offset - size))
        self.content[offset : offset + len(data)] = data


@dataclass(slots=True)
class SmallFiles:
    """Names of a folder as programs see them, and those that a power cut spares for sure."""

    names: dict[str, DiskFile] = field(default_factory=dict)
    safe: dict[str, DiskFile] = field(default_factory=dict)

    def cut_power(self, die: random.Random) -> None:
        """Lose names and contents that were not synced, except for those that the die spares."""
        found = dict(self.safe)
        for name in sorted({*self.names, *self.safe}):
            if self.names.get(name) is not self.safe.get(name) and die.random() < _SAVED:
                found.pop(name, None)
                if name in self.names:
                    found[name] = self.names[name]
        for name in sorted(found):
            found[name].cut_power(die)
        self.names, self.safe = found, dict(found)


class Disk:
    """Files by name, and what is wrong with the device now.

    Attributes:
        files: of the journal; ``small``: those beside it.
        full: no file can grow.
        failing: writes and syncs of the journal fail.
        losing_in: how many syncs of the journal still go well before one fails, and what it was
            to bring to the disk is forgotten; None: none does.
        trouble_in: how many writes still go well before ``trouble`` (full or failing) begins.
        locked_until_ms: another process keeps the database locked until then.
        lock_met: the engine has met this lock; it looks many times whether it is over.
    """

    def __init__(self) -> None:
        self.files: dict[str, DiskFile] = {}
        self.small = SmallFiles()
        self.full = False
        self.failing = False
        self.losing_in: int | None = None
        self.trouble = ""
        self.trouble_in = 0
        self.locked_until_ms = 0
        self.lock_met = False

    def unsynced_bytes(self) -> int:
        """Of the write-ahead log, which holds what the main file does not have for sure."""
        return sum(
            len(after)
            for name, file in self.files.items()
            if name.endswith("-wal")
            for _, _, after, _ in file.unsynced
        )

    def spoil(self, trouble: str, after_writes: int) -> None:
        """Let ``full`` or ``failing`` begin after so many writes."""
        self.trouble, self.trouble_in = trouble, after_writes

    def heal(self) -> None:
        """There is room again, and writes go well."""
        self.full = self.failing = False
        self.losing_in = None
        self.trouble = ""

    def loses_sync(self) -> bool:
        """One more sync is asked for while one is to fail: whether it is this one."""
        if self.losing_in is None:
            return False
        self.losing_in -= 1
        if self.losing_in >= 0:
            return False
        self.losing_in = None
        return True

    def count_write(self) -> None:
        """One more write is asked for while there is trouble ahead."""
        if self.trouble_in <= 0:
            setattr(self, self.trouble, True)
        self.trouble_in -= 1

    def cut_power(self, die: random.Random) -> None:
        """Lose what was not synced."""
        for name in sorted(self.files):
            self.files[name].cut_power(die)
        self.small.cut_power(die)

    def image_after_power_cut(self, die: random.Random) -> dict[str, bytes]:
        """What a power cut just now would leave; nothing is lost."""
        left = {}
        for name, file in sorted(self.files.items()):
            copy = DiskFile(bytearray(file.content), list(file.unsynced), list(file.forgotten))
            copy.cut_power(die)
            left[name] = bytes(copy.content)
        return left

    def image(self) -> dict[str, bytes]:
        """A copy of everything as programs see it now."""
        return {name: bytes(file.content) for name, file in self.files.items()}


@dataclass(slots=True)
class Mount:
    """One process's way to a disk.

    Attributes:
        boundary: told of the process's every write and sync by name; raises to end the process.
        alive: False once the process is gone: what it still tries does not happen.
        fired: told when something is wrong with the disk and the process meets it.
    """

    disk: Disk
    boundary: Callable[[str], None]
    fired: Callable[[str], None]
    alive: bool = True


class _OpenFile:
    """One open file, as SQLite's methods want it."""

    def __init__(self, mount: Mount, name: str) -> None:
        self._mount = mount
        self._file = mount.disk.files.setdefault(name, DiskFile())

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self._file.content[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        mount = self._mount
        if not mount.alive:
            return
        try:  # as in _boundary, without its call: this is done a hundred times a step
            mount.boundary("journal.write")
        except ProcessEndedError:
            raise _error(apsw.IOError, apsw.SQLITE_IOERR) from None
        disk = mount.disk
        if disk.trouble:
            disk.count_write()
        if disk.failing:
            mount.fired("disk_error")
            raise _error(apsw.IOError, apsw.SQLITE_IOERR_WRITE)
        if disk.full and offset + len(data) > len(self._file.content):
            mount.fired("disk_full")
            raise _error(apsw.FullError, apsw.SQLITE_FULL)
        self._file.write(data, offset)

    def xTruncate(self, size: int) -> None:
        if self._mount.alive:
            self._file.truncate(size)

    def xSync(self, _flags: int) -> None:
        mount = self._mount
        if not mount.alive:
            return
        self._boundary("journal.sync.before")
        if mount.disk.failing:
            mount.fired("disk_error")
            raise _error(apsw.IOError, apsw.SQLITE_IOERR_FSYNC)
        if mount.disk.losing_in is not None and self._file.unsynced and mount.disk.loses_sync():
            self._file.lose_sync()
            mount.fired("sync_lost_once")
            raise _error(apsw.IOError, apsw.SQLITE_IOERR_FSYNC)
        self._file.synced()
        self._boundary("journal.sync.after")

    def _boundary(self, name: str) -> None:
        try:
            self._mount.boundary(name)
        except ProcessEndedError:
            raise _error(apsw.IOError, apsw.SQLITE_IOERR) from None

    def xFileSize(self) -> int:
        return len(self._file.content)

    def xLock(self, level: int) -> None:
        """Nobody else is there."""

    def xUnlock(self, level: int) -> None:
        """Nobody else is there."""

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, _op: int, _pointer: int) -> bool:
        return False

    def xSectorSize(self) -> int:
        return SECTOR_BYTES

    def xDeviceCharacteristics(self) -> int:
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE  # as SQLite takes every disk to be

    def xClose(self) -> None:
        """Nothing is held open."""


def _error(kind: type[apsw.Error], extended: int) -> apsw.Error:
    error = kind()
    error.extendedresult = extended  # type: ignore[attr-defined]  # apsw reads it, its stubs lack it
    return error


class DiskVfs(apsw.VFS):
    """SQLite's door to the disk that is mounted now; there is one in each Python process."""

    def __init__(self) -> None:
        self.mounted: Mount | None = None
        super().__init__(VFS_NAME, "")

    def xOpen(  # type: ignore[override]  # the stub is narrower than what apsw calls
        self, name: object, _flags: list[int]
    ) -> _OpenFile:
        assert self.mounted is not None, "a disk is mounted before a journal on it is opened"
        text = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        return _OpenFile(self.mounted, text)

    def xDelete(self, name: str, _sync: bool) -> None:
        if self.mounted is not None and self.mounted.alive:
            self.mounted.disk.files.pop(name, None)

    def xAccess(self, name: str, _flags: int) -> bool:
        return self.mounted is not None and name in self.mounted.disk.files

    def xFullPathname(self, name: str) -> str:
        return name
