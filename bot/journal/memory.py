"""What the only writer of a journal remembers of it, until it writes to the tables it read.

Triggers tell of every row that this connection writes, whatever the statement; nobody else writes
while the engine's lock is held. So an answer that was read holds until one of its tables is
written to, and what a rolled back transaction may have shown is forgotten with it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


class Memory:
    """Answers by question, each with the state of the tables that it rests on."""

    def __init__(self) -> None:
        self._writes: Counter[str] = Counter()
        self._kept: dict[object, tuple[list[int], Any]] = {}

    def written(self, table: str) -> None:
        """A row of the table was inserted, changed or removed."""
        self._writes[table] += 1

    def forget(self) -> None:
        """Rows may have come back, or be read anew for any other reason."""
        self._kept.clear()

    def recall(self, question: object, tables: Sequence[str], read: Callable[[], T]) -> T:
        """The answer of last time, or what ``read`` says now."""
        state = [self._writes[table] for table in tables]
        kept = self._kept.get(question)
        if kept is not None and kept[0] == state:
            answer: T = kept[1]
            return answer
        found = read()
        self._kept[question] = state, found
        return found
