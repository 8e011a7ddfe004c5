"""Draws what waits for approval."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

_WORDS = {
    "pending": "waits",
    "approved": "approved, the engine looks anew",
    "executing": "is being carried out",
}
_ASKED = {"approve": "approved, the engine looks anew", "reject": "rejected"}


def shown(document: Mapping[str, Any]) -> RenderableType:
    """Proposals that wait, with their trades, and the ends of the last ones."""
    parts: list[RenderableType] = []
    for one in document["pending"]:
        parts += [*_heading(one), _trades(one["legs"]), Text("")]
    if not parts:
        parts.append(Text("Nothing waits for approval."))
    parts += [_end(one) for one in document["ended"]]
    return Group(*parts)


def _heading(one: Mapping[str, Any]) -> Iterable[RenderableType]:
    state = _ASKED.get(one["asked"] or "", _WORDS[one["state"]])
    yield Text(f"{one['proposal_id']}  {state}, until {one['expires']}", style="bold")
    yield Text(one["sentence"])
    was, then = one["volatility_before_daily_usd"], one["volatility_after_daily_usd"]
    yield Text(
        f"{one['notional_usd']:,.0f} USD to trade, {one['opens_usd']:,.0f} of it opens; costs "
        f"{one['trade_cost_usd']:,.2f} USD once and {one['carry_usd_per_day']:+,.2f} USD a day; "
        f"volatility {was:,.0f} to {then:,.0f} USD a day"
    )
    for word, caps in (("Cures", one["cures"]), ("Leaves over its cap", one["leaves"])):
        if caps:
            yield Text(f"{word}: {', '.join(caps)}")


def _trades(legs: Iterable[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("symbol")
    for name in ("trade USD", "hedge now", "then"):
        table.add_column(name, justify="right")
    for leg in legs:
        figures = (leg["trade_usd"], leg["hedge_usd"], leg["target_usd"])
        table.add_row(Text(leg["symbol"]), *(f"{usd:+,.0f}" for usd in figures))
    return table


def _end(one: Mapping[str, Any]) -> Text:
    word = str(one["event"]).removeprefix("proposal_")
    by = f" ({one['by']})" if one["by"] else ""
    return Text(f"{one['timestamp']}  {one['proposal_id']}  {word}{by}: {one['reason']}", "dim")
