"""The self-test's table on a terminal."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from bot.selftest.trip import Result


def table(results: Sequence[Result]) -> Table:
    """One row for each control; what failed is red."""
    shown = Table(box=None, pad_edge=False)
    shown.add_column("No", justify="right", no_wrap=True)
    shown.add_column("Control", ratio=3, overflow="fold")
    shown.add_column("Does", no_wrap=True)
    shown.add_column("Tripped by", ratio=2, overflow="fold")
    shown.add_column("Seen", ratio=3, overflow="fold")
    shown.add_column("OK", no_wrap=True)
    for one in results:
        verdict = Text("yes") if one.ok else Text("NO", style="bold red")
        texts = (str(one.number), one.name, one.effect, one.tripped, one.seen)
        shown.add_row(*map(Text, texts), verdict)
    shown.caption = "N deny, H halt the symbol, G halt all until resumed, A alert"
    shown.caption_justify = "left"
    return shown
