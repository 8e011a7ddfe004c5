"""Settled funding: what one symbol paid, in units that can be compared and at its own times."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.errors import DataError
from risk.returns import HOUR_MS, utc

HOURS_PER_YEAR = 8760.0
NEUTRAL_ANNUAL = 0.1095
"""Where funding rests: 0.01 % for 8 hours, the venues' fixed interest, is 10.95 % a year."""

PINNED_TOLERANCE = 5e-9
"""Rates are told to eight decimals; half of the last one is rounding."""

CARRY_HALF_LIFE_HOURS = 48.0
"""Of half-lives from 4 hours to 20 days, 24 to 72 hours foretold the next five days best."""

MAX_AGE_HOURS = 24.0
_MIN_PAYMENTS = 3


@dataclass(frozen=True, slots=True)
class FundingSeries:
    """Settled funding payments of one symbol, oldest first; K payments.

    Attributes:
        symbol: unified symbol of the instrument that it is used for.
        time_ms: (K,) payment times, UTC milliseconds, strictly increasing.
        rate: (K,) fraction of notional per interval, positive: longs pay shorts.
        interval_hours: (K,) length of the interval that each payment settles.
        substitute: taken from another venue, or the pinned base rate, for want of its own.
        premium: (K,) mean premium of mark over index in each interval, a fraction on the 8-hour
            basis whatever the interval, NaN where unknown; None where none is known.

    Raises:
        DataError: lengths differ, times do not increase, a rate is not finite, or an interval is
            not above 0.
    """

    symbol: str
    time_ms: NDArray[np.int64]
    rate: FloatArray
    interval_hours: FloatArray
    substitute: bool = False
    premium: FloatArray | None = None

    def __post_init__(self) -> None:
        shape = np.shape(self.time_ms)
        if (
            len(shape) != 1
            or np.shape(self.rate) != shape
            or np.shape(self.interval_hours) != shape
            or (self.premium is not None and np.shape(self.premium) != shape)
        ):
            raise DataError(f"{self.symbol}: funding times, rates and intervals differ in length")
        late = np.flatnonzero(np.diff(self.time_ms) <= 0)
        if len(late):
            raise DataError(
                f"{self.symbol}: funding times must increase, at {utc(self.time_ms[late[0] + 1])}"
            )
        wrong = ~np.isfinite(self.rate) | ~(self.interval_hours > 0) | np.isinf(self.interval_hours)
        if wrong.any():
            i = int(np.argmax(wrong))
            raise DataError(
                f"{self.symbol}: funding rate {self.rate[i]} for {self.interval_hours[i]} hours "
                f"at {utc(self.time_ms[i])}"
            )
        if self.premium is not None and np.isinf(self.premium).any():
            i = int(np.argmax(np.isinf(self.premium)))
            raise DataError(f"{self.symbol}: premium at {utc(self.time_ms[i])} is infinite")

    def until(self, now_ms: int) -> "FundingSeries":
        """Only the payments settled by ``now_ms``."""
        return self.part(slice(0, int(self.time_ms.searchsorted(now_ms, side="right"))))

    def since(self, start_ms: int) -> "FundingSeries":
        """Only the payments settled at ``start_ms`` or later."""
        return self.part(slice(int(self.time_ms.searchsorted(start_ms)), None))

    def between(self, start_ms: int, now_ms: int) -> slice:
        """Where the payments settled from ``start_ms`` to ``now_ms`` stand, both included."""
        first, end = self.time_ms.searchsorted((start_ms, now_ms + 1)).tolist()
        return slice(first, end)

    def part(self, part: slice) -> "FundingSeries":
        """Only these payments."""
        return self._made(
            self.time_ms[part],
            self.rate[part],
            self.interval_hours[part],
            None if self.premium is None else self.premium[part],
            substitute=self.substitute,
        )

    def then(self, later: "FundingSeries") -> "FundingSeries":
        """This one, followed by later payments of the same symbol; NaN for premiums not known.

        Raises:
            DataError: they are not later.
        """
        old_ms, new_ms = self.time_ms, later.time_ms
        if len(old_ms) and len(new_ms) and new_ms[0] <= old_ms[-1]:
            raise DataError(f"{self.symbol}: funding times must increase, at {utc(new_ms[0])}")
        premium = None
        if self.premium is not None or later.premium is not None:
            premium = np.concatenate([_premiums(self), _premiums(later)])
        return self._made(
            np.concatenate([old_ms, new_ms]),
            np.concatenate([self.rate, later.rate]),
            np.concatenate([self.interval_hours, later.interval_hours]),
            premium,
            substitute=self.substitute or later.substitute,
        )

    def _made(
        self,
        time_ms: NDArray[np.int64],
        rate: FloatArray,
        interval_hours: FloatArray,
        premium: FloatArray | None,
        *,
        substitute: bool,
    ) -> "FundingSeries":
        # Of what was checked, which needs no check: that would take ten times as long.
        made = object.__new__(FundingSeries)
        object.__setattr__(made, "symbol", self.symbol)
        object.__setattr__(made, "time_ms", time_ms)
        object.__setattr__(made, "rate", rate)
        object.__setattr__(made, "interval_hours", interval_hours)
        object.__setattr__(made, "substitute", substitute)
        object.__setattr__(made, "premium", premium)
        return made


def _premiums(series: FundingSeries) -> FloatArray:
    if series.premium is None:
        return np.full(len(series.time_ms), np.nan)
    return series.premium


