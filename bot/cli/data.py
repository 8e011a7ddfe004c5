"""``perphedge data``: recorded market data, looked at and brought in."""

import json as json_text
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.errors import UsageError

if TYPE_CHECKING:
    from bot.data.brought import Brought
    from bot.data.examined import Examined
    from bot.data.store import Stored
    from bot.feeds.live_bars import Progress

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Recorded market data: check and bring in."
)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of recorded data.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command("check", short_help="What a folder of recorded data holds, lacks, and gets wrong.")
def check(folder: Folder, json: Json = False) -> None:
    """What a folder of recorded data holds, what it lacks, and every fault of its bars.

    Ends with 2 where something keeps it from being used, each fault with file, symbol and time.
    """
    from bot.cli.startup import quick_imports

    with quick_imports():
        from bot.data.examined import examined
        from config.aliases import load_aliases
    found = examined(folder, load_aliases())
    if json:
        print(json_text.dumps(found.document(), indent=2))
    else:
        _show(found)
    if found.faults:
        raise typer.Exit(2)


def _show(found: "Examined") -> None:
    from rich.console import Console
    from rich.table import Table

    from bot.feeds.quality import iso

    console, table = Console(), Table()
    for name in ("symbol", "from", "to"):
        table.add_column(name, no_wrap=True)
    for name in ("bars", "missing", "payments"):
        table.add_column(name, justify="right")
    paid: dict[str, int] = {}
    for name, count in found.payments.items():
        symbol = name.partition(" ")[2]
        paid[symbol] = paid.get(symbol, 0) + count
    for one in found.symbols:
        missing = str(one.missing) if one.missing else ""
        payments = str(paid[one.symbol]) if one.symbol in paid else ""
        table.add_row(
            one.symbol, iso(one.first_ms), iso(one.last_ms), str(one.bars), missing, payments
        )
    console.print(table)
    for text in found.remarks:
        console.print(f"note: {text}", highlight=False, soft_wrap=True, markup=False)
    for text in found.faults:
        console.print(f"fault: {text}", highlight=False, soft_wrap=True, markup=False)
    console.print("It cannot be used." if found.faults else "It can be used.")


Source = Annotated[Path, typer.Argument(metavar="DIR", help="Folder with the downloaded files.")]
Target = Annotated[Path, typer.Option("--into", help="Folder of recorded data, new or not.")]


@app.command("import-binance", short_help="Bring in Binance's public dumps of USD-M futures.")
def import_binance(source: Source, target: Target, json: Json = False) -> None:
    """Bring in Binance's public dumps: hourly klines, funding rates, open interest of metrics.

    Zipped or not, with or without a line of names; checksums beside them are held to. What is in
    the folder of recorded data already stays, and of the same hour the new bar counts.
    """
    from bot.cli.startup import quick_imports

    with quick_imports():
        from bot.cli.remarks import told
        from bot.data.binance_dump import read_dump
    _stored(target, read_dump(source, told), json=json)


@app.command("import-freqtrade", short_help="Bring in freqtrade's downloaded futures data.")
def import_freqtrade(
    source: Source,
    target: Target,
    venue: Annotated[str, typer.Option(help="The exchange of these data.")] = "binance",
    json: Json = False,
) -> None:
    """Bring in freqtrade's futures data: candles of one hour and funding rates.

    From feather, parquet or JSON, as user_data/data/EXCHANGE/futures has them.
    """
    from bot.cli.startup import quick_imports

    with quick_imports():
        from bot.cli.remarks import told
        from bot.data.freqtrade_data import read_freqtrade
    _stored(target, read_freqtrade(source, venue, told), json=json)


@app.command("pull", short_help="Fetch bars, funding and open interest of an exchange.")
def pull(
    target: Annotated[
        Path, typer.Option("--into", "--out", help="Folder of recorded data, new or not.")
    ],
    config: Annotated[Path, typer.Option("-c", "--config", help="Exchange, sector, benchmarks.")],
    start: Annotated[
        str | None, typer.Option("--from", help="First hour, UTC day or time.")
    ] = None,
    days: Annotated[
        int | None, typer.Option(help="So many days until now, in place of --from.", min=1)
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="End, UTC; now, where it is left out.")
    ] = None,
    symbols: Annotated[
        str | None, typer.Option(help="FET,TAO or unified symbols; otherwise all of the sector.")
    ] = None,
    json: Json = False,
) -> None:
    """Fetch closed hourly bars, settled funding, open interest and contracts into a folder of data.

    Only what the folder lacks is asked for: run it again to go on, or to add what came since.
    Hours that the exchange does not show are asked for twice, then told; nothing is filled in.
    Exchanges show open interest of the last month only. No key is needed.
    """
    import asyncio

    from bot.cli.startup import quick_imports
    from bot.cli.times import hour_ms

    if (start is None) == (days is None):
        raise UsageError("--from and --days: name one of them")
    first_ms = hour_ms("--from", start, whole_day=False)
    last_ms = hour_ms("--to", end, whole_day=True)
    with quick_imports():
        from bot.cli.remarks import told
        from bot.clock import SystemClock
        from bot.data.pulled import PullOptions, pulled
        from bot.feeds.tape import DAY_MS
        from config.load import load_settings
    if first_ms is None:
        assert days is not None
        first_ms = SystemClock().now_ms() - days * DAY_MS
    settings = load_settings(config)
    chosen = None if symbols is None else tuple(one for one in symbols.split(",") if one)
    with _bar() as on_progress:
        options = PullOptions(target, chosen, first_ms, last_ms)
        done = asyncio.run(pulled(settings, options, told, on_progress))
    _show_stored(target, done, json=json)


@contextmanager
def _bar() -> "Iterator[Callable[[Progress], None]]":
    """A bar on stderr where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bar(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("asking", total=None)

        def tell(one: "Progress") -> None:
            bar.update(
                task, completed=one.done_hours, total=one.total_hours, description=one.symbol
            )

        yield tell


def _stored(target: Path, brought: "Brought", *, json: bool) -> None:
    from bot.cli.remarks import told
    from bot.data.store import store

    _show_stored(target, store(target, brought, told), json=json)


def _show_stored(target: Path, done: "Stored", *, json: bool) -> None:
    from dataclasses import asdict

    if json:
        print(json_text.dumps({"folder": str(target), **asdict(done)}, indent=2))
        return
    for name, whole, new in (
        ("bars", done.bars, done.new_bars),
        ("payments", done.payments, done.new_payments),
        ("open interest", done.interest, done.new_interest),
        ("contracts", done.contracts, done.new_contracts),
    ):
        print(f"{name}: {new:,} new, {whole:,} in {target}")
