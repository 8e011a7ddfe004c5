"""The caps of one decision as one table: what each measures, its limit, its place in line.

Rows come in blocks, in this order: the size of each token, weighted sums of the whole book,
weighted sums of hedge sizes, what each stress takes of the account, correlation-adjusted exposure,
turnover, the size of each trade. Everything is USD.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from strategies.inputs import HedgeChoices, HedgeFacts

_RELATIVE_TOLERANCE = 5e-10  # half of what the check of caps forgives
_TOLERANCE_USD = 1e-9


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
}


@dataclass(frozen=True, slots=True)
class CapTable:
    """C rows of caps over N symbols.

    Attributes:
        names: (C) which field of RiskLimits a row belongs to.
        scopes: (C) the symbol, cluster or stress of a row; empty for the whole book.
        limits: (C,) USD; infinite where no allowed hedge moves the row.
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

    @property
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

    @property
    def tiers(self) -> NDArray[np.int64]:
        """(C,) tier of each row."""
        return _tiers(self.names)

    def values(self, hedge_usd: FloatArray) -> FloatArray:
        """What every row measures when the hedges are ``hedge_usd`` (..., N): (..., C), USD."""
        held = self.bot + hedge_usd
        trade = np.abs(hedge_usd - self.current)
        parts = []
        if self.has_token:
            parts.append(np.abs(held))
        parts.append(np.abs(held @ self.book_rows.T) + np.abs(held) @ self.book_doubt.T)
        parts.append(np.abs(hedge_usd) @ self.hedge_rows.T)
        if len(self.stress_rows):
            y = held if self.stress_shared else hedge_usd
            parts.append(y @ self.stress_rows.T + (np.abs(y) @ self.stress_margin)[..., None])
        if self.has_cae:
            parts.append(np.linalg.norm(held @ self.root.T, axis=-1, keepdims=True))
        if self.has_turnover:
            parts.append(np.sum(trade, axis=-1, keepdims=True))
        if self.has_trade:
            parts.append(trade)
        return np.concatenate(parts, axis=-1)

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
def _blocks(*sizes: int) -> Mapping[str, slice]:
    ends = np.cumsum(sizes).tolist()
    parts = zip(_BLOCKS, sizes, ends, strict=True)
    return MappingProxyType({name: slice(end - size, end) for name, size, end in parts})


def excess(values: FloatArray, limits: FloatArray) -> FloatArray:
    """max(value − limit, 0) in USD, 0 within rounding of the limit; shapes broadcast."""
    over = values - limits
    forgiven = _TOLERANCE_USD + _RELATIVE_TOLERANCE * np.where(np.isfinite(limits), limits, 0.0)
    return np.where(over > forgiven, over, 0.0)


