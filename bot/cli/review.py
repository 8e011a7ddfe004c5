"""``perphedge status`` and ``perphedge log``: what an engine did, from its journal."""

import json as json_text
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.errors import UsageError

if TYPE_CHECKING:
    from bot.journal_reader import JournalReader

Config = Annotated[Path | None, typer.Option("-c", "--config", help="Configuration file.")]
State = Annotated[Path | None, typer.Option(help="State directory, in place of -c.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
POLL_SECONDS = 1.0


def status(config: Config = None, state: State = None, json: Json = False) -> None:
    """What the engine holds and did last, and whether it runs."""
    document = _status(_state_dir(config, state))
    if json:
        print(json_text.dumps(document, allow_nan=False, indent=2))
        return
    from rich.console import Console

    from bot.cli.tables import status_table

    Console().print(status_table(document))


def log(
    config: Config = None,
    state: State = None,
    since: Annotated[
        str | None, typer.Option(help="UTC time, or an age like 90m, 24h or 7d.")
    ] = None,
    cycle: Annotated[
        str | None, typer.Option(help="Only this cycle, with all of its record.")
    ] = None,
    follow: Annotated[bool, typer.Option(help="Go on with what comes.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document; a line each with --follow.")
    ] = False,
) -> None:
    """The hedge log: cycles, orders and operator events as they were recorded."""
    from bot.journal_reader import JOURNAL_NAME, JournalReader

    path = _state_dir(config, state) / JOURNAL_NAME
    since_ms = 0 if since is None else _since_ms(since)
    with JournalReader.open_reader(path) as journal:
        records = _records(journal, since_ms, cycle)
        if follow:
            _follow(journal, records, as_json=json)
        elif json:
            print(json_text.dumps({"records": records}, allow_nan=False, indent=2))
        else:
            _table(records)


def _state_dir(config: Path | None, state: Path | None) -> Path:
    if (config is None) == (state is None):
        raise UsageError("give either -c FILE or --state DIR")
    if state is not None:
        return state
    from config.load import load_settings

    assert config is not None
    return load_settings(config).state_dir


def _status(state_dir: Path) -> dict[str, Any]:
    from bot.halt import HaltSwitch
    from bot.journal_reader import JOURNAL_NAME, JournalReader
    from bot.lock import lock_holder

    with JournalReader.open_reader(state_dir / JOURNAL_NAME) as journal:
        newest = journal.cycles(limit=1)
        last = newest[-1] if newest else None
        accounts = journal.accounts()
        return {
            "state_dir": str(state_dir),
            "running_process": lock_holder(state_dir),
            "halted": HaltSwitch(state_dir).reason,
            "starts": journal.epoch,
            "cycles": journal.cycle_count(),
            "hedges_base": {
                f"{account} {symbol}": str(quantity)
                for account in accounts
                for (symbol, _), quantity in journal.own_positions(account).items()
            },
            "unresolved_orders": [o.client_id for o in journal.unresolved_orders()],
            "last_cycle": None
            if last is None
            else {
                key: last[key]
                for key in (
                    "cycle_id",
                    "timestamp",
                    "status",
                    "reason",
                    "bot_gross_usd",
                    "hedge_gross_usd",
                    "volatility_unhedged_daily_usd",
                    "volatility_after_daily_usd",
                    "cae_after_usd",
                )
            },
        }


def _records(journal: "JournalReader", since_ms: int, cycle: str | None) -> list[dict[str, Any]]:
    """Events and cycles, oldest first; of one cycle its document comes last."""
    if cycle is not None:
        document = journal.cycle(cycle)
        if document is None:
            raise UsageError(f"--cycle {cycle}: no such cycle in {journal.path}")
        return [*map(_event, journal.events(cycle_id=cycle)), document]
    found = [*map(_event, journal.events(since_ms)), *journal.cycles(since_ms)]
    return sorted(found, key=lambda r: int(r["timestamp_ms"]))


def _event(row: Any) -> dict[str, Any]:
    from bot.records import iso_utc

    return {
        "event": row.kind,
        "timestamp": iso_utc(row.timestamp_ms),
        "timestamp_ms": row.timestamp_ms,
        "cycle_id": row.cycle_id,
        "client_id": row.client_id,
        **row.document,
    }


def _table(records: list[dict[str, Any]]) -> None:
    from rich.console import Console

    from bot.cli.tables import log_table

    Console().print(log_table(records))


def _follow(journal: "JournalReader", records: list[dict[str, Any]], *, as_json: bool) -> None:
    for batch in _batches(journal, records):
        if as_json:
            for record in batch:
                print(json_text.dumps(record, allow_nan=False), flush=True)
        else:
            _table(batch)


def _batches(
    journal: "JournalReader", records: list[dict[str, Any]]
) -> Iterator[list[dict[str, Any]]]:
    import time

    yield records
    seen_ms = max((int(r["timestamp_ms"]) for r in records), default=0)
    while True:
        time.sleep(POLL_SECONDS)
        fresh = _records(journal, seen_ms + 1, None)
        if fresh:
            seen_ms = int(fresh[-1]["timestamp_ms"])
            yield fresh


def _since_ms(text: str) -> int:
    units = {"m": "minutes", "h": "hours", "d": "days"}
    if text[-1:] in units and text[:-1].isdigit():
        moment = datetime.now(UTC) - timedelta(**{units[text[-1]]: int(text[:-1])})
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise UsageError(
                f"--since {text}: must be a time like 2026-01-31T12:00:00Z or an age like 24h"
            ) from None
        if moment.tzinfo is None:
            raise UsageError(f"--since {text}: has no time zone; add Z for UTC")
    return round(moment.timestamp() * 1000)
