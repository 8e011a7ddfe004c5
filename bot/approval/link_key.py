"""The key that links are signed with: a private file of the state directory, made when needed."""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from bot.approval.links import KEY_BYTES
from bot.errors import SafetyError

KEY_NAME = "approval.key"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def link_key(folder: Path) -> bytes:
    """The key of this state directory; the first who asks makes it.

    Removing the file makes every link that is out worthless.

    Raises:
        SafetyError: others may read it, or it is damaged.
        OSError: it cannot be read or made.
    """
    path = folder / KEY_NAME
    if not path.exists():
        _make(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found, key = os.fstat(descriptor), os.read(descriptor, KEY_BYTES + 1)
    finally:
        os.close(descriptor)
    if found.st_mode & _OTHERS or found.st_uid != os.geteuid():
        raise SafetyError(f"{path}: others may read it; remove it, and a new one is made")
    if len(key) != KEY_BYTES:
        raise SafetyError(f"{path}: is damaged; remove it, and a new one is made")
    return key


def _make(path: Path) -> None:
    """Whole or not at all, and never in place of one that is there."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(KEY_BYTES))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    with suppress(FileExistsError):  # somebody else was first
        os.link(beside, path)
    beside.unlink()
