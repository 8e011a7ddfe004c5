"""The charts of one moment: where the risk comes from, and the correlations."""

from collections.abc import Mapping, Sequence

from bot.report import words
from bot.report.canvas import Chart, Figure, axis, inert, layout
from bot.report.history import Document, latest

_CORRELATION_SCALE = [[i / 4, f"var(--corr-{i})"] for i in range(5)]


def contribution_chart(documents: Sequence[Document]) -> Chart | None:
    """What each symbol adds to, or takes from, the volatility of the whole book."""
    document = next((d for d in reversed(documents) if _contributions(d)), None)
    if document is None:
        return None
    contributions = _contributions(document)
    ordered = sorted(contributions, key=lambda symbol: (contributions[symbol], symbol))
    bots, hedges = roles(document)
    groups = [
        ("● bot", [s for s in ordered if s in bots], "bot"),
        ("▼ hedge", [s for s in ordered if s in hedges and s not in bots], "hedge"),
        ("other", [s for s in ordered if s not in bots | hedges], "third"),
    ]
    place = {symbol: i for i, symbol in enumerate(ordered)}
    traces = [
        _bars(
            name=name,
            members=members,
            place=place,
            values=contributions,
            colour=colour,
        )
        for name, members, colour in groups
        if members
    ]
    ticks = _marked(ordered, document)
    ground = layout(max(260, 110 + 26 * len(ordered))) | {
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


def correlation_chart(documents: Sequence[Document]) -> Chart | None:
    """Correlations of the last cycle that has them, in the order of the clustering."""
    document = latest(documents, "correlation")
    if document is None:
        return None
    correlation = document["correlation"]
    symbols = [str(symbol) for symbol in correlation.get("symbols") or ()]
    matrix = [[words.number(value) for value in row] for row in correlation.get("matrix") or ()]
    size = len(symbols)
    if not size or len(matrix) != size or any(len(row) != size for row in matrix):
        return None
    labels = _marked(symbols, document)
    names = [inert(words.base(symbol)) for symbol in symbols]
    heat = {
        "type": "heatmap",
        "z": matrix,
        "zmin": -1,
        "zmax": 1,
        "colorscale": _CORRELATION_SCALE,
        "xgap": 1,
        "ygap": 1,
        "hoverongaps": False,
        "hovertext": [
            [f"{a} and {b}: {_coefficient(matrix[i][j])}" for j, b in enumerate(names)]
            for i, a in enumerate(names)
        ],
        "hoverinfo": "text",
        "text": [[_coefficient(value) for value in row] for row in matrix],
        "texttemplate": "%{text}" if size <= 16 else "",
        "textfont": {"size": 10},
        "colorbar": {
            "title": {"text": "correlation", "side": "right"},
            "thickness": 12,
            "tickvals": [-1, -0.5, 0, 0.5, 1],
            "outlinewidth": 0,
        },
    }
    ticks = {"tickvals": list(range(size)), "ticktext": labels, **axis(grid=False)}
    ground = layout(min(1100, 200 + 26 * size)) | {
        "xaxis": ticks | {"tickangle": -90, "constrain": "domain"},
        "yaxis": ticks
        | {
            "autorange": "reversed",
            "scaleanchor": "x",
            "constrain": "domain",
            "constraintoward": "top",
        },
        "shapes": _cluster_frames(symbols, correlation.get("clusters") or ()),
        "hovermode": "closest",
    }
    note = (
        f"{words.clock_text(document)} UTC; neighbours move together, frames are clusters. "
        "● held by the bot, ▼ hedge, ◆ both."
    )
    return Chart("correlation", "Correlation", note, {"data": [heat], "layout": ground})


def roles(document: Document) -> tuple[set[str], set[str]]:
    """Symbols that the bot holds, and those that are hedged with after the cycle."""
    legs = document.get("legs") or ()
    bots = {str(leg.get("symbol")) for leg in legs if leg.get("bot_usd")}
    hedges = {str(leg.get("symbol")) for leg in legs if leg.get("hedge_after_usd")}
    return bots, hedges


def _marked(symbols: Sequence[str], document: Document) -> list[str]:
    bots, hedges = roles(document)
    if not bots and not hedges:
        bots = {str(symbol) for symbol in (document.get("correlation") or {}).get("held") or ()}
    signs = {(True, True): " ◆", (True, False): " ●", (False, True): " ▼", (False, False): ""}
    return [inert(words.base(s)) + signs[s in bots, s in hedges] for s in symbols]


def _coefficient(value: float | None) -> str:
    return words.ABSENT if value is None else f"{value:.2f}".replace("-", words.MINUS)


def _cluster_frames(symbols: Sequence[str], clusters: Sequence[Sequence[str]]) -> list[Figure]:
    place = {symbol: i for i, symbol in enumerate(symbols)}
    frames = []
    for cluster in clusters:
        found = sorted(place[str(symbol)] for symbol in cluster if str(symbol) in place)
        if len(found) < 2 or found[-1] - found[0] != len(found) - 1:
            continue  # one symbol needs no frame; one that is not side by side cannot have one
        low, high = found[0] - 0.5, found[-1] + 0.5
        frame = {"type": "rect", "x0": low, "x1": high, "y0": low, "y1": high}
        frames.append(frame | {"line": {"color": "var(--ink)", "width": 2}})
    return frames
