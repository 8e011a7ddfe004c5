"""``perphedge stress``: the worst hours of recorded data, played with and without hedges."""

import json as json_text
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.times import hour_ms
from bot.errors import UsageError

if TYPE_CHECKING:
    from bot.feeds.array_tape import ArrayTape
    from bot.stress.episodes import Episode
    from bot.stress.playing import StressOptions
    from config.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The worst hours of recorded data, and trouble made up.",
)

Data = Annotated[Path, typer.Option(help="Folder of recorded data.")]
Config = Annotated[Path, typer.Option("-c", "--config", help="Caps, hedges, universe.")]
Start = Annotated[str | None, typer.Option("--from", help="First hour, UTC day or time.")]
End = Annotated[
    str | None, typer.Option("--to", help="End, UTC time, or a day that counts as a whole.")
]
Count = Annotated[int, typer.Option(help="Episodes of each kind.", min=1, max=50)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command("list", short_help="Name the worst hours that the data hold.")
def list_(
    data: Data,
    config: Config,
    start: Start = None,
    end: End = None,
    count: Count = 3,
    json: Json = False,
) -> None:
    """Crashes of the sector, spikes of correlation, squeezes of funding and gaps, worst first.

    Then what is made up within the worst crash: half of the hedges auto-deleveraged as its worst
    hour begins, the exchange down over that hour, funding ten times as high.
    """
    _, _, _, episodes = _found(data, config, start, end, count, Path())
    if json:
        print(json_text.dumps({"episodes": [one.document() for one in episodes]}, indent=2))
        return
    from rich.console import Console

    from bot.cli.tables import plain_table

    table = plain_table()
    table.add_column("episode", no_wrap=True)
    table.add_column("what happened")
    for one in episodes:
        table.add_row(one.name, one.sentence)
    Console().print(table)


@app.command("run", short_help="Play episodes with and without hedges.")
def run(
    data: Data,
    config: Config,
    episode: Annotated[
        list[str] | None, typer.Option(help="Name of an episode, again for more; all without it.")
    ] = None,
    start: Start = None,
    end: End = None,
    count: Count = 3,
    book: Annotated[
        Path | None,
        typer.Option(help="Signed notionals (BOOK.json) bought a day before; equal longs without."),
    ] = None,
    gross_usd: Annotated[
        float, typer.Option(help="Of the equal longs, when bought.", min=1, max=1e9)
    ] = 40_000.0,
    out: Annotated[
        Path, typer.Option(help="Folder for a journal of each episode and the table.")
    ] = Path("stress-out"),
    json: Json = False,
) -> None:
    """Play each episode from a day before to a day after, as perphedge replay does.

    The table is written to stress.json in the folder; perphedge report --stress shows it.
    """
    settings, tape, options, episodes = _found(data, config, start, end, count, out)
    from dataclasses import replace

    from bot.cli.remarks import told
    from bot.stress.playing import chosen, play_episodes, with_untroubled

    options = replace(options, book=book, gross_usd=gross_usd)
    picked = chosen(episodes, episode or [])
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        with _progress(len(with_untroubled(picked))) as tell:
            rows = play_episodes(settings, tape, picked, options, tell, tell=told)
    except OSError as error:
        raise UsageError(f"--out {out}: {error.strerror}") from error
    if json:
        print(json_text.dumps({"episodes": rows}, allow_nan=False, indent=2))
        return
    _show(rows, out)


def _found(
    data: Path, config: Path, start: str | None, end: str | None, count: int, out: Path
) -> "tuple[Settings, ArrayTape, StressOptions, list[Episode]]":
    from bot.cli.startup import quick_imports

    start_ms = hour_ms("--from", start, whole_day=False)
    end_ms = hour_ms("--to", end, whole_day=True)
    with quick_imports():
        from bot.cli.remarks import told
        from bot.feeds.recorded import recorded_tape
        from bot.stress.playing import StressOptions, found_episodes
        from config.aliases import load_aliases
        from config.load import load_settings
    settings = load_settings(config)
    tape = recorded_tape(
        data,
        aliases=load_aliases(settings.universe.aliases_file),
        exchange=settings.venue.exchange,
        tell=told,
    )
    options = StressOptions(data, out, start_ms, end_ms, count)
    return settings, tape, options, found_episodes(settings, tape, options)


@contextmanager
def _progress(episodes: int) -> "Iterator[Callable[[Episode, float], None]]":
    """A bar on stderr where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    console, done = Console(stderr=True), dict[str, float]()
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("playing episodes", total=episodes)

        def tell(one: "Episode", share: float) -> None:
            done[one.name] = share
            bar.update(task, completed=sum(done.values()), description=one.name)

        yield tell


def _show(rows: list[dict[str, Any]], out: Path) -> None:
    from rich.console import Console

    from bot.cli.startup import command_name
    from bot.cli.tables import plain_table

    console, table = Console(), plain_table()
    table.add_column("episode", overflow="fold")
    for title in ("alone", "hedged", "untroubled", "fall alone", "hedged", "avoided", "over"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        avoided, untroubled = row["drawdown_avoided"], row["untroubled_pnl_usd"]
        table.add_row(
            row["episode"],
            *(f"{row[f'{who}_pnl_usd']:,.0f}" for who in ("unhedged", "hedged")),
            "" if untroubled is None else f"{untroubled:,.0f}",
            *(f"{row[f'{who}_drawdown_usd']:,.0f}" for who in ("unhedged", "hedged")),
            "—" if avoided is None else f"{avoided:.0%}",
            f"{row['breach_hours_left']}/{row['breach_hours_alone']}",
        )
    console.print(table)
    console.print(
        "USD gained from a day before to a day after by the bot alone and with hedges; untroubled: "
        "with hedges, without what is made up; fall: the largest drawdown; over: hours in which "
        "any cap was left exceeded, and in which the bot alone exceeds any."
    )
    table_file = out / "stress.json"
    console.print(
        f"Table: {table_file}; each episode: {command_name()} report --state {out}/EPISODE "
        f"--stress {table_file}",
        soft_wrap=True,
    )
