"""Decisions on their way to the engine: files in its state directory.

The journal has one writer, the engine. So whoever decides leaves a file, which is on the disk
before anybody is told that it was; the engine takes it up within a second.
"""

from dataclasses import dataclass
from pathlib import Path

from bot.approval.proposal import Action
from bot.requests import Asked, ask, taken, waiting
from bot.state_files import StateFolder, state_folder

PREFIXES = {Action.REJECT: "REJECT-", Action.APPROVE: "APPROVE-"}


@dataclass(frozen=True, slots=True)
class Word:
    """What somebody asks for; ``asked`` is None where the file names nobody or no reason."""

    proposal_id: str
    action: Action
    asked: Asked | None


def leave_word(state_dir: Path | StateFolder, word: Word) -> None:
    """Leaves it for the engine, whole or not at all; the same again changes nothing.

    Raises:
        DataError: it is too long to be read again.
        OSError: it cannot be written.
    """
    assert word.asked is not None
    ask(state_dir, _name(word), word.asked)


def words(state_dir: Path | StateFolder) -> tuple[Word, ...]:
    """Every word that waits; rejections first, so that they win.

    Raises:
        OSError: the folder cannot be read.
    """
    folder = state_folder(state_dir)
    found = []
    for action, prefix in PREFIXES.items():
        for name in folder.names(prefix):
            asked = waiting(folder, name)
            found.append(Word(name.removeprefix(prefix), action, asked))
    return tuple(found)


def word_taken(state_dir: Path | StateFolder, word: Word) -> None:
    """It is in the journal, and does not come back after a power cut.

    Raises:
        OSError: it may still be there.
    """
    taken(state_dir, _name(word))


def _name(word: Word) -> str:
    return PREFIXES[word.action] + word.proposal_id
