"""What makes a compiled problem fit a decision, told without the library that compiles it."""

from dataclasses import dataclass

import numpy as np

from strategies.model import HedgeModel


@dataclass(frozen=True, slots=True)
class Shape:
    """What makes a compiled problem fit: sizes and which parts are there."""

    symbols: int
    book_rows: int
    hedge_rows: int
    stress_rows: int
    stress_shared: bool
    has_doubt: bool
    has_token: bool
    has_cae: bool
    has_turnover: bool
    has_trade: bool
    has_impact: bool
    has_uncertainty: bool
    windows: int
    scenarios: int

    def blocks(self) -> dict[str, int]:
        """Rows of each block of caps that is there."""
        sizes = {
            "token": self.symbols * self.has_token,
            "book": self.book_rows,
            "hedge": self.hedge_rows,
            "stress": self.stress_rows,
            "cae": int(self.has_cae),
            "turnover": int(self.has_turnover),
            "trade": self.symbols * self.has_trade,
        }
        return {name: size for name, size in sizes.items() if size}


def shape_of(model: HedgeModel) -> Shape:
    """The shape that a model needs."""
    caps = model.caps
    return Shape(
        symbols=len(model.bot),
        book_rows=len(caps.book_rows),
        hedge_rows=len(caps.hedge_rows),
        stress_rows=len(caps.stress_rows),
        stress_shared=caps.stress_shared,
        has_doubt=bool(np.any(caps.book_doubt)),
        has_token=caps.has_token,
        has_cae=caps.has_cae,
        has_turnover=caps.has_turnover,
        has_trade=caps.has_trade,
        has_impact=model.costs.weights[-1] is not None,
        has_uncertainty=model.uncertainty > 0,
        windows=len(model.other_roots),
        scenarios=0 if model.tail is None else len(model.tail.returns),
    )
