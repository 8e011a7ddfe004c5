"""Caps that are tighter for a while, and why. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from risk.limits.caps import RiskLimits
from risk.signals.episodes import Signal

TIGHTENED = (
    "token_usd",
    "net_usd",
    "sector_net_usd",
    "cluster_net_usd",
    "beta_net_usd",
    "cae_usd",
)
"""The caps on what is held. Those on hedges and trades alone stay: less room to hedge would leave
more risk and not less."""


@dataclass(frozen=True, slots=True)
class Tightening:
    """One thing that is going on and says how much of the caps is left.

    Attributes:
        factor: above 0, at most 1; 1 where it only tells.
        signal: the same for people.
    """

    factor: float
    signal: Signal


@dataclass(frozen=True, slots=True)
class Trouble:
    """A series or calendar that cannot be read, is missing or is stale.

    Attributes:
        name: of the series or file.
        reason: one line.
        tightens: the caps are tight because of it.
    """

    name: str
    reason: str
    tightens: bool


@dataclass(frozen=True, slots=True)
class Outside:
    """What is known of the world outside the market at one moment."""

    tightenings: tuple[Tightening, ...] = ()
    troubles: tuple[Trouble, ...] = ()

    @property
    def factor(self) -> float:
        """The smallest of all; 1 where nothing is on."""
        return min((one.factor for one in self.tightenings), default=1.0)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the caps are tight, the strongest reason first."""
        tight = sorted((t for t in self.tightenings if t.factor < 1), key=lambda t: t.factor)
        return tuple(one.signal.sentence for one in tight)

    @property
    def signals(self) -> tuple[Signal, ...]:
        """All of them."""
        return tuple(one.signal for one in self.tightenings)


def joined(parts: Iterable[Outside]) -> Outside:
    """Several as one."""
    known: Sequence[Outside] = tuple(parts)
    return Outside(
        tuple(t for part in known for t in part.tightenings),
        tuple(t for part in known for t in part.troubles),
    )


def tightened(limits: RiskLimits, factor: float) -> RiskLimits:
    """The limits with every cap on what is held multiplied by ``factor``; None stays None."""
    values = {name: getattr(limits, name) for name in TIGHTENED}
    return replace(limits, **{n: v * factor for n, v in values.items() if v is not None})
