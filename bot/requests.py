"""What an operator asks of an engine, through files in its state directory.

The journal has one writer, the engine. So a command beside a running engine leaves a file that
the engine takes up with its next cycle.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal, DecimalException
from pathlib import Path
from typing import Any

from bot.state_files import StateFolder, state_folder
from bot.trading.settling import Settlement
from risk.errors import DataError

RESUME_NAME = "RESUME"
ACKNOWLEDGE_NAME = "ACKNOWLEDGE"
FLATTEN_NAME = "FLATTEN"
ACKNOWLEDGE_PREFIX = "ACKNOWLEDGE-"
"""Before the id of the one alert that a request acknowledges."""
SETTLE_PREFIX = "SETTLE-"
"""Before the client id of the order that a request settles."""
UNREADABLE_PREFIX = "UNREADABLE-"
"""Before the name of a request that nobody could understand."""
_LONGEST = 16_000
_NOT_UNDERSTOOD = (OSError, ValueError, KeyError, TypeError, DecimalException, RecursionError)


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, and why, one line each."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Resumption:
    """A resume, and the ids of the halts that were shown to whoever asks; None: of all."""

    asked: Asked
    halts: frozenset[str] | None = None

    def lifts(self, halt: str) -> bool:
        """Whether somebody had seen it."""
        return self.halts is None or halt in self.halts


def ask(state_dir: Path | StateFolder, name: str, asked: Asked) -> Path:
    """Leaves a request, whole or not at all.

    Raises:
        DataError: it is too long to be read again.
        OSError: it cannot be written.
    """
    return _put(state_dir, name, {"by": asked.by, "reason": asked.reason})


def waiting(state_dir: Path | StateFolder, name: str) -> Asked | None:
    """The request that waits; None without one, or where it names nobody or no reason."""
    try:
        content = state_folder(state_dir).read(name, _LONGEST)
        if content is None:
            return None
        found = json.loads(content)
        by, reason = (" ".join(str(found[key]).split()) for key in ("by", "reason"))
    except _NOT_UNDERSTOOD:
        return None
    return Asked(by, reason) if by and reason else None


def ask_resume(state_dir: Path | StateFolder, asked: Asked, halts: Collection[str]) -> Path:
    """Leaves a resume of these halts and of no other, whole or not at all.

    Raises:
        DataError: it is too long to be read again.
        OSError: it cannot be written.
    """
    document = {"by": asked.by, "reason": asked.reason, "halts": sorted(halts)}
    return _put(state_dir, RESUME_NAME, document)


def waiting_resume(state_dir: Path | StateFolder) -> Resumption | None:
    """The resume that waits; None without one, or where it cannot be understood."""
    asked = waiting(state_dir, RESUME_NAME)
    if asked is None:
        return None
    try:
        found = json.loads(state_folder(state_dir).read(RESUME_NAME, _LONGEST) or b"")
        halts = found.get("halts")
        return Resumption(asked, None if halts is None else frozenset(map(str, halts)))
    except _NOT_UNDERSTOOD:
        return None


def waiting_acknowledgements(state_dir: Path | StateFolder) -> dict[str, Asked | None]:
    """Who has seen which alert, by its id; None for a request that names nobody."""
    folder = state_folder(state_dir)
    try:
        names = folder.names(ACKNOWLEDGE_PREFIX)
    except OSError:
        return {}  # they wait on
    return {name.removeprefix(ACKNOWLEDGE_PREFIX): waiting(folder, name) for name in names}


def taken(state_dir: Path | StateFolder, name: str) -> None:
    """The request is carried out, and does not come back after a power cut.

    Raises:
        OSError: it may still be there.
    """
    state_folder(state_dir).remove(name)


def ask_settlement(state_dir: Path | StateFolder, told: Settlement) -> Path:
    """Leaves somebody's word on an order, whole or not at all.

    Raises:
        DataError: an earlier word waits, which would be lost; or it is too long to be read again.
        OSError: it cannot be written.
    """
    name = SETTLE_PREFIX + told.client_id
    if state_folder(state_dir).read(name, 1) is not None:
        raise DataError(
            f"order {told.client_id}: an earlier word on it waits for the engine's next cycle; "
            "look at what perphedge log says of that first"
        )
    return _put(state_dir, name, asdict(told))


def waiting_settlements(state_dir: Path | StateFolder) -> dict[str, Settlement | DataError]:
    """Every word that waits, by the client id of its order; or why it cannot be understood."""
    folder = state_folder(state_dir)
    try:
        names = folder.names(SETTLE_PREFIX)
    except OSError:
        return {}  # they wait on
    ids = [name.removeprefix(SETTLE_PREFIX) for name in names]
    return {client_id: _settlement(folder, client_id) for client_id in ids}


def answered(state_dir: Path | StateFolder, client_id: str, *, understood: bool) -> None:
    """The word on this order is in the journal, and what nobody understood is kept for people.

    Raises:
        OSError: it may still be there.
    """
    folder, name = state_folder(state_dir), SETTLE_PREFIX + client_id
    if understood:
        folder.remove(name)
    else:
        folder.set_aside(name, UNREADABLE_PREFIX + name)


def _settlement(folder: StateFolder, client_id: str) -> Settlement | DataError:
    name = SETTLE_PREFIX + client_id
    if not client_id.isascii():
        return DataError(f"{name}: names no order")
    asked = waiting(folder, name)
    try:
        content = folder.read(name, _LONGEST)
        if asked is None or content is None:
            return DataError(f"{name}: cannot be understood, or names nobody or no reason")
        found = json.loads(content)
        price = found["price"]
        return Settlement(
            client_id,
            Decimal(found["filled"]),
            None if price is None else Decimal(price),
            asked.by,
            asked.reason,
        )
    except _NOT_UNDERSTOOD as error:
        return DataError(f"{name}: cannot be understood ({type(error).__name__})")


def _put(state_dir: Path | StateFolder, name: str, document: Mapping[str, Any]) -> Path:
    text = f"{json.dumps(document, default=str)}\n"
    if len(text) > _LONGEST:
        raise DataError(f"{name}: {len(text)} bytes, at most {_LONGEST} are read")
    folder = state_folder(state_dir)
    folder.put_whole(name, text)
    return folder.path / name
