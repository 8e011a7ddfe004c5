"""What is to be evaluated, and what one piece of the work comes to."""

from dataclasses import dataclass, field

from bot.evaluate.books import book_path
from bot.evaluate.decisions import Decisions
from bot.evaluate.estimates import coming_estimates, estimates
from bot.evaluate.paths import hedge_path, moments_of
from bot.evaluate.scores import BookScore, book_score
from config.strategy import new_strategy
from risk.covariance.estimate import CovarianceEstimate
from risk.covariance.factors import FactorModel, factor_model
from strategies.base import HedgeStrategy, estimator_of
from strategies.inputs import HedgeChoices, HedgeFacts

HINDSIGHT = "hindsight"
_HINDSIGHT_STRATEGY = "sample"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that determines the figures.

    Attributes:
        decisions: when, in which market.
        strategies: their names, ``hindsight`` among them or not.
        books: how many, from ``seed``.
        tokens: how many each holds.
        fixed_weights: whether books and hedges keep their notionals, not their quantities, from
            one decision to the next.
        cost_bps: of every trade, of its notional.
        choices: tuning, without caps.
        shrinkage: of the estimators that have a choice of it, None for their own.
    """

    decisions: Decisions
    strategies: tuple[str, ...]
    books: int
    seed: int
    tokens: int
    cost_bps: float
    choices: HedgeChoices
    shrinkage: float | None
    fixed_weights: bool = True

    @property
    def pieces(self) -> list[tuple[str, int]]:
        """Every strategy with every book: what can be worked out apart from the rest."""
        return [(name, book) for name in self.strategies for book in range(self.books)]


@dataclass
class Worker:
    """Works out pieces one by one and remembers what all books share."""

    plan: Plan
    _strategies: dict[str, HedgeStrategy] = field(default_factory=dict)
    _moments: dict[str, list[HedgeFacts]] = field(default_factory=dict)
    _coming: list[CovarianceEstimate] = field(default_factory=list)
    _factors: list[FactorModel] = field(default_factory=list)

    def score(self, name: str, number: int) -> BookScore:
        """The figures of one strategy on one book.

        Raises:
            ConfigError, DataError, EstimationError, OptimizationError: it cannot be worked out.
        """
        plan, decisions = self.plan, self.plan.decisions
        book = book_path(decisions, plan.tokens, plan.seed, number, fixed=plan.fixed_weights)
        strategy = self._strategy(name)
        source = HINDSIGHT if name == HINDSIGHT else estimator_of(strategy)
        path = hedge_path(
            strategy,
            plan.choices,
            self._facts(source),
            decisions,
            book,
            fixed=plan.fixed_weights,
        )
        return book_score(decisions, book, path, self._judges(), plan.cost_bps)

    def _strategy(self, name: str) -> HedgeStrategy:
        if name not in self._strategies:
            known = _HINDSIGHT_STRATEGY if name == HINDSIGHT else name
            self._strategies[name] = new_strategy(known, "--strategies")
        return self._strategies[name]

    def _facts(self, source: str) -> list[HedgeFacts]:
        if source not in self._moments:
            plan = self.plan
            found = (
                self._hindsight()
                if source == HINDSIGHT
                else estimates(plan.decisions, source, plan.shrinkage)
            )
            self._moments[source] = moments_of(plan.decisions, found, plan.cost_bps)
        return self._moments[source]

    def _hindsight(self) -> list[CovarianceEstimate]:
        if not self._coming:
            self._coming = coming_estimates(self.plan.decisions)
        return self._coming

    def _judges(self) -> list[FactorModel]:
        if not self._factors:
            self._factors = [factor_model(one) for one in self._hindsight()]
        return self._factors
