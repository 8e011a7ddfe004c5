"""What ``propose``, ``check`` and one recorded cycle tell of one moment."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from bot.cli.records import margin_lines, orders_table
from bot.cli.tables import Document, book_panel, caps_table, facts, plain_table, standing_table
from bot.report import words
from bot.report.proposal import proposal_facts
from bot.report.reasons import alternative_rows
from bot.riskview.basis_table import TITLE, basis_table


def cycle_tables(document: Document) -> RenderableType:
    """One recorded cycle: what it saw, what it wanted, what it did."""
    parts: list[RenderableType] = [
        Text(f"Cycle {words.plain(document.get('cycle_id'))}", style="bold"),
        standing_table(document),
        proposal_table(document),
        caps_table(document),
        book_panel(document),
    ]
    if document.get("orders"):
        parts.append(orders_table([document]))
    return Group(*parts)


def check_tables(document: Document) -> RenderableType:
    """The document of ``check`` in words."""
    told = {key: words.plain(value) for key, value in document.items()}
    lines = [
        ("Mode", f"{told['mode']}, autonomy {told['autonomy']}"),
        ("Exchange", f"{told['exchange']}, account {told['account']}"),
        ("Equity", words.usd(words.number(document["equity_usd"]))),
        *((f"Source {words.plain(k)}", words.plain(v)) for k, v in document["sources"].items()),
        ("Bot holds", _bases(document["bot_symbols"])),
        ("Left to hedge with", _bases(document["hedgeable"])),
        *margin_lines(document),
        *(
            (f"Hedge in {words.base(symbol)}", f"{words.plain(why)}; it may only shrink")
            for symbol, why in (document.get("conflicts") or {}).get("hedges", {}).items()
        ),
    ]
    use = {"limits": document["caps"], "cap_use_before": document["cap_use"]}
    over = {**use, "breaches_before": [{"cap": cap} for cap in document["breaches"]]}
    parts: list[RenderableType] = [facts(lines), *_symbols(document), *_elsewhere(document)]
    parts.append(caps_table(over))
    parts += _left_out(document, "Not used for new hedges")
    if not document["hedgeable"]:
        parts.append(Text("No symbol is left to hedge with.", style="bold red"))
    return Group(*parts)


def _bases(symbols: Sequence[str]) -> str:
    return ", ".join(words.base(symbol) for symbol in symbols) or "nothing"


def _symbols(document: Document) -> list[RenderableType]:
    """What every source calls its contracts, and which of the hedge venue's stand for them."""
    if not document["symbols"]:
        return []
    table = plain_table()
    for name in ("Source", "Reports", "Measured as"):
        table.add_column(name, no_wrap=True)
    table.add_column("How", overflow="fold")
    for one in document["symbols"]:
        lost = one["mapped"] is None
        table.add_row(
            Text(words.plain(one["source"])),
            Text(words.plain(one["symbol"])),
            Text("left out" if lost else words.plain(one["mapped"])),
            Text(words.plain(one["how"] or "the same")),
            style="bold red" if lost else "",
        )
    return [table]


def _elsewhere(document: Document) -> list[RenderableType]:
    table = basis_table(document.get("elsewhere", ()))
    return [] if table is None else [Text(TITLE, style="bold"), table]


def _left_out(document: Document, title: str) -> list[RenderableType]:
    excluded = document.get("excluded") or {}
    if not excluded:
        return []
    pairs = [(words.base(symbol), words.plain(why)) for symbol, why in excluded.items()]
    return [Text(title, style="bold"), facts(pairs)]


def proposal_table(document: Document) -> RenderableType:
    """What the strategy wants to trade, at what cost; the reason where it wants nothing."""
    if not document.get("proposal"):
        return Text(words.plain(document.get("reason") or "No proposal."), style="dim")
    table = plain_table()
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
    told = facts(proposal_facts([document]))
    return Group(sentence, table, told, *_alternatives(document["proposal"]))


def _alternatives(proposal: Document) -> list[RenderableType]:
    """What else was weighed and why it lost; nothing where nothing was."""
    lines = alternative_rows(proposal)
    if not lines:
        return []
    table = plain_table()
    table.add_column("Instead", overflow="fold")
    table.add_column("Swing a day", justify="right", no_wrap=True)
    table.add_column("Cost", justify="right", no_wrap=True)
    table.add_column("Why not", overflow="fold")
    for line in lines:
        cells = (line.name, line.volatility, line.cost, line.reason)
        table.add_row(*(Text(cell) for cell in cells))
    return [table]


def _trade_style(trade_usd: float) -> str:
    return "green" if trade_usd > 0 else "red"
