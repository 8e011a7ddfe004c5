"""How long orders take until their outcome is in the journal, and what of it is whose."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bot.journal.durability import Durability
from bot.journal.journal import Journal
from bot.trading.desk import OrderDesk

_PAGES = 15
_PAGE_BYTES = 4096


class OrderMeter:
    """Wall and processor seconds of our orders, one after another.

    Attributes:
        wall_s, cpu_s: from where an order is taken up to its outcome in the journal.
        journal_s: of it in transactions of the journal.
        waits: commits that waited for the disk, of all that was written.
    """

    def __init__(self) -> None:
        self.wall_s: list[float] = []
        self.cpu_s: list[float] = []
        self.journal_s: list[float] = []
        self.waits = 0
        self._start = self._cpu_start = self._writing_s = 0.0
        self._begun = False

    def begin(self) -> None:
        """An order is taken up; the first of a plan with the plan."""
        if not self._begun:
            self._begun, self._writing_s = True, 0.0
            self._start, self._cpu_start = time.perf_counter(), time.process_time()

    def wrote(self, seconds: float) -> None:
        """The journal has written something."""
        self._writing_s += seconds

    def end(self) -> None:
        """The journal has the outcome."""
        self.wall_s.append(time.perf_counter() - self._start)
        self.cpu_s.append(time.process_time() - self._cpu_start)
        self.journal_s.append(self._writing_s)
        self._begun = False


@contextmanager
def metered() -> Iterator[OrderMeter]:
    """Every executor's orders, from now on until the block ends."""
    meter = OrderMeter()
    place, record = OrderDesk.place, Journal.record_outcome
    write, committed = Journal._transaction, Durability.committed

    async def placed(desk: OrderDesk, *arguments: Any) -> Any:
        meter.begin()
        return await place(desk, *arguments)

    def recorded(journal: Journal, outcome: Any) -> Any:
        row = record(journal, outcome)
        meter.end()
        return row

    @contextmanager
    def written(journal: Journal, doing: str) -> Iterator[Any]:
        start = time.perf_counter()
        with write(journal, doing) as connection:
            yield connection
        meter.wrote(time.perf_counter() - start)

    def counted(self: Durability, head: Any) -> None:
        meter.waits += self._waiting and head is not None
        committed(self, head)

    with (
        patch.object(OrderDesk, "place", placed),
        patch.object(Journal, "record_outcome", recorded),
        patch.object(Journal, "_transaction", written),
        patch.object(Durability, "committed", counted),
    ):
        yield meter


class DiskWait:
    """What one wait for a folder's disk takes, with as much written as an order writes."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "wait").open("wb", buffering=0)
        self.waits_s: list[float] = []

    def measure(self) -> None:
        """Once more."""
        self._file.write(bytes(_PAGES * _PAGE_BYTES))
        start = time.perf_counter()
        os.fdatasync(self._file.fileno())
        self.waits_s.append(time.perf_counter() - start)

    def close(self) -> None:
        """Gives the file back."""
        self._file.close()
