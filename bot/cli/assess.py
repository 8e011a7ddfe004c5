"""``perphedge risk`` and ``perphedge propose``: look, and say what would be done."""

import json as json_text
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.errors import UsageError

if TYPE_CHECKING:
    from bot.records import CycleRecord

Config = Annotated[Path | None, typer.Option("-c", "--config", help="Configuration file.")]
Data = Annotated[Path | None, typer.Option(help="Folder of recorded data, in place of a venue.")]
At = Annotated[str | None, typer.Option(help="With --data: UTC, like 2025-06-01T12:00:00Z.")]
Book = Annotated[
    Path | None, typer.Option(help='With --data: JSON list of {"symbol", "notional_usd"}.')
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def risk(
    config: Config = None, data: Data = None, at: At = None, book: Book = None, json: Json = False
) -> None:
    """Exposure, correlation, crowding and breaches, now (-c) or at a past time (--data)."""
    record = _rehearse(config, data, at, book, propose=False)
    _print(record, as_json=json, propose=False)


def propose(
    config: Config = None, data: Data = None, at: At = None, book: Book = None, json: Json = False
) -> None:
    """The hedge that would be proposed, now (-c) or at a past time (--data); nothing is sent."""
    record = _rehearse(config, data, at, book, propose=True)
    _print(record, as_json=json, propose=True)


def _rehearse(
    config: Path | None, data: Path | None, at: str | None, book: Path | None, *, propose: bool
) -> "CycleRecord":
    import asyncio

    recorded = data is not None or at is not None or book is not None
    if recorded and (data is None or at is None or book is None):
        raise UsageError("--data, --at and --book are given together")
    if not recorded and config is None:
        raise UsageError("give -c FILE, or --data DIR --at TIME --book BOOK.json")
    if data is not None and at is not None and book is not None:
        if not book.exists():
            raise UsageError(f"--book {book}: no such file")
        return asyncio.run(_recorded(config, data, _time_ms(at), book, propose=propose))
    assert config is not None
    return asyncio.run(_now(config, propose=propose))


async def _now(config: Path, *, propose: bool) -> "CycleRecord":
    from bot.cli.startup import backfill_bar, engine_settings, quick_imports
    from bot.clock import SystemClock
    from bot.logs import stderr_log

    clock = SystemClock()
    settings = engine_settings(config)
    with quick_imports():
        from bot.wiring import Surroundings, open_observer
    around = Surroundings(clock, on_backfill=backfill_bar())
    async with open_observer(settings, around, stderr_log(clock, "warning")) as engine:
        return await engine.rehearse(propose=propose)


async def _recorded(
    config: Path | None, data: Path, at_ms: int, book: Path, *, propose: bool
) -> "CycleRecord":
    from bot.cli.startup import quick_imports
    from bot.clock import SimulatedClock
    from bot.logs import stderr_log
    from config.load import load_settings, profile_path

    with quick_imports():
        from bot.sources.book import BookSource
        from bot.wiring import open_recorded
    clock = SimulatedClock(at_ms)
    settings = load_settings(config or profile_path("paper"))
    source = BookSource(book, clock)
    log = stderr_log(clock, "warning")
    async with open_recorded(settings, data, clock, source, log) as engine:
        return await engine.rehearse(propose=propose)


def _time_ms(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--at {text}: must be a time like 2025-06-01T12:00:00Z") from None
    if moment.tzinfo is None:
        raise UsageError(f"--at {text}: has no time zone; add Z for UTC")
    return round(moment.timestamp() * 1000)


def _print(record: "CycleRecord", *, as_json: bool, propose: bool) -> None:
    document = record.document()
    if as_json:
        print(json_text.dumps(document, allow_nan=False, indent=2))
        return
    from rich.console import Console

    from bot.cli.findings import proposal_table, risk_tables
    from bot.cli.tables import planned_caps_table

    console = Console()
    if propose:
        console.print(proposal_table(document))
        console.print(planned_caps_table(document))
    else:
        console.print(risk_tables(document))
