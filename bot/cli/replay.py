"""``perphedge replay``: the engine over recorded data, beside a bot of one's choice."""

import json as json_text
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.replay_session import replay_session
from bot.cli.times import hour_ms
from bot.errors import UsageError

if TYPE_CHECKING:
    from bot.records.cycle import CycleRecord
    from bot.replay.stage import ReplayOptions


def replay(
    data: Annotated[Path | None, typer.Option(help="Folder of recorded data.")] = None,
    config: Annotated[
        Path | None, typer.Option("-c", "--config", help="Caps, hedges, universe.")
    ] = None,
    session: Annotated[
        Path | None,
        typer.Option(help="In place of both: what perphedge run --record kept, decided anew."),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="First hour, UTC day or time.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="End, UTC time, or a day that counts as a whole.")
    ] = None,
    book: Annotated[
        Path | None, typer.Option(help="Signed notionals (BOOK.json) bought first and kept.")
    ] = None,
    positions: Annotated[
        Path | None,
        typer.Option(help="What the bot held over time: .csv, .parquet, freqtrade's .json, .zip."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Names a random bot's bets.", min=0)] = 42,
    gross_usd: Annotated[
        float, typer.Option(help="Of a random bot's positions, when bought.", min=1, max=1e9)
    ] = 40_000.0,
    tokens: Annotated[
        int, typer.Option(help="Positions of a random bot at the most.", min=1, max=100)
    ] = 6,
    short_share: Annotated[
        float, typer.Option(help="Part of a random bot's bets that are short.", min=0, max=1)
    ] = 0.0,
    capital_usd: Annotated[
        float | None,
        typer.Option(
            "--capital", help="What volatility is a fraction of; the hedge wallet.", min=1
        ),
    ] = None,
    signals: Annotated[
        bool,
        typer.Option(help="Look for signals of the market, which decide nothing, a third slower."),
    ] = True,
    out: Annotated[
        Path, typer.Option(help="Folder for journal and log; goes on where it was left.")
    ] = Path("replay-out"),
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Play recorded hours through the engine's own cycle, and compare with no hedges.

    The bot is a book that is kept, a file of positions over time, or random bets. Fills come from
    the simulated exchange: its spread, depth, fees, funding and filters. What is written into the
    folder is read by log, explain and report as after a live run.

    With --session the engine is told once more what a recorded one was told, and every cycle is
    held against the recorded; ends with 1 at the first that differs.
    """
    from bot.cli.startup import quick_imports

    if session is not None:
        if any(one is not None for one in (data, config, start, end, book, positions)):
            raise UsageError("--session: brings its settings and data; give only --out and --json")
        replay_session(session, out, json=json)
        return
    if data is None or config is None:
        raise UsageError("replay: needs --data DIR and -c CONFIG, or --session DIR")
    if book is not None and positions is not None:
        raise UsageError("--book and --positions: name one of them")
    with quick_imports():
        from bot.replay.holdings import RandomBot
        from bot.replay.stage import ReplayOptions
    options = ReplayOptions(
        data=data,
        start_ms=hour_ms("--from", start, whole_day=False),
        end_ms=hour_ms("--to", end, whole_day=True),
        out=out,
        book=book,
        positions=positions,
        random=RandomBot(slots=tokens, gross_usd=gross_usd, short_share=short_share, seed=seed),
        signals=signals,
    )
    document = _replayed(config, options, capital_usd)
    if json:
        print(json_text.dumps(document, allow_nan=False, indent=2))
    else:
        _show(document, out)


def _replayed(config: Path, options: "ReplayOptions", capital_usd: float | None) -> dict[str, Any]:
    from bot.cli.startup import quick_imports

    with quick_imports():
        from bot.cli.remarks import told
        from bot.journal.reader import JOURNAL_NAME, JournalReader
        from bot.replay.curves import write_curves
        from bot.replay.play import play
        from bot.replay.results import bot_gains_usd, document_of, hedge_gains_usd
        from bot.replay.stage import name_of, set_up
        from config.load import load_settings
    settings = load_settings(config)
    stage = set_up(settings, options, told)
    with _progress(len(stage.hours_ms) - 1) as tell:
        played = play(stage, name_of(stage, options), tell)
    with JournalReader.open_reader(options.out / JOURNAL_NAME) as journal:
        found = document_of(stage, played, journal, capital_usd or settings.venue.paper_wallet_usd)
    alone, hedges = bot_gains_usd(stage), hedge_gains_usd(played.equity_usd)
    try:
        return found | write_curves(stage.hours_ms, alone, hedges, options.out)
    except OSError as error:
        raise UsageError(f"--out {options.out}: {error.strerror}") from error


@contextmanager
def _progress(hours: int) -> Iterator[Callable[[int, "CycleRecord"], None]]:
    """A bar on stderr where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("replaying hours", total=hours)

        def tell(hour: int, record: "CycleRecord") -> None:
            day = record.timestamp[:10]
            bar.update(task, completed=hour + 1, description=f"replaying {day}")

        yield tell


def _show(document: dict[str, Any], out: Path) -> None:
    from rich.console import Console

    from bot.cli.replay_table import replay_tables
    from bot.cli.startup import command_name

    console = Console()
    for part in replay_tables(document):
        console.print(part)
    console.print(f"Equity: {document['curves']}, {document['picture']}", soft_wrap=True)
    console.print(f"Journal and log: {out}; {command_name()} report --state {out} --out FILE.html")
