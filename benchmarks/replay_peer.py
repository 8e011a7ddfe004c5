"""cvxportfolio's back-test of the policy that it can express: variance of bot and hedges together,
linear trading cost, a limit on gross."""

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.replay_market import HELD, HELD_USD, HISTORY_DAYS, WALLET_USD, bases, perpetual

COST = 0.0007
RISK_AVERSION = 20.0


@dataclass(frozen=True, slots=True)
class PeerResult:
    """What it did.

    Attributes:
        steps: periods in which its policy was solved.
        effectiveness: 1 less the ratio of variances of hourly gains, with hedges to without.
    """

    steps: int
    effectiveness: float


class PeerBacktest:
    """Everything read and ready, so that only its back-test is timed."""

    def __init__(self, data: Path, start: pd.Timestamp, hours: int) -> None:
        import cvxportfolio as cvx

        logging.getLogger("cvxportfolio").setLevel(logging.ERROR)
        bars = pd.read_parquet(data / "hourly.parquet")
        close = bars.pivot_table(index="timestamp", columns="symbol", values="close")
        # The bar that opens at an hour closes at the next one: prices are known at their close.
        close.index = close.index + pd.Timedelta(hours=1)
        self.start, self.end = start, start + pd.Timedelta(hours=hours)
        kept = close.loc[start - pd.Timedelta(days=HISTORY_DAYS) : self.end]
        returns = kept.pct_change().shift(-1).iloc[:-1]
        self._returns = returns.copy()
        returns["cash"] = 0.0
        held = [perpetual(base) for base in bases(HELD)]
        self._bot = pd.Series(0.0, index=returns.columns)
        self._bot[held] = HELD_USD / HELD / WALLET_USD
        short_of_bot = -self._bot
        short_of_bot["cash"] = 1.0 - short_of_bot.sum()
        data_ = cvx.UserProvidedMarketData(
            returns=returns, cash_key="cash", min_history=pd.Timedelta(days=14)
        )
        self._policy = cvx.SinglePeriodOptimization(
            -RISK_AVERSION * cvx.FullCovariance() - cvx.TransactionCost(a=COST),
            [cvx.LeverageLimit(1.0), cvx.MaxWeights(0.0)],  # of tokens: cash is no short
            benchmark=short_of_bot,
        )
        # A cost of its own: one object cannot serve policy and simulator.
        self._simulator = cvx.MarketSimulator(
            market_data=data_, costs=[cvx.TransactionCost(a=COST)]
        )

    def run(self) -> PeerResult:
        """The back-test, from cash."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = self._simulator.backtest(
                self._policy, start_time=self.start, end_time=self.end, initial_value=WALLET_USD
            )
        weights = found.w.iloc[:-1].drop(columns="cash")
        moved = self._returns.loc[weights.index, weights.columns]
        hedges = (weights * moved).sum(axis=1)
        alone = (self._bot.drop("cash")[weights.columns] * moved).sum(axis=1)
        share = 1.0 - np.var(alone + hedges) / np.var(alone)
        return PeerResult(len(weights), float(share))
