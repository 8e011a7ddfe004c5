"""What a page may ask of the engine, by the same files as the commands."""

from pathlib import Path

from bot.errors import SafetyError, UsageError
from bot.halt import HaltSwitch
from bot.lock import lock_holder_by_name
from bot.requests import ACKNOWLEDGE_NAME, FLATTEN_NAME, RESUME_NAME, Asked, ask, taken

MOST_CHARACTERS = 500


def asked_by(name: str, reason: str) -> Asked:
    """Who asks and why.

    Raises:
        UsageError: for no reason, or one that is too long.
    """
    reason = " ".join(reason.split())
    if not reason:
        raise UsageError("reason: say in one line why")
    if len(reason) > MOST_CHARACTERS:
        raise UsageError(f"reason: {len(reason)} characters, at most {MOST_CHARACTERS}")
    return Asked(f"{name} (dashboard)", reason)


def halt(state_dir: Path, asked: Asked, *, flatten: bool) -> str:
    """Throws the kill switch; needs neither journal nor engine.

    Raises:
        SafetyError: it could not be thrown, or may not outlast a power cut.
        OSError: the request to flatten could not be written; the switch is thrown.
    """
    switch = HaltSwitch(state_dir)
    switch.trip(f"{asked.reason} ({asked.by})")
    if switch.unwritten is not None:
        raise SafetyError(f"NOT safely halted: {switch.unwritten}; stop the engine by hand")
    taken(state_dir, RESUME_NAME)  # whoever resumed did not know of this
    if flatten:
        ask(state_dir, FLATTEN_NAME, asked)
    return "Halted. Nothing more is sent; a running engine cancels its open orders."


def resume(state_dir: Path, asked: Asked) -> str:
    """Asks the running engine to lift every halt.

    Raises:
        SafetyError: no engine runs that could look before it does.
        OSError: it cannot be written.
    """
    _require_engine(state_dir, "resume")
    ask(state_dir, RESUME_NAME, asked)
    return "Asked: the engine lifts the halts with its next cycle, and records who asked and why."


def acknowledge(state_dir: Path, asked: Asked) -> str:
    """Asks the running engine to take every open alert for seen.

    Raises:
        SafetyError: no engine runs.
        OSError: it cannot be written.
    """
    _require_engine(state_dir, "ack")
    ask(state_dir, ACKNOWLEDGE_NAME, asked)
    return "Asked: the engine acknowledges the alerts with its next cycle."


def _require_engine(state_dir: Path, command: str) -> None:
    if lock_holder_by_name(state_dir) is None:
        raise SafetyError(f"no engine runs; start one, or use perphedge {command} on its machine")
