"""How far the journal had come, kept beside it: a journal that ends earlier was cut or replaced."""

import json
import os
from pathlib import Path

from bot.journal.chain import Head

ANCHOR_SUFFIX = ".anchor"


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


def write_anchor(journal: Path, head: Head) -> None:
    """Replaces the anchor.

    The journal is on the disk by then, so an anchor that is lost or old does no harm: only an
    earlier line is asked for. So it is not worth waiting for the disk, nor a failure.
    """
    path = anchor_path(journal)
    text = json.dumps({"number": head.number, "link": head.link.hex()})
    fresh = path.with_name(path.name + ".new")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, f"{text}\n".encode("ascii"))
        finally:
            os.close(descriptor)
        fresh.replace(path)
    except OSError:
        return
