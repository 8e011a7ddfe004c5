"""Reads all sources of positions at once, each by its own rule of age.

None waits for another, each has its time, and all that fail are told. What was read early and had
to wait for a slow one is read again, so that no source makes another stale.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from bot.errors import JournalError, UnreachableError
from bot.measuring.agreement import Agreed, Agreement, Told
from bot.ports import Clock, PositionSource, ReportedPosition, SourceSnapshot
from bot.sources.health import SourcesHealth
from bot.together import together
from risk.errors import DataError, PerphedgeError

READ_SECONDS: Final = 30.0
"""How long one source may take, with the reads that must agree."""

CheckAge = Callable[[str, int, int], None]
"""Raises where what was true then is older than so many milliseconds, naming what it is."""


_How = Callable[[PositionSource], Awaitable[SourceSnapshot]]


@dataclass(frozen=True, slots=True)
class _Read:
    snapshot: SourceSnapshot
    done_ms: int


class SourceReads:
    """Reads sources; keeps only what was believed last, and how they are."""

    def __init__(
        self,
        sources: Sequence[PositionSource],
        agreements: dict[str, Agreement],
        health: SourcesHealth,
        clock: Clock,
        check_age: CheckAge,
        *,
        within_s: float = READ_SECONDS,
    ) -> None:
        """Reads these.

        Args:
            agreements: when changes of a source are believed, by its name.
            within_s: how long each may take, seconds of wall time.
        """
        self._sources = sources
        self._agreements = agreements
        self._health = health
        self._clock = clock
        self._check_age = check_age
        self._within_s = within_s

    async def all(self) -> list[SourceSnapshot]:
        """One good snapshot of every source, in their order.

        Raises:
            DataError, UnreachableError, VenueError: one or more are stale, silent, or tell what
                cannot be used; the message has all of them.
        """
        reads = await self._each(self._sources, self._believed)
        now_ms = self._clock.now_ms()
        waited = [
            one for one in self._sources if now_ms - reads[one.name].done_ms > one.max_age_ms // 2
        ]
        if waited:
            reads |= await self._each(waited, self._believed)
        return [reads[one.name].snapshot for one in self._sources]

    async def plainly(self) -> list[SourceSnapshot]:
        """One read of every source, believed as it is, for what is only told.

        Raises:
            DataError, UnreachableError, VenueError: as ``all``.
        """
        reads = await self._each(self._sources, self._plain)
        return [reads[one.name].snapshot for one in self._sources]

    def require_fresh(self, snapshots: Sequence[SourceSnapshot]) -> None:
        """Once more, when they are used.

        Raises:
            StaleDataError: one or more have grown too old since they were read.
        """
        errors: list[PerphedgeError] = []
        for source, snapshot in zip(self._sources, snapshots, strict=True):
            try:
                self._check(source, snapshot)
            except DataError as error:
                self._health.failed(source.name, error)
                errors.append(error)
        _raise_all(errors)

    async def _each(self, sources: Sequence[PositionSource], how: _How) -> dict[str, _Read]:
        if len(sources) == 1:
            found = [await self._one(sources[0], how)]
        else:
            found = await together([self._one(one, how) for one in sources])
        _raise_all([one for one in found if isinstance(one, PerphedgeError)])
        reads = [one for one in found if isinstance(one, _Read)]
        return {source.name: read for source, read in zip(sources, reads, strict=True)}

    async def _one(self, source: PositionSource, how: _How) -> _Read | PerphedgeError:
        error: PerphedgeError
        try:
            async with asyncio.timeout(self._within_s):
                snapshot = await how(source)
        except TimeoutError:
            error = UnreachableError(f"source {source.name}: no answer within {self._within_s:g} s")
        except JournalError:
            raise
        except PerphedgeError as caught:
            error = caught
        else:
            self._health.good(source.name, snapshot.timestamp_ms)
            return _Read(snapshot, self._clock.now_ms())
        self._health.failed(source.name, error)
        return error

    async def _believed(self, source: PositionSource) -> SourceSnapshot:
        agreement = self._agreements.get(source.name)
        if agreement is None:
            return await self._plain(source)
        return _counted(await agreement.agreed(lambda: self._plain(source), _told))

    async def _plain(self, source: PositionSource) -> SourceSnapshot:
        snapshot = await source.read()
        self._check(source, snapshot)
        return snapshot

    def _check(self, source: PositionSource, snapshot: SourceSnapshot) -> None:
        self._check_age(f"source {source.name}", snapshot.timestamp_ms, source.max_age_ms)


def _raise_all(errors: Sequence[PerphedgeError]) -> None:
    """One error as it is, several as one."""
    if not errors:
        return
    if len(errors) == 1:
        raise errors[0]
    silent = all(isinstance(one, UnreachableError) for one in errors)
    kind = UnreachableError if silent else DataError
    raise kind("; ".join(str(one) for one in errors)) from errors[0]


def _told(snapshot: SourceSnapshot) -> Told:
    held: dict[tuple[str, str], Decimal] = {}
    for one in snapshot.positions:
        key = one.symbol, one.position_side
        held[key] = held.get(key, Decimal(0)) + one.base_quantity
    return Told(held, snapshot.edition, snapshot.timestamp_ms)


def _counted(agreed: Agreed[SourceSnapshot]) -> SourceSnapshot:
    """With what is in doubt as it is to be counted."""
    snapshot, doubtful = agreed.read, agreed.doubtful
    if not doubtful:
        return snapshot
    sure = (p for p in snapshot.positions if (p.symbol, p.position_side) not in doubtful)
    doubted = (
        ReportedPosition(symbol, quantity, position_side)
        for (symbol, position_side), quantity in sorted(doubtful.items())
    )
    return replace(snapshot, positions=(*sure, *doubted))
