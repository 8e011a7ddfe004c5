"""From what was read to what it means: exposure, crowding, breaches, and the facts to decide on.

Pure: everything is computed from an Observation and a MarketView.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bot.measuring.bot_margin import UNKNOWN_MARGIN_RATE, bot_margin
from bot.measuring.estimation import MarketView
from bot.measuring.monitor import Observation
from bot.measuring.universe import (
    Universe,
    base_of,
    bases_of,
    excluded_from_hedging,
    of_a_bot,
)
from bot.ports import Quote
from risk.book import FloatArray, Owner
from risk.correlation.clusters import Beta, Clustering, beta
from risk.covariance.mean_ewma import CovarianceEstimate
from risk.crowding.funding import FundingDaily
from risk.crowding.report import CrowdingReport, crowding
from risk.errors import UnmeasurableError
from risk.exposure.report import ExposureReport, exposure
from risk.instrument import Instrument
from risk.liquidity import average_daily_volume_usd
from risk.quick_init import quick_init
from risk.returns import BARS_PER_DAY
from strategies.inputs import HedgeFacts

# A perpetual whose funding is not known is taken to pay the fixed interest of 0.01 % in 8 hours,
# give or take as much again.
UNKNOWN_FUNDING = FundingDaily(rate_daily=0.0003, standard_error=0.0003, substitute=True)
# A token that is held though it hardly trades, or nobody knows how much, is taken to trade next to
# nothing: a hedge in it shrinks by the venue's smallest orders. New hedges never come this far.
LEAST_VOLUME_USD = 1.0


@dataclass(frozen=True, slots=True)
class Screen:
    """Who may carry a hedge, from the config, and who must rest for a while, with the reason."""

    min_history_days: float
    min_daily_volume_usd: float
    may_order: frozenset[str]
    resting: Mapping[str, str] = field(default_factory=dict)


@quick_init
@dataclass(frozen=True, slots=True)
class Assessment:
    """Risk at one moment; every array is in the order of ``estimate.symbols``, M of them.

    Attributes:
        estimate: covariance of every symbol held and every liquid symbol of the universe.
        clusters, beta, exposure: over the same symbols; beta to the first benchmark.
        crowding: of the symbols that have funding.
        adv_usd: average daily volume by symbol, where it is known.
        excluded: why a symbol carries no new hedge, by symbol.
        facts: for the strategy: the symbols held and those that may carry a hedge; its cluster
            indices are those of ``clusters``.
        view, universe, screen: what it was made from.
    """

    estimate: CovarianceEstimate
    clusters: Clustering
    beta: Beta
    exposure: ExposureReport
    crowding: CrowdingReport
    adv_usd: Mapping[str, float]
    excluded: Mapping[str, str]
    facts: HedgeFacts
    view: MarketView
    universe: Universe
    screen: Screen


def assess(
    observation: Observation,
    view: MarketView,
    universe: Universe,
    screen: Screen,
    *,
    turnover_used_usd: float,
) -> Assessment:
    """Measure the book and gather the facts of the decision.

    Raises:
        UnmeasurableError: a held symbol or the first benchmark has no covariance estimate.
    """
    book = observation.book
    held = book.symbols()
    adv_usd = _known(view.panel.symbols, average_daily_volume_usd(view.panel))
    excluded = _excluded(observation, view, universe, screen, adv_usd)
    btc = universe.benchmarks[0]
    liquid = [
        s
        for s in universe.symbols
        if s in view.estimate.symbols and adv_usd.get(s, 0.0) >= screen.min_daily_volume_usd
    ]
    estimate = _estimate(view, sorted({*held, *liquid, btc}))
    clusters = view.cluster_memory.of(estimate)
    beta_btc = beta(estimate, btc)
    in_sector = np.array([universe.in_sector(s) for s in estimate.symbols])
    report = exposure(book.notional_usd(estimate.symbols), estimate, beta_btc, clusters, in_sector)
    crowded = crowding(
        view.funding,
        estimate,
        in_sector=_once(estimate.symbols, in_sector, view),
        now_ms=book.timestamp_ms,
        open_interest_usd=_open_interest_usd(observation.quotes),
        adv_usd=adv_usd,
        memory=view.crowding_memory,
    )
    measured = _Measured(estimate, clusters, beta_btc, crowded, adv_usd, excluded)
    candidates = {s for s in universe.symbols if s not in excluded}
    facts = _facts(
        observation,
        view,
        measured,
        universe,
        symbols=[s for s in estimate.symbols if s in candidates or s in held],
        turnover_used_usd=turnover_used_usd,
    )
    return Assessment(
        estimate,
        clusters,
        beta_btc,
        report,
        crowded,
        adv_usd,
        excluded,
        facts,
        view=view,
        universe=universe,
        screen=screen,
    )


def _once(
    symbols: Sequence[str], in_sector: NDArray[np.bool_], view: MarketView
) -> NDArray[np.bool_]:
    """The sector's tokens once each: one on another exchange is no second token of the crowd."""
    if not view.homes:
        return in_sector
    once: NDArray[np.bool_] = in_sector & [symbol not in view.homes for symbol in symbols]
    return once


@dataclass(frozen=True, slots=True)
class _Measured:
    estimate: CovarianceEstimate
    clusters: Clustering
    beta: Beta
    crowding: CrowdingReport
    adv_usd: Mapping[str, float]
    excluded: Mapping[str, str]


def _known(symbols: Sequence[str], values: FloatArray) -> dict[str, float]:
    return {s: v for s, v in zip(symbols, values.tolist(), strict=True) if not np.isnan(v)}


