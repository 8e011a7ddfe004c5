"""Cycles as they happen: a table that is redrawn on a terminal, plain lines elsewhere."""

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from bot.cli.findings import proposal_table
from bot.cli.startup import BackfillTally
from bot.cli.tables import (
    book_panel,
    caps_table,
    cycle_table,
    planned_caps_table,
    standing_table,
)
from bot.report import words

if TYPE_CHECKING:
    from bot.feeds.live_bars import Progress

_MOST_ROWS, _FEWEST_ROWS = 12, 4
_LEGEND = (
    "Swing a day, Vol: one standard deviation of a day's profit and loss, USD. CAE: the amount of "
    "BTC that swings as much. Over: caps exceeded, before→after. Fills: fills of orders."
)


class LiveCycles:
    """Shows the last cycles, and of the newest one the standing, the caps and the book.

    What does not fit on the terminal is left out from below, the table of cycles is cut last.
    """

    def __init__(self, console: Console, *, title: str, hint: str = "Ctrl-C ends it.") -> None:
        self._console = console
        self._head = Text.assemble((title, "bold"), " ", (hint, "dim"))
        self._intro: list[RenderableType] = []
        self._note = "starting …"
        self._documents: list[Mapping[str, Any]] = []
        self._tally = BackfillTally()
        self._live = (
            Live(console=console, auto_refresh=False, get_renderable=self._drawing)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._note = ""
            self._live.stop()

    def introduce(self, *parts: RenderableType) -> None:
        """What the terminal shows until the first cycle is there; elsewhere nothing."""
        self._intro = list(parts)
        self._redraw()

    def note(self, text: str) -> None:
        """What is being waited for, on a terminal."""
        self._note = text
        self._redraw()

    def backfill(self, progress: "Progress") -> None:
        """Show how much of the history has been read."""
        self._tally.add(progress)
        if self._tally.done >= self._tally.total:
            self.note("measuring the market …")
            return
        share = words.percent(self._tally.done / max(1, self._tally.total))
        hours = f"{self._tally.total:,} hours"
        self.note(f"reading history, {words.base(progress.symbol)}: {share} of {hours}")

    def show(self, document: Mapping[str, Any]) -> None:
        """Take in one more cycle."""
        self._documents = [*self._documents, document][-_MOST_ROWS:]
        self._note = ""
        if self._live is None:
            self._console.print(_line(document), soft_wrap=True, markup=False, highlight=False)
        self._redraw()

    def _redraw(self) -> None:
        if self._live is not None:
            self._live.refresh()

    def _drawing(self) -> RenderableType:
        note = [Text(self._note, style="dim")] if self._note else []
        if not self._documents:
            return Group(self._head, *self._intro, *note)
        newest = self._documents[-1]
        top: list[RenderableType] = [self._head, standing_table(newest)]
        table = cycle_table(self._documents, at_most=_FEWEST_ROWS)
        left = self._console.size.height - 1 - self._height(*top, table, *note)
        below: list[RenderableType] = []
        for part in self._details(newest):
            height = self._height(part)
            if height <= left:
                below.append(part)
                left -= height
        rows = min(_MOST_ROWS, _FEWEST_ROWS + max(0, left))
        return Group(*top, cycle_table(self._documents, at_most=rows), *below, *note)

    def _details(self, newest: Mapping[str, Any]) -> list[RenderableType]:
        """What may be shown below, the most telling first."""
        legend = Text(_LEGEND, style="dim")
        if newest.get("status") == "proposed":
            return [proposal_table(newest), planned_caps_table(newest), legend, book_panel(newest)]
        return [legend, caps_table(newest), book_panel(newest)]

    def _height(self, *parts: RenderableType) -> int:
        """Lines that the parts take on this terminal."""
        return len(self._console.render_lines(Group(*parts), pad=False))


def _line(document: Mapping[str, Any]) -> str:
    gross = document["bot_gross_usd"]
    if gross is None:
        return f"{document['timestamp']} {document['status']:9} {document['reason']}"
    return (
        f"{document['timestamp']} {document['status']:9} "
        f"bot {gross:,.0f} USD, hedges {document['hedge_gross_usd']:,.0f} USD, daily volatility "
        f"{document['volatility_unhedged_daily_usd']:,.0f} unhedged, "
        f"{document['volatility_after_daily_usd']:,.0f} USD now; {document['reason']}"
    )
