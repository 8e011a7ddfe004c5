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
        self._count = 0  # of all writes
        self._kept: dict[object, tuple[int, list[int], object, Any]] = {}

    def written(self, table: str) -> None:
        """A row of the table was inserted, changed or removed."""
        self._writes[table] += 1
        self._count += 1

    def forget(self) -> None:
        """Rows may have come back, or be read anew for any other reason."""
        self._kept.clear()

    def recall(
        self, question: object, tables: Sequence[str], read: Callable[[], T], about: object = None
    ) -> T:
        """The answer of last time, or what ``read`` says now.

        Args:
            about: what the answer rests on beside the tables; it is read anew where that differs.
        """
        kept = self._kept.get(question)
        if kept is not None and kept[2] != about:
            kept = None
        if kept is not None and kept[0] == self._count:  # nothing at all was written since
            answer: T = kept[3]
            return answer
        count, state = self._count, [self._writes[table] for table in tables]
        found = kept[3] if kept is not None and kept[1] == state else read()
        self._kept[question] = count, state, about, found
        return found
