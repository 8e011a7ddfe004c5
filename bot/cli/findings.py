"""What ``risk``, ``propose`` and ``check`` tell of one moment."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from bot.cli.records import orders_table
from bot.cli.tables import Document, book_panel, caps_table, facts, plain_table, standing_table
from bot.report import rows, words

_PAIRS_SHOWN = 8


def risk_tables(document: Document) -> RenderableType:
    """Exposure, caps, book, breaches, correlated pairs and the symbols left out, of one moment."""
    parts: list[RenderableType] = [
        facts(_risk_facts(document)),
        caps_table(document),
        book_panel(document, outcome=False),
    ]
    breaches = document.get("breaches_before") or ()
    if breaches:
        parts.append(Text(f"{len(breaches)} over their cap", style="bold red"))
        parts += [Text(f"  • {words.breach_sentence(breach)}") for breach in breaches]
    pairs = _pairs(document)
    if pairs:
        parts.append(Text("Most correlated pairs of the book", style="bold"))
        parts.append(facts(pairs))
    parts += _left_out(document, "Left out")
    return Group(*parts)


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
    ]
    use = {"limits": document["caps"], "cap_use_before": document["cap_use"]}
    over = {**use, "breaches_before": [{"cap": cap} for cap in document["breaches"]]}
    parts: list[RenderableType] = [facts(lines), caps_table(over)]
    parts += _left_out(document, "Not used for new hedges")
    if not document["hedgeable"]:
        parts.append(Text("No symbol is left to hedge with.", style="bold red"))
    return Group(*parts)


def _bases(symbols: Sequence[str]) -> str:
    return ", ".join(words.base(symbol) for symbol in symbols) or "nothing"


def _left_out(document: Document, title: str) -> list[RenderableType]:
    excluded = document.get("excluded") or {}
    if not excluded:
        return []
    pairs = [(words.base(symbol), words.plain(why)) for symbol, why in excluded.items()]
    return [Text(title, style="bold"), facts(pairs)]


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
    return Group(sentence, table, facts(rows.proposal_facts([document])))


def _trade_style(trade_usd: float) -> str:
    return "green" if trade_usd > 0 else "red"
