"""Hours of a generated market: factors, regimes, crashes, volumes, premiums and open interest.

Log return of token i in hour t:

    r = V (b_btc f_btc + b_eth f_eth + b_sec f_sec + b_sub f_sub) + W s_i e_i + drift

f and e are independent Student-t with 4 degrees of freedom, scaled to unit variance and then to
each factor's volatility. V and W are common levels of systematic and own volatility: a persistent
log-volatility, a two-state regime (calm, stressed) and a slow swing between the two parts, so that
correlation has regimes too. In a stressed regime V grows more than W: correlations rise. Crashes
push the factors down for some hours, leave the market stressed and are partly taken back.

The market lives in chunks of 30 days. A chunk depends on the seed, its number and the state at
its start, on nothing else.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.feeds.generated_universe import TokenSpec
from risk.book import FloatArray

CHUNK_HOURS = 720

FREEDOM = 4.0
BTC_VOLATILITY = 0.0044  # an hour, in a calm market
ETH_VOLATILITY = 0.0028
SECTOR_VOLATILITY = 0.0050
SUBSECTOR_VOLATILITY = 0.0022

LEVEL_MEMORY = 0.5 ** (1.0 / 72.0)  # log-volatility: half-life three days
LEVEL_SPREAD = 0.28
SWING_MEMORY = 0.5 ** (1.0 / 120.0)  # correlation swing: half-life five days
SWING_SPREAD = 0.20
ENTER_STRESS = 1.0 / (24.0 * 14.0)
LEAVE_STRESS = 1.0 / (24.0 * 2.5)
STRESS_SYSTEMATIC = 1.7
STRESS_OWN = 1.2
CRASH_EVERY = 1.0 / (24.0 * 30.0)
CRASH_HOURLY = 0.011  # mean fall of the BTC factor in a crash hour
REBOUND_SHARE = 0.35
# What a quiet hour gains, so that crashes do not pull the market down for good: crashes last
# 8.5 hours on average.
QUIET_GAIN = CRASH_EVERY * 8.5 * CRASH_HOURLY * (1.0 - REBOUND_SHARE)

PULL = math.log(2.0) / (24.0 * 180.0)  # back to the long-run price, half-life 180 days
MOMENTUM_MEMORY = 0.5 ** (1.0 / 24.0)
MOMENTUM_SCALE = math.sqrt((1.0 - MOMENTUM_MEMORY) / (1.0 + MOMENTUM_MEMORY))
PREMIUM_MEMORY = 0.5 ** (1.0 / 12.0)
INTEREST_8H = 0.0001
PIN_HALF_WIDTH = 0.0005
RATE_CAP_8H = 0.02


@dataclass
class MarketState:
    """All that the next hour needs to know of the past; N tokens.

    Attributes:
        log_price: (N,) logarithm of price.
        level: log-volatility; swing: tilt from own to systematic volatility.
        stressed: the regime; crash_hours, rebound_hours: what is left of either.
        crash_depth: fall of the BTC factor in the running or last crash, a log return.
        momentum: (N,) EWMA of standardised returns.
        crowd: (N,) persistent noise of the premium.
        log_interest: (N,) log of open interest in USD relative to usual.
    """

    log_price: FloatArray
    level: float
    swing: float
    stressed: bool
    crash_hours: int
    rebound_hours: int
    crash_depth: float
    momentum: FloatArray
    crowd: FloatArray
    log_interest: FloatArray


@dataclass(frozen=True, slots=True)
class _Hours:
    """CHUNK_HOURS x N each, of a chunk being drawn: log closes, log returns, level of own
    volatility, premium, open interest relative to usual."""

    path: FloatArray
    moves: FloatArray
    levels: FloatArray
    premium: FloatArray
    interest: FloatArray


@dataclass(frozen=True, slots=True)
class MarketChunk:
    """CHUNK_HOURS x N each: prices before rounding, USD volume, 8-hour premium, interest in USD."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume_usd: FloatArray
    premium_8h: FloatArray
    open_interest_usd: FloatArray


