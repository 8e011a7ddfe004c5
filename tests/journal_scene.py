"""What tests of the journal write into it."""

from bot.records.cycle import CycleRecord, CycleStatus
from tests.execute_scene import NOW_MS


def cycle(cycle_id: str, at: int = NOW_MS) -> CycleRecord:
    return CycleRecord(cycle_id, "t", at, CycleStatus.NO_HEDGE, "because", bot_gross_usd=1.5)
