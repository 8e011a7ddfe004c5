"""Random books of longs, as a bot might hold them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.evaluate.decisions import Decisions
from risk.book import FloatArray
from risk.errors import MissingDataError
from risk.returns import utc

GROSS_USD = 100_000.0
WEEK_HOURS = 168


@dataclass(frozen=True, slots=True)
class BookPath:
    """What one bot holds between decisions.

    Attributes:
        base: (D, N) base units, at least 0.
        drawn: (D,) whether the book was drawn anew at this decision.
    """

    base: FloatArray
    drawn: NDArray[np.bool_]


def book_path(
    decisions: Decisions, tokens: int, seed: int, number: int, *, fixed: bool = False
) -> BookPath:
    """The path of book ``number`` of a seed; the same whatever other books there are.

    At a random decision of the first week, every week after it, and whenever one of its tokens
    cannot be traded any more, the bot sells everything and buys ``tokens`` tokens of the sector
    for 100,000 USD in all, shares drawn from the flat Dirichlet distribution. In between it keeps
    its quantities, so that its weights drift with prices; or, where weights are ``fixed``, comes
    back to the drawn ones at every decision.

    Raises:
        MissingDataError: fewer tokens can be traded than a book holds.
    """
    random = np.random.default_rng([seed, number])
    market = decisions.market
    week = WEEK_HOURS // decisions.hours
    offset = int(random.integers(week))
    base = np.zeros((len(decisions.rows), len(market.symbols)))
    drawn = np.zeros(len(decisions.rows), dtype=np.bool_)
    held = np.empty(0, dtype=np.int64)
    for k, row in enumerate(decisions.rows.tolist()):
        can = decisions.eligible[k] & market.in_sector
        drawn[k] = (k + offset) % week == 0 or not len(held) or not np.all(can[held])
        if drawn[k]:
            pool = np.flatnonzero(can)
            if len(pool) < tokens:
                raise MissingDataError(
                    f"{len(pool)} tokens with {decisions.history_days} days of bars at "
                    f"{utc(market.time_ms[row])}, a book holds {tokens}"
                )
            held = random.choice(pool, tokens, replace=False)
            shares = random.dirichlet(np.ones(tokens))
        if drawn[k] or fixed:
            base[k, held] = GROSS_USD * shares / market.close[row, held]
        else:
            base[k] = base[k - 1]
    return BookPath(base, drawn)
