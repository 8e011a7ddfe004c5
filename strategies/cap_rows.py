"""The rows of one decision's caps: which there are, their weights and limits."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.limits.tokens import shared_tokens
from strategies.caps import CapTable
from strategies.inputs import HedgeChoices, HedgeFacts

_Row = tuple[str, str, FloatArray, float]
"""Cap, scope, weights (N,) and limit in USD."""


class _Rows:
    """Caps on weighted sums, R of them: their caps, scopes and weights (R, N), and (R, N) what
    sizes add to them in doubt."""

    def __init__(self, n: int, rows: Sequence[_Row], doubt: FloatArray | None = None) -> None:
        self.caps = [row[0] for row in rows]
        self.scopes = [row[1] for row in rows]
        self.weights: FloatArray = np.array([row[2] for row in rows]).reshape(len(rows), n)
        self._limits = [row[3] for row in rows]
        self.doubt: FloatArray = np.zeros((len(rows), n))
        if doubt is not None:
            self.doubt[[cap == "beta_net_usd" for cap in self.caps]] = doubt

    def told(self, movable: NDArray[np.bool_]) -> Iterator[tuple[str, str, float, bool]]:
        """Cap, scope and limit in USD of each row, and whether something movable has a weight."""
        # A beta of 0 that is not sure to be 0 moves its cap all the same.
        moved = (((self.weights != 0) | (self.doubt != 0)) & movable).any(axis=1).tolist()
        return zip(self.caps, self.scopes, self._limits, moved, strict=True)


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
    any_moves = bool(movable.any())
    book = _Rows(n, _book_rows(facts, choices), choices.beta_doubt(facts))
    gross = _Rows(n, _hedge_rows(facts, choices))
    stress = facts.stress if limits.stress_use is not None else None
    names: list[str] = []
    scopes: list[str] = []
    values: list[float] = []
    owned: list[float] = []

    def add(cap: str, limit: float, row_limits: list[float], row_scopes: Sequence[str]) -> None:
        names.extend([cap] * len(row_limits))
        scopes.extend(row_scopes)
        values.extend(row_limits)
        owned.extend([limit] * len(row_limits))

    shared = shared_tokens(facts.symbols, facts.token) if limits.token_usd is not None else []
    if limits.token_usd is not None:
        tokens = _token_limits(limits.token_usd, facts.bot_usd, lower, upper)
        owns = np.full(len(tokens), limits.token_usd)
        for _, members in shared:  # counted together, by a row of their own below
            tokens[members] = owns[members] = math.inf
        add("token_usd", limits.token_usd, tokens.tolist(), facts.symbols)
        owned[:] = owns.tolist()
    for rows in (book, gross):
        for cap, scope, limit, moves in rows.told(movable):
            add(cap, limit, [limit if moves else math.inf], [scope])
    for row, (_, members) in enumerate(shared):  # the first of the book's rows
        bot_usd = np.array([facts.bot_usd[members].sum()])
        low, high = (np.array([bound[members].sum()]) for bound in (lower, upper))
        values[len(facts.symbols) + row] = float(
            _token_limits(limits.token_usd or 0.0, bot_usd, low, high)[0]
        )
    if stress is not None and limits.stress_use is not None:
        most = limits.stress_use * max(facts.equity_usd, 0.0)
        add("stress_use", most, [most if any_moves else math.inf] * len(stress.names), stress.names)
    if limits.cae_usd is not None:
        add("cae_usd", limits.cae_usd, [limits.cae_usd if any_moves else math.inf], [""])
    if limits.turnover_daily_usd is not None:
        left = max(limits.turnover_daily_usd - facts.turnover_used_usd, 0.0)
        add("turnover_daily_usd", left, [left], [""])
    if limits.adv_share is not None:
        add("adv_share", 0.0, (limits.adv_share * facts.adv_usd).tolist(), facts.symbols)
    return CapTable(
        names=tuple(names),
        scopes=tuple(scopes),
        limits=np.array(values),
        owned=np.array(owned),
        bot=facts.bot_usd,
        current=facts.hedge_usd,
        has_token=limits.token_usd is not None,
        book_rows=book.weights,
        book_doubt=book.doubt,
        hedge_rows=gross.weights,
        stress_rows=np.empty((0, n)) if stress is None else -stress.returns,
        stress_margin=np.zeros(n) if stress is None else stress.margin_rate,
        stress_shared=stress is not None and stress.shared,
        root=root,
        has_cae=limits.cae_usd is not None,
        has_turnover=limits.turnover_daily_usd is not None,
        has_trade=limits.adv_share is not None,
    )


def _book_rows(facts: HedgeFacts, choices: HedgeChoices) -> list[_Row]:
    limits, rows = choices.limits, list[_Row]()
    if limits.token_usd is not None:
        for name, members in shared_tokens(facts.symbols, facts.token):
            weights = np.zeros(len(facts.symbols))
            weights[members] = 1.0
            rows.append(("token_usd", name, weights, limits.token_usd))
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
    if limits.bot_margin_share is not None and facts.bot_free_margin_usd is not None:
        margin = limits.bot_margin_share * max(facts.bot_free_margin_usd, 0.0)
        rows.append(("bot_margin_share", "", facts.initial_margin_rate, margin))
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
