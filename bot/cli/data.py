"""``perphedge data``: recorded market data, looked at and brought in."""

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
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
