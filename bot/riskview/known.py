"""How well the tokens of the book are known. Pure."""

from dataclasses import dataclass

import numpy as np

from bot.measuring.assessment import Assessment
from risk.book import FloatArray
from risk.correlation.report import LONG_DAYS
from risk.exposure.beta_error import beta_errors
from risk.exposure.uncertainty import (
    Uncertainty,
    pooled_kurtosis,
    uncertainty,
    volatility_error_daily,
)
from risk.returns import BARS_PER_DAY, BarPanel, log_returns


@dataclass(frozen=True, slots=True)
class Known:
    """What the figures of the book rest on, M tokens of the estimate.

    Attributes:
        errors: standard errors of the book's figures.
        kurtosis: of the hourly returns of 30 days, the median of the tokens.
        volatility_error_daily: (M,) of each token's volatility.
        beta_error: (M,) of each token's beta to BTC, as hedge and caps have it.
        beta_net_error_usd: of the book's.
        short_history: (M,) True for tokens younger than what a hedge needs.
    """

    errors: Uncertainty
    beta_error: FloatArray
    beta_net_error_usd: float
    kurtosis: float
    volatility_error_daily: FloatArray
    short_history: tuple[bool, ...]


def known(assessment: Assessment, clean: BarPanel) -> Known:
    """From bars without faults that end now."""
    estimate = assessment.estimate
    there = clean.subset([s for s in estimate.symbols if s in clean.symbols])
    returns = log_returns(there)[-LONG_DAYS * BARS_PER_DAY :]
    kurtosis = max(pooled_kurtosis(returns), 1.0)
    x, benchmark = assessment.exposure.position_usd, assessment.beta.benchmark
    betas = beta_errors(_behind(clean, assessment), estimate, benchmark)
    young = estimate.observed_bars < assessment.screen.min_history_days * BARS_PER_DAY
    return Known(
        errors=uncertainty(x, estimate, benchmark, kurtosis),
        beta_error=betas.of_tokens(),
        beta_net_error_usd=betas.of_net(x),
        kurtosis=kurtosis,
        volatility_error_daily=volatility_error_daily(estimate, kurtosis),
        short_history=tuple(bool(one) for one in np.atleast_1d(young)),
    )


def _behind(clean: BarPanel, assessment: Assessment) -> FloatArray:
    """(T, M) returns that the estimate rests on; NaN for a token without usable bars."""
    estimate = assessment.estimate
    there = [s for s in estimate.symbols if s in clean.symbols]
    bars = int(estimate.observed_bars.max())
    returns = log_returns(clean.subset(there))[-bars:]
    placed = np.full((len(returns), len(estimate.symbols)), np.nan)
    placed[:, [estimate.column(s) for s in there]] = returns
    return placed
