"""What an operator asks of an engine, through files in its state directory.

The journal has one writer, the engine. So a command beside a running engine leaves a file that
the engine takes up with its next cycle.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

RESUME_NAME = "RESUME"
ACKNOWLEDGE_NAME = "ACKNOWLEDGE"
FLATTEN_NAME = "FLATTEN"
_LONGEST = 4000


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, and why, one line each."""

    by: str
    reason: str


def ask(state_dir: Path, name: str, asked: Asked) -> Path:
    """Leaves a request, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    path = state_dir / name
    beside = path.with_name(f".{name}.{os.getpid()}")
    text = json.dumps({"by": asked.by, "reason": asked.reason})
    beside.write_text(text + "\n", encoding="utf-8")
    beside.replace(path)
    return path


def waiting(state_dir: Path, name: str) -> Asked | None:
    """The request that waits; None without one, or where it names nobody or no reason."""
    try:
        with (state_dir / name).open("rb") as file:
            found = json.loads(file.read(_LONGEST))
        by, reason = (" ".join(str(found[key]).split()) for key in ("by", "reason"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Asked(by, reason) if by and reason else None


def taken(state_dir: Path, name: str) -> None:
    """The request is carried out."""
    (state_dir / name).unlink(missing_ok=True)
