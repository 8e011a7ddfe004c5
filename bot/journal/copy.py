"""A private copy of a journal, for commands that look while an engine writes."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bot.journal.anchor import copy_anchor
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.journal.schema import one_line_errors
from bot.ports import Clock


@contextmanager
def journal_copy(state_dir: Path | None, clock: Clock) -> Iterator[Journal]:
    """The journal of ``state_dir`` as it is now, in a folder that goes with the block.

    Without a folder, or without a journal in it, an empty one.

    Raises:
        JournalError: it cannot be read.
        SafetyError: a newer perphedge wrote it.
    """
    with tempfile.TemporaryDirectory(prefix="perphedge-") as folder:
        path = Path(folder) / JOURNAL_NAME
        source = None if state_dir is None else state_dir / JOURNAL_NAME
        if source is not None and source.exists():
            copy_journal(source, path)
        with Journal.open(path, clock) as journal:
            yield journal


def copy_journal(source: Path, to: Path) -> None:
    """The journal as it is now, with its anchor; an engine may be writing to it.

    Raises:
        JournalError: it cannot be read or written.
        SafetyError: a newer perphedge wrote it.
    """
    with JournalReader.open_reader(source) as reader:
        reader.require_anchor()
    copy_anchor(source, to)  # first: an engine may be writing on
    with (
        one_line_errors(source, "be copied"),
        closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as old,
        closing(sqlite3.connect(to)) as new,
    ):
        old.backup(new)
