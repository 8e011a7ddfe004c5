"""The book that entries are judged against, made from a look. Pure."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bot.elsewhere import is_elsewhere
from bot.measuring.assessment import tokens_of
from bot.measuring.bot_margin import bot_margin
from bot.records.ending import Look
from risk.book import Book, FloatArray, Owner
from risk.correlation.clusters import beta
from risk.covariance.mean_ewma import CovarianceEstimate
from risk.limits.stresses import AccountStress
from strategies.entry_check import BotHolding, EntryBook
from strategies.inputs import HedgeFacts


def entry_book(look: Look) -> EntryBook:
    """Everything that has an estimate, not only what is held or liquid: a bot may enter any of it.

    What the look measured is taken from it, so that figures are those of the cycle. For a token
    that it did not look at, too thin to hedge with for instance, the token that it moves with
    most stands in: its cluster, and its losses in stresses times the ratio of volatilities.
    """
    assessment, choices, book = look.assessment, look.choices, look.observation.book
    facts = assessment.facts
    whole = assessment.view.estimate_of(assessment.view.estimate.symbols)
    measured = assessment.estimate
    symbols = (*measured.symbols, *(s for s in whole.symbols if s not in measured.symbols))
    covariance = _covariance(symbols, whole, measured)
    kin = _Kin.of(covariance, len(measured.symbols))
    btc = assessment.beta.benchmark
    betas = beta(whole, btc)
    others = whole.columns(symbols[len(measured.symbols) :])
    error = np.concatenate([assessment.beta.standard_error, betas.standard_error[others]])
    margin = bot_margin(look.observation)
    return EntryBook(
        timestamp_ms=book.timestamp_ms,
        symbols=symbols,
        bot_usd=book.notional_usd(symbols, Owner.BOT),
        hedge_usd=book.notional_usd(symbols, Owner.HEDGE),
        covariance_daily=covariance,
        volatility_btc_daily=facts.volatility_btc_daily,
        beta_btc=np.concatenate([assessment.beta.value, betas.value[others]]),
        in_sector=np.array([assessment.universe.in_sector(s) for s in symbols]),
        cluster=assessment.clusters.labels[kin.nearest],
        cluster_names=facts.cluster_names,
        crowding=assessment.crowding.cluster_crowding(symbols),
        limits=choices.limits,
        equity_usd=facts.equity_usd,
        beta_doubt=choices.beta_uncertainty * error if choices.beta_uncertainty else None,
        stress=_stress(facts, symbols, covariance),
        names=_names(look, symbols),
        token=tokens_of(look.observation, symbols),
        holdings=_holdings(look.observation.book),
        hedge_margin_usd=margin.hedges_usd,
        bot_free_usd=margin.free_usd,
    )


def _holdings(book: Book) -> dict[tuple[str, str], BotHolding]:
    """Of each bot; the two sides of hedge mode are netted."""
    held: dict[tuple[str, str], BotHolding] = {}
    for one in book.of(Owner.BOT):
        if one.base_quantity:
            before = held.get((one.source, one.symbol))
            base = one.base_quantity + (0.0 if before is None else before.base)
            held[one.source, one.symbol] = BotHolding(base, one.mark_price)
    return held


def _names(look: Look, symbols: tuple[str, ...]) -> dict[tuple[str, str], str]:
    """What each bot calls what is measured."""
    measured = frozenset(symbols)
    return {
        (source, name): symbol
        for source, names in look.observation.translation.names.items()
        for name, symbol in names.items()
        if symbol in measured or (not symbol and name in measured)
    }


@dataclass(frozen=True, slots=True)
class _Kin:
    """The measured token that each token moves with most; itself where it is measured.

    Attributes:
        nearest: (N,) indices among the measured.
        scale: (N,) volatility of each token for one of its nearest.
    """

    nearest: NDArray[np.int64]
    scale: FloatArray

    @classmethod
    def of(cls, covariance: FloatArray, measured: int) -> "_Kin":
        deviation = np.sqrt(np.diag(covariance))
        correlation = covariance / np.outer(deviation, deviation)
        nearest = np.argmax(correlation[:, :measured], axis=1)
        nearest[:measured] = np.arange(measured)
        return cls(nearest, deviation / deviation[nearest])


def _covariance(
    symbols: tuple[str, ...], whole: CovarianceEstimate, measured: CovarianceEstimate
) -> FloatArray:
    """All tokens', with those of the look as the look has them: thin ones bend the mean."""
    columns = whole.columns(symbols)
    covariance = whole.covariance_daily[np.ix_(columns, columns)].copy()
    n = len(measured.symbols)
    covariance[:n, :n] = measured.covariance_daily
    return covariance


def _stress(
    facts: HedgeFacts, symbols: tuple[str, ...], covariance: FloatArray
) -> AccountStress | None:
    """Of the account that bot and hedges share; a bot's entry does not touch another."""
    stress = facts.stress
    if stress is None or not stress.shared:
        return None
    # What is held on another exchange takes nothing of this account, so nothing stands in for it
    # and it stands in for nothing.
    here = [k for k, s in enumerate(facts.symbols) if not is_elsewhere(s)]
    far = np.array([is_elsewhere(s) for s in symbols])
    at = [symbols.index(facts.symbols[k]) for k in here]
    first = [*at, *(i for i in range(len(symbols)) if i not in at)]
    kin = _Kin.of(covariance[np.ix_(first, first)], len(at))
    back = np.argsort(first)
    returns = np.maximum(stress.returns[:, here][:, kin.nearest] * kin.scale, -1.0)[:, back]
    margin = stress.margin_rate[here][kin.nearest][back]
    return replace(
        stress,
        returns=np.where(far, 0.0, returns),
        margin_rate=np.where(far, 0.0, margin),
    )