class MarketModel:
    """Draws the market chunk after chunk."""

    def __init__(self, seed: int, specs: Sequence[TokenSpec], listed_hour: NDArray[np.int64]):
        """``listed_hour``: (N,) hour of the tape at which each token starts."""
        self._seed = seed
        self._specs = tuple(specs)
        self._listed_hour = listed_hour
        subsectors = sorted({one.subsector for one in specs if one.subsector})
        self._loadings = np.array([self._loading(one, subsectors) for one in specs])
        self._own = np.array([one.own_volatility for one in specs])
        self._home = np.log([one.price_usd for one in specs])
        self._usual_volume = np.array([one.daily_volume_usd for one in specs]) / 24.0
        self._usual = np.sqrt((self._loadings**2).sum(axis=1) + self._own**2)
        sector = np.array([float(one.beta_sector > 0.5) for one in specs])
        self._sector_weight = sector / sector.sum()
        self._in_sector = sector

    @staticmethod
    def _loading(spec: TokenSpec, subsectors: Sequence[str]) -> list[float]:
        own = [
            spec.beta_subsector * SUBSECTOR_VOLATILITY if spec.subsector == name else 0.0
            for name in subsectors
        ]
        return [
            spec.beta_btc * BTC_VOLATILITY,
            spec.beta_eth * ETH_VOLATILITY,
            spec.beta_sector * SECTOR_VOLATILITY,
            *own,
        ]

    def first_state(self) -> MarketState:
        """Where the tape starts; prices differ from seed to seed."""
        count = len(self._specs)
        random = np.random.default_rng([self._seed, 0, 1])
        return MarketState(
            log_price=self._home + 0.25 * random.standard_normal(count),
            level=0.0,
            swing=0.0,
            stressed=False,
            crash_hours=0,
            rebound_hours=0,
            crash_depth=0.0,
            momentum=np.zeros(count),
            crowd=np.zeros(count),
            log_interest=np.zeros(count),
        )

    def chunk(self, number: int, state: MarketState) -> MarketChunk:
        """The hours of chunk ``number``; ``state`` is moved to its end."""
        random = np.random.default_rng([self._seed, number, 0])
        count, factors = self._loadings.shape
        unit = math.sqrt((FREEDOM - 2.0) / FREEDOM)
        shocks = unit * random.standard_t(FREEDOM, (CHUNK_HOURS, factors))
        own = unit * random.standard_t(FREEDOM, (CHUNK_HOURS, count))
        plain = random.standard_normal((CHUNK_HOURS, 2))
        chance = random.random((CHUNK_HOURS, 4))
        noise = random.standard_normal((CHUNK_HOURS, 3, count))
        drawn = _Hours(*(np.empty((CHUNK_HOURS, count)) for _ in range(5)))
        start = state.log_price.copy()
        for hour in range(CHUNK_HOURS):
            absolute = number * CHUNK_HOURS + hour
            systematic, private = self._levels(state, plain[hour], chance[hour], absolute)
            young = 1.0 + 0.8 * np.exp(-np.maximum(absolute - self._listed_hour, 0) / 72.0)
            push = self._push(state, chance[hour])
            move = systematic * (self._loadings @ shocks[hour]) + self._loadings[:, :3] @ push
            move += private * young * self._own * own[hour]
            move += PULL * (self._home - state.log_price)
            state.log_price = state.log_price + move
            drawn.path[hour], drawn.moves[hour] = state.log_price, move
            drawn.levels[hour] = private * young
            drawn.premium[hour] = self._premium(state, move, noise[hour, 0])
            drawn.interest[hour] = self._interest(state, noise[hour, 1])
        return self._finish(start, drawn, noise[:, 2], random)

    @staticmethod
    def _levels(
        state: MarketState, plain: FloatArray, chance: FloatArray, absolute: int
    ) -> tuple[float, float]:
        """Move the regimes one hour on; (systematic, own) volatility levels of the hour."""
        kept = math.sqrt(1.0 - LEVEL_MEMORY**2) * LEVEL_SPREAD
        state.level = LEVEL_MEMORY * state.level + kept * float(plain[0])
        kept = math.sqrt(1.0 - SWING_MEMORY**2) * SWING_SPREAD
        state.swing = SWING_MEMORY * state.swing + kept * float(plain[1])
        if state.stressed:
            state.stressed = bool(chance[0] >= LEAVE_STRESS) or state.crash_hours > 0
        else:
            state.stressed = bool(chance[0] < ENTER_STRESS)
        if state.crash_hours == 0 and state.rebound_hours == 0 and chance[1] < CRASH_EVERY:
            state.crash_hours = 5 + int(8 * chance[2])
            state.crash_depth = 0.0
            state.stressed = True
        day_wave = 1.0 + 0.22 * math.sin(2.0 * math.pi * (absolute % 24 - 9) / 24.0)
        level = day_wave * math.exp(state.level)
        systematic = level * math.exp(0.5 * state.swing)
        private = level * math.exp(-0.5 * state.swing)
        if state.stressed:
            return systematic * STRESS_SYSTEMATIC, private * STRESS_OWN
        return systematic, private

    @staticmethod
    def _push(state: MarketState, chance: FloatArray) -> FloatArray:
        """What a crash or the rebound after it adds to the BTC, ETH and sector factors, in units
        of their volatility."""
        fall = QUIET_GAIN
        if state.crash_hours > 0:
            fall = -CRASH_HOURLY * (0.4 + 1.2 * float(chance[3]))
            state.crash_depth += fall
            state.crash_hours -= 1
            state.rebound_hours = 18 if state.crash_hours == 0 else 0
        elif state.rebound_hours > 0:
            fall = -REBOUND_SHARE * state.crash_depth / 18.0
            state.rebound_hours -= 1
        parts = (fall / BTC_VOLATILITY, 0.3 * fall / ETH_VOLATILITY, 0.8 * fall / SECTOR_VOLATILITY)
        return np.array(parts, dtype=np.float64)

    def _premium(self, state: MarketState, move: FloatArray, noise: FloatArray) -> FloatArray:
        """Premium of the perpetual over its index, per 8 hours: buyers crowd in after gains, into
        a token and into the whole sector."""
        fresh = np.clip(move / self._usual, -6.0, 6.0)
        state.momentum = MOMENTUM_MEMORY * state.momentum + (1.0 - MOMENTUM_MEMORY) * fresh
        state.crowd = PREMIUM_MEMORY * state.crowd + math.sqrt(1.0 - PREMIUM_MEMORY**2) * noise
        own = state.momentum / MOMENTUM_SCALE
        together = self._in_sector * float(self._sector_weight @ own)
        crowding = 0.5 * own + 0.5 * together + 0.5 * state.crowd
        return np.asarray(INTEREST_8H + 0.00035 * crowding, dtype=np.float64)

    @staticmethod
    def _interest(state: MarketState, noise: FloatArray) -> FloatArray:
        """Open interest in USD relative to usual; it grows with crowding on either side."""
        aim = 0.25 * np.abs(state.momentum) / MOMENTUM_SCALE
        state.log_interest = state.log_interest + 0.02 * (aim - state.log_interest) + 0.01 * noise
        return np.asarray(np.exp(state.log_interest), dtype=np.float64)

    def _finish(
        self, start: FloatArray, drawn: _Hours, noise: FloatArray, random: np.random.Generator
    ) -> MarketChunk:
        """Bars around the path of closes, and volumes that grow with the size of the move."""
        before = np.vstack([start, drawn.path[:-1]])
        reach = np.abs(random.standard_normal((2, *before.shape)))
        wick = 0.45 * drawn.levels * self._usual * reach
        size = np.minimum(np.abs(drawn.moves) / self._usual, 8.0)
        # 0.79: the mean of |r| over sigma in a calm hour, so that a usual day trades its volume.
        busy = np.exp(np.minimum(0.45 * (size - 0.79), 2.2) + 0.35 * noise - 0.06)
        return MarketChunk(
            open=np.exp(before),
            high=np.exp(np.maximum(before, drawn.path) + wick[0]),
            low=np.exp(np.minimum(before, drawn.path) - wick[1]),
            close=np.exp(drawn.path),
            volume_usd=self._usual_volume * np.sqrt(drawn.levels) * busy,
            premium_8h=drawn.premium,
            open_interest_usd=0.35 * 24.0 * self._usual_volume * drawn.interest,
        )


def funding_rate(premium_8h: FloatArray, interval_hours: float) -> FloatArray:
    """Rate of one interval from the average 8-hour premium, as Binance settles it.

    premium + clamp(interest - premium, +-0.05 %), capped, times interval / 8: a calm market is
    pinned at the interest rate of 0.01 % per 8 hours.
    """
    pull = np.clip(INTEREST_8H - premium_8h, -PIN_HALF_WIDTH, PIN_HALF_WIDTH)
    rate = np.clip(premium_8h + pull, -RATE_CAP_8H, RATE_CAP_8H)
    return np.asarray(np.round(rate * interval_hours / 8.0, 8))
