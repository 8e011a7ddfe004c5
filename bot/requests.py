"""What an operator asks of an engine, through files in its state directory.

The journal has one writer, the engine. So a command beside a running engine leaves a file that
the engine takes up with its next cycle.
"""

import json
from dataclasses import asdict, dataclass
from decimal import Decimal, DecimalException
from pathlib import Path

from bot.state_files import StateFolder, state_folder
from bot.trading.settling import Settlement

RESUME_NAME = "RESUME"
ACKNOWLEDGE_NAME = "ACKNOWLEDGE"
FLATTEN_NAME = "FLATTEN"
SETTLE_PREFIX = "SETTLE-"
"""Before the client id of the order that a request settles."""
_LONGEST = 4000


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, and why, one line each."""

    by: str
    reason: str


def ask(state_dir: Path | StateFolder, name: str, asked: Asked) -> Path:
    """Leaves a request, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    folder = state_folder(state_dir)
    text = json.dumps({"by": asked.by, "reason": asked.reason})
    folder.put_whole(name, f"{text}\n")
    return folder.path / name


def waiting(state_dir: Path | StateFolder, name: str) -> Asked | None:
    """The request that waits; None without one, or where it names nobody or no reason."""
    try:
        content = state_folder(state_dir).read(name, _LONGEST)
        if content is None:
            return None
        found = json.loads(content)
        by, reason = (" ".join(str(found[key]).split()) for key in ("by", "reason"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Asked(by, reason) if by and reason else None


def taken(state_dir: Path | StateFolder, name: str) -> None:
    """The request is carried out, and does not come back after a power cut.

    Raises:
        OSError: it may still be there.
    """
    state_folder(state_dir).remove(name)


def ask_settlement(state_dir: Path | StateFolder, told: Settlement) -> Path:
    """Leaves somebody's word on an order, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    folder, name = state_folder(state_dir), SETTLE_PREFIX + told.client_id
    folder.put_whole(name, f"{json.dumps(asdict(told), default=str)}\n")
    return folder.path / name


def waiting_settlement(state_dir: Path | StateFolder, client_id: str) -> Settlement | None:
    """The word that waits on this order; None without one, or where it cannot be understood."""
    asked = waiting(state_dir, SETTLE_PREFIX + client_id)
    try:
        content = state_folder(state_dir).read(SETTLE_PREFIX + client_id, _LONGEST)
        if asked is None or content is None:
            return None
        found = json.loads(content)
        price = found["price"]
        return Settlement(
            client_id,
            Decimal(found["filled"]),
            None if price is None else Decimal(price),
            asked.by,
            asked.reason,
        )
    except (OSError, ValueError, KeyError, TypeError, DecimalException):
        return None
