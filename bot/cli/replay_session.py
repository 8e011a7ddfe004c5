"""``perphedge replay --session``: the decisions of a recorded engine, made anew."""

import asyncio
import json as json_text
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bot.errors import UsageError

if TYPE_CHECKING:
    from bot.session.playing import PlayedRun

_SHOWN = 12
_LONGEST = 60


def replay_session(session: Path, out: Path, *, json: bool) -> None:
    """Plays every run of it, each in its own folder of ``out``, and tells whether all is the same.

    Raises:
        DataError: the recording cannot be used.
        UsageError: ``out`` is in use, or cannot be written.
        typer.Exit: with 1, something differs, or no cycle was there to compare.
    """
    from bot.cli.startup import quick_imports

    with quick_imports():
        from bot.session.playing import play_run, proven_same, summary
        from bot.session.reading import recorded_runs
    runs = []
    with _progress() as tell:
        for folder in recorded_runs(session):
            into = out / folder.name
            if into.exists():
                name = folder.name
                raise UsageError(f"--out {out}: holds a replay of {name}; name another folder")
            try:
                runs.append(asyncio.run(play_run(folder, into, tell)))
            except OSError as error:
                raise UsageError(f"--out {out}: {error.strerror or error}") from error
    if json:
        print(json_text.dumps(summary(runs), allow_nan=False, indent=2))
    else:
        _show(runs, out)
    if not proven_same(runs):
        raise typer.Exit(1)


@contextmanager
def _progress() -> "Iterator[Callable[[str], None]]":
    """Cycles as they are played, on stderr where that is a terminal; nobody knows how many come."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
    from rich.progress import TimeElapsedColumn as Elapsed

    columns = (SpinnerColumn(), TextColumn("cycles"), MofNCompleteColumn(), Elapsed())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=None)
        yield lambda _cycle_id: bar.advance(task)


def _show(runs: "list[PlayedRun]", out: Path) -> None:
    from rich.console import Console

    from bot.cli.startup import command_name
    from bot.cli.tables import plain_table

    console, table = Console(), plain_table()
    table.add_column("recorded from", no_wrap=True)
    table.add_column("cycles", justify="right")
    table.add_column("outcome")
    for one in runs:
        table.add_row(one.folder.name, f"{one.cycles:,}", _outcome(one))
    console.print(table)
    for one in runs:
        if one.differences:
            _show_differences(console, one)
    console.print(f"Journals and logs: {out}; {command_name()} log --state {out}/RUN")


def _outcome(run: "PlayedRun") -> str:
    if run.refused:
        return f"the engine did not start: {run.refused}"
    if run.cycle_id is not None:
        after = f"; {run.not_compared:,} after it rest on it" if run.not_compared else ""
        return f"differs from {run.cycle_id} on{after}"
    if not run.cycles:
        return "nothing to compare: no cycle of it ended"
    return "the same" + (", and one that was cut short" if run.cut_short else "")


def _show_differences(console: Any, run: "PlayedRun") -> None:
    from bot.cli.tables import plain_table

    table = plain_table()
    table.add_column(f"cycle {run.cycle_id}")
    table.add_column("recorded")
    table.add_column("replayed")
    for one in run.differences[:_SHOWN]:
        table.add_row(one.path, *(_brief(value) for value in (one.recorded, one.replayed)))
    console.print(table)
    left = len(run.differences) - _SHOWN
    if left > 0:
        console.print(f"and {left:,} more; --json tells all")


def _brief(value: object) -> str:
    text = value if isinstance(value, str) else json_text.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
