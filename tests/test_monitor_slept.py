"""A machine that slept in the middle of a look must not trade on what it read before."""

from pathlib import Path

import pytest

from bot.clock import SimulatedClock
from bot.journal.journal import Journal
from bot.measuring.monitor import Ages, Monitor
from bot.ports import SourceSnapshot, VenueAccount
from risk.errors import StaleDataError
from tests.execute_scene import FET, INSTRUMENTS, NOW_MS, ScriptedVenue, quote


class Market:
    def __init__(self, clock: SimulatedClock) -> None:
        self.clock = clock

    async def instruments(self) -> object:
        return INSTRUMENTS

    async def quotes(self, symbols: object) -> object:
        return {FET: quote(FET, at=self.clock.now_ms())}


class Bot:
    name, max_age_ms = "bot", 5_000

    def __init__(self, clock: SimulatedClock) -> None:
        self.clock = clock

    async def read(self) -> SourceSnapshot:
        return SourceSnapshot(self.name, self.clock.now_ms(), ())


class Sleepy(ScriptedVenue):
    async def account(self) -> VenueAccount:
        self.clock.advance_to(self.clock.now_ms() + 600_000)
        return await super().account()


async def test_positions_that_grew_old_during_the_look_are_refused(tmp_path: Path) -> None:
    clock = SimulatedClock(NOW_MS)
    with Journal.open(tmp_path / "journal.sqlite", clock) as journal:
        monitor = Monitor(
            venue=Sleepy(clock),
            sources=[Bot(clock)],
            market=Market(clock),  # type: ignore[arg-type]  # the half of it that is asked
            journal=journal,
            clock=clock,
            ages=Ages(mark_ms=900_000, balance_ms=900_000),
            shared_account=False,
        )
        with pytest.raises(StaleDataError, match="source bot: 600 s old"):
            await monitor.observe([FET])
