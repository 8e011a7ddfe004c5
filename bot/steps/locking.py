"""Keeps bots from adding to what is over its cap, from one decision to the next.

A lock ends by itself, so that an engine that is gone holds nothing up. One that is there renews
its locks, also while it decides nothing: a plan that was denied or stopped, a halt, or a look that
fails leave the caps at least as exceeded as they were.
"""

from collections.abc import Sequence

from bot.ports import Clock
from bot.records.cycle import CycleRecord
from bot.records.ending import Look, ended
from bot.steps.entry_blocks import Block, EntryLocker, entry_blocks


class Locking:
    """The locks of an engine, in all bots that ask for them."""

    def __init__(self, lockers: Sequence[EntryLocker], clock: Clock, every_ms: int) -> None:
        """Locks through these.

        Args:
            every_ms: from one decision to the next.
        """
        self._lockers = lockers
        self._clock = clock
        self._every_ms = every_ms
        self._blocks: tuple[Block, ...] = ()
        self._set_ms: list[int | None] = [None] * len(lockers)  # when each last had them all

    async def after(self, record: CycleRecord, look: Look | None, *, decided: bool) -> None:
        """A cycle has ended.

        Args:
            look: what it saw; None where it came to no figures.
            decided: it has decided, whatever became of that.
        """
        now_ms = self._clock.now_ms()
        due = [at for at, set_ms in enumerate(self._set_ms) if decided or self._due(set_ms, now_ms)]
        if not due:
            return
        if look is None and not self._blocks:
            return
        if look is not None:
            self._blocks = _blocks(record, look)
        for at in due:
            self._set_ms[at] = None  # what is cut short or fails is tried again after this cycle
            if await self._lockers[at].keep(self._blocks, now_ms + self._every_ms):
                self._set_ms[at] = now_ms

    def _due(self, set_ms: int | None, now_ms: int) -> bool:
        """There should have been a decision since; a clock that was set back counts as one."""
        return set_ms is None or not 0 <= now_ms - set_ms < self._every_ms


def _blocks(record: CycleRecord, look: Look) -> tuple[Block, ...]:
    """By the book afterwards; by the one before, where the cycle was cut short in between."""
    if record.hedge_gross_usd is None:
        record = ended(record, look, record.status, record.reason)
    assessment = look.assessment
    return entry_blocks(record, assessment.clusters, assessment.estimate.symbols)
