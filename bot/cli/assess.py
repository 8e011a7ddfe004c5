"""``perphedge risk`` and ``perphedge propose``: look, and say what would be done."""

import json as json_text
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.errors import UsageError
from risk.errors import DataError, UnmeasurableError

if TYPE_CHECKING:
    from bot.cycle import Engine
    from bot.records.cycle import CycleRecord
    from bot.records.ending import Look
    from bot.sources.book import BookSource

Config = Annotated[Path | None, typer.Option("-c", "--config", help="Configuration file.")]
Data = Annotated[Path | None, typer.Option(help="Folder of recorded data, in place of a venue.")]
At = Annotated[str | None, typer.Option(help="With --data: UTC, like 2025-06-01T12:00:00Z.")]
Book = Annotated[
    Path | None, typer.Option(help='With --data: JSON list of {"symbol", "notional_usd"}.')
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


Heatmap = Annotated[
    Path | None, typer.Option(help="Write the clustered correlation heatmap to this PNG file.")
]

HISTORY_DAYS = 365
"""How far tail, stresses and signals look back in recorded data."""


def risk(
    config: Config = None,
    data: Data = None,
    at: At = None,
    book: Book = None,
    json: Json = False,
    heatmap: Heatmap = None,
) -> None:
    """Exposure, correlation, crowding, signals and breaches, now (-c) or once (--data)."""
    import asyncio

    from bot.cli.startup import quick_imports

    if heatmap is not None and not heatmap.parent.is_dir():
        raise UsageError(f"--heatmap {heatmap}: no such folder")
    recorded = _recorded_book(config, data, at, book)
    document = asyncio.run(_risk_now(config) if recorded is None else _risk_then(config, *recorded))
    if heatmap is not None:
        with quick_imports():
            from bot.riskview.heatmap import write_heatmap
        write_heatmap(document, heatmap)
    if json:
        print(json_text.dumps(document, allow_nan=False, indent=2))
        return
    from rich.console import Console

    from bot.riskview.tables import risk_tables

    Console().print(risk_tables(document))


def propose(
    config: Config = None, data: Data = None, at: At = None, book: Book = None, json: Json = False
) -> None:
    """The hedge that would be proposed, now (-c) or at a past time (--data); nothing is sent."""
    import asyncio

    recorded = _recorded_book(config, data, at, book)
    record = asyncio.run(
        _proposed_now(config) if recorded is None else _proposed_then(config, *recorded)
    )
    document = record.document()
    if json:
        print(json_text.dumps(document, allow_nan=False, indent=2))
        return
    from rich.console import Console

    from bot.cli.findings import proposal_table
    from bot.cli.tables import planned_caps_table

    console = Console()
    console.print(proposal_table(document))
    console.print(planned_caps_table(document))


def _recorded_book(
    config: Path | None, data: Path | None, at: str | None, book: Path | None
) -> tuple[Path, int, Path] | None:
    """Folder, time and book of a look at the past; None for one at the present."""
    if data is not None and at is not None and book is not None:
        if not book.exists():
            raise UsageError(f"--book {book}: no such file")
        return data, _time_ms(at), book
    if data is not None or at is not None or book is not None:
        raise UsageError("--data, --at and --book are given together")
    if config is None:
        raise UsageError("give -c FILE, or --data DIR --at TIME --book BOOK.json")
    return None


@asynccontextmanager
async def _observer(config: Path | None) -> AsyncIterator["Engine"]:
    """An engine to look at the present with."""
    from bot.cli.startup import backfill_bar, engine_settings, quick_imports
    from bot.clock import SystemClock
    from bot.logs import stderr_log

    assert config is not None
    clock = SystemClock()
    settings = engine_settings(config)
    with quick_imports():
        from bot.wiring import Surroundings, open_observer
    around = Surroundings(clock, on_backfill=backfill_bar())
    async with open_observer(settings, around, stderr_log(clock, "warning")) as engine:
        yield engine


@asynccontextmanager
async def _past_observer(
    config: Path | None, data: Path, at_ms: int, book: Path, *, partial: bool
) -> AsyncIterator[tuple["Engine", "BookSource"]]:
    """An engine to look at the past with, and the book that it sees."""
    from bot.cli.startup import quick_imports
    from bot.clock import SimulatedClock
    from bot.logs import stderr_log
    from config.load import load_settings, profile_path

    with quick_imports():
        from bot.cli.remarks import told
        from bot.sources.book import BookSource
        from bot.wiring import open_recorded
    clock = SimulatedClock(at_ms)
    settings = load_settings(config or profile_path("paper"))
    source = BookSource(book, clock, partial=partial)
    log = stderr_log(clock, "warning")
    async with open_recorded(settings, data, clock, source, log, tell=told) as engine:
        yield engine, source


async def _risk_now(config: Path | None) -> dict[str, Any]:
    async with _observer(config) as engine:
        from bot.riskview.document import risk_document

        look = await engine.look()
        return risk_document(look, look.assessment.view.panel)


async def _risk_then(config: Path | None, data: Path, at_ms: int, book: Path) -> dict[str, Any]:
    opened = _past_observer(config, data, at_ms, book, partial=True)
    async with opened as (engine, source):
        from bot.riskview.document import risk_document

        look = await _look_at_the_measurable(engine, source)
        history = await look.assessment.view.history(HISTORY_DAYS)
        return risk_document(look, history, source.unmeasured)


async def _look_at_the_measurable(engine: "Engine", source: "BookSource") -> "Look":
    """A look at the book without the positions that cannot be measured; those are set aside.

    Raises:
        UnmeasurableError: it is not a position but BTC that cannot be measured.
        DataError: nothing of the book can be measured.
    """
    try:
        look = await engine.look()
    except UnmeasurableError as error:
        if not source.set_aside(error.reasons):
            raise
        look = await engine.look()
    if source.unmeasured and not look.observation.book.symbols():
        symbol, (_, reason) = next(iter(source.unmeasured.items()))
        raise DataError(f"no position of the book can be measured: {symbol}: {reason}")
    return look


async def _proposed_now(config: Path | None) -> "CycleRecord":
    async with _observer(config) as engine:
        return await engine.rehearse(propose=True)


async def _proposed_then(config: Path | None, data: Path, at_ms: int, book: Path) -> "CycleRecord":
    opened = _past_observer(config, data, at_ms, book, partial=False)
    async with opened as (engine, _):
        return await engine.rehearse(propose=True)


def _time_ms(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--at {text}: must be a time like 2025-06-01T12:00:00Z") from None
    if moment.tzinfo is None:
        raise UsageError(f"--at {text}: has no time zone; add Z for UTC")
    return round(moment.timestamp() * 1000)
