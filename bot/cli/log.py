"""``perphedge log``: cycles, orders and events as they were recorded."""

import json as json_text
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.journals import Config, State, open_journal, since_ms_of, state_dir_of
from bot.errors import UsageError

if TYPE_CHECKING:
    from bot.journal.reader import JournalReader

POLL_SECONDS = 1.0


def log(
    config: Config = None,
    state: State = None,
    since: Annotated[
        str | None, typer.Option(help="UTC time, or an age like 90m, 24h or 7d.")
    ] = None,
    cycle: Annotated[
        str | None, typer.Option(help="Only this cycle, with all of its record.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Only check that nothing in it was changed or cut.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document; a line each with --follow.")
    ] = False,
) -> None:
    """The hedge log: cycles, orders and operator events as they were recorded."""
    if verify:
        if follow or cycle is not None or since is not None:
            raise UsageError("--verify reads the whole journal; give it without other choices")
        _verify(state_dir_of(config, state), as_json=json)
        return
    if follow and cycle is not None:
        raise UsageError("--cycle and --follow are not given together")
    since_ms = 0 if since is None else since_ms_of(since)
    with open_journal(state_dir_of(config, state)) as journal:
        records = _records(journal, since_ms, cycle)
        if follow:
            _follow(journal, records, as_json=json)
        elif json:
            print(json_text.dumps({"records": records}, allow_nan=False, indent=2))
        else:
            _show(records, whole=cycle is not None)


def _verify(state_dir: Path, *, as_json: bool) -> None:
    """One line where all is as it was written; an error that names the first row where not."""
    with open_journal(state_dir) as journal:
        head = journal.verify()
    if as_json:
        document = {"whole": True, "lines": head.number, "head": head.link.hex()}
        print(json_text.dumps(document, indent=2))
        return
    print(f"The journal is as it was written: {head.number:,} lines, head {head.link.hex()}")


def _records(journal: "JournalReader", since_ms: int, cycle: str | None) -> list[dict[str, Any]]:
    """Events and cycles, oldest first; of one cycle its document comes last."""
    from bot.records.plain_event import plain_event

    if cycle is not None:
        document = journal.cycle(cycle)
        if document is None:
            raise UsageError(f"--cycle {cycle}: no such cycle in {journal.path}")
        return [*map(plain_event, journal.events(cycle_id=cycle)), document]
    found = [*map(plain_event, journal.events(since_ms)), *journal.cycles(since_ms)]
    return _in_order(found)


def _in_order(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By time; a cycle, which bears the time of its beginning, comes after its own events."""
    ends: dict[str, int] = {}
    for one in records:
        if one["cycle_id"] is not None:
            ends[one["cycle_id"]] = max(ends.get(one["cycle_id"], 0), int(one["timestamp_ms"]))
    return sorted(
        records,
        key=lambda r: ends[r["cycle_id"]] if "event" not in r else int(r["timestamp_ms"]),
    )


def _show(records: list[dict[str, Any]], *, whole: bool = False, head: bool = True) -> None:
    """A line each; of one whole cycle also its proposal, caps, book and orders."""
    from rich.console import Console

    from bot.cli.findings import cycle_tables
    from bot.cli.records import log_table

    console = Console()
    if whole:
        *events, document = records
        console.print(cycle_tables(document))
        records = [event for event in events if not str(event["event"]).startswith("order_")]
        if not records:
            return
    console.print(log_table(records, head=head))


def _follow(journal: "JournalReader", records: list[dict[str, Any]], *, as_json: bool) -> None:
    head = True
    for batch in _batches(journal, records):
        if as_json:
            for record in batch:
                print(json_text.dumps(record, allow_nan=False), flush=True)
        else:
            _show(batch, head=head)
        head = False


def _batches(
    journal: "JournalReader", records: list[dict[str, Any]]
) -> Iterator[list[dict[str, Any]]]:
    """What is there, then what comes.

    A cycle is written when it ends but bears the time of its beginning, before its own events. So
    events are told apart by their number, cycles by their id.
    """
    import time

    from bot.records.plain_event import plain_event

    newest_event = max((row.event_id for row in journal.events(limit=1)), default=0)
    newest_ms = max((int(r["timestamp_ms"]) for r in records if "event" not in r), default=0)
    seen = {r["cycle_id"] for r in records if "event" not in r}
    yield records
    while True:
        time.sleep(POLL_SECONDS)
        events = journal.events(after_id=newest_event)
        cycles = [c for c in journal.cycles(newest_ms) if c["cycle_id"] not in seen]
        if events:
            newest_event = events[-1].event_id
        if cycles:
            newest_ms = max(int(c["timestamp_ms"]) for c in cycles)
            seen |= {c["cycle_id"] for c in cycles}
        if events or cycles:
            yield _in_order([*map(plain_event, events), *cycles])
