"""The charts over time: exposure, volatility, correlation-adjusted exposure, use of the caps."""

from collections.abc import Sequence
from datetime import timedelta

from bot.report import words
from bot.report.canvas import Chart, Figure, axis, inert, layout, rule
from bot.report.history import STOPPED, Document, cap_names, standing

_MARKER_LIMIT = 150  # beyond so many cycles a line reads better without its points
_STOP_LINES = 200
_LINE_COLOURS = ("bot", "hedge", "third", "fourth", "fifth", "sixth", "ink")
_DASHES = ("solid", "dash", "dot", "dashdot")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star")


def exposure_chart(documents: Sequence[Document]) -> Chart | None:
    """Gross of the bot and of the hedges, and the cap on the latter."""
    traces = [
        _line(documents, "Bot gross", _column(documents, "bot_gross_usd"), "bot"),
        _line(documents, "Hedge gross", _column(documents, "hedge_gross_usd"), "hedge", mark=1),
        _cap_line(documents, "hedge_gross_usd", "Cap on hedge gross"),
    ]
    note = "Sum of absolute positions, USD."
    if any(str(document.get("status")) in STOPPED for document in documents):
        note += " In every chart, dotted verticals mark cycles held, denied or halted."
    return _time_chart(
        key="exposure", title="Exposure", note=note, documents=documents, traces=traces, unit="USD"
    )


def volatility_chart(documents: Sequence[Document]) -> Chart | None:
    """Daily volatility of the bot alone, and of the book before and after each cycle's trades."""

    def column(when: str) -> list[float | None]:
        return _column(documents, f"volatility_{when}_daily_usd")

    traces = [
        _line(documents, "Bot alone", column("unhedged"), "bot"),
        _line(documents, "Before trades", column("before"), "third", mark=2, dash="dot"),
        _line(documents, "After trades", column("after"), "hedge", mark=1),
    ]
    note = "One standard deviation of a day's profit and loss, USD."
    return _time_chart(
        key="volatility",
        title="Volatility",
        note=note,
        documents=documents,
        traces=traces,
        unit="USD a day",
    )


def cae_chart(documents: Sequence[Document]) -> Chart | None:
    """Correlation-adjusted exposure against its cap."""

    def column(when: str) -> list[float | None]:
        return _column(documents, f"cae_{when}_usd")

    traces = [
        _line(documents, "Before trades", column("before"), "third", mark=2, dash="dot"),
        _line(documents, "After trades", column("after"), "hedge", mark=1),
        _cap_line(documents, "cae_usd", "Cap"),
    ]
    note = "The BTC position that would be as volatile as the whole book, USD."
    return _time_chart(
        key="cae",
        title="Correlation-adjusted exposure",
        note=note,
        documents=documents,
        traces=traces,
        unit="USD of BTC",
    )


def cap_use_chart(documents: Sequence[Document]) -> Chart | None:
    """Use of every cap at the end of each cycle, percent."""
    states = [standing(document) for document in documents]
    traces: list[Figure | None] = []
    for place, cap in enumerate(cap_names(documents)):
        uses = [state.cap_use.get(cap) for state in states]
        shown = [None if use is None else 100 * use for use in uses]
        colour = _LINE_COLOURS[place % len(_LINE_COLOURS)]
        dash = _DASHES[place % len(_DASHES)]
        name = inert(words.cap_label(cap))
        trace = _line(documents, name, shown, colour, mark=place, dash=dash)
        traces.append(trace and trace | {"hovertemplate": "%{fullData.name}: %{y:,.0f} %"})
    note = "What each cycle left behind, as a share of the cap; above the line at 100 % is over."
    chart = _time_chart(
        key="cap-use",
        title="Use of the caps",
        note=note,
        documents=documents,
        traces=traces,
        unit="% of cap",
    )
    if chart is not None:
        chart.figure["layout"]["yaxis"]["autorangeoptions"] = {"include": 110}
        chart.figure["layout"]["shapes"].append(
            rule({"xref": "paper", "x0": 0, "x1": 1, "y0": 100, "y1": 100}, "bad", 2)
        )
    return chart


def time_ground(unit: str) -> Figure:
    """The layout of a chart over time."""
    return layout(340) | {
        "xaxis": {"type": "date", "title": {"text": "UTC"}, **axis()},
        "yaxis": {"title": {"text": unit}, "rangemode": "tozero", "tickformat": ",", **axis()},
        "hovermode": "x unified",
    }


def _column(documents: Sequence[Document], key: str) -> list[float | None]:
    return [words.number(document.get(key)) for document in documents]


def _lone_hours(documents: Sequence[Document]) -> list[str] | None:
    """An hour on each side of the only moment, where plotly would zoom in to microseconds."""
    moments = {when for document in documents if (when := words.moment(document)) is not None}
    if len(moments) != 1:
        return None
    (when,) = moments
    return [f"{when + timedelta(hours=shift):%Y-%m-%d %H:%M:%S}" for shift in (-1, 1)]


def times_of(documents: Sequence[Document]) -> list[str | None]:
    """When the cycles began, as plotly reads it; None where nobody told."""
    moments = (words.moment(document) for document in documents)
    return [None if when is None else when.strftime("%Y-%m-%d %H:%M:%S") for when in moments]


def _line(
    documents: Sequence[Document],
    name: str,
    values: Sequence[float | None],
    colour: str,
    *,
    mark: int = 0,
    dash: str = "solid",
) -> Figure | None:
    if all(value is None for value in values):
        return None
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(documents) <= _MARKER_LIMIT else "lines",
        "name": name,
        "x": times_of(documents),
        "y": list(values),
        "connectgaps": False,
        "line": {"color": f"var(--{colour})", "width": 2.2, "dash": dash},
        "marker": {"size": 6, "symbol": _SYMBOLS[mark % len(_SYMBOLS)]},
        "hovertemplate": "%{fullData.name}: %{y:,.0f} USD",
    }


def _cap_line(documents: Sequence[Document], cap: str, name: str) -> Figure | None:
    limits = [words.number((d.get("limits") or {}).get(cap)) for d in documents]
    trace = _line(documents, name, limits, "bad", dash="dash")
    return trace and trace | {"mode": "lines" if len(documents) > 1 else "markers"}


def _time_chart(
    *,
    key: str,
    title: str,
    note: str,
    documents: Sequence[Document],
    traces: Sequence[Figure | None],
    unit: str,
) -> Chart | None:
    present = [trace for trace in traces if trace is not None]
    if not present:
        return None
    stops = [
        time
        for time, document in zip(times_of(documents), documents, strict=True)
        if time and str(document.get("status")) in STOPPED
    ][-_STOP_LINES:]
    shapes = [
        rule({"x0": time, "x1": time, "yref": "paper", "y0": 0, "y1": 1}, "muted", 1)
        for time in stops
    ]
    ground = time_ground(unit) | {"shapes": shapes}
    alone = _lone_hours(documents)
    if alone is not None:
        ground["xaxis"]["range"] = alone
    return Chart(key, title, note, {"data": present, "layout": ground})