def cap_table(
    facts: HedgeFacts,
    choices: HedgeChoices,
    root: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
) -> CapTable:
    """The caps that are set, over hedges within ``lower`` and ``upper`` (N,).

    A row that no allowed hedge can move gets an infinite limit: it is the bot's own matter. A
    token cap that cannot be met by hedges of the allowed signs is widened to what can.
    """
    limits, n = choices.limits, len(facts.symbols)
    movable = upper > lower
    book = _book_rows(facts, choices)
    gross = _hedge_rows(facts, choices)
    stress = facts.stress if limits.stress_use is not None else None
    names: list[str] = []
    scopes: list[str] = []
    values: list[FloatArray] = []

    def add(cap: str, row_limits: FloatArray, row_scopes: Sequence[str] = ("",)) -> None:
        names.extend([cap] * len(row_limits))
        scopes.extend(row_scopes)
        values.append(row_limits)

    if limits.token_usd is not None:
        tokens = _token_limits(limits.token_usd, facts.bot_usd, lower, upper)
        add("token_usd", tokens, facts.symbols)
    for cap, scope, weights, limit in book + gross:
        add(cap, np.array([limit if np.any(weights[movable]) else np.inf]), [scope])
    if stress is not None and limits.stress_use is not None:
        most = limits.stress_use * max(facts.equity_usd, 0.0) if np.any(movable) else np.inf
        add("stress_use", np.full(len(stress.names), most), stress.names)
    if limits.cae_usd is not None:
        add("cae_usd", np.array([limits.cae_usd if np.any(movable) else np.inf]))
    if limits.turnover_daily_usd is not None:
        left = max(limits.turnover_daily_usd - facts.turnover_used_usd, 0.0)
        add("turnover_daily_usd", np.array([left]))
    if limits.adv_share is not None:
        add("adv_share", limits.adv_share * facts.adv_usd, facts.symbols)
    return CapTable(
        names=tuple(names),
        scopes=tuple(scopes),
        limits=np.concatenate([*values, np.zeros(0)]),
        bot=facts.bot_usd,
        current=facts.hedge_usd,
        has_token=limits.token_usd is not None,
        book_rows=np.array([w for _, _, w, _ in book]).reshape(len(book), n),
        book_doubt=_book_doubt(facts, choices, [cap for cap, _, _, _ in book]),
        hedge_rows=np.array([w for _, _, w, _ in gross]).reshape(len(gross), n),
        stress_rows=np.empty((0, n)) if stress is None else -stress.returns,
        stress_margin=np.zeros(n) if stress is None else stress.margin_rate,
        stress_shared=stress is not None and stress.shared,
        root=root,
        has_cae=limits.cae_usd is not None,
        has_turnover=limits.turnover_daily_usd is not None,
        has_trade=limits.adv_share is not None,
    )


_Row = tuple[str, str, FloatArray, float]


def _book_rows(facts: HedgeFacts, choices: HedgeChoices) -> list[_Row]:
    limits, rows = choices.limits, list[_Row]()
    if limits.net_usd is not None:
        rows.append(("net_usd", "", np.ones(len(facts.symbols)), limits.net_usd))
    if limits.sector_net_usd is not None:
        rows.append(("sector_net_usd", "", facts.in_sector.astype(float), limits.sector_net_usd))
    if limits.cluster_net_usd is not None:
        cap = limits.cluster_net_usd
        rows += [("cluster_net_usd", name, w, cap) for name, w in _cluster_rows(facts)]
    if limits.beta_net_usd is not None:
        rows.append(("beta_net_usd", "", facts.beta_btc, limits.beta_net_usd))
    return rows


def _hedge_rows(facts: HedgeFacts, choices: HedgeChoices) -> list[_Row]:
    limits, rows = choices.limits, list[_Row]()
    if limits.hedge_gross_usd is not None:
        rows.append(("hedge_gross_usd", "", np.ones(len(facts.symbols)), limits.hedge_gross_usd))
    if limits.cluster_gross_usd is not None:
        cap = limits.cluster_gross_usd
        rows += [("cluster_gross_usd", name, w, cap) for name, w in _cluster_rows(facts)]
    if limits.margin_use is not None:
        margin = limits.margin_use * max(facts.equity_usd, 0.0)
        rows.append(("margin_use", "", facts.initial_margin_rate, margin))
    return rows


def _book_doubt(facts: HedgeFacts, choices: HedgeChoices, caps: Sequence[str]) -> FloatArray:
    doubt = choices.beta_doubt(facts)
    rows = np.zeros((len(caps), len(facts.symbols)))
    if doubt is not None:
        rows[[cap == "beta_net_usd" for cap in caps]] = doubt
    return rows


def _cluster_rows(facts: HedgeFacts) -> list[tuple[str, FloatArray]]:
    present = np.unique(facts.cluster[facts.cluster >= 0])
    names = facts.cluster_names
    return [
        (names[k] if k < len(names) else f"cluster {k}", (facts.cluster == k).astype(float))
        for k in present.tolist()
    ]


def _token_limits(cap: float, bot: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray:
    nearest_to_zero = np.clip(0.0, bot + lower, bot + upper)
    return np.where(upper > lower, np.maximum(cap, np.abs(nearest_to_zero)), np.inf)
