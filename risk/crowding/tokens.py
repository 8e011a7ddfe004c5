"""What is told of how crowded each token is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from risk.book import FloatArray

_NO_PEERS = "no token of the sector has funding to compare with"


@dataclass(frozen=True, slots=True)
class TokenCrowding:
    """Crowding of one token; None where it is not known, which is never the same as 0.

    Attributes:
        symbol: unified symbol.
        unknown: why nothing is known, as one clause; None where it is.
        funding_annual: last settled rate as a simple yearly rate.
        score_annual: EWMA (24 h half-life) of the yearly excess over 10.95 %.
        z_sector: the score against the sector's, robust.
        z_own: the score against the token's own past.
        z_open_interest: open interest over daily volume against the sector's; None where open
            interest or volume is not known, and then it is left out of the crowding.
        crowding: C; positive: crowded longs, negative: crowded shorts, the squeeze risk of shorts.
        cluster_crowding: C̄, the crowding of what moves with the token; known for a token without
            funding too, when its correlated peers have some.
        pinned: the last payment was exactly the fixed interest and says nothing.
        persistence: share of the 7 days to the last payment spent on the score's side of neutral.
        source: what the last payment's excess rests on: ``rate``; ``premium``, where the rate is
            pinned and the premium of mark over index is known; ``none``, where it is pinned and
            the premium is not known, so that it counts as neutral.
        substitute: the funding is another venue's or the base rate.
    """

    symbol: str
    unknown: str | None = None
    funding_annual: float | None = None
    score_annual: float | None = None
    z_sector: float | None = None
    z_own: float | None = None
    z_open_interest: float | None = None
    crowding: float | None = None
    cluster_crowding: float | None = None
    pinned: bool | None = None
    persistence: float | None = None
    source: str | None = None
    substitute: bool = False


@dataclass(frozen=True, slots=True)
class CrowdingReport:
    """Crowding of N tokens at one moment.

    Attributes:
        timestamp_ms: UTC milliseconds.
        tokens: one entry for each symbol, in their order.
        breadth: share of the sector's known tokens whose score is above neutral; None without any.
        by_premium: scores are on the scale of the premium, see ``crowding``.
    """

    timestamp_ms: int
    tokens: tuple[TokenCrowding, ...]
    breadth: float | None
    by_premium: bool = False

    def of(self, symbol: str) -> TokenCrowding | None:
        """The entry of one symbol; None where it was not asked for."""
        return next((token for token in self.tokens if token.symbol == symbol), None)

    def cluster_crowding(self, symbols: Sequence[str]) -> FloatArray:
        """C̄ of each of ``symbols``, shape (N,), NaN where it is not known."""
        known = {token.symbol: token.cluster_crowding for token in self.tokens}
        values = [known.get(symbol) for symbol in symbols]
        return np.array([math.nan if value is None else value for value in values])


@dataclass(frozen=True, slots=True)
class Scores:
    """What was found of N tokens, arrays (N,) with NaN where it is not known.

    Attributes:
        own: what each token's own payments tell.
        z_sector, z_open_interest, crowding, cluster_crowding: as TokenCrowding has them.
    """

    own: tuple[TokenCrowding, ...]
    z_sector: FloatArray
    z_open_interest: FloatArray
    crowding: FloatArray
    cluster_crowding: FloatArray


class ScoredReport(CrowdingReport):
    """The report of scores; its entries are put together once they are asked for.

    Equal to another where all that it tells is.
    """

    _scores: Scores

    def __init__(
        self, timestamp_ms: int, scores: Scores, breadth: float | None, *, by_premium: bool
    ) -> None:
        # Not set by the class it comes from: that one is frozen, and has these as fields.
        known = {
            "timestamp_ms": timestamp_ms,
            "breadth": breadth,
            "by_premium": by_premium,
            "_scores": scores,
        }
        for name, value in known.items():
            object.__setattr__(self, name, value)

    @cached_property
    def tokens(self) -> tuple[TokenCrowding, ...]:
        told = self._scores
        columns = (told.z_sector, told.z_open_interest, told.crowding, told.cluster_crowding)
        rows = zip(told.own, *map(_or_none, columns), strict=True)
        return tuple(_with_peers(token, *found) for token, *found in rows)

    def cluster_crowding(self, symbols: Sequence[str]) -> FloatArray:
        around = self._scores.cluster_crowding
        at = {token.symbol: i for i, token in enumerate(self._scores.own)}
        if tuple(at) == tuple(symbols):
            return around.copy()
        return np.array([around[at[one]] if one in at else math.nan for one in symbols])


def _with_peers(
    token: TokenCrowding,
    z_sector: float | None,
    z_open_interest: float | None,
    crowding: float | None,
    cluster_crowding: float | None,
) -> TokenCrowding:
    return TokenCrowding(
        symbol=token.symbol,
        unknown=token.unknown or (_NO_PEERS if crowding is None else None),
        funding_annual=token.funding_annual,
        score_annual=token.score_annual,
        z_sector=z_sector,
        z_own=token.z_own,
        z_open_interest=z_open_interest,
        crowding=crowding,
        cluster_crowding=cluster_crowding,
        pinned=token.pinned,
        persistence=token.persistence,
        source=token.source,
        substitute=token.substitute,
    )


def _or_none(values: FloatArray) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values.tolist()]
