"""The clustered heatmap of a moment: cells, frames and marks in SVG units. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.records.windows import window_matrix
from bot.report.roles import roles
from bot.report.words import base, number

WINDOWS = {"model": "model", "30d": "30 days", "7d": "7 days"}
MOST_WITH_VALUES = 26
CELL, LEFT, TOP = 24, 96, 84
_STEPS = 10


@dataclass(frozen=True, slots=True)
class Cell:
    """One square: its corner, the class of its colour, and what is written in it."""

    x: int
    y: int
    colour: str
    text: str
    title: str
    strong: bool


@dataclass(frozen=True, slots=True)
class Label:
    """A symbol's name at its place, with a sign of who holds it."""

    at: int
    name: str
    sign: str
    held: str


@dataclass(frozen=True, slots=True)
class Frame:
    """A cluster of more than one token."""

    at: int
    size: int


@dataclass(frozen=True, slots=True)
class Heat:
    """The picture; ``size`` is that of the square of cells."""

    cells: Sequence[Cell]
    labels: Sequence[Label]
    frames: Sequence[Frame]
    size: int
    unknown: bool

    @property
    def width(self) -> int:
        """Of the whole picture."""
        return LEFT + self.size + 4

    @property
    def height(self) -> int:
        """Of the whole picture."""
        return TOP + self.size + 4


def heat_of(document: Mapping[str, Any], window: str) -> Heat | None:
    """The heatmap of a cycle's record; None where it has none of this window.

    ``model`` is the correlation that decisions rest on; 30d and 7d are plain windows of returns.
    """
    correlation = document.get("correlation") or {}
    symbols = [str(symbol) for symbol in correlation.get("symbols") or ()]
    matrix = correlation.get("matrix") if window == "model" else window_matrix(correlation, window)
    if not matrix or len(symbols) < 2 or len(matrix) != len(symbols):
        return None
    few = len(symbols) <= MOST_WITH_VALUES
    names = [base(symbol) for symbol in symbols]
    cells = [
        _cell(number(value), i, j, (names[i], names[j]), few=few)
        for i, row in enumerate(matrix)
        for j, value in enumerate(row)
    ]
    return Heat(
        cells=cells,
        labels=_labels(symbols, names, document, correlation),
        frames=_frames(symbols, correlation.get("clusters") or ()),
        size=CELL * len(symbols),
        unknown=any(cell.colour == "kx" for cell in cells),
    )


def _cell(value: float | None, i: int, j: int, names: tuple[str, str], *, few: bool) -> Cell:
    step = 0 if value is None else round(max(-1.0, min(1.0, value)) * _STEPS)
    colour = "kx" if value is None else f"k{'m' if step < 0 else ''}{abs(step)}"
    told = "not known" if value is None else f"{value:.2f}"
    return Cell(
        x=LEFT + CELL * j,
        y=TOP + CELL * i,
        colour=colour,
        text=_short(value) if few else "",
        title=f"{names[0]} and {names[1]}: {told}",
        strong=abs(step) >= 8,
    )


def _short(value: float | None) -> str:
    """``.73`` for 0.73."""
    if value is None:
        return ""
    if abs(value) >= 0.995:
        return f"{value:.0f}"
    text = f"{abs(value):.2f}"[1:]
    return f"−{text}" if value < 0 and text != ".00" else text


def _labels(
    symbols: Sequence[str],
    names: Sequence[str],
    document: Mapping[str, Any],
    correlation: Mapping[str, Any],
) -> list[Label]:
    bots, hedges = roles(document)
    if not bots and not hedges:
        bots = {str(symbol) for symbol in correlation.get("held") or ()}
    kinds = {
        (True, True): ("◆", "both"),
        (True, False): ("●", "bot"),
        (False, True): ("▼", "hedge"),
        (False, False): ("", "none"),
    }
    found = []
    for i, symbol in enumerate(symbols):
        sign, held = kinds[symbol in bots, symbol in hedges]
        found.append(Label(CELL * i, names[i], sign, held))
    return found


def _frames(symbols: Sequence[str], clusters: Sequence[Sequence[str]]) -> list[Frame]:
    at = {symbol: i for i, symbol in enumerate(symbols)}
    found = []
    for members in clusters:
        places = sorted(at[symbol] for symbol in members if symbol in at)
        # The record's order keeps every cluster in one run.
        if len(places) > 1 and places[-1] - places[0] == len(places) - 1:
            found.append(Frame(CELL * places[0], CELL * len(places)))
    return found
