"""The charts of crowding and funding: who leans which way, and who pays for it."""

from collections.abc import Sequence

from bot.report import words
from bot.report.canvas import Chart, Figure, axis, inert, layout, series_colour
from bot.report.history import Document, latest
from bot.report.roles import marked, parted
from bot.report.timelines import time_ground, times_of

MOST_LINES = 7
MOST_BARS = 24


def crowding_chart(documents: Sequence[Document]) -> Chart | None:
    """Crowding over time of what is held, the largest positions and hedges."""
    note = (
        "Unusual funding, of the largest positions and hedges. Above 0 longs crowd and shorts are "
        "paid; far below 0 shorts crowd, and a short hedge may be squeezed."
    )
    return _lines(documents, "crowding", "Crowding", note, unit="score", scale=1.0, digits=".1f")


def funding_chart(documents: Sequence[Document]) -> Chart | None:
    """Funding over time of the same."""
    note = "The last settled rate as a yearly one, same symbols. Above 0 longs pay shorts."
    return _lines(
        documents, "funding_annual", "Funding", note, unit="% a year", scale=100.0, digits=",.0f"
    )


def crowding_now_chart(documents: Sequence[Document]) -> Chart | None:
    """Crowding of everything held and hedged with and of the most crowded others, with funding."""
    document = latest(documents, "crowding")
    scores = {} if document is None else _known(document, "crowding")
    if document is None or not scores:
        return None
    held = [symbol for symbol in _largest(documents) if symbol in scores]
    rest = sorted(set(scores) - set(held), key=lambda one: (-abs(scores[one]), one))
    shown = sorted([*held, *rest][:MOST_BARS], key=lambda one: (scores[one], one))
    rates = _known(latest(documents, "funding_annual") or {}, "funding_annual")
    owner = latest(documents, "legs") or document
    place = {symbol: i for i, symbol in enumerate(shown)}
    traces: list[Figure] = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "x": [scores[symbol] for symbol in members],
            "y": [place[symbol] for symbol in members],
            "text": [_rate(rates.get(symbol)) for symbol in members],
            "textposition": "outside",
            "cliponaxis": False,
            "hovertext": [
                f"{inert(words.base(s))}: {scores[s]:.1f}, {_rate(rates.get(s)) or 'funding –'}"
                for s in members
            ],
            "hoverinfo": "text",
            "marker": {"color": f"var(--{colour})"},
        }
        for name, members, colour in parted(shown, owner)
    ]
    ticks = {"tickvals": list(range(len(shown))), "ticktext": marked(shown, owner)}
    ends = [min(0.0, *scores.values()), max(0.0, *scores.values())]
    room = 0.16 * (ends[1] - ends[0] or 1.0)  # for the rates beside the bars
    ground = layout(max(260, 110 + 22 * len(shown))) | {
        "xaxis": {
            "title": {"text": "score"},
            "range": [ends[0] - room, ends[1] + room],
            **axis(),
            "zeroline": True,
        },
        "yaxis": ticks | axis(grid=False),
        "barmode": "overlay",
        "hovermode": "closest",
    }
    note = (
        f"{words.clock_text(document)} UTC. Bars: crowding; beside them the last settled funding "
        "rate as a yearly one, of which a short hedge gets what is above 0 and pays what is below."
    )
    title = "Crowding and funding now"
    return Chart("crowding-now", title, note, {"data": traces, "layout": ground})


def _rate(annual: float | None) -> str:
    return "" if annual is None else words.percent(annual)


def _lines(
    documents: Sequence[Document],
    key: str,
    title: str,
    note: str,
    *,
    unit: str,
    scale: float,
    digits: str,
) -> Chart | None:
    told = [document for document in documents if document.get(key)]
    symbols = [s for s in _largest(documents) if any(s in _known(one, key) for one in told)]
    if len(told) < 2 or not symbols:
        return None
    times = times_of(told)
    columns = [_known(one, key) for one in told]
    traces: list[Figure] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": inert(words.base(symbol)),
            "x": times,
            "y": [_scaled(column.get(symbol), scale) for column in columns],
            "connectgaps": False,
            "line": series_colour(at),
            "hovertemplate": f"%{{fullData.name}}: %{{y:{digits}}}",
        }
        for at, symbol in enumerate(symbols[:MOST_LINES])
    ]
    ground = time_ground(unit)
    ground["yaxis"] |= {"rangemode": "normal", "zeroline": True}
    return Chart(key.replace("_", "-"), title, note, {"data": traces, "layout": ground})


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else round(scale * value, 4)


def _known(document: Document, key: str) -> dict[str, float]:
    found = {str(s): words.number(value) for s, value in (document.get(key) or {}).items()}
    return {symbol: value for symbol, value in found.items() if value is not None}


def _largest(documents: Sequence[Document]) -> list[str]:
    """Symbols with a position or a hedge at the newest cycle that tells, the largest first."""
    document = latest(documents, "legs")
    if document is None:
        return []
    sizes = {
        str(leg["symbol"]): abs(words.number(leg.get("bot_usd")) or 0.0)
        + abs(words.number(leg.get("hedge_after_usd")) or 0.0)
        for leg in document["legs"]
    }
    return sorted((s for s in sizes if sizes[s]), key=lambda one: (-sizes[one], one))
