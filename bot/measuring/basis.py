"""How another exchange's contract differs from the hedge venue's of the same token. Pure."""

import math
from dataclasses import dataclass
from typing import Any

from bot.measuring.estimation import MarketView
from bot.measuring.monitor import Observation
from bot.sources.symbols import Elsewhere
from risk.book import Owner
from risk.crowding.funding import funding_daily

_BPS = 1e4
_DAYS_A_YEAR = 365


@dataclass(frozen=True, slots=True)
class Basis:
    """One contract that bots hold on another exchange; None where it is not known.

    Attributes:
        symbol: with the exchange behind it.
        home: the hedge venue's contract of the same token; None where it has none.
        notional_usd: what bots hold of ``symbol``, signed.
        mark_usd, home_mark_usd: of a base unit of ``symbol``, there and here.
        basis_bps: mark there over mark here, less 1.
        basis_volatility_daily_bps: standard deviation of the difference of daily returns.
        funding_daily_bps, home_funding_daily_bps: what longs pay a day of their notional.
    """

    symbol: str
    venue: str
    home: str | None
    notional_usd: float
    mark_usd: float
    home_mark_usd: float | None = None
    basis_bps: float | None = None
    basis_volatility_daily_bps: float | None = None
    funding_daily_bps: float | None = None
    home_funding_daily_bps: float | None = None

    @property
    def funding_difference_daily_bps(self) -> float | None:
        """What a long there pays a day beyond a long here."""
        if self.funding_daily_bps is None or self.home_funding_daily_bps is None:
            return None
        return self.funding_daily_bps - self.home_funding_daily_bps

    @property
    def funding_difference_annual(self) -> float | None:
        """The same as a fraction of notional a year, simple."""
        daily_bps = self.funding_difference_daily_bps
        return None if daily_bps is None else daily_bps * _DAYS_A_YEAR / _BPS

    def document(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "symbol": self.symbol,
            "exchange": self.venue,
            "home": self.home,
            "notional_usd": round(self.notional_usd, 2),
            "mark_usd": self.mark_usd,
            "home_mark_usd": self.home_mark_usd,
            "basis_bps": _rounded(self.basis_bps),
            "basis_volatility_daily_bps": _rounded(self.basis_volatility_daily_bps),
            "funding_daily_bps": _rounded(self.funding_daily_bps),
            "home_funding_daily_bps": _rounded(self.home_funding_daily_bps),
            "funding_difference_daily_bps": _rounded(self.funding_difference_daily_bps),
            "funding_difference_annual": _rounded(self.funding_difference_annual, 6),
        }


def bases(observation: Observation, view: MarketView) -> tuple[Basis, ...]:
    """Of everything that bots hold on other exchanges and that is measured there, sorted."""
    far = observation.translation.elsewhere
    return tuple(_basis(far[name], observation, view) for name in sorted(far))


def _basis(one: Elsewhere, observation: Observation, view: MarketView) -> Basis:
    book, quotes = observation.book, observation.quotes
    mark = quotes[one.symbol].mark
    held = [p for p in book.of(Owner.BOT) if p.symbol == one.symbol]
    home = None if one.home is None else quotes.get(one.home)
    home_mark = None if home is None else home.mark * one.ratio
    now_ms = book.timestamp_ms
    return Basis(
        symbol=one.symbol,
        venue=one.venue,
        home=one.home,
        notional_usd=math.fsum(p.notional_usd for p in held),
        mark_usd=mark,
        home_mark_usd=home_mark,
        basis_bps=None if home_mark is None else _BPS * (mark / home_mark - 1),
        basis_volatility_daily_bps=_volatility_bps(one.symbol, view),
        funding_daily_bps=_funding_bps(one.symbol, view, now_ms),
        home_funding_daily_bps=_funding_bps(one.home, view, now_ms),
    )


def _volatility_bps(symbol: str, view: MarketView) -> float | None:
    """Of what is long there and short here."""
    home = view.homes.get(symbol)
    if home is None or symbol not in view.estimate.symbols:
        return None
    covariance = view.estimate_of((symbol, home)).covariance_daily
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    return _BPS * math.sqrt(max(variance, 0.0))


def _funding_bps(symbol: str | None, view: MarketView, now_ms: int) -> float | None:
    series = None if symbol is None else view.funding.get(symbol)
    daily = funding_daily(series, now_ms)
    return None if daily is None else _BPS * daily.rate_daily


def _rounded(value: float | None, digits: int = 3) -> float | None:
    return None if value is None else round(value, digits)
