"""One strategy hedging one book through the whole evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bot.evaluate.books import BookPath
from bot.evaluate.decisions import Decisions
from risk.book import FloatArray
from risk.correlation.clusters import beta
from risk.covariance.estimate import CovarianceEstimate
from strategies.base import HedgeStrategy
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.proposal import HedgeProposal, NoHedge, NoHedgeReason

EQUITY_OF_GROSS = 10.0
"""Equity of the hedge account in gross of the bot: enough never to matter."""

_MARGIN_RATE = 0.1
_NOTHING = 1e-6  # of a lot: what is left of a hedge that was closed in whole lots


@dataclass(frozen=True, slots=True)
class HedgePath:
    """What one strategy did with one book.

    Attributes:
        base: (D, N) hedge after each decision, base units, signed.
        traded_usd: (D,) Σ|trade| at each decision.
        predicted_usd: (D,) standard deviation of a day's PnL of bot and hedges, as foretold by
            the strategy's own covariance after its trades.
        held: how many decisions were held because a solver failed.
    """

    base: FloatArray
    traded_usd: FloatArray
    predicted_usd: FloatArray
    held: int


def hedge_path(
    strategy: HedgeStrategy,
    choices: HedgeChoices,
    moments: Sequence[HedgeFacts],
    decisions: Decisions,
    book: BookPath,
    *,
    fixed: bool = False,
) -> HedgePath:
    """Let ``strategy`` decide with what is known each time, and hold what it asks for.

    Trades are made at the close of the last bar known. A hedge in a symbol that is eligible no
    more is closed at its last price. In between a hedge keeps its quantity; or, where weights are
    ``fixed``, comes back to the notional of its last trade before the next decision, to the
    nearest lot and free of charge, as the books do.

    Args:
        moments: (D) facts without book and hedges, from ``moments_of``.
    """
    market = decisions.market
    base = np.zeros_like(book.base)
    traded, predicted = np.zeros(len(base)), np.zeros(len(base))
    now, held = np.zeros(len(market.symbols)), 0
    decided_usd = np.zeros(len(market.symbols))
    for k, row in enumerate(decisions.rows.tolist()):
        price, here = market.close[row], decisions.eligible[k]
        if fixed:
            now = _at_notional(now, decided_usd, price, market.lot_base)
        gone = (now != 0) & ~here
        traded[k] = float(np.abs(now[gone]) @ price[gone])
        now = np.where(gone, 0.0, now)
        facts = _with_book(moments[k], book.base[k, here] * price[here], now[here] * price[here])
        answer = strategy.decide(facts, choices)
        trade_usd = _trades(answer, facts.symbols)
        now[here] += trade_usd / price[here]
        now = np.where(np.abs(now) < _NOTHING * market.lot_base, 0.0, now)
        base[k] = now
        moved = gone.copy()
        moved[here] |= trade_usd != 0
        decided_usd = np.where(moved, np.where(now == 0, 0.0, now * price), decided_usd)
        traded[k] += float(np.abs(trade_usd).sum())
        exposed = (book.base[k, here] + now[here]) * price[here]
        predicted[k] = np.sqrt(max(float(exposed @ facts.covariance_daily @ exposed), 0.0))
        held += isinstance(answer, NoHedge) and answer.reason == NoHedgeReason.SOLVER_FAILED
    return HedgePath(base, traded, predicted, held)


def _at_notional(
    base: FloatArray, wanted_usd: FloatArray, price: FloatArray, lot_base: FloatArray
) -> FloatArray:
    """(N,) base units that are worth ``wanted_usd``, in whole lots; as it was without a price."""
    kept = (base != 0) & np.isfinite(price)
    lots = np.round(np.divide(wanted_usd, price * lot_base, where=kept, out=np.zeros_like(base)))
    return np.where(kept, lots * lot_base, base)


def moments_of(
    decisions: Decisions, estimates: Sequence[CovarianceEstimate], cost_bps: float
) -> list[HedgeFacts]:
    """(D) facts of each decision without a book: what every book is told alike."""
    return [_moment(decisions, k, one, cost_bps) for k, one in enumerate(estimates)]


def _moment(
    decisions: Decisions, k: int, estimate: CovarianceEstimate, cost_bps: float
) -> HedgeFacts:
    market, row, here = decisions.market, decisions.rows[k], decisions.eligible[k]
    price = market.close[row, here]
    lot_usd = market.lot_base[here] * price
    n = len(estimate.symbols)
    btc = estimate.column(market.symbols[market.btc])
    nothing = np.zeros(n)
    return HedgeFacts(
        timestamp_ms=int(market.time_ms[row]),
        symbols=estimate.symbols,
        bot_usd=nothing,
        hedge_usd=nothing,
        covariance_daily=estimate.covariance_daily,
        volatility_btc_daily=float(estimate.volatility_daily[btc]),
        beta_btc=beta(estimate, estimate.symbols[btc]).value,
        price_usd=price,
        lot_usd=lot_usd,
        min_trade_usd=np.maximum(market.min_notional_usd[here], lot_usd),
        half_spread=nothing,
        taker_fee=np.full(n, cost_bps * 1e-4),
        funding_daily=decisions.funding_daily[k, here],
        funding_daily_se=decisions.funding_daily_se[k, here],
        adv_usd=decisions.adv_usd[k, here],
        crowding=nothing,
        may_hedge=np.ones(n, dtype=np.bool_),
        in_sector=market.in_sector[here],
        cluster=np.full(n, -1, dtype=np.int64),
        initial_margin_rate=np.full(n, _MARGIN_RATE),
        equity_usd=0.0,
        risk_equity_usd=0.0,
        turnover_used_usd=0.0,
    )


def _with_book(moment: HedgeFacts, bot_usd: FloatArray, hedge_usd: FloatArray) -> HedgeFacts:
    gross = float(np.abs(bot_usd).sum())
    may_hedge = bot_usd == 0
    return replace(
        moment,
        bot_usd=bot_usd,
        hedge_usd=hedge_usd,
        may_hedge=may_hedge,
        hands_off=frozenset(
            s for s, free in zip(moment.symbols, may_hedge.tolist(), strict=True) if not free
        ),
        equity_usd=EQUITY_OF_GROSS * gross,
        risk_equity_usd=gross,
    )


def _trades(answer: HedgeProposal | NoHedge, symbols: Sequence[str]) -> FloatArray:
    """(N,) signed USD."""
    if isinstance(answer, NoHedge):
        return np.zeros(len(symbols))
    trade = {leg.symbol: leg.trade_usd for leg in answer.trades}
    return np.array([trade.get(symbol, 0.0) for symbol in symbols])
