"""How far the journal had come, kept beside it: a journal that ends earlier was cut or replaced."""

import json
import os
import shutil
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from bot.journal.chain import Head

ANCHOR_SUFFIX = ".anchor"
ANCHORED = "anchored"
"""Setting in the journal: there is an anchor on the disk, and there must be one from now on."""
ACCEPT = "accept"
"""What an operator puts in the anchor's place to go on with the journal as it is."""


def anchor_path(journal: Path) -> Path:
    """The anchor's file."""
    return journal.with_suffix(ANCHOR_SUFFIX)


def read_anchor(journal: Path) -> Head | None:
    """The line that was newest when it was written last; None where nothing readable is there."""
    try:
        found = json.loads(anchor_path(journal).read_text(encoding="ascii"))
        return Head(int(found["number"]), bytes.fromhex(found["link"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def anchor_accepted(journal: Path) -> bool:
    """An operator takes the journal as it is, without knowing how far it had come."""
    try:
        return anchor_path(journal).read_text(encoding="ascii").strip() == ACCEPT
    except (OSError, ValueError):
        return False


def copy_anchor(journal: Path, to: Path) -> None:
    """Puts the same beside a copy, whatever it says; nothing where there is none."""
    with suppress(FileNotFoundError):
        shutil.copyfile(anchor_path(journal), anchor_path(to))


def write_anchor(journal: Path, head: Head) -> bool:
    """Replaces the anchor; whether it is on the disk now.

    The journal is on the disk by then, so one that is old does no harm: only an earlier line is
    asked for. So a failure is not worth stopping for. Half an anchor is never to be seen: what
    replaces the old one is on the disk first.
    """
    path, fresh = _names(journal)
    text = json.dumps({"number": head.number, "link": head.link.hex()})
    first = not path.exists()
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, f"{text}\n".encode("ascii"))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        fresh.replace(path)
        if first:
            _sync_folder(path.parent)
    except OSError:
        return False
    return True


@lru_cache(8)
def _names(journal: Path) -> tuple[Path, Path]:
    """The anchor's, and that of what replaces it; made once, since they are wanted every cycle."""
    path = anchor_path(journal)
    return path, path.with_name(path.name + ".new")


def _sync_folder(folder: Path) -> None:
    """A name that is new in it is on the disk afterwards."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
