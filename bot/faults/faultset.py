"""Which faults are on now, how often each has struck, and the trace of what happened."""

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Collection


class Trace:
    """Lines of what happened, and their digest; the lines are kept only where wanted."""

    def __init__(self, now_ms: Callable[[], int], *, keep: bool) -> None:
        self._now_ms = now_ms
        self._digest = hashlib.sha256()
        self._keep = keep
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        """Add a line, stamped with the true time."""
        line = f"{self._now_ms()} {text}"
        self._digest.update(line.encode())
        if self._keep:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        """Of all lines so far."""
        return self._digest.hexdigest()


class FaultSet:
    """The faults that are on; doors ask it whether one strikes now."""

    def __init__(self, seed: int, trace: Trace) -> None:
        self.active: set[str] = set()
        self.fired: Counter[str] = Counter()
        self.die = random.Random(f"faults:{seed}")
        self._trace = trace

    def strikes(self, kind: str, chance: float = 1.0) -> bool:
        """Whether it is on and the die lets it happen; counted if so."""
        if kind not in self.active or (chance < 1 and self.die.random() >= chance):
            return False
        self.count(kind)
        return True

    def count(self, kind: str) -> None:
        """It happened."""
        self.fired[kind] += 1
        self._trace.note(f"fault {kind}")

    def one_of(self, kinds: Collection[str], chance: float) -> str | None:
        """One of these that is on, by the die; not counted yet."""
        if self.active.isdisjoint(kinds):
            return None
        on = sorted(self.active.intersection(kinds))
        if self.die.random() >= chance:
            return None
        return self.die.choice(on)
