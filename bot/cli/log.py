"""``perphedge log``: cycles, orders and events as they were recorded."""

import json as json_text
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.journals import Config, State, open_journal, since_ms_of, state_dir_of
from bot.errors import UsageError

if TYPE_CHECKING:
    from bot.journal.log_reads import LogQuery
    from bot.journal.reader import JournalReader


def log(
    config: Config = None,
    state: State = None,
    since: Annotated[
        str | None, typer.Option(help="UTC time, or an age like 90m, 24h or 7d.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Before that time or age.")] = None,
    cycle: Annotated[
        str | None, typer.Option(help="Only this cycle, with all of its record.")
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(help="Only events of this name, or 'cycle'; may be given again."),
    ] = None,
    symbol: Annotated[
        str | None, typer.Option(help="Only events of this symbol, or of a base like FET.")
    ] = None,
    severity: Annotated[
        str | None, typer.Option(help="Only what is at least so weighty: note, warning, alarm.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the newest so many events, and cycles.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="Write a table instead: a .parquet or .csv file.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Only check that nothing in it was changed or cut.")
    ] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of the records.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document; a line each with --follow.")
    ] = False,
) -> None:
    """The hedge log: cycles, orders and operator events as they were recorded."""
    if schema:
        _print_schema()
        return
    chosen = _Chosen(since, until, event or [], symbol, severity, limit)
    if verify:
        if follow or cycle is not None or export is not None or chosen.any:
            raise UsageError("--verify reads the whole journal; give it without other choices")
        _verify(state_dir_of(config, state), as_json=json)
        return
    if cycle is not None and (follow or chosen.narrow):
        raise UsageError("--cycle tells one cycle whole; give it without --follow or other choices")
    if follow and (until is not None or export is not None):
        raise UsageError("--follow has no end; give it without --until and --export")
    query = chosen.query()
    with open_journal(state_dir_of(config, state)) as journal:
        if follow:
            _follow(journal, query, as_json=json)
            return
        records = _records(journal, query, cycle)
        if export is not None:
            _export(records, export)
        elif json:
            print(json_text.dumps({"records": records}, allow_nan=False, indent=2))
        else:
            _show(records, whole=cycle is not None)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The options that narrow the log, as they were typed."""

    since: str | None
    until: str | None
    events: Sequence[str]
    symbol: str | None
    severity: str | None
    limit: int | None

    @property
    def narrow(self) -> bool:
        """Whether any but ``--since`` is given."""
        rest = (self.until, self.symbol, self.severity, self.limit)
        return bool(self.events) or any(one is not None for one in rest)

    @property
    def any(self) -> bool:
        """Whether any is given."""
        return self.narrow or self.since is not None

    def query(self) -> "LogQuery":
        """What to read.

        Raises:
            UsageError: a time, an event or a weight is none.
        """
        from bot.journal.log_reads import FOREVER_MS, LogQuery
        from bot.records.choosing import kinds_asked, signal_weights_asked, statuses_asked

        return LogQuery(
            since_ms=0 if self.since is None else since_ms_of(self.since),
            until_ms=FOREVER_MS if self.until is None else since_ms_of(self.until, "--until"),
            kinds=kinds_asked(self.events, self.severity),
            # A cycle is about the whole book, and of no one symbol.
            statuses=() if self.symbol else statuses_asked(self.events, self.severity),
            signal_weights=signal_weights_asked(self.severity),
            symbol=self.symbol,
            limit=self.limit,
        )


def _print_schema() -> None:
    from bot.records.schema import hedge_log_schema

    print(json_text.dumps(hedge_log_schema(), indent=2))


def _export(records: list[dict[str, Any]], path: Path) -> None:
    from bot.records.export import write_table

    rows = write_table(records, path)
    print(f"{path}: {rows:,} rows")


def _verify(state_dir: Path, *, as_json: bool) -> None:
    """One line where all is as it was written; an error that names the first row where not."""
    with open_journal(state_dir) as journal:
        head = journal.verify()
    if as_json:
        document = {"whole": True, "lines": head.number, "head": head.link.hex()}
        print(json_text.dumps(document, indent=2))
        return
    print(f"The journal is as it was written: {head.number:,} lines, head {head.link.hex()}")


def _records(
    journal: "JournalReader", query: "LogQuery", cycle: str | None
) -> list[dict[str, Any]]:
    """Events and cycles, oldest first; of one cycle its document comes last."""
    from bot.records.reading import records_asked, records_of_cycle

    if cycle is None:
        return records_asked(journal, query)
    found = records_of_cycle(journal, cycle)
    if found is None:
        raise UsageError(f"--cycle {cycle}: no such cycle in {journal.path}")
    return found


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


def _follow(journal: "JournalReader", query: "LogQuery", *, as_json: bool) -> None:
    from bot.records.reading import following

    head = True
    for batch in following(journal, query):
        if as_json:
            for record in batch:
                print(json_text.dumps(record, allow_nan=False), flush=True)
        else:
            _show(batch, head=head)
        head = False
