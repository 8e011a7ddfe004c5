"""The record of a cycle that does not get to its end."""

import traceback
from dataclasses import replace

from bot.controls.guard import Guard
from bot.journal.journal import Journal
from bot.records.cycle import CycleRecord, CycleStatus
from bot.records.summary import fill_records, journaled_order_records
from bot.steps.parts import EngineParts, Progress


def cut_short(progress: Progress, guard: Guard, journal: Journal, reason: str) -> CycleRecord:
    """What is known of it; its orders are in the journal."""
    record = progress.record
    halted = None if progress.trading else guard.halted
    if halted is not None:
        reason = f"halted: {halted} (and no look at the book: {reason})"
        return replace(record, status=CycleStatus.HALTED, reason=reason)
    fills = [own.fill for own in journal.cycle_fills(record.cycle_id)]
    return replace(
        record,
        status=CycleStatus.HEDGED if fills else CycleStatus.HELD,
        reason=reason,
        orders=journaled_order_records(journal.orders(record.cycle_id)),
        fills=fill_records(fills),
    )


def defective(progress: Progress, parts: EngineParts, error: Exception) -> CycleRecord:
    """The record of one that met a defect of ours; in the midst of trading it halts everything."""
    frames, guard = traceback.extract_tb(error.__traceback__), parts.executor.guard
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    # The message stays out: it may quote what must not be written down.
    reason = f"a defect of perphedge: {type(error).__name__} at {places[-1]}"
    document = {"reason": reason, "trading": progress.trading, "places": places}
    parts.log.error("defect", **document)
    parts.journal.record_event("defect", document, cycle_id=progress.record.cycle_id)
    if progress.trading:
        reason += "; trading is halted until somebody has looked into it"
        guard.halt_all("defect", f"{reason} (cycle {progress.record.cycle_id})")
    return cut_short(progress, guard, parts.journal, reason)
