"""What the terminal shows of cycles: rich renderables from the same documents as log and report.

Names and reasons come from outside: they are put in as plain text, never as markup.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bot.report import history, rows, words

Document = Mapping[str, Any]

STATUS_STYLES: Mapping[str, str] = {
    "hedged": "green",
    "proposed": "cyan",
    "no_hedge": "dim",
    "held": "yellow",
    "denied": "magenta",
    "halted": "bold red",
}
_SHORT_STATUS: Mapping[str, str] = {"no_hedge": "no hedge"}
_BAR_CELLS, _BAR_FULL = 16, 1.25  # a bar of 16 cells is full at 125 % of the cap
_WIDE, _NARROW = 96, 66
_OVER = 1.0 + 1e-6  # a cap that is used up exactly is kept


class ByWidth:
    """Builds what fits once the width is known."""

    def __init__(self, build: Callable[[int], RenderableType]) -> None:
        self._build = build

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._build(options.max_width)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        built = self._build(options.max_width)
        return Measurement.get(console, options, built)


def cycle_table(documents: Sequence[Document], *, at_most: int | None = None) -> RenderableType:
    """One line for each cycle, the newest last; ``at_most`` keeps the newest so many."""
    shown = documents if at_most is None else documents[max(0, len(documents) - at_most) :]
    return ByWidth(lambda width: _cycle_table(shown, width))


def _cycle_table(documents: Sequence[Document], width: int) -> Table:
    wide, narrow = width >= _WIDE, width < _NARROW
    figure = words.short_amount if wide else words.kilo
    table = plain_table()
    table.add_column("Time UTC", no_wrap=True)
    table.add_column("Status", no_wrap=True)
    table.add_column("Bot", justify="right", no_wrap=True)
    table.add_column("Hedge", justify="right", no_wrap=True)
    table.add_column("Vol alone→now" if wide else "Volatility", justify="right", no_wrap=True)
    if not narrow:
        table.add_column("CAE/cap", justify="right", no_wrap=True)
    table.add_column("Over", justify="right", no_wrap=True)
    if not narrow:
        table.add_column("Fills", justify="right", no_wrap=True)
    if wide:
        table.add_column("Reason", no_wrap=True, overflow="ellipsis", ratio=1)
        table.expand = True
    for document in documents:
        cells = _cycle_cells(document, figure)
        if narrow:
            del cells[7], cells[5]
        table.add_row(*(cells if wide else cells[:-1]))
    if not wide and documents:
        table.caption = Text(words.plain(documents[-1].get("reason") or ""), style="dim")
        table.caption_justify = "left"
    return table


def _cycle_cells(document: Document, figure: Callable[[float | None], str]) -> list[Text]:
    def told(key: str) -> str:
        return figure(words.number(document.get(key)))

    state = history.standing(document)
    cap = words.number((document.get("limits") or {}).get("cae_usd"))
    cae = figure(state.cae_usd)
    over = cap is not None and state.cae_usd is not None and state.cae_usd > cap
    orders, fills = (len(document.get(key) or ()) for key in ("orders", "fills"))
    return [
        Text(words.clock_text(document, "%m-%d %H:%M")),
        status_text(document.get("status"), short=True),
        Text(told("bot_gross_usd"), style="yellow"),
        Text(told("hedge_gross_usd"), style="blue"),
        Text(_arrow(told("volatility_unhedged_daily_usd"), figure(state.volatility_daily_usd))),
        Text(cae if cap is None else f"{cae}/{figure(cap)}", style="red" if over else ""),
        _breach_text(document, known=state.caps_known),
        Text(f"{fills}/{orders}" if orders else words.ABSENT),
        Text(words.plain(document.get("reason") or ""), style="dim"),
    ]


def _arrow(before: str, after: str) -> str:
    return words.ABSENT if before == after == words.ABSENT else f"{before}→{after}"


def _breach_text(document: Document, *, known: bool) -> Text:
    before, after = (len(document.get(f"breaches_{when}") or ()) for when in ("before", "after"))
    if not known and not before:
        return Text(words.ABSENT)
    if not before and not after:
        return Text("0", style="dim")
    return Text(f"{before}→{after}", style="bold red" if after else "green")


def status_text(status: object, *, short: bool = False) -> Text:
    """The outcome of a cycle in its colour."""
    name = str(status)
    told = _SHORT_STATUS.get(name) if short else None
    return Text(told or words.status_words(name), style=STATUS_STYLES.get(name, "bold red"))


def book_panel(document: Document, *, outcome: bool = True) -> RenderableType:
    """Positions and hedges of one cycle, with what each adds to the volatility."""
    return ByWidth(lambda width: _book_panel(document, width, outcome=outcome))


def _book_panel(document: Document, width: int, *, outcome: bool) -> Panel:
    title = Text.assemble("Book ", words.clock_text(document), " UTC")
    if outcome:
        title.append(" ").append_text(status_text(document.get("status")))
    lines = rows.book_rows(document)
    if not lines:
        return Panel(Text("No position and no hedge.", style="dim"), title=title)
    wide = width >= 88
    table = plain_table()
    table.add_column("Symbol", no_wrap=True)
    for name in ("Bot", "Hedge", "Trade", "Net", "Risk/day", "Crowding", "Mark"):
        if wide or name not in ("Crowding", "Mark"):
            table.add_column(name, justify="right", no_wrap=True)
    for line in lines:
        mark, style = _role(line)
        cells = [Text(f"{mark} {line.symbol}", style=style)]
        figures = [line.bot, line.hedge, line.trade, line.net, line.contribution]
        cells += [Text(cell) for cell in figures + ([line.crowding, line.mark] if wide else [])]
        table.add_row(*cells)
    note = Text("● bot  ▼ hedge  ◆ both; USD, long positive", style="dim")
    return Panel(Group(table, note), title=title, title_align="left", expand=False)


def _role(line: rows.BookRow) -> tuple[str, str]:
    if line.is_bot:
        return ("◆" if line.is_hedge else "●"), "yellow"
    return "▼", "blue"


def standing_table(document: Document) -> RenderableType:
    """What the bot's positions add up to alone, and with the hedges: the point of it all."""
    exposure = document.get("exposure") or {}
    bitcoin = words.number(exposure.get("volatility_btc_daily"))
    alone = words.number(document.get("volatility_unhedged_daily_usd"))
    if alone is None or not bitcoin:
        return Text("The book is not measured in this cycle.", style="dim")
    state, legs = history.standing(document), document.get("legs") or ()
    bot = sum(words.number(leg.get("bot_usd")) or 0.0 for leg in legs)
    hedge = sum(words.number(leg.get("hedge_after_usd")) or 0.0 for leg in legs)
    table = plain_table()
    table.add_column("", no_wrap=True)
    for name in ("Net USD", "of cap", "Swing a day", "As BTC (CAE)", "of cap"):
        table.add_column(name, justify="right", no_wrap=True)
    limits = document.get("limits") or {}
    sides = (
        ("Bot alone", "yellow", bot, alone, alone / bitcoin),
        ("With hedges", "blue", bot + hedge, state.volatility_daily_usd, state.cae_usd),
    )
    for name, style, net, swing, cae in sides:
        table.add_row(
            Text(name, style=style),
            Text(words.signed(net)),
            _share_text(abs(net), words.number(limits.get("net_usd"))),
            Text(words.usd(swing)),
            Text(words.usd(cae)),
            _share_text(cae, words.number(limits.get("cae_usd"))),
        )
    return table


