"""Lines as a table for people."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Line, Timing


def print_lines(console: Console, lines: Sequence[Line]) -> None:
    """One row each, with the further figures below the table."""
    table = Table(title="ours / peer; below 1 ours is quicker", title_justify="left")
    table.add_column("benchmark")
    table.add_column("ours", justify="right")
    table.add_column("peer", justify="right")
    table.add_column("ratio", justify="right")
    table.add_column("rounds", justify="right")
    table.add_column("compared with")
    for line in lines:
        table.add_row(
            f"{line.benchmark}: {line.case}",
            shown(line.ours),
            shown(line.theirs),
            f"{line.ratio:.3g} ({line.ratio_least:.3g}–{line.ratio_most:.3g})",
            str(line.rounds),
            f"{line.peer}\n{line.agreement}",
        )
    console.print(table)
    for line in lines:
        for name, figure in line.facts.items():
            console.print(f"{line.benchmark}: {line.case}: {name}: {figure}", soft_wrap=True)


def shown(timing: Timing) -> str:
    """Median and range in a unit that fits the median."""
    scale, unit = next(
        (scale, unit)
        for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
        if timing.median_s >= scale or unit == "µs"
    )
    least, middle, most = (
        f"{seconds / scale:.3g}" for seconds in (timing.least_s, timing.median_s, timing.most_s)
    )
    return f"{middle} {unit} ({least}–{most})"
