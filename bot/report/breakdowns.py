"""The chart of where the risk of one moment comes from."""

from collections.abc import Mapping, Sequence

from bot.report import words
from bot.report.canvas import Chart, Figure, axis, inert, layout
from bot.report.history import Document
from bot.report.roles import marked, parted


def contribution_chart(documents: Sequence[Document]) -> Chart | None:
    """What each symbol adds to, or takes from, the volatility of the whole book."""
    document = next((d for d in reversed(documents) if _contributions(d)), None)
    if document is None:
        return None
    contributions = _contributions(document)
    ordered = sorted(contributions, key=lambda symbol: (contributions[symbol], symbol))
    place = {symbol: i for i, symbol in enumerate(ordered)}
    traces = [
        _bars(
            name=name,
            members=members,
            place=place,
            values=contributions,
            colour=colour,
        )
        for name, members, colour in parted(ordered, document)
    ]
    ticks = marked(ordered, document)
    ground = layout(max(340, 110 + 19 * len(ordered))) | {
        "xaxis": {"title": {"text": "USD a day"}, "tickformat": ",", **axis(), "zeroline": True},
        "yaxis": {"tickvals": list(range(len(ordered))), "ticktext": ticks, **axis(grid=False)},
        "barmode": "overlay",
        "hovermode": "closest",
    }
    total = words.usd(sum(contributions.values()))
    note = (
        f"{words.clock_text(document)} UTC, before the cycle's trades. The bars sum to the "
        f"book's volatility, {total} a day; a bar to the left takes risk away."
    )
    figure = {"data": traces, "layout": ground}
    return Chart("contributions", "Where the risk comes from", note, figure)


def _contributions(document: Document) -> dict[str, float]:
    exposure = document.get("exposure") or {}
    parts = (exposure.get("contributions_usd") or {}).items()
    known = {str(symbol): words.number(value) for symbol, value in parts}
    return {symbol: value for symbol, value in known.items() if value}


def _bars(
    *,
    name: str,
    members: Sequence[str],
    place: Mapping[str, int],
    values: Mapping[str, float],
    colour: str,
) -> Figure:
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "x": [values[symbol] for symbol in members],
        "y": [place[symbol] for symbol in members],
        "hovertext": [
            f"{inert(words.base(s))}: {words.signed(values[s])} USD a day" for s in members
        ],
        "hoverinfo": "text",
        "marker": {"color": f"var(--{colour})"},
    }
