"""``perphedge run``: the engine beside a bot."""

import json as json_text
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.feeds.live_bars import Progress
    from config.settings import Settings


def run(
    config: Annotated[Path, typer.Option("-c", "--config", help="Configuration file.")],
    live: Annotated[bool, typer.Option("--live", help="Trade with real money.")] = False,
    account: Annotated[
        str | None, typer.Option(help="With --live: the hedge account's name, typed out.")
    ] = None,
    cycles: Annotated[int | None, typer.Option(min=1, help="Stop after that many cycles.")] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document of the cycles at the end.")
    ] = False,
) -> None:
    """Run the engine until interrupted, or for --cycles cycles."""
    import asyncio

    from bot.errors import UsageError
    from config.load import load_settings

    if live != (account is not None):
        raise UsageError("--live and --account ID are given together or not at all")
    settings = load_settings(config)
    if live and settings.mode != "live":
        raise UsageError(f"--live: mode is {settings.mode} in {config}; set mode: live there first")
    documents = asyncio.run(_run(settings, account, cycles, keep=json))
    if json:
        print(json_text.dumps({"cycles": documents}, allow_nan=False, indent=2))


async def _run(
    settings: "Settings", account: str | None, cycles: int | None, *, keep: bool
) -> list[dict[str, Any]]:
    from bot.clock import SystemClock
    from bot.logs import open_log
    from bot.runner import LOG_NAME, run_cycles
    from bot.wiring import Surroundings, open_engine

    clock = SystemClock()
    log = open_log(
        settings.state_dir / LOG_NAME, clock, echo=sys.stderr, echo_level=settings.log.level
    )
    around = Surroundings(clock=clock, live_account=account, on_backfill=_backfill_bar())
    documents: list[dict[str, Any]] = []
    async with open_engine(settings, around, log) as engine:
        records = run_cycles(engine, clock, settings.hedge.monitor_every_ms, cycles)
        async for record in records:
            # Without --json it may run for months, so nothing piles up.
            documents += [record.document()] if keep else []
    return documents


def _backfill_bar() -> "Callable[[Progress], None] | None":
    """A progress bar for each symbol on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        return None
    from rich.console import Console
    from rich.progress import BarColumn, TaskID, TextColumn
    from rich.progress import Progress as Bars

    bars = Bars(
        TextColumn("backfill {task.description:18}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} hours"),
        console=Console(stderr=True),
        transient=True,
    )
    tasks: dict[str, TaskID] = {}

    def show(progress: "Progress") -> None:
        if progress.symbol not in tasks:
            bars.start()
            tasks[progress.symbol] = bars.add_task(progress.symbol, total=progress.total_hours)
        bars.update(tasks[progress.symbol], completed=progress.done_hours)
        if bars.finished:
            bars.stop()

    return show
