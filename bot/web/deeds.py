"""What a page may ask of the engine, by the same files as the commands."""

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from bot.errors import SafetyError, UsageError
from bot.halt import HaltSwitch
from bot.lock import lock_holder
from bot.requests import (
    ACKNOWLEDGE_PREFIX,
    FLATTEN_NAME,
    RESUME_NAME,
    Asked,
    ask,
    ask_resume,
    taken,
    waiting,
)
from risk.errors import PerphedgeError

MOST_CHARACTERS = 500
_IDENT = re.compile(r"[0-9a-f]{6}")


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


_HALTED = "Halted. Nothing more is sent; the running engine cancels its open orders."
_HALTED_NOBODY = (
    "Halted. But no engine runs in the state directory {folder}: one with another state directory "
    "trades on."
)


def halt(state_dir: Path, asked: Asked, *, flatten: bool) -> str:
    """Throws the kill switch; needs neither journal nor engine. No step keeps the next from it.

    Raises:
        SafetyError: something was not done; says what was.
    """
    wrong = []
    if flatten:  # first: the cycle that sees the switch shall see this too
        wrong += _failed("hedges are not closed", lambda: ask(state_dir, FLATTEN_NAME, asked))
    switch = HaltSwitch(state_dir)
    switch.trip_again(f"{asked.reason} ({asked.by})")
    if switch.unwritten is not None:
        wrong.append(f"NOT safely halted: {switch.unwritten}; stop the engine by hand")
    # Whoever resumed did not know of this.
    wrong += _failed("a resume still waits", lambda: taken(state_dir, RESUME_NAME))
    if flatten and not wrong and waiting(state_dir, FLATTEN_NAME) is None:
        # A resume that was just taken up took it away; once all is closed it does nothing.
        wrong += _failed("hedges are not closed", lambda: ask(state_dir, FLATTEN_NAME, asked))
    runs = lock_holder(state_dir) is not None
    done = _HALTED if runs else _HALTED_NOBODY.format(folder=state_dir.name)
    if wrong:
        raise SafetyError(". ".join([*wrong, *([done] if switch.unwritten is None else [])]))
    if not flatten:
        return done
    return f"{done} {'It' if runs else 'One that starts there'} closes our own hedges."


def _failed(what: str, step: Callable[[], object]) -> list[str]:
    """What to say of a step that was not done; nothing where it was."""
    try:
        step()
    except (PerphedgeError, OSError) as error:
        return [f"{what}: {error}"]
    return []


def resume(state_dir: Path, asked: Asked, halts: Collection[str]) -> str:
    """Asks the running engine to lift these halts, which the page showed.

    Raises:
        SafetyError: no engine runs that could look before it does.
        OSError: it cannot be written.
    """
    _require_engine(state_dir, "resume")
    ask_resume(state_dir, asked, halts)
    return "Asked: the engine lifts the halts with its next cycle, and records who asked and why."


def acknowledge(state_dir: Path, asked: Asked, idents: Sequence[str]) -> str:
    """Asks the running engine to take these alerts for seen.

    Raises:
        SafetyError: no engine runs.
        UsageError: one of them is the id of no alert, or there is none.
        OSError: it cannot be written.
    """
    if not idents or not all(_IDENT.fullmatch(one) for one in idents):
        raise UsageError("alerts: the ids of those that the page showed")
    _require_engine(state_dir, "ack")
    for ident in idents:
        ask(state_dir, ACKNOWLEDGE_PREFIX + ident, asked)
    return f"Asked: the engine acknowledges {len(idents)} alerts with its next cycle."


def _require_engine(state_dir: Path, command: str) -> None:
    if lock_holder(state_dir) is None:
        raise SafetyError(f"no engine runs; start one, or use perphedge {command} on its machine")
