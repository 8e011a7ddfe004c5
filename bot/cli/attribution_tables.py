"""An attribution as tables for the terminal."""

from dataclasses import astuple

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bot.attribution.period import Attribution
from bot.attribution.reconciling import Reconciled
from bot.records.cycle import iso_utc
from bot.report import words
from bot.report.beside import result_facts, result_rows

_HEADS = ("Bot", "Realised", "Unrealised", "Fees", "Funding", "Hedge net", "Slippage")
_KIND_WORDS = {
    "REALIZED_PNL": "realised",
    "COMMISSION": "fees",
    "FUNDING_FEE": "funding",
}


def attribution_tables(found: Attribution, compared: Reconciled | None) -> RenderableType:
    """Symbols, what it was good for, and what the exchange says, if it was asked."""
    start, end = (iso_utc(at)[:16].replace("T", " ") for at in (found.start_ms, found.end_ms))
    head = Text(f"{start} to {end} UTC, in USD", style="bold")
    parts: list[RenderableType] = [head, _results(found)]
    facts = Table(box=None, show_header=False, pad_edge=False)
    for name, value in result_facts(found):
        facts.add_row(Text(name, style="dim"), value)
    parts.append(facts)
    if compared is not None:
        parts += [Text(""), *_comparison(compared)]
    return Group(*parts)


def _results(found: Attribution) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Symbol", no_wrap=True)
    for head in _HEADS:
        table.add_column(head, justify="right", no_wrap=True)
    rows = result_rows(found)
    for row in rows:
        table.add_row(*astuple(row), style="bold" if row is rows[-1] else None)
    return table


def _comparison(compared: Reconciled) -> list[RenderableType]:
    """Totals by kind, each row that differs, and the verdict."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Income", no_wrap=True)
    for head in ("Booked", "Exchange", "Difference"):
        table.add_column(head, justify="right", no_wrap=True)
    for kind, (booked, paid) in compared.totals().items():
        table.add_row(_KIND_WORDS[kind], f"{booked:,.2f}", f"{paid:,.2f}", f"{paid - booked:,.2f}")
    for one in compared.rows:
        if one.usd:
            name = f"  {_KIND_WORDS.get(one.kind, one.kind)} {words.base(one.symbol)}"
            table.add_row(name, f"{one.booked_usd:,f}", f"{one.paid_usd:,f}", f"{one.usd:,f}")
    told: list[RenderableType] = [table, Text(_verdict(compared))]
    if compared.beside:
        kinds = ", ".join(
            f"{kind} {amount:,f} {asset}"
            for (kind, asset), amount in sorted(compared.beside.items())
        )
        told.append(Text(f"In the account beside the hedges: {kinds}", style="dim"))
    return told


def _verdict(compared: Reconciled) -> str:
    if compared.agrees:
        return (
            f"The exchange lists what was booked, to the last digit, in {len(compared.rows)} rows."
        )
    return (
        f"The exchange paid {compared.difference_usd:+,f} USD beyond what was booked. What it paid "
        "after the last cycle is booked with the next one."
    )
