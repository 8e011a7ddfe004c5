"""``perphedge evaluate``: how good hedges are on data that they were not made from."""

import json as json_text
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bot.cli.times import hour_ms
from bot.errors import UsageError

if TYPE_CHECKING:
    from bot.evaluate.plan import Plan
    from config.settings import Settings

_MOST_BOOKS = 1000


def evaluate(
    data: Annotated[Path, typer.Option(help="Folder of recorded data.")],
    start: Annotated[
        str | None, typer.Option("--from", help="First decision, UTC day or time.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="End, UTC time, or a day that counts as a whole.")
    ] = None,
    books: Annotated[int, typer.Option(help="Random books.", min=1, max=_MOST_BOOKS)] = 20,
    tokens: Annotated[int, typer.Option(help="Tokens in each book.", min=1, max=50)] = 4,
    seed: Annotated[int, typer.Option(help="Names the books.", min=0)] = 42,
    weights: Annotated[
        Literal["drifting", "fixed"],
        typer.Option(
            help="What stays from one decision to the next: notionals, or quantities (drifting)."
        ),
    ] = "fixed",
    strategies: Annotated[
        str | None, typer.Option(help="Names, module:Class too, with commas; all by default.")
    ] = None,
    cost_bps: Annotated[
        float, typer.Option(help="Cost of a trade, bp of its notional.", min=0, max=1000)
    ] = 7.0,
    universe: Annotated[
        Literal["complete", "all"],
        typer.Option(help="complete: only tokens without a gap from 30 days before on."),
    ] = "all",
    symbols: Annotated[
        str | None, typer.Option(help="Only these tokens of the sector, with commas.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("-c", "--config", help="Tuning and sector; caps do not count.")
    ] = None,
    processes: Annotated[
        int | None, typer.Option(help="Processors to use; all by default.", min=1, max=256)
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw effectiveness against cost into this PNG file.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Compare hedge strategies out of sample on recorded data."""
    from bot.cli.startup import quick_imports

    if plot is not None and (plot.is_dir() or not plot.parent.is_dir()):
        told = "is a folder" if plot.is_dir() else "no such folder"
        raise UsageError(f"--plot {plot}: {told}")
    with quick_imports():
        from bot.evaluate.document import evaluation_document
        from bot.evaluate.run import evaluate as worked_out
        from bot.evaluate.run import processors
    plan = _plan(
        data,
        _settings(config),
        span=(hour_ms("--from", start, whole_day=False), hour_ms("--to", end, whole_day=True)),
        complete=universe == "complete",
        symbols=_listed("--symbols", symbols),
        strategies=_listed("--strategies", strategies),
        draw=(books, seed, tokens),
        cost_bps=cost_bps,
    )
    plan = replace(plan, fixed_weights=weights == "fixed")
    with _progress(len(plan.pieces)) as tell:
        scores = worked_out(plan, processes=processes or processors(), on_progress=tell)
    document = evaluation_document(plan, scores)
    if plot is not None:
        from bot.evaluate.plot import write_plot

        write_plot(document, plot)
    if json:
        print(json_text.dumps(document, allow_nan=False, indent=2))
        return
    from rich.console import Console

    from bot.evaluate.table import evaluation_table

    Console().print(evaluation_table(document))


def _plan(
    data: Path,
    settings: "Settings",
    *,
    span: tuple[int | None, int | None],
    complete: bool,
    symbols: tuple[str, ...] | None,
    strategies: tuple[str, ...] | None,
    draw: tuple[int, int, int],
    cost_bps: float,
) -> "Plan":
    from bot.cli.remarks import told
    from bot.evaluate.decisions import decisions_of
    from bot.evaluate.market import evaluation_market
    from bot.evaluate.plan import HINDSIGHT, Plan
    from bot.policy import sector_of
    from config.choices import choices
    from config.strategy import new_strategy
    from risk.limits.caps import RiskLimits
    from strategies.registry import BUILT_IN

    names = tuple(BUILT_IN) if strategies is None else strategies
    for name in names:
        new_strategy(name, "--strategies")
    _require_told(settings)
    market = evaluation_market(
        data,
        settings,
        sector_of(settings),
        start_ms=span[0],
        end_ms=span[1],
        complete=complete,
        symbols=symbols,
        tell=told,
    )
    hours = _decide_every_hours(settings)
    books, seed, tokens = draw
    return Plan(
        decisions=decisions_of(market, hours),
        strategies=(*names, HINDSIGHT),
        books=books,
        seed=seed,
        tokens=tokens,
        cost_bps=cost_bps,
        choices=replace(choices(settings, 1.0), limits=RiskLimits(), largest_hedge_usd=None),
        shrinkage=settings.hedge.shrinkage,
    )


def _settings(config: Path | None) -> "Settings":
    from config.load import load_settings, profile_path

    return load_settings(config or profile_path("paper"))


def _require_told(settings: "Settings") -> None:
    """What decisions of an evaluation are not told of must not be weighed as if it were nothing."""
    hedge = settings.hedge
    for name, value in (
        ("tail_aversion", hedge.tail_aversion),
        ("worst_windows_days", hedge.worst_windows_days),
        ("crowding_charge", hedge.crowding_charge),
    ):
        if value:
            raise UsageError(f"hedge.{name}: not part of an evaluation; leave it out of the config")


def _decide_every_hours(settings: "Settings") -> int:
    every = settings.hedge.decide_every
    hours, rest = divmod(every, timedelta(hours=1))
    if rest or not hours or 24 % hours:
        raise UsageError(
            "hedge.decide_every: bars are hourly, so that an evaluation needs a whole number of "
            "hours that divides a day"
        )
    return hours


def _listed(option: str, text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise UsageError(f"{option} {text!r}: no name in it")
    return names


@contextmanager
def _progress(pieces: int) -> Iterator[Callable[[str], None]]:
    """A bar on stderr where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (
        TextColumn("evaluating"),
        BarColumn(),
        MofNCompleteColumn(),
        Remaining(),
        TextColumn("{task.description}"),
    )
    bars = Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bars:
        task = bars.add_task("", total=pieces)
        yield lambda name: bars.update(task, advance=1, description=name)
