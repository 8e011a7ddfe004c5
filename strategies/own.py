"""A strategy that the owner brought along, kept from doing harm by what it gets wrong."""

from copy import deepcopy

import numpy as np

from risk.book import FloatArray
from risk.errors import OptimizationError, PerphedgeError
from strategies.base import HedgeStrategy, estimator_of
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.proposal import HedgeProposal, NoHedge

_SAME_USD = 1e-6  # beside what floating point leaves of a sum
_SAME = 1e-9


class OwnStrategy:
    """Asks another strategy, and takes from it nothing but an answer that can be acted on.

    It is given facts of its own, which it may spoil. What it raises is told as one line. A
    proposal must speak of these facts: its hedges now are those that are, its trades lead to its
    targets, hedges only shrink where ``may_hedge`` is False, and are never long where only shorts
    are allowed. Caps and lots are not looked at here: an owner may mean to exceed a cap, and orders
    are rounded and checked before they are sent.
    """

    def __init__(self, strategy: HedgeStrategy) -> None:
        self._strategy = strategy

    @property
    def name(self) -> str:
        """As the strategy calls itself."""
        return self._strategy.name

    @property
    def estimator(self) -> str:
        """Of the covariance that it is to be told."""
        return estimator_of(self._strategy)

    def decide(self, facts: HedgeFacts, choices: HedgeChoices) -> HedgeProposal | NoHedge:
        """Its answer, if that can be acted on.

        Raises:
            OptimizationError: it raised something, or its answer is none; names the strategy.
        """
        try:
            answer = self._strategy.decide(deepcopy(facts), choices)  # arrays can be written to
            if isinstance(answer, HedgeProposal):
                _require_sound(answer, facts, choices)
        except PerphedgeError:
            raise
        except Exception as error:  # the owner's code may raise anything
            told = " ".join(f"{type(error).__name__}: {error}".split())
            raise OptimizationError(f"strategy {self.name}: {told}") from error
        if not isinstance(answer, HedgeProposal | NoHedge):
            raise OptimizationError(
                f"strategy {self.name}: answered {type(answer).__name__}, must be HedgeProposal "
                "or NoHedge"
            )
        return answer


def _require_sound(answer: HedgeProposal, facts: HedgeFacts, choices: HedgeChoices) -> None:
    targets = facts.hedge_usd.copy()
    column = {symbol: i for i, symbol in enumerate(facts.symbols)}
    seen = set[str]()
    for leg in answer.legs:
        where = f"strategy {answer.strategy}: {leg.symbol}"
        if leg.symbol not in column or leg.symbol in seen:
            told = "twice" if leg.symbol in seen else "not among the symbols of the facts"
            raise OptimizationError(f"{where} is {told}")
        seen.add(leg.symbol)
        i = column[leg.symbol]
        numbers = (leg.current_usd, leg.trade_usd, leg.target_usd)
        if not all(np.isfinite(numbers)):
            raise OptimizationError(f"{where} has {numbers} USD now, traded and then, not finite")
        now = float(facts.hedge_usd[i])
        if not (_same(leg.current_usd, now) and _same(now + leg.trade_usd, leg.target_usd)):
            raise OptimizationError(
                f"{where} goes from {leg.current_usd:,.2f} by {leg.trade_usd:,.2f} to "
                f"{leg.target_usd:,.2f} USD, and is at {now:,.2f}"
            )
        targets[i] = leg.target_usd
    _require_allowed(answer.strategy, facts, choices, targets)


def _require_allowed(
    name: str, facts: HedgeFacts, choices: HedgeChoices, targets: FloatArray
) -> None:
    now = facts.hedge_usd
    grows = (np.abs(targets) > np.abs(now) + _SAME_USD) | (targets * now < 0)
    for said, wrong in (
        ("is hands-off, where a hedge may only shrink", ~facts.may_hedge & grows),
        ("would be long, and only shorts are allowed", choices.shorts_only & (targets > 0) & grows),
    ):
        if np.any(wrong):
            raise OptimizationError(
                f"strategy {name}: {facts.symbols[int(np.argmax(wrong))]} {said}"
            )


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= _SAME_USD + _SAME * max(abs(one), abs(other))
