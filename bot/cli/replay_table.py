"""What the terminal shows of a replay."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from bot.cli.tables import plain_table
from bot.report import words

BREACHES = {"bot alone": "alone", "found": "found", "left": "left", "avoided": "avoided"}


def replay_tables(document: Mapping[str, Any]) -> Iterator[RenderableType]:
    """The comparison, what it cost, and the caps."""
    yield Text(
        f"{document['from'][:16]} to {document['to'][:16]} UTC, {document['hours']:,} hours, "
        f"{document['decisions']:,} decisions; the bot held {words.usd(document['bot_gross_usd'])} "
        "on average."
    )
    yield Text(_endings(document))
    yield _comparison(document)
    yield _costs(document)
    if document["breaches"]:
        yield _breaches(document)


def _endings(document: Mapping[str, Any]) -> str:
    """How the hours ended: in one that was held or halted nothing could be hedged."""
    counts = document["statuses"].items()
    ended = ", ".join(f"{words.status_words(status)} {count:,}" for status, count in counts)
    unmeasured = document["unmeasured_hours"]
    missing = f" In {unmeasured:,} the account could not be measured." if unmeasured else ""
    return f"Hours: {ended}.{missing}"


def _comparison(document: Mapping[str, Any]) -> RenderableType:
    table = plain_table()
    table.add_column("")
    for title in ("without hedges", "with hedges"):
        table.add_column(title, justify="right")
    rows = (
        ("Profit and loss, USD", "pnl_usd", "{:,.0f}"),
        ("Volatility a year, of capital", "volatility_annual", "{:.1%}"),
        ("Mean loss of the worst 5 % of days, USD", "es95_daily_usd", "{:,.0f}"),
        ("Largest drawdown, USD", "max_drawdown_usd", "{:,.0f}"),
    )
    for title, key, form in rows:
        table.add_row(title, *(_told(document[side][key], form) for side in ("unhedged", "hedged")))
    return table


def _costs(document: Mapping[str, Any]) -> RenderableType:
    table = plain_table()
    table.add_column("Hedges")
    table.add_column("", justify="right")
    rows = (
        ("Variance of daily gains taken away", "effectiveness_daily", "{:.1%}"),
        ("Profit and loss, all costs paid, USD", "hedge_pnl_usd", "{:,.0f}"),
        ("Fees, USD", "fees_usd", "{:,.0f}"),
        ("Slippage against the decision's price, USD", "slippage_usd", "{:,.0f}"),
        ("Funding received, USD", "funding_usd", "{:,.0f}"),
        ("of it at rates not the exchange's own, USD", "funding_substituted_usd", "{:,.0f}"),
        ("Cost a day, bp of the bot's gross", "cost_bps_per_day", "{:.2f}"),
        ("Turnover a day, of the bot's gross", "turnover_per_day", "{:.3f}"),
    )
    for title, key, form in rows:
        table.add_row(title, _told(document[key], form))
    return table


def _breaches(document: Mapping[str, Any]) -> RenderableType:
    table = plain_table()
    table.add_column("Cap exceeded, hours")
    for title in BREACHES:
        table.add_column(title, justify="right")
    for cap, counts in document["breaches"].items():
        table.add_row(cap, *(f"{counts[key]:,}" for key in BREACHES.values()))
    table.add_row("any", *(f"{document['breach_hours'][key]:,}" for key in BREACHES.values()))
    return table


def _told(value: float | None, form: str) -> str:
    return "not known" if value is None else form.format(value)
