"""``perphedge sweep``: settings and caps tried on recorded months."""

import json as json_text
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.times import hour_ms
from bot.errors import UsageError

if TYPE_CHECKING:
    from bot.sweep.runs import Row
    from bot.sweep.search import Sweep

_SHOWN = 15
_OUT = Path("sweep-out")


def sweep(
    data: Annotated[Path, typer.Option(help="Folder of recorded data.")],
    config: Annotated[Path, typer.Option("-c", "--config", help="What is not tried stays.")],
    settings: Annotated[
        list[str],
        typer.Option(
            "--set", help="PATH=A,B,C to try each, PATH=LOW..HIGH to draw from; more than once."
        ),
    ],
    start: Annotated[str, typer.Option("--from", help="First hour, UTC day or time.")],
    end: Annotated[str, typer.Option("--to", help="End, UTC; a day counts as a whole.")],
    random: Annotated[
        int | None, typer.Option(help="So many random choices, not every combination.", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Names the random choices.", min=0)] = 42,
    train: Annotated[int | None, typer.Option(help="Walk forward: days to choose on.")] = None,
    test: Annotated[int | None, typer.Option(help="Walk forward: days to try it on.")] = None,
    minimize: Annotated[
        str | None, typer.Option(help="Figure that should be small.", show_default=False)
    ] = None,
    maximize: Annotated[
        str | None, typer.Option(help="Figure that should be large.", show_default=False)
    ] = None,
    book: Annotated[Path | None, typer.Option(help="As in replay.")] = None,
    positions: Annotated[Path | None, typer.Option(help="As in replay.")] = None,
    bot_seed: Annotated[int, typer.Option(help="As --seed in replay.", min=0)] = 42,
    courses: Annotated[
        int,
        typer.Option(
            help="Random bots, seeds from --bot-seed on; the mean decides.", min=1, max=100
        ),
    ] = 1,
    gross_usd: Annotated[float, typer.Option(help="As in replay.", min=1, max=1e9)] = 40_000.0,
    tokens: Annotated[int, typer.Option(help="As in replay.", min=1, max=100)] = 6,
    short_share: Annotated[float, typer.Option(help="As in replay.", min=0, max=1)] = 0.0,
    capital_usd: Annotated[
        float | None, typer.Option("--capital", help="As in replay.", min=1)
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Processes here; all cores if left out.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler, tcp://HOST:PORT.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for results; goes on where it was left.")
    ] = _OUT,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Replay recorded months with many settings, and say which were worth it.

    With --train and --test it walks forward: the best choice of each training is tried on the days
    that follow it. Without a figure to go by, the mean loss of the worst days (least) decides.
    """
    from bot.cli.startup import quick_imports

    with quick_imports():
        from bot.replay.holdings import RandomBot
        from bot.sweep.output import write_plot, write_rows
        from bot.sweep.plan import SweepOptions, planned
        from bot.sweep.runs import Bot
        from bot.sweep.search import Objective, Rows, summary, swept
        from bot.sweep.spread import Cluster, Here
    if minimize is not None and maximize is not None:
        raise UsageError("--minimize and --maximize: name one of them")
    first_ms = hour_ms("--from", start, whole_day=False)
    last_ms = hour_ms("--to", end, whole_day=True)
    assert first_ms is not None
    assert last_ms is not None
    objective = Objective(maximize, 1) if maximize else Objective(minimize or _DEFAULT, -1)
    random_bot = RandomBot(
        slots=tokens, gross_usd=gross_usd, short_share=short_share, seed=bot_seed
    )
    plan = planned(
        config,
        SweepOptions(
            data=data,
            settings=tuple(settings),
            random=random,
            seed=seed,
            start_ms=first_ms,
            end_ms=last_ms,
            train_days=train,
            test_days=test,
            bot=Bot(book, positions, random_bot, capital_usd),
            courses=courses,
        ),
        objective,
    )
    spread = Here(jobs or _cores()) if scheduler is None else Cluster(scheduler)
    with _progress(plan) as tell:
        rows = swept(plan, spread, Rows(out), tell)
    found = summary(plan, rows)
    means = plan.means(rows)
    try:
        files = {"parquet": write_rows(rows, out), "plot": write_plot(means, found, objective, out)}
    except OSError as error:
        raise UsageError(f"--out {out}: {error.strerror}") from error
    found |= {name: str(path) for name, path in files.items()}
    if json:
        print(json_text.dumps(found, allow_nan=False, indent=2))
    else:
        _show(plan, rows, found)


_DEFAULT = "hedged.es95_daily_usd"


def _cores() -> int:
    import os

    return max(1, len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1)


@contextmanager
def _progress(plan: "Sweep") -> "Iterator[Callable[[int, int, Row], None]]":
    """A bar on stderr where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("replays"), BarColumn(), MofNCompleteColumn(), Remaining())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=plan.most_runs)
        yield lambda done, most, _: bar.update(task, completed=done, total=most)


def _show(plan: "Sweep", rows: "list[Row]", found: Mapping[str, Any]) -> None:
    from rich.console import Console

    from bot.cli.sweep_table import best_table, walk_table

    console = Console()
    if "windows" in found:
        console.print(walk_table(found))
    else:
        console.print(best_table(plan, plan.means(rows), _SHOWN))
    for row in [row for row in rows if row["error"] is not None][:_SHOWN]:
        told = ", ".join(f"{name}={row[name]}" for name in plan.choices[0])
        console.print(f"failed: {told}: {row['error']}", markup=False, highlight=False)
    console.print(f"{found['runs']:,} runs, {found['failed']:,} of them failed.", highlight=False)
    console.print(f"Every run: {found['parquet']}; picture: {found['plot']}", soft_wrap=True)