@dataclass(frozen=True, slots=True)
class FundingDaily:
    """What longs are expected to pay a day.

    Attributes:
        rate_daily: a fraction of notional a day; positive: longs pay, shorts receive.
        standard_error: of ``rate_daily``.
        substitute: from another venue or the pinned base rate.
    """

    rate_daily: float
    standard_error: float
    substitute: bool


def funding_annual(series: FundingSeries) -> FloatArray:
    """F = 8760 r / Δ, each payment as a simple yearly rate over its own interval, shape (K,)."""
    return annual_rate(series.rate, series.interval_hours)


def annual_rate(rate: FloatArray, interval_hours: FloatArray) -> FloatArray:
    """8760 r / Δ of rates (..., K) with intervals (K,)."""
    annual: FloatArray = HOURS_PER_YEAR * rate / interval_hours
    return annual


def is_pinned(series: FundingSeries) -> NDArray[np.bool_]:
    """Payments at exactly the fixed interest, which tell nothing about demand, shape (K,).

    Venues clamp the rate to the interest while |interest - premium| <= 0.05 %.
    """
    return at_interest(series.rate, series.interval_hours)


def at_interest(rate: FloatArray, interval_hours: FloatArray) -> NDArray[np.bool_]:
    """As ``is_pinned`` for rates (..., K) with intervals (K,)."""
    interest = NEUTRAL_ANNUAL * interval_hours / HOURS_PER_YEAR
    return np.asarray(np.abs(rate - interest) <= PINNED_TOLERANCE)


def excess_annual(series: FundingSeries) -> FloatArray:
    """f = F - 10.95 %, exactly 0 where pinned, shape (K,). Above 0: longs crowd."""
    return np.where(is_pinned(series), 0.0, funding_annual(series) - NEUTRAL_ANNUAL)


def time_weights(series: FundingSeries, half_life_hours: float) -> FloatArray:
    """Weights of the payments in an EWMA over time, summing to 1, shape (K,); K at least 1.

    A payment stands for the interval before it, so its weight is the integral of 2^(-age / H)
    over that interval: eight hourly payments weigh as much as the one that settles eight hours,
    and a change of interval does not bend the average.
    Ages are counted from the last payment: from any later moment the weights would be the same.
    """
    age_hours = (series.time_ms[-1] - series.time_ms) / HOUR_MS
    weights = 2.0 ** (-age_hours / half_life_hours)
    weights *= 1.0 - 2.0 ** (-series.interval_hours / half_life_hours)
    total: FloatArray = weights / weights.sum()
    return total


def staleness(series: FundingSeries, now_ms: int, max_age_hours: float) -> str | None:
    """Why the last payment is too old to speak for ``now_ms``; None where it is not."""
    if not len(series.time_ms):
        return "no funding payment yet"
    age_hours = (now_ms - int(series.time_ms[-1])) / HOUR_MS
    if age_hours > max_age_hours:
        return f"last funding payment {utc(series.time_ms[-1])} is {age_hours:.0f} hours old"
    return None


def funding_daily(
    series: FundingSeries | None,
    now_ms: int,
    half_life_hours: float = CARRY_HALF_LIFE_HOURS,
    max_age_hours: float = MAX_AGE_HOURS,
) -> FundingDaily | None:
    """What longs pay a day: the EWMA over time of r · 24 / Δ, with its standard error.

    Only payments settled by ``now_ms`` are read. The error is the weighted standard deviation of
    the payments about that mean, not divided by a count: what matters is how far the next days may
    depart from the rate, and funding is sticky. (Measured on 20 series: the mean of the next five
    days departed, root mean square, by 0.5 to 0.9 of it; the error of the mean alone is two to
    three times too small.)

    Returns None, which is not zero, without a series, with fewer than three payments, or when the
    last one is older than ``max_age_hours``.
    """
    if series is None:
        return None
    series = series.until(now_ms)
    if staleness(series, now_ms, max_age_hours) or len(series.time_ms) < _MIN_PAYMENTS:
        return None
    return _daily(series, time_weights(series, half_life_hours))


def _daily(series: FundingSeries, weights: FloatArray) -> FundingDaily:
    daily = series.rate * 24.0 / series.interval_hours
    mean = float(weights @ daily)
    error = float(np.sqrt(weights @ (daily - mean) ** 2))
    return FundingDaily(mean, error, series.substitute)


class CarryMemory:
    """What each token's payments cost a day, to be told again until there is another payment.

    It holds for the same series object, from its last payment on: the weights count ages from
    there, so ``funding_daily`` at any later moment is the same until it is too old.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._told: dict[str, tuple[FundingSeries, FundingDaily | None]] = {}
        self._weighed: tuple[FundingSeries, FloatArray] | None = None

    def daily(self, series: FundingSeries, now_ms: int) -> FundingDaily | None:
        """As ``funding_daily`` with its own half-life and age."""
        if not len(series.time_ms) or now_ms < int(series.time_ms[-1]):
            return funding_daily(series, now_ms)
        if staleness(series, now_ms, MAX_AGE_HOURS) is not None:
            return None
        told = self._told.get(series.symbol)
        if told is None or told[0] is not series:
            few = len(series.time_ms) < _MIN_PAYMENTS
            daily = None if few else _daily(series, self._weights(series))
            told = self._told[series.symbol] = series, daily
        return told[1]

    def _weights(self, series: FundingSeries) -> FloatArray:
        """Those of the series before, where it was paid at the same times, as most tokens are."""
        known = self._weighed
        if (
            known is None
            or not np.array_equal(known[0].time_ms, series.time_ms)
            or not np.array_equal(known[0].interval_hours, series.interval_hours)
        ):
            weights = time_weights(series, CARRY_HALF_LIFE_HOURS)
            known = self._weighed = series, weights
        return known[1]
