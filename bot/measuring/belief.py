"""What several reads of the same positions say together, each symbol by itself. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache

Key = tuple[str, str]
"""Symbol and position side."""

Quantities = Mapping[Key, Decimal]
"""Signed base units."""

_ZERO = Decimal(0)


def differs(old: Decimal, new: Decimal, share: float) -> bool:
    """By more than ``share`` of the larger one; new, gone and turned round always do."""
    # Most are as they were.
    return old != new and abs(new - old) > _exact(share) * max(abs(old), abs(new))


@cache
def _exact(share: float) -> Decimal:
    """There is one for each rule of the config."""
    return Decimal(repr(share))


def changes(before: Quantities, now: Quantities, share: float) -> dict[Key, str]:
    """What differs by more than ``share`` of the larger quantity, in words; new and gone always."""
    found = {}
    for key in sorted(before.keys() | now.keys()):
        old, new = before.get(key, _ZERO), now.get(key, _ZERO)
        if differs(old, new, share):
            found[key] = f"{old} to {new}"
    return found


class Sightings:
    """The reads of one look, held against what was believed before it.

    A symbol is settled while it is as it was believed, or once so many reads in a row agree on
    it; what the others do does not matter to it.

    Attributes:
        unsettled: what no reads agree on yet, sorted.
    """

    def __init__(self, believed: Quantities | None, *, reads: int, share: float) -> None:
        """``believed`` is None where nothing ever was: then all is read ``reads`` times."""
        self._known = believed is not None
        self._believed = dict(believed or {})
        self._reads = reads
        self._share = share
        self._now: Quantities = {}
        self._lowest = dict(self._believed)
        self._highest = dict(self._believed)
        self._agreeing: dict[Key, int] = {}
        self._witnesses = 0
        self.unsettled: Sequence[Key] = ()

    def add(self, now: Quantities, *, witness: bool = True) -> None:
        """One more read.

        Args:
            witness: it says something of its own; one that is only repeated confirms nothing.
        """
        last, first = self._now, self._witnesses == 0
        self._now = now
        self._witnesses += witness or first
        for key in self._believed.keys() | self._agreeing.keys() | now.keys():
            value = now.get(key, _ZERO)
            self._lowest[key] = min(self._lowest.get(key, _ZERO), value)
            self._highest[key] = max(self._highest.get(key, _ZERO), value)
            same = not first and not differs(last.get(key, _ZERO), value, self._share)
            self._agreeing[key] = self._agreeing.get(key, 0) + witness if same else 1
            if self._as_believed(key, value):
                self._agreeing[key] = self._reads
            elif self._agreeing[key] >= self._reads:
                self._believed[key] = value
        self.unsettled = sorted(k for k, count in self._agreeing.items() if count < self._reads)

    def _as_believed(self, key: Key, value: Decimal) -> bool:
        before = self._believed.get(key, _ZERO if self._known else None)
        return before is not None and not differs(before, value, self._share)

    @property
    def enough(self) -> bool:
        """Whether there were reads enough to believe what was never believed before."""
        return self._known or self._witnesses >= self._reads

    def swing(self, key: Key) -> Decimal:
        """How far apart what was believed and what was read are, base units; at least from flat."""
        return self._highest.get(key, _ZERO) - self._lowest.get(key, _ZERO)

    def largest(self, key: Key) -> Decimal:
        """The largest position that was believed or read, whichever way it points."""
        low, high = self._lowest.get(key, _ZERO), self._highest.get(key, _ZERO)
        return high if high >= -low else low

    def belief(self) -> dict[Key, Decimal]:
        """The last read, with what is unsettled at its largest."""
        found = {key: value for key, value in self._now.items() if value}
        return found | {key: self.largest(key) for key in self.unsettled}
