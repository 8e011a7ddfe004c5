"""The caps of one decision as one table: what each measures, its limit, its place in line.

Rows come in blocks, in this order: the size of each token, weighted sums of the whole book,
weighted sums of hedge sizes, what each stress takes of the account, correlation-adjusted exposure,
turnover, the size of each trade. Everything is USD.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray

_RELATIVE_TOLERANCE = 5e-10  # half of what the check of caps forgives
_TOLERANCE_USD = 1e-9
_CLEARLY = 1.0 - 1e-6


class Tier(IntEnum):
    """Who yields when not every cap can be met: the lowest first."""

    TRADE = 1
    BOOK = 2
    SIZE = 3
    LIQUIDATION = 4
    NEVER = 5


TIERS = {
    "turnover_daily_usd": Tier.TRADE,
    "adv_share": Tier.TRADE,
    "net_usd": Tier.BOOK,
    "sector_net_usd": Tier.BOOK,
    "cluster_net_usd": Tier.BOOK,
    "beta_net_usd": Tier.BOOK,
    "cae_usd": Tier.BOOK,
    "hedge_gross_usd": Tier.SIZE,
    "cluster_gross_usd": Tier.SIZE,
    "token_usd": Tier.SIZE,
    "stress_use": Tier.LIQUIDATION,
    "margin_use": Tier.NEVER,
    "bot_margin_share": Tier.NEVER,
}


@dataclass(frozen=True)
class CapTable:
    """C rows of caps over N symbols.

    Attributes:
        names: (C) which field of RiskLimits a row belongs to.
        scopes: (C) the symbol, cluster or stress of a row; empty for the whole book.
        limits: (C,) USD; infinite where no allowed hedge moves the row.
        owned: (C,) USD; the caps as their owner set them, those on trades aside.
        bot, current: (N,) the bot's positions and the hedges now.
        has_token, has_cae, has_turnover, has_trade: which of the blocks of fixed size exist.
        book_rows, book_doubt: (R, N) weights a and d ≥ 0 of the rows |aᵀx| + dᵀ|x|.
        hedge_rows: (Q, N) weights w, at least 0, of the rows wᵀ|h|.
        stress_rows, stress_margin: (J, N) weights l and (N,) m ≥ 0 of the rows lᵀy + mᵀ|y|, with y
            the hedges, or x where ``stress_shared``.
        root: (N, N) C with ‖Cx‖ the correlation-adjusted exposure.
    """

    names: tuple[str, ...]
    scopes: tuple[str, ...]
    limits: FloatArray
    owned: FloatArray
    bot: FloatArray
    current: FloatArray
    has_token: bool
    book_rows: FloatArray
    book_doubt: FloatArray
    hedge_rows: FloatArray
    stress_rows: FloatArray
    stress_margin: FloatArray
    stress_shared: bool
    root: FloatArray
    has_cae: bool
    has_turnover: bool
    has_trade: bool

    @cached_property
    def blocks(self) -> Mapping[str, slice]:
        """Where each block's rows are; an absent block has an empty slice."""
        n = len(self.bot)
        return _blocks(
            n * self.has_token,
            len(self.book_rows),
            len(self.hedge_rows),
            len(self.stress_rows),
            int(self.has_cae),
            int(self.has_turnover),
            n * self.has_trade,
        )

    @cached_property
    def has_doubt(self) -> bool:
        """Whether some row counts |x| too."""
        return bool(self.book_doubt.any())

    @property
    def tiers(self) -> NDArray[np.int64]:
        """(C,) tier of each row."""
        return _tiers(self.names)

    @property
    def on_trades(self) -> NDArray[np.bool_]:
        """(C,) whether a row limits trades."""
        return _on_trades(self.names)

    @cached_property
    def now(self) -> FloatArray:
        """(C,) what every row measures without a trade, USD."""
        now = self.values(self.current)
        now.setflags(write=False)
        return now

    @property
    def clearly_kept(self) -> bool:
        """Every cap as its owner set it holds without a trade, by more than rounding can change."""
        return bool((self.now <= _CLEARLY * self.owned).all())

    def values(self, hedge_usd: FloatArray) -> FloatArray:
        """What every row measures when the hedges are ``hedge_usd`` (..., N): (..., C), USD."""
        at, held = self.blocks, self.bot + hedge_usd
        values = np.empty((*hedge_usd.shape[:-1], len(self.names)))
        if self.has_token:
            values[..., at["token"]] = np.abs(held)
        if len(self.book_rows):
            book = np.abs(held @ self.book_rows.T)
            values[..., at["book"]] = book
            if self.has_doubt:
                values[..., at["book"]] += np.abs(held) @ self.book_doubt.T
        if len(self.hedge_rows):
            values[..., at["hedge"]] = np.abs(hedge_usd) @ self.hedge_rows.T
        if len(self.stress_rows):
            y = held if self.stress_shared else hedge_usd
            margin = (np.abs(y) @ self.stress_margin)[..., None]
            values[..., at["stress"]] = y @ self.stress_rows.T + margin
        if self.has_cae:
            adjusted = held @ self.root.T
            values[..., at["cae"].start] = np.sqrt(np.vecdot(adjusted, adjusted))
        if self.has_turnover or self.has_trade:
            trade = np.abs(hedge_usd - self.current)
            if self.has_turnover:
                values[..., at["turnover"].start] = trade.sum(axis=-1)
            if self.has_trade:
                values[..., at["trade"]] = trade
        return values

    def change(self, step_usd: FloatArray) -> FloatArray:
        """(C,) the most that each row can change when each h_i moves by at most ``step_usd``.

        |a|ᵀs and the like for weighted sums, and Σ s_i‖C_i‖ (triangle inequality) for the cone.
        """
        parts = []
        if self.has_token:
            parts.append(step_usd)
        parts.append((np.abs(self.book_rows) + self.book_doubt) @ step_usd)
        parts.append(self.hedge_rows @ step_usd)
        parts.append((np.abs(self.stress_rows) + self.stress_margin) @ step_usd)
        if self.has_cae:
            parts.append(np.atleast_1d(np.linalg.norm(self.root, axis=0) @ step_usd))
        if self.has_turnover:
            parts.append(np.atleast_1d(np.sum(step_usd)))
        if self.has_trade:
            parts.append(step_usd)
        return np.concatenate(parts)

    def by_cap(
        self, rows: FloatArray, reduce: Callable[[FloatArray], np.floating]
    ) -> dict[str, float]:
        """``rows`` (C,) gathered by cap name."""
        names = np.array(self.names)
        return {name: float(reduce(rows[names == name])) for name in dict.fromkeys(self.names)}


