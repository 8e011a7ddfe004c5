"""One whole decision: a bar taken in, exposure, crowding, the problem, its solution, lots."""

import time
from collections.abc import Callable, Iterator
from statistics import median

import numpy as np

from benchmarks.decision_peers import missing_peers, peers
from benchmarks.decisions import demo_choices
from benchmarks.hedge import Solve, captured
from benchmarks.measure import (
    DisagreementError,
    Effort,
    Line,
    alternate,
    require_close,
)
from benchmarks.riskupdate_market import Market
from risk.book import FloatArray
from risk.correlation.clusters import beta, cluster
from risk.returns import BARS_PER_DAY
from strategies.inputs import HedgeFacts
from strategies.minimum_risk import MinimumRisk
from strategies.model import hedge_model
from strategies.proposal import HedgeProposal, NoHedge

SIZES = (18, 50, 200)
_WINDOW = 60 * BARS_PER_DAY
_HELD_SHARE = 4  # the bot holds every fourth token
_GROSS_USD = 40_000.0
_EQUITY_USD = 60_000.0
_PRICE_USD = 2.0
_TOLERANCE = 1e-6
_MOST_TRIES = 8
Decided = HedgeProposal | NoHedge


class _Case:
    """A market that moves on bar by bar, and what is decided after each."""

    def __init__(self, n: int, bars: int, more: int) -> None:
        self.market = Market(n, bars, more)
        self.strategy = MinimumRisk()
        self.choices = demo_choices()
        self.bot = np.where(np.arange(n) % _HELD_SHARE == 2, _GROSS_USD, 0.0)
        self.bot = self.bot / np.count_nonzero(self.bot)
        self.hedge = np.zeros(n)
        self._facts_kept: HedgeFacts | None = None
        self.labels = cluster(self.market.estimate.correlation, self.market.symbols).labels
        self.first = self.decide()  # compiles, which happens once in the life of an engine

    def decide(self) -> Decided:
        """Everything from the newest bar to the answer."""
        market = self.market
        market.x_usd = self.bot + self.hedge
        _, _, crowded = market.update()
        return self.strategy.decide(
            self._facts(np.nan_to_num(crowded.cluster_crowding(market.symbols))), self.choices
        )

    def decide_only(self) -> Decided:
        """Without the bar: from facts, known beforehand, to the answer."""
        return self.strategy.decide(self.facts_only(), self.choices)

    def facts_only(self) -> HedgeFacts:
        """Without crowding; put together once for each bar and each hedge."""
        facts, market = self._facts_kept, self.market
        if (
            facts is None
            or facts.timestamp_ms != market.now_ms
            or facts.hedge_usd is not self.hedge
            or facts.covariance_daily is not market.estimate.covariance_daily
        ):
            facts = self._facts_kept = self._facts(np.zeros(len(self.bot)))
        return facts

    def explain_only(self) -> object:
        """The same, and all that a record tells of it."""
        answer = self.decide_only()
        return [getattr(answer, field) for field in type(self.first).__dataclass_fields__]

    def trade(self, answer: Decided) -> None:
        """The hedges become those of the proposal."""
        assert isinstance(answer, HedgeProposal), answer
        after = {leg.symbol: leg.target_usd for leg in answer.legs}
        self.hedge = np.array([after.get(symbol, 0.0) for symbol in self.market.symbols])

    def window(self) -> FloatArray:
        return self.market.so_far[-_WINDOW:]

    def _facts(self, crowding: FloatArray) -> HedgeFacts:
        market, n = self.market, len(self.bot)
        estimate = market.estimate
        return HedgeFacts(
            timestamp_ms=market.now_ms,
            symbols=market.symbols,
            bot_usd=self.bot,
            hedge_usd=self.hedge,
            covariance_daily=estimate.covariance_daily,
            volatility_btc_daily=float(estimate.volatility_daily[0]),
            beta_btc=beta(estimate, market.symbols[0]).value,
            price_usd=np.full(n, _PRICE_USD),
            lot_usd=np.full(n, 0.1 * _PRICE_USD),
            min_trade_usd=np.full(n, 5.0),
            half_spread=np.full(n, 2e-4),
            taker_fee=np.full(n, 5e-4),
            funding_daily=np.full(n, 3e-4),
            funding_daily_se=np.full(n, 1e-4),
            adv_usd=np.array([market.adv_usd[symbol] for symbol in market.symbols]),
            crowding=crowding,
            may_hedge=self.bot == 0,
            in_sector=market.in_sector,
            cluster=self.labels,
            initial_margin_rate=np.full(n, 0.05),
            equity_usd=_EQUITY_USD,
            risk_equity_usd=_GROSS_USD,
            turnover_used_usd=0.0,
        )


