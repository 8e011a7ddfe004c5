"""Cycles as they happen: a table that is redrawn on a terminal, plain lines elsewhere."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from bot.cli.tables import book_panel, caps_table, cycle_table

_ROWS = 12


class LiveCycles:
    """Shows the last cycles, the caps and the book of the newest one."""

    def __init__(self, console: Console, *, title: str) -> None:
        self._console = console
        self._title = title
        self._documents: list[Mapping[str, Any]] = []
        self._live = (
            Live(Text(f"{title}: starting …"), console=console, auto_refresh=False)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, document: Mapping[str, Any]) -> None:
        """Take in one more cycle."""
        self._documents = [*self._documents, document][-_ROWS:]
        if self._live is not None:
            self._live.update(self._drawing(), refresh=True)
        else:
            self._console.print(_line(document), soft_wrap=True, markup=False, highlight=False)

    def _drawing(self) -> RenderableType:
        newest = self._documents[-1]
        parts: list[RenderableType] = [
            Text(self._title, style="bold"),
            cycle_table(self._documents, at_most=_ROWS),
        ]
        # A short terminal shows the cycles; a taller one the caps, then the book as well.
        height = self._console.size.height
        if height >= 34:
            parts.append(caps_table(newest))
        if height >= 54:
            parts.append(book_panel(newest))
        return Group(*parts)


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
