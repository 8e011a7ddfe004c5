"""What people and programs leave in a state directory for its engine, taken along and put back.

These few files decide beside the exchange's answers: a halt, a resume, an approval.
"""

import base64
from pathlib import Path

from bot.approval.asking import PREFIXES as APPROVAL_PREFIXES
from bot.halt import HALT_NAME
from bot.requests import (
    ACKNOWLEDGE_NAME,
    ACKNOWLEDGE_PREFIX,
    FLATTEN_NAME,
    RESUME_NAME,
    SETTLE_PREFIX,
)

_NAMES = frozenset({HALT_NAME, RESUME_NAME, FLATTEN_NAME, ACKNOWLEDGE_NAME})
_PREFIXES = (ACKNOWLEDGE_PREFIX, SETTLE_PREFIX, *APPROVAL_PREFIXES.values())
_LONGEST = 16_000


def left_files(folder: Path) -> dict[str, str]:
    """Their contents by name, base64; what cannot be read is left out, as the engine leaves it."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.name in _NAMES or path.name.startswith(_PREFIXES):
            try:
                with path.open("rb") as file:
                    found[path.name] = base64.b64encode(file.read(_LONGEST)).decode()
            except OSError:
                continue
    return found


def put_files(folder: Path, files: dict[str, str]) -> None:
    """The folder holds these of them, and no other."""
    for name in left_files(folder).keys() - files.keys():
        (folder / name).unlink()
    for name, content in files.items():
        (folder / name).write_bytes(base64.b64decode(content))