def _share_text(value: float | None, limit: float | None) -> Text:
    if value is None or not limit:
        return Text(words.ABSENT)
    return Text(words.percent(value / limit), style="bold red" if value / limit > _OVER else "")


def caps_table(document: Document) -> RenderableType:
    """Every cap with its use, and what it was before the trades; the tick on a bar is the cap."""
    return _caps(document, "Now", "Before")


def planned_caps_table(document: Document) -> RenderableType:
    """Every cap with its use if the proposal of the cycle were carried out, and as it is now."""
    expected = (document.get("proposal") or {}).get("expected_cap_use") or {}
    if not expected:
        return caps_table(document)
    over = [{"cap": cap} for cap, use in expected.items() if (words.number(use) or 0) > _OVER]
    done = {**document, "cap_use_after": expected, "breaches_after": over}
    return _caps(done, "If done", "Now")


def _caps(document: Document, after: str, before: str) -> RenderableType:
    lines = rows.cap_rows(document)
    if not lines:
        return Text("No cap is set.", style="dim")
    known = [line for line in lines if line.known]
    unknown = [f"{line.label} up to {line.limit}" for line in lines if not line.known]
    moved = any(line.use != line.use_before for line in known)
    names = (after, before) if moved else (before if after == "If done" else after,)
    parts: list[RenderableType] = [ByWidth(lambda width: _caps_table(known, names, width))]
    if unknown:
        parts.append(Text(f"Kept at every decision: {', '.join(unknown)}.", style="dim"))
    return Group(*parts)


def _caps_table(lines: Sequence[rows.CapRow], names: Sequence[str], width: int) -> Table:
    wide = width >= 72
    table = plain_table()
    table.add_column("Cap")
    table.add_column("Use", no_wrap=True, min_width=_BAR_CELLS)
    for name in (*names, "Value", "Limit") if wide else (names[0], "Limit"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in lines:
        style = "bold red" if row.over else ""
        cells = [Text(row.label, style=style), use_bar(row.share, over=row.over)]
        cells.append(Text(row.use, style=style))
        if wide:
            cells += [Text(row.use_before, style="dim")] if len(names) > 1 else []
            cells.append(Text(row.value))
        table.add_row(*cells, Text(row.limit))
    return table


def use_bar(share: float | None, *, over: bool) -> Text:
    """A bar with a tick where the cap is; empty where the use is not known."""
    cap_cell = round(_BAR_CELLS / _BAR_FULL)
    filled = 0 if share is None else round(min(share, _BAR_FULL) / _BAR_FULL * _BAR_CELLS)
    colour = "red" if over else "yellow" if (share or 0) >= 0.9 else "green"
    bar = Text()
    for cell in range(_BAR_CELLS):
        if cell == cap_cell:
            bar.append("│", style="bold")
        elif cell < filled:
            bar.append("█", style=colour)
        else:
            bar.append("·", style="dim")
    return bar


def plain_table() -> Table:
    """A table with a head line and nothing else around it."""
    return Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")


def facts(pairs: Sequence[tuple[str, str]]) -> RenderableType:
    """Names and values, one below the other."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", max_width=34)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(Text(name), Text(value))
    return Padding(table, (0, 0, 1, 1))
