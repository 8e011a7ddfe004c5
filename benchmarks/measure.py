"""Timing in pairs: ours, the peer, ours, the peer, so that a busy machine slows both alike."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

A = TypeVar("A")
B = TypeVar("B")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "market"


class DisagreementError(Exception):
    """Ours and the peer's results differ: whatever was timed, it was not the same work."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure.

    Attributes:
        quick: a few rounds, and not what takes many seconds.
        market: folder of real prices; cases that need it are left out where it is not there.
    """

    quick: bool = False
    market: Path = SHARED

    def rounds(self, full: int, quick: int = 2) -> int:
        """One of the two."""
        return quick if self.quick else full

    @property
    def warm_ups(self) -> int:
        """Rounds that do not count, so that what happens once is not measured."""
        return 0 if self.quick else 1


@dataclass(frozen=True, slots=True)
class Timing:
    """Wall seconds of one side over all rounds."""

    median_s: float
    least_s: float
    most_s: float


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison.

    Attributes:
        benchmark, case: what was timed.
        peer: what it was compared with, in words.
        ours, theirs: wall seconds.
        rounds: pairs measured.
        ratio: ours over theirs, of the medians; below 1 ours is quicker.
        ratio_least, ratio_most: of the single pairs.
        agreement: how the results were compared, and by how much they differ.
        facts: further figures, by name.
    """

    benchmark: str
    case: str
    peer: str
    ours: Timing
    theirs: Timing
    rounds: int
    ratio: float
    ratio_least: float
    ratio_most: float
    agreement: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Seconds of ours and of the peer, pair by pair."""

    ours_s: tuple[float, ...]
    theirs_s: tuple[float, ...]

    def line(
        self,
        benchmark: str,
        case: str,
        peer: str,
        agreement: str,
        facts: Mapping[str, Any] | None = None,
    ) -> Line:
        """What they come to."""
        ratios = [a / b for a, b in zip(self.ours_s, self.theirs_s, strict=True)]
        ours, theirs = timing(self.ours_s), timing(self.theirs_s)
        return Line(
            benchmark=benchmark,
            case=case,
            peer=peer,
            ours=ours,
            theirs=theirs,
            rounds=len(ratios),
            ratio=ours.median_s / theirs.median_s,
            ratio_least=min(ratios),
            ratio_most=max(ratios),
            agreement=agreement,
            facts=facts or {},
        )


def timing(seconds: Sequence[float]) -> Timing:
    """Median and range."""
    return Timing(median(seconds), min(seconds), max(seconds))


def alternate(
    ours: Callable[[], A],
    theirs: Callable[[], B],
    rounds: int,
    *,
    before: Callable[[], object] = lambda: None,
    agree: Callable[[A, B], object] = lambda _ours, _theirs: None,
    warm_ups: int = 1,
) -> Pairs:
    """Times both in turns.

    Args:
        before: called before each round, not timed.
        agree: raises DisagreementError where the answers of a round differ; not timed.
        warm_ups: rounds at the start that do not count.
    """
    ours_s, theirs_s = [], []
    for attempt in range(-warm_ups, rounds):
        before()
        our_seconds, our_answer = timed(ours)
        their_seconds, their_answer = timed(theirs)
        agree(our_answer, their_answer)
        if attempt >= 0:
            ours_s.append(our_seconds)
            theirs_s.append(their_seconds)
    return Pairs(tuple(ours_s), tuple(theirs_s))


def timed(work: Callable[[], A]) -> tuple[float, A]:
    """Wall seconds and the answer."""
    start = time.perf_counter()
    answer = work()
    return time.perf_counter() - start, answer


def require_close(what: str, difference: float, tolerance: float) -> None:
    """Raise DisagreementError unless ``difference`` is a number of at most ``tolerance``."""
    if not difference <= tolerance:
        raise DisagreementError(f"{what}: differ by {difference:.3g}, more than {tolerance:.0e}")
