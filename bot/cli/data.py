"""``perphedge data``: recorded market data, looked at and brought in."""

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bot.data.brought import Brought
    from bot.data.examined import Examined

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
Target = Annotated[Path, typer.Option("--to", help="Folder of recorded data, new or not.")]


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


def _stored(target: Path, brought: "Brought", *, json: bool) -> None:
    from dataclasses import asdict

    from bot.cli.remarks import told
    from bot.data.store import store

    done = store(target, brought, told)
    if json:
        print(json_text.dumps({"folder": str(target), **asdict(done)}, indent=2))
        return
    for name, whole, new in (
        ("bars", done.bars, done.new_bars),
        ("payments", done.payments, done.new_payments),
        ("open interest", done.interest, done.new_interest),
    ):
        print(f"{name}: {new:,} new, {whole:,} in {target}")
