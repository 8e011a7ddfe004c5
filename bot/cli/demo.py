"""``perphedge demo``: the whole product on this machine."""

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from bot.demo.piling_bot import DemoPlan
    from bot.demo.stage import DemoOptions

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
    if json:
        _print_document(data, cycles, seed, out)
    else:
        _show(data, cycles, seed, out)


def _print_document(data: Path | None, cycles: int | None, seed: int, out: Path) -> None:
    import asyncio

    from bot.cli.startup import quick_imports

    with quick_imports():
        from bot.cli.remarks import told
        from bot.demo.stage import DemoOptions, run_demo
    options = DemoOptions(data, cycles, seed, out)
    document = asyncio.run(run_demo(options, on_plan=lambda _: _load_play(), tell=told))
    print(json_text.dumps(document, allow_nan=False, indent=2))


def _load_play() -> None:
    """Import what ``run_demo`` imports next, only quicker."""
    from bot.cli.startup import quick_imports

    with quick_imports():
        import bot.demo.play  # noqa: F401 - only to have it loaded


def _show(data: Path | None, cycles: int | None, seed: int, out: Path) -> None:
    """A live table on a terminal; elsewhere the plan, then a line a cycle."""
    import asyncio

    from rich.console import Console

    from bot.cli.live import LiveCycles
    from bot.cli.startup import quick_imports

    console = Console()
    title = "perphedge demo: simulated exchange, bot and time."
    with LiveCycles(console, title=title) as live:
        live.note("making a market …" if data is None else f"reading {data} …")
        with quick_imports():
            from bot.demo.stage import DemoOptions, run_demo

        def tell_plan(plan: "DemoPlan") -> None:
            live.introduce(_plan_table(plan))
            if not console.is_terminal:
                console.print(_plan_table(plan))
            live.note("loading the exchange client and the solver …")
            _load_play()
            live.note("opening the exchange, reading 60 days of prices …")

        pause = PAUSE_SECONDS if cycles is None else 0.0
        options = DemoOptions(data, cycles, seed, out, pause)
        try:
            document: dict[str, Any] | None = asyncio.run(
                run_demo(options, live.show, tell_plan, live.note)
            )
        except KeyboardInterrupt:
            document = None
    _tell_end(console, options, document)


def _plan_table(plan: "DemoPlan") -> "RenderableType":
    """What the bot is going to buy."""
    from rich.console import Group
    from rich.text import Text

    from bot.cli.tables import facts
    from bot.report import words

    total = sum(plan.targets_usd.values())
    sentence = (
        f"In its own account a bot buys {words.usd(total)} of AI tokens over {plan.ramp_cycles} "
        "hours. It sizes each alone, but they rise and fall together. From a second account "
        "perphedge sells others against them, through ccxt, to keep the whole inside its caps."
    )
    largest = sorted(plan.targets_usd.items(), key=lambda item: -item[1])
    wanted = [(words.base(symbol), words.usd(usd)) for symbol, usd in largest]
    return Group(Text(sentence), facts(wanted))


def _tell_end(console: "Console", options: "DemoOptions", document: dict[str, Any] | None) -> None:
    from bot.cli.startup import command_name
    from bot.demo.stage import REPORT_NAME
    from bot.report.history import verdict

    if document is None or not document["cycles"]:
        console.print("Ended before the first cycle.")
        return
    counted = document["venue"]
    for sentence in verdict(document["cycles"]):
        console.print(sentence, markup=False, highlight=False)
    console.print(
        f"The exchange counted {counted['orders_received']} orders, {counted['fills']} fills "
        f"and {counted['rejected']} rejections, of bot and hedges together."
    )
    console.print(f"Report: {options.out / REPORT_NAME}", soft_wrap=True)
    console.print(f"Log:    {command_name()} log --state {options.out}", soft_wrap=True)
