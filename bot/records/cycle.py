"""What a cycle leaves behind: one plain document, the same for journal, log, report and CLI."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from risk.limits.caps import LimitBreach
from risk.quick_init import quick_init


class CycleStatus(StrEnum):
    """How a cycle ended."""

    HEDGED = "hedged"  # at least one order of ours was filled
    PROPOSED = "proposed"  # a proposal was written down, nothing was sent
    NO_HEDGE = "no_hedge"  # nothing needed doing
    HELD = "held"  # something was missing, stale, unknown or failed: nothing was done
    DENIED = "denied"  # the pre-trade checks refused every order
    HALTED = "halted"  # the kill switch is on


@quick_init
@dataclass(frozen=True, slots=True)
class LegRecord:
    """One position or hedge of the cycle, USD signed."""

    symbol: str
    bot_usd: float
    hedge_before_usd: float
    target_usd: float
    trade_usd: float
    hedge_after_usd: float
    mark_price: float


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """One order of the cycle; quantities and prices as exact decimal text."""

    client_id: str
    symbol: str
    side: str
    quantity: str
    limit_price: str
    reduce_only: bool
    state: str
    filled_quantity: str
    detail: str


@dataclass(frozen=True, slots=True)
class FillRecord:
    """One execution of the cycle; quantities and prices as exact decimal text."""

    client_id: str
    trade_id: str
    symbol: str
    side: str
    quantity: str
    price: str
    fee_usd: str | None


@dataclass(frozen=True, slots=True)
class AlternativeRecord:
    """Something else that was weighed, and why it lost."""

    name: str
    objective_usd: float
    volatility_daily_usd: float
    trade_cost_usd: float
    reason: str


@dataclass(frozen=True, slots=True)
class ProposalRecord:
    """What the strategy answered."""

    strategy: str
    sentence: str
    expected_volatility_daily_usd: float
    expected_cae_usd: float
    fee_usd: float
    spread_usd: float
    impact_usd: float
    carry_usd_per_day: float
    shadow_prices: dict[str, float]
    slacks_usd: dict[str, float]
    objective_relaxed: float
    objective_lots: float
    solver_status: str
    expected_cap_use: dict[str, float] = field(default_factory=dict)
    es95_before_usd: float | None = None
    expected_es95_usd: float | None = None
    alternatives: tuple[AlternativeRecord, ...] = ()
    variance: dict[str, float | None] | None = None
    stress_before_usd: dict[str, float] = field(default_factory=dict)
    stress_after_usd: dict[str, float] = field(default_factory=dict)
    deleveraging: dict[str, Any] | None = None
    conflict: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ExposureRecord:
    """Risk figures of the whole book before the cycle's trades, USD."""

    net_usd: float
    beta_net_usd: float
    diversification_ratio: float | None
    contributions_usd: dict[str, float]
    volatility_btc_daily: float


@dataclass(frozen=True, slots=True)
class SignalRecord:
    """One thing that goes on, see risk/signals/episodes.py; ``value`` None where not known."""

    kind: str
    symbols: tuple[str, ...]
    value: float | None
    threshold: float
    since: str
    severity: str
    sentence: str


@quick_init
@dataclass(frozen=True, slots=True)
class CycleRecord:
    """One cycle.

    ``unhedged`` is the bot alone; ``before`` bot and hedges as they stood; ``after`` bot and hedges
    once the cycle's own trades were booked, at the same marks. Figures are None when the cycle was
    held before they could be computed. ``reason`` is one plain sentence. ``limits`` are the caps in
    force: those of the owner on what is held, multiplied by ``caps_factor``.
    """

    cycle_id: str
    timestamp: str
    timestamp_ms: int
    status: CycleStatus
    reason: str
    bot_gross_usd: float | None = None
    hedge_gross_usd: float | None = None
    equity_usd: float | None = None
    volatility_unhedged_daily_usd: float | None = None
    volatility_before_daily_usd: float | None = None
    volatility_after_daily_usd: float | None = None
    cae_before_usd: float | None = None
    cae_after_usd: float | None = None
    cap_use_before: dict[str, float] = field(default_factory=dict)
    cap_use_after: dict[str, float] = field(default_factory=dict)
    limits: dict[str, float | None] = field(default_factory=dict)
    breaches_unhedged: tuple[LimitBreach, ...] = ()
    breaches_before: tuple[LimitBreach, ...] = ()
    breaches_after: tuple[LimitBreach, ...] = ()
    exposure: ExposureRecord | None = None
    crowding: dict[str, float | None] = field(default_factory=dict)
    excluded: dict[str, str] = field(default_factory=dict)
    correlation: dict[str, Any] | None = None
    legs: tuple[LegRecord, ...] = ()
    proposal: ProposalRecord | None = None
    orders: tuple[OrderRecord, ...] = ()
    fills: tuple[FillRecord, ...] = ()
    costs: tuple[dict[str, Any], ...] = ()
    signals: tuple[SignalRecord, ...] = ()
    caps_factor: float = 1.0
    caps_reasons: tuple[str, ...] = ()
    sources: tuple[dict[str, Any], ...] = ()
    bot_margin: dict[str, Any] | None = None
    unmapped: tuple[dict[str, Any], ...] = ()
    elsewhere: tuple[dict[str, Any], ...] = ()
    funding_annual: dict[str, float | None] = field(default_factory=dict)
    closed_marks: dict[str, float] = field(default_factory=dict)
    latency_ms: dict[str, int] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As plain JSON types."""
        found: dict[str, Any] = _plain(self)
        return found


_PLAIN = frozenset({float, str, int, bool, type(None)})


def _plain(value: Any) -> Any:
    """What ``dataclasses.asdict`` gives, without copying what is plain already."""
    if type(value) in _PLAIN:
        return value
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if type(value) in (tuple, list):
        return type(value)([_plain(one) for one in value])
    if type(value) is dict:
        return {key: _plain(one) for key, one in value.items()}
    return value


def fields_of(value: object) -> dict[str, Any]:
    """A record for a JSON encoder, which asks for what it does not know; no copy of the rest.

    Raises:
        TypeError: it is no record either.
    """
    names = getattr(value, "__dataclass_fields__", None)
    if names is None:
        raise TypeError(f"{type(value).__name__} has no place in JSON")
    return {name: getattr(value, name) for name in names}


@lru_cache(1024)  # signals begin at some hundred different times
def iso_utc(timestamp_ms: int) -> str:
    """``2025-03-01T12:00:00.000Z``."""
    moment = datetime.fromtimestamp(timestamp_ms / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