def run(effort: Effort) -> Iterator[Line]:
    """18, 50 and 200 tokens."""
    for n in SIZES[:1] if effort.quick else SIZES:
        rounds = effort.rounds(15 if n < max(SIZES) else 5, 2)
        case = _Case(n, effort.rounds(120, 61) * BARS_PER_DAY, 12 * rounds + 60)
        yield from _against_solvers(case, n, rounds)
        yield from _against_peers(case, n, rounds)
        yield _standing(case, n, rounds)


def _against_solvers(case: _Case, n: int, rounds: int) -> Iterator[Line]:
    solve = captured(case.decide_only)[0]
    title = f"{n} tokens, one bar and a trade"
    before = case.market.step
    difference = _difference(case, solve)
    require_close(f"decision, {n} tokens: optimum", difference, _TOLERANCE)
    told = f"optimal values differ by {difference:.0e}"
    facts = {
        # Without what others take of a busy machine.
        "processor alone, bar and decision": _processor(case.decide, rounds),
        "processor alone, from facts on": _processor(case.decide_only, rounds),
        "processor alone, from facts on, with all that is told": _processor(
            case.explain_only, rounds
        ),
        "processor alone, Clarabel, as cvxpy writes it": _processor(solve.with_clarabel, rounds),
        "processor alone, cvxpy solving it again": _processor(solve.with_cvxpy, rounds),
        "processor alone, Clarabel, as handed over": _processor(solve.straight, rounds),
        "peers left out, not installed": ", ".join(missing_peers()) or "none",
    }
    for peer, work in (
        ("Clarabel alone, the problem as cvxpy writes it", solve.with_clarabel),
        ("cvxpy solving the same problem again", solve.with_cvxpy),
    ):
        pairs = alternate(case.decide, work, rounds, before=before)
        yield pairs.line("decision", title, peer, told, facts)
        facts = {}


def _against_peers(case: _Case, n: int, rounds: int) -> Iterator[Line]:
    def agree(_: Decided, weights: FloatArray) -> None:
        if not (len(weights) == n and abs(float(np.sum(weights)) - 1.0) < 1e-3):
            raise DisagreementError(f"decision: weights of a peer sum to {np.sum(weights)}")

    for name, work in peers(case.window()):
        pairs = alternate(case.decide, work, rounds, before=case.market.step, agree=agree)
        told = "another question: weights of least variance"
        yield pairs.line("decision", f"{n} tokens, one bar and a trade", name, told)


def _standing(case: _Case, n: int, rounds: int) -> Line:
    """No trade, where the hedges are those of the decision before."""
    case.hedge = np.zeros(n)
    solve = captured(case.decide_only)[0]
    told = "not certified: solved"
    for _ in range(_MOST_TRIES):
        case.trade(case.decide_only())
        if not captured(case.decide_only):
            told = "certified by optimality conditions"
            break
        case.market.step()
        case.hedge = np.zeros(n)
        case.decide()
    pairs = alternate(case.decide_only, solve.with_clarabel, rounds)
    return pairs.line(
        "decision",
        f"{n} tokens, no trade, from facts on",
        "Clarabel alone, the problem as cvxpy writes it",
        told,
        {
            "processor alone, from facts on": _processor(case.decide_only, rounds),
            "processor alone, with the bar": _processor(case.decide, rounds),
        },
    )


def _difference(case: _Case, solve: Solve) -> float:
    """Between the optimum that a decision found and the solver's of the whole problem."""
    answer = case.decide_only()
    assert isinstance(answer, HedgeProposal), answer
    unit = hedge_model(case.facts_only(), case.choices).unit_usd
    value = unit * solve.value_of(solve.with_clarabel())
    return abs(value - answer.objective_relaxed) / abs(value)


def _processor(work: Callable[[], object], rounds: int) -> str:
    """Median and least of the processor's own time."""
    busy = []
    for _ in range(rounds):
        start = time.thread_time()
        work()
        busy.append(time.thread_time() - start)
    return f"{1e3 * median(busy):.3g} ms, least {1e3 * min(busy):.3g}"
