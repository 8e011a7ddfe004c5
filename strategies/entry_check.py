"""A say before a bot enters: does the book stay under its caps with what it wants to add?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from risk.book import FloatArray
from risk.errors import DataError
from risk.limits.along import Along, along
from risk.limits.caps import RiskLimits
from risk.limits.measures import Standing
from risk.limits.stresses import AccountStress

_NOTHING = 1e-6
"""A smaller share of what was asked is rounding, not room."""

CROWDED = 1.0
"""A z-score of funding from which one side of a symbol is called crowded."""


class Verdict(StrEnum):
    """What is said to an entry."""

    ALLOWED = "allowed"
    REDUCED = "reduced"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class BotHolding:
    """What one bot holds of one symbol: signed base units, and USD for one of them."""

    base: float
    price_usd: float


@dataclass(frozen=True, slots=True)
class EntryBook:
    """What is held and measured at one moment; N symbols, arrays (N,), USD, long positive.

    Attributes:
        timestamp_ms: when it was true, UTC milliseconds.
        bot_usd, hedge_usd: notionals of the bots and of our hedges.
        covariance_daily: (N, N) covariance of daily log returns.
        volatility_btc_daily: standard deviation of BTC's daily return, above 0.
        beta_btc: beta of each symbol to BTC; ``beta_doubt`` its doubt κ_β s_β, None for none.
        in_sector: True for tokens of the sector.
        cluster: index of each symbol's cluster, -1 for none; ``cluster_names`` by index.
        crowding: z-score of each symbol's funding, NaN where unknown; positive: longs are crowded.
        limits: the caps.
        equity_usd: of the account that holds the hedges.
        stress: what that account must survive; None for nothing.
        names: measured symbol for what a bot calls it, by (bot, its symbol); empty: none is.
        token: number of each symbol's token, which a cap on one token counts together; None:
            every symbol is a token of its own.
        holdings: of each bot, by (bot, symbol); none where it holds nothing.
        hedge_margin_usd: initial margin that the hedges take in the account of the bot.
        bot_free_usd: what that account would have free without them; None where the hedges have
            an account of their own, and then ``bot_margin_share`` says nothing.
    """

    timestamp_ms: int
    symbols: tuple[str, ...]
    bot_usd: FloatArray
    hedge_usd: FloatArray
    covariance_daily: FloatArray
    volatility_btc_daily: float
    beta_btc: FloatArray
    in_sector: NDArray[np.bool_]
    cluster: NDArray[np.int64]
    cluster_names: tuple[str, ...]
    crowding: FloatArray
    limits: RiskLimits
    equity_usd: float
    beta_doubt: FloatArray | None = None
    stress: AccountStress | None = None
    names: Mapping[tuple[str, str], str] = field(default_factory=dict)
    token: NDArray[np.int64] | None = None
    holdings: Mapping[tuple[str, str], BotHolding] = field(default_factory=dict)
    hedge_margin_usd: float = 0.0
    bot_free_usd: float | None = None

    def __post_init__(self) -> None:
        n = len(self.symbols)
        for name in ("bot_usd", "hedge_usd", "beta_btc", "in_sector", "cluster", "crowding"):
            if getattr(self, name).shape != (n,):
                raise DataError(f"entry book: {name} has shape {getattr(self, name).shape}")
        if self.token is not None and self.token.shape != (n,):
            raise DataError(f"entry book: token has shape {self.token.shape}")
        if self.covariance_daily.shape != (n, n):
            raise DataError(f"entry book: covariance has shape {self.covariance_daily.shape}")
        measured = (self.bot_usd, self.hedge_usd, self.beta_btc, self.covariance_daily)
        if not all(np.all(np.isfinite(values)) for values in measured):
            raise DataError("entry book: a number is not finite")
        if not (np.isfinite(self.volatility_btc_daily) and self.volatility_btc_daily > 0):
            raise DataError(f"entry book: volatility of BTC is {self.volatility_btc_daily}")

    def index_of(self, bot: str, symbol: str) -> int | None:
        """The column of what a bot calls so; of the same contract here where that is measured."""
        for name in (self.names.get((bot, symbol)), symbol, symbol.partition("@")[0]):
            if name and name in self.symbols:
                return self.symbols.index(name)
        return None

    def token_of(self, index: int) -> int:
        """Number of a symbol's token."""
        return index if self.token is None else int(self.token[index])

    def held_by(self, bot: str, index: int) -> dict[str, BotHolding]:
        """What one bot holds of a symbol's token, by symbol."""
        token = self.token_of(index)
        return {
            symbol: held
            for (holder, symbol), held in self.holdings.items()
            if holder == bot and self.token_of(self.symbols.index(symbol)) == token
        }

    def held_base(self, bot: str, index: int) -> dict[str, float]:
        """The same in base units alone."""
        return {symbol: held.base for symbol, held in self.held_by(bot, index).items()}

    def standing(self, *, hedges: bool, pending_usd: FloatArray) -> Standing:
        """The book with what is still to come, with our hedges or without them."""
        return Standing(
            self.symbols, self.bot_usd + pending_usd,
            self.hedge_usd if hedges else np.zeros_like(self.hedge_usd),
            self.covariance_daily, self.volatility_btc_daily, self.beta_btc, self.in_sector,
            self.cluster, np.zeros_like(self.bot_usd), self.equity_usd, self.cluster_names,
            self.beta_doubt, self.stress, None, self.token,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class EntryRule:
    """How entries are judged.

    Attributes:
        count_hedges: the hedges that stand count against the bots' positions; without, the bots
            must keep to the caps on their own.
        least_share: of what was asked; where less would be left, the entry is refused whole.
        correlated: so many of the open positions are told, the most correlated first.
    """

    count_hedges: bool = True
    least_share: float = 0.1
    correlated: int = 5


@dataclass(frozen=True, slots=True)
class CapEffect:
    """What an entry does to one cap, in the cap's unit.

    Attributes:
        value_before, value_asked, value_allowed: measured now, with all that was asked for, and
            with what is allowed of it.
        allowed_usd: how much of the entry this cap alone would leave.
        binding: it leaves less than was asked for.
    """

    cap: str
    scope: str
    limit: float
    value_before: float
    value_asked: float
    value_allowed: float
    allowed_usd: float
    binding: bool


@dataclass(frozen=True, slots=True)
class Correlated:
    """An open position beside the entry.

    Attributes:
        notional_usd: signed, bot and hedge together; bot_usd, hedge_usd: whose it is. What was
            allowed before and may still come counts as the bots'.
        correlation: of daily returns of the two symbols.
        adds: the two positions gain and lose together.
    """

    symbol: str
    notional_usd: float
    bot_usd: float
    hedge_usd: float
    correlation: float
    adds: bool


@dataclass(frozen=True, slots=True)
class Exposure:
    """The whole book in four figures, USD: Σ|p| of the bots, Σx, βᵀx and √(xᵀΣx)/σ_BTC."""

    bot_gross_usd: float
    net_usd: float
    beta_net_usd: float
    cae_usd: float


@dataclass(frozen=True, slots=True)
class Advice:
    """What is said to one entry, and why.

    Attributes:
        allowed_usd: unsigned; 0 when refused.
        reason: one sentence.
        caps: every cap that the entry moves, the tightest first.
        before, after: exposure now, and with what is allowed; ``asked`` with all of it.
        crowding: z-score of the symbol's funding; None where unknown.
        crowded: the entry is on a side that is crowded already, by ``CROWDED`` or more.
        notes: what could not be counted, and why.
    """

    verdict: Verdict
    allowed_usd: float
    reason: str
    caps: tuple[CapEffect, ...]
    before: Exposure
    asked: Exposure
    after: Exposure
    correlated: tuple[Correlated, ...]
    crowding: float | None
    crowded: bool
    notes: tuple[str, ...] = ()


def check_entry(
    book: EntryBook,
    symbol: str,
    signed_usd: float,
    *,
    rule: EntryRule,
    pending_usd: FloatArray | None = None,
    leverage: float | None = None,
) -> Advice:
    """Whether a bot may add ``signed_usd`` in ``symbol``, and how much of it.

    An entry is good when every cap on bot and hedges ends within its limit, or is lowered by it to
    the last dollar: what lowers a risk may always be done, even over a cap, but not so far that
    the risk rises over the cap again on the other side. Caps are convex in the size of the entry,
    so the answer is the smallest of what each cap alone would leave.

    Args:
        signed_usd: not 0, long positive.
        pending_usd: (N,) entries allowed before that the book does not show yet.
        leverage: of the entry, above 0; None where it is not told, and then the cap on the
            hedges' share of the bot's margin is not counted, which the notes say.

    Raises:
        DataError: the symbol is not in the book, or the size is no number.
    """
    if symbol not in book.symbols:
        raise DataError(f"{symbol}: not measured, so nothing can be said of it")
    if not np.isfinite(signed_usd) or signed_usd == 0:
        raise DataError(f"{symbol}: an entry of {signed_usd} USD")
    index = book.symbols.index(symbol)
    pending = np.zeros(len(book.symbols)) if pending_usd is None else pending_usd
    standing = book.standing(hedges=rule.count_hedges, pending_usd=pending)
    curves = list(along(book.limits, standing, index))
    notes: tuple[str, ...] = ()
    if book.limits.bot_margin_share is not None and rule.count_hedges:
        if book.bot_free_usd is not None and leverage is None:
            notes = ("bot_margin_share is not counted: the entry's leverage is not told",)
        elif book.bot_free_usd is not None and leverage is not None:
            curves.append(_bot_margin(book, book.bot_free_usd, index, pending, leverage))
    left = min([signed_usd, *(c.furthest(signed_usd) for c in curves)], key=abs)
    if abs(left) < max(rule.least_share, _NOTHING) * abs(signed_usd):
        left = 0.0
    effects = _effects(curves, signed_usd, left)
    verdict = _verdict(left, signed_usd)
    crowding = float(book.crowding[index])
    return Advice(
        verdict=verdict,
        allowed_usd=abs(left),
        reason=_reason(verdict, symbol, abs(left), effects),
        caps=effects,
        before=_exposure(standing, index, 0.0),
        asked=_exposure(standing, index, signed_usd),
        after=_exposure(standing, index, left),
        correlated=_correlated(standing, index, signed_usd, rule.correlated),
        crowding=None if np.isnan(crowding) else crowding,
        crowded=bool(crowding * np.sign(signed_usd) >= CROWDED),
        notes=notes,
    )


def _bot_margin(
    book: EntryBook, free_usd: float, index: int, pending: FloatArray, leverage: float
) -> Along:
    """M / (F − (Σ|q| + |p + t| − |p|)⁺/L): the margin of hedges for what is free beside the entry.

    Entries q that may still come are taken to have this one's leverage L.
    """
    limit, held = book.limits.bot_margin_share, float(book.bot_usd[index])
    assert limit is not None
    open_usd = float(np.abs(pending).sum())

    def value(t: float) -> float:
        added = max(open_usd + abs(held + t) - abs(held), 0.0)
        left = free_usd - added / leverage
        if not book.hedge_margin_usd:
            return 0.0
        return book.hedge_margin_usd / left if left > 0 else np.inf

    return Along("bot_margin_share", "", limit, value)


def _verdict(left: float, asked: float) -> Verdict:
    if left == asked:
        return Verdict.ALLOWED
    return Verdict.REDUCED if left else Verdict.REFUSED


def _effects(curves: Iterable[Along], asked: float, left: float) -> tuple[CapEffect, ...]:
    effects = []
    for curve in curves:
        alone = curve.furthest(asked)
        effects.append(
            CapEffect(
                curve.cap, curve.scope, curve.limit, curve.value(0.0), curve.value(asked),
                curve.value(left), abs(alone), abs(alone) < abs(asked),
            )
        )  # fmt: skip
    return tuple(sorted(effects, key=lambda e: (e.allowed_usd, -_use(e))))


def _use(effect: CapEffect) -> float:
    return effect.value_asked / effect.limit if effect.limit > 0 else np.inf


def _reason(
    verdict: Verdict, symbol: str, allowed_usd: float, effects: tuple[CapEffect, ...]
) -> str:
    if verdict is Verdict.ALLOWED:
        return "every cap holds, or is not made worse"
    tightest = effects[0]
    scope = f" of {tightest.scope}" if tightest.scope and tightest.scope != symbol else ""
    what = "refused" if verdict is Verdict.REFUSED else f"reduced to {allowed_usd:,.0f} USD"
    return (
        f"{what}: {tightest.cap}{scope} would go from {tightest.value_before:,.4g} to "
        f"{tightest.value_asked:,.4g}, its cap is {tightest.limit:,.4g}"
    )


def _exposure(a: Standing, index: int, added_usd: float) -> Exposure:
    bot = a.bot.copy()
    bot[index] += added_usd
    x = bot + a.hedge
    variance = max(float(x @ a.covariance @ x), 0.0)
    return Exposure(
        bot_gross_usd=float(np.abs(bot).sum()),
        net_usd=float(x.sum()),
        beta_net_usd=float(a.beta @ x),
        cae_usd=variance**0.5 / a.sigma_btc,
    )


def _correlated(a: Standing, index: int, signed_usd: float, count: int) -> tuple[Correlated, ...]:
    """Other positions by |correlation|, the largest first."""
    x = a.bot + a.hedge
    deviation = np.sqrt(np.diag(a.covariance))
    correlation = a.covariance[index] / (deviation[index] * deviation)
    others = [int(j) for j in np.flatnonzero(x) if j != index]
    others.sort(key=lambda j: -abs(correlation[j]))
    return tuple(
        Correlated(
            a.symbols[j],
            float(x[j]),
            float(a.bot[j]),
            float(a.hedge[j]),
            float(correlation[j]),
            bool(correlation[j] * x[j] * signed_usd > 0),
        )
        for j in others[:count]
    )
