"""``perphedge demo``: the whole product on this machine."""

import json as json_text
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bot.demo import DemoOptions

PAUSE_SECONDS = 1.0


def demo(
    data: Annotated[
        Path | None, typer.Option(help="Folder of recorded prices; without it they are generated.")
    ] = None,
    cycles: Annotated[
        int | None,
        typer.Option(min=1, help="Stop after that many hourly cycles, without pausing."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Names the market and the bot's bets.")] = 7,
    out: Annotated[Path, typer.Option(help="Folder for journal, log and report.")] = Path(
        "demo-out"
    ),
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document at the end.")
    ] = False,
) -> None:
    """A bot piles up correlated longs on a simulated exchange; perphedge hedges them.

    Runs until interrupted, or for --cycles cycles of simulated time. Ctrl-C ends it in good order.
    """
    if not json and sys.stderr.isatty():
        print("perphedge demo: simulated exchange, bot and engine; loading …", file=sys.stderr)
    from bot.demo import DemoOptions

    pause = PAUSE_SECONDS if cycles is None and not json else 0.0
    options = DemoOptions(data, cycles, seed, out, pause)
    if json:
        _print_document(options)
    else:
        _show(options)


def _print_document(options: "DemoOptions") -> None:
    import asyncio

    from bot.demo import run_demo

    document = asyncio.run(run_demo(options))
    print(json_text.dumps(document, allow_nan=False, indent=2))


def _show(options: "DemoOptions") -> None:
    """A live table on a terminal, a line a cycle elsewhere."""
    import asyncio

    from rich.console import Console

    from bot.cli.live import LiveCycles
    from bot.demo import REPORT_NAME, run_demo

    console = Console()
    with LiveCycles(console, title="perphedge demo, simulated time") as live:
        try:
            document: dict[str, Any] | None = asyncio.run(run_demo(options, live.show))
        except KeyboardInterrupt:
            document = None
    if document is not None:
        counted = document["venue"]
        console.print(
            f"The exchange counted {counted['orders_received']} orders, {counted['fills']} fills "
            f"and {counted['rejected']} rejections, of bot and hedges together."
        )
    console.print(f"Report: {options.out / REPORT_NAME}", soft_wrap=True)
    console.print(f"Log:    perphedge log --state {options.out}", soft_wrap=True)
