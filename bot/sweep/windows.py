"""When a sweep trains and when it tests. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from bot.errors import UsageError
from bot.feeds.tape import DAY_MS
from risk.returns import utc


class Part(StrEnum):
    """What a window is for."""

    WHOLE = "whole"  # everything is played on it, and that is all
    TRAIN = "train"  # everything is played on it, and one is chosen
    TEST = "test"  # what was chosen just before is played on it


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of one replay, UTC milliseconds, the end not among them.

    Attributes:
        number: of the walk, from 0; a test has that of the training before it.
    """

    number: int
    part: Part
    start_ms: int
    end_ms: int


def walk_forward(
    start_ms: int, end_ms: int, train_days: int, test_days: int
) -> list[tuple[Window, Window]]:
    """Training and test in turn: each test begins where its training ends, and where the test
    before it ended. What is left over at the end is left out.

    Raises:
        UsageError: not one of both fits into the span.
    """
    if min(train_days, test_days) < 1:
        raise UsageError(f"--train {train_days} --test {test_days}: must be whole days, at least 1")
    train_ms, test_ms = train_days * DAY_MS, test_days * DAY_MS
    found: list[tuple[Window, Window]] = []
    at_ms = start_ms
    while at_ms + train_ms + test_ms <= end_ms:
        middle_ms, number = at_ms + train_ms, len(found)
        found.append(
            (
                Window(number, Part.TRAIN, at_ms, middle_ms),
                Window(number, Part.TEST, middle_ms, middle_ms + test_ms),
            )
        )
        at_ms += test_ms
    if not found:
        raise UsageError(
            f"--train {train_days} --test {test_days}: {utc(start_ms)} to {utc(end_ms)} is shorter"
        )
    return found
