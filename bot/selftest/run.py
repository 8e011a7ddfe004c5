"""Runs all trips, each in a world of its own."""

from bot.controls.table import TABLE, Control
from bot.selftest import money, orders, state, system
from bot.selftest.stage import open_stage
from bot.selftest.trip import Result, Trip, UntrippedError

TRIPS: dict[int, Trip] = {
    trip.number: trip for trip in (*orders.TRIPS, *state.TRIPS, *money.TRIPS, *system.TRIPS)
}


async def run_selftest() -> list[Result]:
    """One result for each control, in their order; the last one speaks for all."""
    results = [await _result(control, TRIPS.get(control.number)) for control in TABLE]
    last = results[-1]
    failed = [one.number for one in results[:-1] if not one.ok]
    seen = f"{len(results) - len(failed)} of {len(results)} acted"
    results[-1] = Result(
        last.number, last.name, last.effect, last.tripped, seen, None, not failed and last.ok
    )
    return results


async def _result(control: Control, trip: Trip | None) -> Result:
    if trip is None:
        return Result(control.number, control.says, control.effects, "", "no trip", None, ok=False)
    journaled: bool | None = None
    try:
        async with open_stage(start=trip.started) as stage:
            seen = await trip.run(stage)
            if trip.journaled:
                lacking = [name for name in trip.journaled if not stage.recorded(name)]
                journaled = not lacking
                if lacking:
                    raise UntrippedError(f"the journal does not name {', '.join(lacking)}")
    except Exception as error:  # noqa: BLE001 - whatever it was, the control is not proven
        told = (
            str(error) if isinstance(error, UntrippedError) else f"{type(error).__name__}: {error}"
        )
        return Result(
            control.number, control.says, control.effects, trip.how, told, journaled, ok=False
        )
    return Result(control.number, control.says, control.effects, trip.how, seen, journaled, ok=True)
