"""``perphedge run``: the engine beside a bot."""

import json as json_text
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from bot.feeds.live_bars import Progress
    from bot.logs import Logger
    from bot.ports import Clock
    from bot.session.recorder import SessionRecorder
    from config.settings import Settings


def run(
    config: Annotated[Path, typer.Option("-c", "--config", help="Configuration file.")],
    live: Annotated[bool, typer.Option("--live", help="Trade with real money.")] = False,
    account: Annotated[
        str | None, typer.Option(help="With --live: the hedge account's name, typed out.")
    ] = None,
    cycles: Annotated[int | None, typer.Option(min=1, help="Stop after that many cycles.")] = None,
    web: Annotated[
        bool, typer.Option("--web", help="Serve the dashboard too, as web.enabled does.")
    ] = False,
    record: Annotated[
        bool,
        typer.Option("--record", help="Keep all that the engine is told, for replay --session."),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document of the cycles at the end.")
    ] = False,
) -> None:
    """Run the engine until interrupted, or for --cycles cycles."""
    import asyncio

    from bot.cli.startup import engine_settings
    from bot.errors import UsageError

    if live != (account is not None):
        raise UsageError("--live and --account ID are given together or not at all")
    settings = engine_settings(config)
    if live and settings.mode != "live":
        raise UsageError(f"--live: mode is {settings.mode} in {config}; set mode: live there first")
    order = _Order(settings, config, account, cycles, web or settings.web.enabled, record)
    if not json:
        asyncio.run(_watch(order, config))
        return
    documents = asyncio.run(_collect(order))
    print(json_text.dumps({"cycles": documents}, allow_nan=False, indent=2))


@dataclass(frozen=True, slots=True)
class _Order:
    """What was asked for on the command line."""

    settings: "Settings"
    config: Path
    account: str | None
    cycles: int | None
    web: bool
    record: bool


async def _collect(order: _Order) -> list[dict[str, Any]]:
    """Every cycle's document; the log goes to stderr meanwhile."""
    from bot.cli.startup import backfill_bar

    level = order.settings.log.level
    return [d async for d in _cycles(order, on_backfill=backfill_bar(), echo_level=level)]


async def _watch(order: _Order, config: Path) -> None:
    """On a terminal a live table, with warnings above it; elsewhere the log on stderr."""
    from rich.console import Console

    from bot.cli.live import LiveCycles
    from bot.cli.startup import backfill_bar, command_name
    from bot.logs import LOG_NAME

    settings, console = order.settings, Console()
    level = settings.log.level
    if not console.is_terminal:
        async for _ in _cycles(order, on_backfill=backfill_bar(), echo_level=level):
            pass
        return
    title = f"perphedge {settings.mode}, {settings.venue.exchange}, autonomy {settings.autonomy}."
    with LiveCycles(console, title=title) as live:
        live.note("loading, then reading the exchange …")
        # It may run for months, so only what is on the screen is kept.
        async for document in _cycles(order, on_backfill=live.backfill, echo_level="warning"):
            live.show(document)
    console.print(f"Log:   {settings.state_dir / LOG_NAME}", soft_wrap=True)
    console.print(f"State: {command_name()} status -c {config}", soft_wrap=True)


async def _cycles(
    order: _Order, *, on_backfill: "Callable[[Progress], None] | None", echo_level: str
) -> "AsyncIterator[dict[str, Any]]":
    from bot.cli.startup import load_for_cycles, quick_imports
    from bot.clock import SystemClock
    from bot.logs import LOG_NAME, open_log

    with quick_imports():
        import strategies.minimum_risk  # noqa: F401 - what every start needs of the strategies
        from bot.runner import run_cycles
        from bot.stopping import stopped_by_signals
        from bot.wiring import Surroundings, open_engine
    settings, clock = order.settings, SystemClock()
    log = open_log(
        settings.state_dir / LOG_NAME,
        clock,
        echo=sys.stderr,
        echo_level=echo_level,
        max_bytes=round(settings.log.max_mb * 1e6),
        kept=settings.log.kept,
    )
    recorder = _recorder(settings, clock, log) if order.record else None
    around = Surroundings(
        clock=clock if recorder is None else recorder.clock,
        live_account=order.account,
        on_backfill=on_backfill,
        recorder=recorder,
    )
    every_ms = settings.hedge.monitor_every_ms
    async with open_engine(settings, around, log) as engine:
        # From here on a signal must find somebody who ends the servers.
        with stopped_by_signals() as stop:
            async with _servers(order, log):
                await load_for_cycles()
                async for record in run_cycles(engine, clock, every_ms, order.cycles, stop):
                    yield record.document()


def _recorder(settings: "Settings", clock: "Clock", log: "Logger") -> "SessionRecorder":
    from bot.session.recorder import SessionRecorder

    return SessionRecorder(settings, clock, log)


@asynccontextmanager
async def _servers(order: _Order, log: "Logger") -> "AsyncIterator[None]":
    """The servers for bots and for people that are wanted, each in a process of its own.

    Raises:
        ConfigError: one that is wanted has no token, or no password.
    """
    import asyncio

    from bot.api.child import ServerChild

    wanted: list[ServerChild] = []
    if order.settings.api.enabled:
        from config.api import find_token

        find_token(order.settings.api)
        wanted.append(ServerChild(order.config, log, "api"))
    if order.web:
        from bot.web.password import required_hash

        required_hash(order.settings.web)
        wanted.append(ServerChild(order.config, log, "web"))
    tasks = [asyncio.create_task(one.run()) for one in wanted]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
