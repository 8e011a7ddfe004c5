"""Trades up and down from where hedges stand: what each of them alone changes.

Of a trade of d USD on one side, J rises by u·d + b·d^{3/2} + κ·d² or more, with u the slope on that
side, b its impact and κ a curvature that is certain of it; the trade must be worth w besides.
"""

from dataclasses import dataclass

import numpy as np

from risk.book import FloatArray
from strategies.certificate import slopes
from strategies.model import HedgeModel


@dataclass(frozen=True, slots=True)
class Sides:
    """Each symbol twice, as it trades up and as it trades down; (2N,).

    Attributes:
        slope: u without caps.
        least, most: the smallest and the largest trade, USD; most is 0 where there is none.
        impact: b; None for none.
        curve: κ.
        worth: w, USD; infinite where there is no trade.
        softness: 1/2κ; None where impact bends the rise, or some κ is 0.
    """

    slope: FloatArray
    least: FloatArray
    most: FloatArray
    impact: FloatArray | None
    curve: FloatArray
    worth: FloatArray
    softness: FloatArray | None = None

    def curved(self, curve: FloatArray) -> "Sides":
        """The same with κ (N,) of each symbol."""
        both = np.concatenate([curve, curve])
        softness = 0.5 / both if self.impact is None and curve.min() > 0 else None
        return Sides(self.slope, self.least, self.most, self.impact, both, self.worth, softness)

    def rise(self, slope: FloatArray, size: FloatArray) -> FloatArray:
        """u·d + b·d^{3/2} + κ·d², (2N,) USD."""
        total: FloatArray = slope + self.curve * size
        if self.impact is not None:
            total = total + self.impact * np.sqrt(size)
        return total * size

    def size(self, slope: FloatArray) -> FloatArray:
        """The trade of any size with the least rise, (2N,): the root of a quadratic in √d."""
        down = np.maximum(-slope, 0.0)
        if self.softness is not None:
            return np.minimum(down * self.softness, self.most)
        size: FloatArray = np.where(down > 0, np.inf, 0.0)
        if self.impact is None:
            np.divide(down, 2.0 * self.curve, out=size, where=self.curve > 0)
        else:
            steep = 3.0 * self.impact
            below = steep + np.sqrt(steep**2 + 32.0 * self.curve * down)
            np.divide(4.0 * down, below, out=size, where=below > 0)
            size *= size
        return np.minimum(size, self.most)

    def give(self, size: FloatArray) -> FloatArray:
        """How much ``size`` (2N,) changes with the slopes, (2N,)."""
        if self.softness is not None:
            return np.where(size > 0, self.softness, 0.0)
        give = np.zeros(len(size))
        np.divide(0.5, self.curve, out=give, where=(size > 0) & (self.curve > 0))
        return give

    def certain(self, slope: FloatArray, size: FloatArray, charged_usd: float) -> bool:
        """No trades in lots gain what they must be worth, even with ``charged_usd`` on top.

        ``size`` (2N,) is that of ``slope``.
        """
        tried = np.minimum(np.maximum(size, self.least), self.most)
        lost = self.rise(slope, tried) + self.worth
        fewest = lost.min()
        if fewest < 0:
            fewest = np.minimum(lost, 0.0).sum()
        return bool(fewest > charged_usd)


def sides_of(model: HedgeModel) -> Sides:
    """Slopes of J without caps, and no curvature yet."""
    at, least = model.current, model.smallest_trade_usd
    price = slopes(model, at, np.zeros(len(model.caps.names)))
    most = np.maximum(np.concatenate([model.upper - at, at - model.lower]), 0.0)
    impact = model.costs.weights[-1]
    # A close may be smaller than the smallest trade.
    up, down = np.where(at < 0, -at, np.inf), np.where(at > 0, at, np.inf)
    return Sides(
        slope=both_sides(model, price.smooth, price.size, price.turn),
        least=np.concatenate([np.minimum(least, up), np.minimum(least, down)]),
        most=most,
        impact=None if impact is None else np.concatenate([impact, impact]),
        curve=np.zeros(2 * len(at)),
        worth=np.where(most <= 0, np.inf, model.trade_worth_usd),
    )


def both_sides(
    model: HedgeModel, smooth: FloatArray, size: FloatArray, turn: FloatArray
) -> FloatArray:
    """Slopes up and down, (2N,); |h| grows either way from 0 and one way only from elsewhere."""
    side = np.sign(model.current)
    flat = side == 0
    up = turn + smooth + np.where(flat, size, side * size)
    down = turn - smooth + np.where(flat, size, -side * size)
    return np.concatenate([up, down])


def best_single_trade(model: HedgeModel) -> FloatArray | None:
    """Hedges (N,) with the one trade that lowers J most; None where none is worth it, or J kinks.

    Caps are not looked at, and the trade is not in lots.
    """
    if not _smooth(model):
        return None
    trade, lost = _alone(model, sides_of(model))
    best = int(lost.argmin())
    if not lost[best] < 0:
        return None
    hedge, n = model.current.copy(), len(model.current)
    hedge[best % n] += trade[best] if best < n else -trade[best]
    return hedge


def one_trade_pays(model: HedgeModel, sides: Sides) -> bool:
    """Some trade alone gains more than it must be worth: there is nothing to prove."""
    return _smooth(model) and bool((_alone(model, sides)[1] < 0).any())


def _smooth(model: HedgeModel) -> bool:
    """The risk is one quadratic."""
    return model.tail is None and not len(model.other_roots)


def _alone(model: HedgeModel, sides: Sides) -> tuple[FloatArray, FloatArray]:
    """Of each side (2N,) USD: its best trade without any other, and what that loses."""
    own = model.risk_per_usd * (1.0 + model.uncertainty) * model.volatility**2
    alone = sides.curved(own)
    size = np.minimum(np.maximum(alone.size(alone.slope), alone.least), alone.most)
    return size, alone.rise(alone.slope, size) + alone.worth
