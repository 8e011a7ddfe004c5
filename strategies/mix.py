"""How much each window and each scenario weighs where several are the worst at once.

Risk is a maximum: of several covariances, and, as the expected shortfall, over shares of scenarios.
At a solution more than one of them is often the largest, and no one slope tells the way up. But

    max_k xᵀΣ_k x  ≥  Σ_k w_k xᵀΣ_k x,        ES(x)  ≥  −Σ_s v_s r_sᵀx

for all weights w ≥ 0 that sum to 1, and v that also stay below 1/(S(1 − q)) (Rockafellar, Uryasev
2000), with equality at a solution for the solver's own multipliers. What is on the right is smooth
and convex, so that a tangent of it is below J everywhere.
"""

from dataclasses import dataclass

import numpy as np

from risk.book import FloatArray
from strategies.model import HedgeModel


@dataclass(frozen=True, slots=True)
class Mix:
    """The weights; those that ``mix_of`` makes are allowed ones.

    Attributes:
        windows: w, (1 + K,), of ``covariance`` and of ``other_roots``.
        scenarios: v, (S,); empty where the tail has no price.
    """

    windows: FloatArray
    scenarios: FloatArray

    def less_usd(self, model: HedgeModel, held_usd: FloatArray) -> float:
        """By how much risk in J is above what the weights make of it at a book (N,), USD."""
        adjusted = model.other_roots @ held_usd
        variance = np.array(
            [held_usd @ model.covariance @ held_usd, *np.vecdot(adjusted, adjusted)]
        )
        less = model.risk_per_usd * float(np.max(variance) - self.windows @ variance)
        if model.tail is not None:
            loss = -float(self.scenarios @ (model.tail.returns @ held_usd))
            less += float(model.tail.cost_usd(held_usd)) - model.tail.price * loss
        return less

    def slope(self, model: HedgeModel, held_usd: FloatArray) -> FloatArray:
        """(N,) slope of the weighted risk, without the term of uncertainty."""
        moved = self.windows[0] * (model.covariance @ held_usd)
        for weight, root in zip(self.windows[1:], model.other_roots, strict=True):
            moved = moved + weight * (root.T @ (root @ held_usd))
        slope: FloatArray = 2.0 * model.risk_per_usd * moved
        if model.tail is not None:
            slope = slope - model.tail.price * (self.scenarios @ model.tail.returns)
        return slope


def mix_of(model: HedgeModel, windows: FloatArray, scenarios: FloatArray) -> Mix | None:
    """Allowed weights nearest to a solver's multipliers, of any scale; None where it has none.

    Args:
        windows: (1 + K,), or empty where there is one window.
        scenarios: (S,), or empty where the tail has no price.
    """
    most = np.inf
    if model.tail is not None:
        most = 1.0 / max(len(scenarios) * (1.0 - model.tail.confidence), 1e-9)
    of_windows = _shares(windows if len(windows) else np.ones(1), 1.0)
    of_scenarios = _shares(scenarios, most)
    if of_windows is None or of_scenarios is None:
        return None
    return Mix(of_windows, of_scenarios)


def _shares(multipliers: FloatArray, most: float) -> FloatArray | None:
    """At least 0, at most ``most`` each, and summing to 1."""
    if not len(multipliers):
        return multipliers
    shares = np.maximum(multipliers, 0.0)
    total = float(np.sum(shares))
    if not (np.isfinite(total) and total > 0):
        return None
    shares = np.minimum(shares / total, most)
    # What was cut off goes where there is room left.
    room = np.minimum(most, 1.0) - shares
    missing, there = 1.0 - float(np.sum(shares)), float(np.sum(room))
    return shares if missing <= 0 or there <= 0 else shares + room * (missing / there)