_BLOCKS = ("token", "book", "hedge", "stress", "cae", "turnover", "trade")


@lru_cache(maxsize=64)
def _tiers(names: tuple[str, ...]) -> NDArray[np.int64]:
    tiers = np.array([TIERS[name] for name in names], dtype=np.int64)
    tiers.setflags(write=False)
    return tiers


@lru_cache(maxsize=64)
def _on_trades(names: tuple[str, ...]) -> NDArray[np.bool_]:
    on_trades: NDArray[np.bool_] = _tiers(names) == Tier.TRADE
    on_trades.setflags(write=False)
    return on_trades


@lru_cache(maxsize=64)
def _blocks(*sizes: int) -> Mapping[str, slice]:
    ends = np.cumsum(sizes).tolist()
    parts = zip(_BLOCKS, sizes, ends, strict=True)
    return MappingProxyType({name: slice(end - size, end) for name, size, end in parts})


def excess(values: FloatArray, limits: FloatArray) -> FloatArray:
    """max(value − limit, 0) in USD, 0 within rounding of the limit; NaN where either is one."""
    over = values - limits
    # Nothing is over a limit that is infinite: −∞ is not above ∞.
    return np.where(over <= _TOLERANCE_USD + _RELATIVE_TOLERANCE * limits, 0.0, over)
