"""A change that others make is acted upon once two reads agree on it.

One reply with a position that is missing, or a thousand times too large, must not move a hedge.
So what changed much since it was last believed is read again before it is believed, each symbol
for itself. A symbol on which no reads agree holds the whole look, since it hedges and is hedged by
the others through their correlation: counted too large it is hedged too far, counted as flat not at
all. Only where that cannot come to more than a small sum does the look go on, with the largest
position that was told.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from bot.journal.journal import Journal
from bot.measuring.belief import Key, Quantities, Sightings, changes
from bot.measuring.doubts import Doubts
from bot.ports import Clock
from risk.errors import DataError

T = TypeVar("T")

Marks = Callable[[Collection[str]], Awaitable[Mapping[str, float]]]
"""Mark prices of these symbols now; those without a usable one are left out."""

_MORE_READS = 2
"""Than are needed where all agree, before a look is given up."""


@dataclass(frozen=True, slots=True)
class AgreementRule:
    """When a change is believed.

    Attributes:
        reads: how many reads in a row must agree; 1 believes every read.
        change_share: a change up to this share of the position needs no second read.
        pause_ms: between two reads.
        doubt_usd: what is not agreed on holds nothing while all of it is worth no more, that of
            other readers of the same look with it.
        stand_ms: a snapshot that its writer left as it is for so long counts as a read each time.
    """

    reads: int = 2
    change_share: float = 0.2
    pause_ms: int = 1000
    doubt_usd: float = 0.0
    stand_ms: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """What one read told.

    Attributes:
        edition: names the snapshot that was read, where the same one can be read twice.
        timestamp_ms: since when that snapshot stands, by its writer's word.
    """

    quantities: Quantities
    edition: str | None = None
    timestamp_ms: int = 0


@dataclass(frozen=True, slots=True)
class Agreed(Generic[T]):
    """The last read.

    Attributes:
        doubtful: what to count instead of what it tells, signed base units.
    """

    read: T
    doubtful: Quantities = field(default_factory=dict)


class Agreement:
    """What one reader told last that was believed, and whether what it tells now may be."""

    def __init__(
        self,
        what: str,
        rule: AgreementRule,
        journal: Journal,
        clock: Clock,
        *,
        marks: Marks | None = None,
        doubts: Doubts | None = None,
    ) -> None:
        """``what`` is read, for people: ``source bot-a`` for instance.

        Args:
            marks: tells what a doubt is worth; None: no doubt is small.
            doubts: of all that are read in one look; None: of this one alone.
        """
        self._what = what
        self._rule = rule
        self._journal = journal
        self._clock = clock
        self._marks = marks
        self._doubts = doubts or Doubts()
        self._believed: Quantities | None = None
        self._doubtful: frozenset[Key] = frozenset()

    async def agreed(
        self, read: Callable[[], Awaitable[T]], told: Callable[[T], Told]
    ) -> Agreed[T]:
        """The first read where little changed, else a later one that the ones before confirm.

        The first of all is read twice as well: nothing is known that it could be held against.

        Raises:
            DataError: no two reads agree; the next look begins anew.
        """
        rule = self._rule
        self._doubts.over(self._what)
        seen = Sightings(self._believed, reads=rule.reads, share=rule.change_share)
        first = before = now = None
        for number in range(1, rule.reads + _MORE_READS + 1):
            if number > 1:
                await self._clock.sleep(rule.pause_ms / 1000)
            last = await read()
            before, now = now, told(last)
            first = first or now
            seen.add(now.quantities, witness=self._is_witness(before, now))
            settled = seen.enough and not seen.unsettled
            if settled or (number >= rule.reads and await self._small(seen)):
                self._believe(first.quantities, seen, number)
                return Agreed(last, {key: seen.largest(key) for key in seen.unsettled})
        raise DataError(self._no_agreement(seen, repeated=before is not None and before == now))

    def _is_witness(self, before: Told | None, now: Told) -> bool:
        """A snapshot that is read twice agrees with itself, unless its writer lets it stand."""
        if before is None or now.edition is None or now.edition != before.edition:
            return True
        return self._clock.now_ms() - now.timestamp_ms >= self._rule.stand_ms

    async def _small(self, seen: Sightings) -> bool:
        """Whether all that is not agreed on is worth so little that it may be counted at most."""
        keys = seen.unsettled
        if not (seen.enough and keys and self._marks is not None and self._rule.doubt_usd > 0):
            return False
        marks = await self._marks(sorted({symbol for symbol, _ in keys}))
        if any(symbol not in marks for symbol, _ in keys):
            return False
        worth = sum(float(seen.swing(key)) * marks[key[0]] for key in keys)
        return self._doubts.left(self._what, worth, most_usd=self._rule.doubt_usd)

    def _no_agreement(self, seen: Sightings, *, repeated: bool) -> str:
        if repeated:
            return (
                f"{self._what}: its positions changed and are not written anew; believed once they "
                f"are, or {self._rule.stand_ms / 1000:g} s after their own timestamp"
            )
        most, names = self._rule.reads + _MORE_READS, [_name(key) for key in seen.unsettled]
        where = f" on {', '.join(names[:5])}{' …' if len(names) > 5 else ''}" if names else ""
        return (
            f"{self._what}: of {most} reads of its positions no {self._rule.reads} in a row "
            f"agree{where}"
        )

    def _believe(self, first: Quantities, seen: Sightings, reads: int) -> None:
        """What was confirmed, refuted or left in doubt by more reads is written down."""
        before, now = self._believed, seen.belief()
        doubtful = frozenset(seen.unsettled)
        news, self._doubtful = doubtful - self._doubtful, doubtful
        self._believed = now
        if not news and (before is None or before == now == first):
            return
        share = self._rule.change_share
        confirmed = _without(changes(before or {}, now, share), doubtful)
        refuted = _without(changes(now, first, share), doubtful)
        if not (confirmed or refuted or news):
            return
        document: dict[str, Any] = {
            "what": self._what,
            "confirmed": {_name(key): text for key, text in confirmed.items()},
            "refuted": {_name(key): text for key, text in refuted.items()},
            "reads": reads,
        }
        if doubtful:
            document["doubtful"] = {_name(key): str(now[key]) for key in sorted(doubtful)}
        self._journal.record_event("external_positions", document)


def _without(found: Mapping[Key, str], keys: Collection[Key]) -> dict[Key, str]:
    return {key: text for key, text in found.items() if key not in keys}


def _name(key: Key) -> str:
    symbol, side = key
    return symbol if side == "BOTH" else f"{symbol} {side}"
