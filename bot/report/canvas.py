"""What every chart of a report is drawn on.

A figure is a JSON document (``data``, ``layout``) for plotly.js. Colours are names of CSS custom
properties, ``var(--bot)``: the page puts in the values of the reader's light or dark scheme. A
figure that is not known is null, which the chart leaves open. plotly reads a little HTML in texts,
so every name that comes from outside goes through ``inert`` first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from bot.report import words

Figure = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure with the words around it; ``key`` names its place in the page."""

    key: str
    title: str
    note: str
    figure: Figure


def inert(text: object) -> str:
    """Text that plotly shows as it is."""
    return escape(words.plain(text), quote=False)


_LINE_COLOURS = ("bot", "hedge", "fourth", "fifth", "sixth", "third", "ink")
_LINE_DASHES = ("solid", "dash", "dot")


def series_colour(place: int) -> Figure:
    """The line of one of several series: another colour for each, and another dash."""
    colour = _LINE_COLOURS[place % len(_LINE_COLOURS)]
    return {"color": f"var(--{colour})", "width": 2, "dash": _LINE_DASHES[place % 3]}


def rule(where: Mapping[str, Any], colour: str, width: int) -> Figure:
    """A dotted straight line, for the shapes of a layout."""
    style = {"color": f"var(--{colour})", "width": width, "dash": "dot"}
    return {"type": "line", "layer": "below", "line": style, **where}


def axis(*, grid: bool = True) -> Figure:
    """An axis that makes room for its own labels."""
    return {
        "automargin": True,
        "showgrid": grid,
        "gridcolor": "var(--grid)",
        "linecolor": "var(--grid)",
        "zeroline": False,
        "zerolinecolor": "var(--muted)",
        "fixedrange": False,
    }


def layout(height: int) -> Figure:
    """The quiet ground of a chart, its legend on top."""
    return {
        "height": height,
        "margin": {"l": 56, "r": 16, "t": 12, "b": 44},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "var(--ink)"},
        "hoverlabel": {"bgcolor": "var(--surface)", "font": {"color": "var(--ink)"}},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "showlegend": True,
    }
