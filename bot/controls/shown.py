"""Halts by short ids, so that a resume lifts only what somebody has seen.

Whoever resumes says which halts were shown. One that came later, by a control or by hand, has
another id, and stays until somebody has seen it too.
"""

import hashlib
from pathlib import Path

from bot.controls.state import Halt, recall_all
from bot.halt import HaltSwitch
from bot.journal.reader import JournalReader


def halts_of(journal: JournalReader, state_dir: Path) -> frozenset[str]:
    """The ids of all that is halted now.

    A halt by the file has the same id before and after an engine has taken it into the journal.

    Raises:
        JournalError: it cannot be read.
    """
    by_file = HaltSwitch(state_dir).reason
    found = set() if by_file is None else {file_id(by_file)}
    for account, one in recall_all(journal).items():
        found.update(halt_id(account, symbol, halt) for symbol, halt in one.symbols.items())
        if one.everything is not None:
            found.add(halt_id(account, "", one.everything))
            if by_file is None:  # an engine puts the file back, with these words
                found.add(file_id(latch_text(one.everything)))
    return frozenset(found)


def halt_id(account: str, symbol: str, halt: Halt) -> str:
    """Of one that the journal holds; of everything where no symbol is named."""
    if halt.control == "kill_switch":
        return file_id(halt.reason)
    return _digest(f"{account}\n{symbol}\n{halt.document()}")


def file_id(reason: str) -> str:
    """Of one by the file, whose reason this is."""
    return _digest(" ".join(reason.split()))


def latch_text(halt: Halt) -> str:
    """What the file says of a halt of everything that the journal holds."""
    return f"control {halt.number}: {halt.reason}" if halt.number else halt.reason


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
