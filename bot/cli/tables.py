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
_PAIRS_SHOWN = 8


class _ByWidth:
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
    return _ByWidth(lambda width: _cycle_table(shown, width))


def _cycle_table(documents: Sequence[Document], width: int) -> Table:
    wide, narrow = width >= _WIDE, width < _NARROW
    figure = words.short_amount if wide else words.kilo
    table = _table()
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


def book_panel(document: Document) -> RenderableType:
    """Positions and hedges of one cycle, with what each adds to the volatility."""
    return _ByWidth(lambda width: _book_panel(document, width))


def _book_panel(document: Document, width: int) -> Panel:
    title = Text.assemble(
        "Book ", words.clock_text(document), " UTC ", status_text(document.get("status"))
    )
    lines = rows.book_rows(document)
    if not lines:
        return Panel(Text("No position and no hedge.", style="dim"), title=title)
    wide = width >= 88
    table = _table()
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


def caps_table(document: Document) -> RenderableType:
    """Every cap with its use before and after the cycle's trades; the tick on a bar is the cap."""
    lines = rows.cap_rows(document)
    if not lines:
        return Text("No cap is set.", style="dim")
    return _ByWidth(lambda width: _caps_table(lines, width))


def _caps_table(lines: Sequence[rows.CapRow], width: int) -> Table:
    wide = width >= 72
    table = _table()
    table.add_column("Cap")
    table.add_column("Use", no_wrap=True, min_width=_BAR_CELLS)
    for name in ("Now", "Before", "Value", "Limit") if wide else ("Now", "Limit"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in lines:
        style = "bold red" if row.over else ""
        cells = [Text(row.label, style=style), use_bar(row.share, over=row.over)]
        cells.append(Text(row.use, style=style))
        if wide:
            cells += [Text(row.use_before, style="dim"), Text(row.value)]
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


def risk_tables(document: Document) -> RenderableType:
    """Exposure, caps, book, breaches, correlated pairs and the symbols left out, of one moment."""
    parts: list[RenderableType] = [
        _facts(_risk_facts(document)),
        caps_table(document),
        book_panel(document),
    ]
    breaches = document.get("breaches_before") or ()
    if breaches:
        parts.append(Text(f"{len(breaches)} over their cap", style="bold red"))
        parts += [Text(f"  • {words.breach_sentence(breach)}") for breach in breaches]
    pairs = _pairs(document)
    if pairs:
        parts.append(Text("Most correlated pairs of the book", style="bold"))
        parts.append(_facts(pairs))
    excluded = document.get("excluded") or {}
    if excluded:
        parts.append(Text("Left out", style="bold"))
        parts.append(_facts([(words.plain(s), words.plain(why)) for s, why in excluded.items()]))
    return Group(*parts)


def _risk_facts(document: Document) -> list[tuple[str, str]]:
    exposure = document.get("exposure") or {}

    def usd(source: Document, key: str) -> str:
        return words.usd(words.number(source.get(key)))

    ratio = words.number(exposure.get("diversification_ratio"))
    volatility = usd(document, "volatility_before_daily_usd")
    alone = usd(document, "volatility_unhedged_daily_usd")
    return [
        ("Time", f"{words.clock_text(document)} UTC"),
        ("Bot gross", usd(document, "bot_gross_usd")),
        ("Hedge gross", usd(document, "hedge_gross_usd")),
        ("Net", usd(exposure, "net_usd")),
        ("Net in BTC terms", usd(exposure, "beta_net_usd")),
        ("Volatility, daily", f"{volatility} (bot alone {alone})"),
        ("Correlation-adjusted exposure", usd(document, "cae_before_usd")),
        ("Diversification ratio", words.ABSENT if ratio is None else f"{ratio:.2f}"),
        ("BTC volatility, daily", words.percent(_btc_volatility(exposure), 1)),
    ]


def _btc_volatility(exposure: Document) -> float | None:
    return words.number(exposure.get("volatility_btc_daily"))


def _pairs(document: Document) -> list[tuple[str, str]]:
    correlation = document.get("correlation") or {}
    symbols = [str(symbol) for symbol in correlation.get("symbols") or ()]
    matrix = correlation.get("matrix") or ()
    book = {str(leg.get("symbol")) for leg in document.get("legs") or ()}
    book |= {str(symbol) for symbol in correlation.get("held") or ()}
    found = []
    for i, first in enumerate(symbols):
        for j in range(i):
            value = words.number(matrix[i][j])
            if value is not None and {first, symbols[j]} <= book:
                found.append(
                    (abs(value), f"{words.base(symbols[j])} and {words.base(first)}", value)
                )
    found.sort(key=lambda pair: (-pair[0], pair[1]))
    return [
        (name, f"{value:.2f}".replace("-", words.MINUS)) for _, name, value in found[:_PAIRS_SHOWN]
    ]


def proposal_table(document: Document) -> RenderableType:
    """What the strategy wants to trade, at what cost; the reason where it wants nothing."""
    if not document.get("proposal"):
        return Text(words.plain(document.get("reason") or "No proposal."), style="dim")
    table = _table()
    table.add_column("Symbol", no_wrap=True)
    for name in ("Hedge now", "Trade", "Target", "Mark"):
        table.add_column(name, justify="right", no_wrap=True)
    for leg in document.get("legs") or ():
        trade, target = words.number(leg.get("trade_usd")), words.number(leg.get("target_usd"))
        before = words.number(leg.get("hedge_before_usd"))
        if not (trade or target or before):
            continue
        table.add_row(
            Text(words.base(str(leg.get("symbol", ""))), style="" if trade else "dim"),
            Text(words.signed(before or None)),
            Text(words.signed(trade or None), style="" if not trade else _trade_style(trade)),
            Text(words.signed(target)),
            Text(words.price(words.number(leg.get("mark_price")))),
        )
    sentence = Text(words.plain(document["proposal"].get("sentence") or ""), style="bold")
    return Group(sentence, table, _facts(rows.proposal_facts([document])))


def _trade_style(trade_usd: float) -> str:
    return "green" if trade_usd > 0 else "red"


def orders_table(documents: Sequence[Document], *, at_most: int = 50) -> RenderableType:
    """Orders and what was filled of them, the newest first."""
    lines = rows.order_rows(documents, at_most)
    if not lines:
        return Text("No order.", style="dim")
    return _ByWidth(lambda width: _orders_table(lines, width))


def _orders_table(lines: Sequence[rows.OrderRow], width: int) -> Table:
    wide = width >= 72
    table = _table()
    for name in ("Time UTC", "Symbol", "Side"):
        table.add_column(name, no_wrap=True)
    for name in ("Filled", "Average", "Slip bp", "Fee USD") if wide else ("Filled",):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("State", overflow="fold")
    for line in lines:
        state = f"{line.state}: {line.detail}" if line.detail else line.state
        full = line.filled == line.quantity
        cells = [line.time, line.symbol, line.side.partition(",")[0]]
        cells.append(line.filled if full else f"{line.filled}/{line.quantity}")
        cells += [line.average, line.slip, line.fee] if wide else []
        table.add_row(*(Text(cell) for cell in (*cells, state)))
    return table


def status_table(status: Document) -> RenderableType:
    """Names and values; amounts, times and shares are read from the units in the names."""
    return _facts(_status_rows(status, ""))


def _status_rows(status: Document, indent: str) -> list[tuple[str, str]]:
    lines = []
    for key, value in status.items():
        name, told = words.named_value(str(key), value)
        if isinstance(value, Mapping):
            lines.append((f"{indent}{name}", "" if value else words.ABSENT))
            lines += _status_rows(value, f"{indent}  ")
        else:
            lines.append((f"{indent}{name}", told))
    return lines


def log_table(records: Sequence[Document]) -> RenderableType:
    """Cycles and events, one line each: when, which cycle, what, and the rest as it is."""
    table = _table()
    table.add_column("Time UTC", no_wrap=True)
    table.add_column("Cycle", no_wrap=True)
    table.add_column("Event", no_wrap=True)
    table.add_column("What", overflow="fold")
    for record in records:
        when = words.clock_text(record, "%Y-%m-%d %H:%M:%S")
        if when == words.ABSENT:
            when = words.plain(record.get("timestamp", words.ABSENT))
        event = record.get("event")
        told = (
            status_text(record.get("status"), short=True)
            if event is None
            else Text(words.plain(event))
        )
        cycle = Text(words.plain(record.get("cycle_id") or words.ABSENT))
        table.add_row(Text(when), cycle, told, Text(_log_words(record)))
    return table if table.row_count else Text("Nothing recorded.", style="dim")


def _log_words(record: Document) -> str:
    if record.get("event") is None:
        return words.plain(record.get("reason") or "")
    known = {"timestamp", "timestamp_ms", "cycle_id", "event"}
    rest = ((key, value) for key, value in record.items() if key not in known and value is not None)
    return "  ".join(f"{words.plain(key)}={words.plain(value)}" for key, value in rest)


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")


def _facts(pairs: Sequence[tuple[str, str]]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", max_width=34)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(Text(name), Text(value))
    return Padding(table, (0, 0, 1, 1))
