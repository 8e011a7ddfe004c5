"""What happened, in the order in which it was written down, found by its time."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Protocol, Self, TypeVar


class Timed(Protocol):
    """Something that happened at a time."""

    @property
    def timestamp_ms(self) -> int:
        """UTC milliseconds."""
        ...


Happened = TypeVar("Happened", bound=Timed)


class Timeline(list[Happened]):
    """A list that only grows at its end, mostly in the order of time.

    A payment may be written down after a later one. So beside each record stands the newest time
    up to it: before the first that reaches a time, nothing does.
    """

    def __init__(self) -> None:
        super().__init__()
        self._newest_ms: list[int] = []

    def append(self, one: Happened) -> None:
        """Write down one more."""
        time_ms = one.timestamp_ms
        self._newest_ms.append(max(self._newest_ms[-1], time_ms) if self._newest_ms else time_ms)
        super().append(one)

    def from_time(self, start_ms: int | None) -> Sequence[Happened]:
        """All that happened then or later, and perhaps some of before; None: all."""
        if start_ms is None:
            return self
        return self[bisect_left(self._newest_ms, start_ms) :]

    def __deepcopy__(self, memo: object) -> Self:
        del memo
        copied = type(self)()
        for one in self:  # records never change
            copied.append(one)
        return copied
