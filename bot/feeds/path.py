"""The way that a price takes within one hourly bar, from its open, high, low and close alone."""

import math

KNOTS = (0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0)

Path = tuple[float, float, float, float]


def bar_path(open_: float, high: float, low: float, close: float) -> Path:
    """Prices at the four knots of the hour: open, first extreme, second extreme, close.

    A rising bar visits its low first, a falling bar its high.
    """
    if close >= open_:
        return (open_, low, high, close)
    return (open_, high, low, close)


def price_on(path: Path, fraction: float) -> float:
    """Price at ``fraction`` (0 to 1) of the hour: log-linear between the knots, exact on them."""
    if fraction <= 0.0:
        return path[0]
    if fraction >= 1.0:
        return path[3]
    leg = min(int(fraction * 3.0), 2)
    weight = fraction * 3.0 - leg
    start, end = path[leg], path[leg + 1]
    if weight <= 0.0 or start == end:
        return start
    return start * math.exp(weight * math.log(end / start))


def range_on(path: Path, first: float, last: float) -> tuple[float, float, float, float]:
    """(open, high, low, close) of the path between two fractions of the hour."""
    points = [price_on(path, first)]
    points += [path[k] for k in (1, 2) if first < KNOTS[k] < last]
    points.append(price_on(path, last))
    return points[0], max(points), min(points), points[-1]