def _estimate(view: MarketView, symbols: Sequence[str]) -> CovarianceEstimate:
    reasons = {symbol: view.unusable[symbol] for symbol in symbols if symbol in view.unusable}
    if reasons:
        raise UnmeasurableError(reasons)
    # Thin tokens bend the mean correlation that all are shrunk towards, so not a part of the whole
    # estimate but one without them.
    return view.estimate_of(symbols)


def _excluded(
    observation: Observation,
    view: MarketView,
    universe: Universe,
    screen: Screen,
    adv_usd: Mapping[str, float],
) -> dict[str, str]:
    history_days = _known(view.estimate.symbols, view.estimate.observed_bars / BARS_PER_DAY)
    reasons = excluded_from_hedging(
        universe.symbols,
        held_by_bot=observation.of_bots,
        listed_by_bot=observation.bot_listed,
        history_days=history_days,
        min_history_days=screen.min_history_days,
        adv_usd=adv_usd,
        min_daily_volume_usd=screen.min_daily_volume_usd,
        priced=observation.quotes.keys(),
        unusable=view.unusable,
    )
    for symbol in universe.symbols:
        if symbol not in screen.may_order:
            reasons.setdefault(symbol, "not allowed by the config")
        elif symbol in screen.resting:
            reasons.setdefault(symbol, screen.resting[symbol])
    return reasons


def _facts(
    observation: Observation,
    view: MarketView,
    measured: _Measured,
    universe: Universe,
    *,
    symbols: Sequence[str],
    turnover_used_usd: float,
) -> HedgeFacts:
    book = observation.book
    estimate = measured.estimate.subset(symbols)
    columns = measured.estimate.columns(symbols)
    quotes = [observation.quotes[s] for s in symbols]
    instruments = [observation.instruments[s] for s in symbols]
    price = np.array([q.mark for q in quotes])
    btc = measured.estimate.column(measured.beta.benchmark)
    bot_usd = book.notional_usd(symbols, Owner.BOT)
    carry = [_carry(view, s, book.timestamp_ms) for s in symbols]
    margin = observation.account.margin_rate
    bases_of_bot = bases_of(observation.of_bots)
    known = set(universe.symbols)  # a bot may hold what is of no sector; nothing else is hedged in
    return HedgeFacts(
        timestamp_ms=book.timestamp_ms,
        symbols=tuple(symbols),
        bot_usd=bot_usd,
        hedge_usd=book.notional_usd(symbols, Owner.HEDGE),
        covariance_daily=estimate.covariance_daily,
        volatility_btc_daily=float(measured.estimate.volatility_daily[btc]),
        beta_btc=measured.beta.value[columns],
        price_usd=price,
        lot_usd=np.array([float(i.lot) for i in instruments]) * price,
        min_trade_usd=_min_trade_usd(instruments, price),
        half_spread=np.array([_half_spread(q) for q in quotes]),
        taker_fee=np.array([i.taker_fee for i in instruments]),
        funding_daily=np.array([c.rate_daily for c in carry]),
        funding_daily_se=np.array([c.standard_error for c in carry]),
        adv_usd=np.array([max(measured.adv_usd.get(s, 0.0), LEAST_VOLUME_USD) for s in symbols]),
        crowding=np.nan_to_num(measured.crowding.cluster_crowding(symbols)),
        may_hedge=np.array([s in known and s not in measured.excluded for s in symbols]),
        in_sector=np.array([universe.in_sector(s) for s in symbols]),
        cluster=measured.clusters.labels[columns],
        initial_margin_rate=np.array([margin.get(s, UNKNOWN_MARGIN_RATE) for s in symbols]),
        equity_usd=book.hedge_account.equity_usd,
        risk_equity_usd=float(np.abs(bot_usd).sum()),
        turnover_used_usd=turnover_used_usd,
        hands_off=frozenset(
            s for s in symbols if of_a_bot(s, bases_of_bot, observation.bot_listed)
        ),
        cluster_names=tuple(f"cluster of {base_of(name)}" for name in measured.clusters.names),
        beta_btc_se=measured.beta.standard_error[columns],
        bot_free_margin_usd=bot_margin(observation).free_usd,
        token=tokens_of(observation, symbols),
    )


def tokens_of(observation: Observation, symbols: Sequence[str]) -> NDArray[np.int64] | None:
    """(N,) a number for each token of the symbols; None where nothing is held elsewhere.

    Two contracts of the hedge venue itself are of one token as well where the aliases say so.
    """
    translation = observation.translation
    if not translation.elsewhere:
        return None
    number: dict[str, int] = {}
    named = (translation.token_of(symbol) for symbol in symbols)
    return np.array([number.setdefault(name, len(number)) for name in named], dtype=np.int64)


def _min_trade_usd(instruments: Sequence[Instrument], price: FloatArray) -> FloatArray:
    quantity = np.array([float(i.min_quantity) for i in instruments])
    notional = np.array([float(i.min_notional_usd) for i in instruments])
    smallest: FloatArray = np.maximum(notional, quantity * price)
    return smallest


def _carry(view: MarketView, symbol: str, now_ms: int) -> FundingDaily:
    series = view.funding.get(symbol)
    known = None if series is None else view.carry_memory.daily(series, now_ms)
    return known or UNKNOWN_FUNDING


def _open_interest_usd(quotes: Mapping[str, Quote]) -> dict[str, float]:
    return {
        symbol: quote.open_interest_base * quote.mark
        for symbol, quote in quotes.items()
        if quote.open_interest_base
    }


def _half_spread(quote: Quote) -> float:
    """A fraction of the price; 0 where bid and ask were read a moment apart and cross."""
    middle = (quote.ask + quote.bid) / 2
    return max(quote.ask - quote.bid, 0.0) / 2 / middle
