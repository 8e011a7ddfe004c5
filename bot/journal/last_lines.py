"""The last line of the chain for each row of a table, in eight bytes a row."""

from array import array
from collections.abc import Iterator

_SPARE = 1_000


class LastLines:
    """Lines by row number. Numbers that lie close together, as ours do, take eight bytes each."""

    def __init__(self) -> None:
        self._dense = array("Q")
        self._sparse: dict[int, int] = {}
        self._put = 0

    def put(self, row: int, number: int) -> None:
        """``number`` is the last line of this row, until a later one."""
        self._put += 1
        if row in self._sparse or not 0 <= row < 4 * self._put + _SPARE:
            self._sparse[row] = number
            return
        missing = row + 1 - len(self._dense)
        if missing > 0:
            self._dense.frombytes(bytes(8 * (missing + len(self._dense) // 8)))
        self._dense[row] = number

    def pop(self, row: int) -> int:
        """The line of this row, which is forgotten; 0 without any."""
        if 0 <= row < len(self._dense) and self._dense[row]:
            number = self._dense[row]
            self._dense[row] = 0
            return number
        return self._sparse.pop(row, 0)

    def items(self) -> Iterator[tuple[int, int]]:
        """Rows and their lines, of those that are not forgotten."""
        yield from ((row, number) for row, number in enumerate(self._dense) if number)
        yield from self._sparse.items()
