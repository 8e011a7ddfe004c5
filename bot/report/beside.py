"""What a report tells beside its cycles: attribution, signals, controls; rows of text. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bot.attribution.hedges import HedgeResult
from bot.attribution.period import Attribution, Risk
from bot.controls.table import BY_NAME
from bot.report import words
from bot.report.pairs import PairHistory

Document = Mapping[str, Any]
TRIPS = ("order_denied", "plan_denied", "symbol_halted", "halted", "alert")


@dataclass(frozen=True, slots=True)
class Beside:
    """What the journal knows of a period beside its cycles.

    Attributes:
        cycles_total: all cycles, where those of the report are a part of them; None: it has all.
        events: those named in ``TRIPS``, oldest first, as ``perphedge log`` has them.
        attribution: None where no cycle could measure the book, or nobody asked.
        pairs: correlations over time of the pairs that matter most.
        stress: episodes that were played, in the words of ``stress_rows``.
    """

    cycles_total: int | None = None
    events: Sequence[Document] = ()
    attribution: Attribution | None = None
    pairs: PairHistory = field(default_factory=PairHistory)
    stress: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True, slots=True)
class ResultRow:
    """What one symbol, or all of them, gave and cost, USD."""

    symbol: str
    bot: str
    realised: str
    unrealised: str
    fees: str
    funding: str
    net: str
    slippage: str


@dataclass(frozen=True, slots=True)
class TripRow:
    """One control that acted."""

    control: str
    says: str
    times: str
    last: str
    reason: str


@dataclass(frozen=True, slots=True)
class SignalRow:
    """One thing that goes on."""

    severity: str
    since: str
    sentence: str


def result_rows(found: Attribution) -> list[ResultRow]:
    """One row a symbol, and the total last."""
    bots = {one.symbol: one for one in found.bots}
    hedges = {one.symbol: one for one in found.hedges}
    rows = [
        ResultRow(
            words.base(symbol),
            _cents(bots[symbol].price_usd) if symbol in bots else words.ABSENT,
            *_hedge_cells(hedges.get(symbol)),
            _cents(found.slippage_usd.get(symbol)),
        )
        for symbol in sorted({*bots, *hedges})
    ]
    return [*rows, _total(found)] if rows else []


def _hedge_cells(hedge: HedgeResult | None) -> tuple[str, str, str, str, str]:
    if hedge is None:
        return (words.ABSENT,) * 5
    return (
        _cents(float(hedge.realised_usd)),
        _cents(hedge.unrealised_usd),
        _cents(float(-hedge.fees_usd)),
        _cents(float(hedge.funding_usd)),
        _cents(hedge.net_usd),
    )


def _total(found: Attribution) -> ResultRow:
    def sum_of(values: Iterable[float | Decimal | None]) -> str:
        known = list(values)
        numbers = [float(one) for one in known if one is not None]
        return _cents(sum(numbers) if len(numbers) == len(known) else None)

    return ResultRow(
        "All",
        sum_of(one.price_usd for one in found.bots),
        sum_of(one.realised_usd for one in found.hedges),
        sum_of(one.unrealised_usd for one in found.hedges),
        sum_of(-one.fees_usd for one in found.hedges),
        sum_of(one.funding_usd for one in found.hedges),
        _cents(found.hedge_net_usd),
        sum_of(found.slippage_usd.values()),
    )


def _cents(value: float | None) -> str:
    """USD to the cent without the unit, which the table's head tells."""
    return words.money(value).removesuffix(" USD")


def result_facts(found: Attribution) -> list[tuple[str, str]]:
    """How well the hedges did, and what is in no figure."""
    facts = [] if found.risk is None else _risk_facts(found.risk)
    facts.append(("Cost: fees and slippage less funding", words.money(found.cost_usd)))
    if found.cost_per_risk is not None:
        told = f"{words.amount(found.cost_per_risk)} USD a day for each USD of swing taken away"
        facts.append(("Cost of the risk taken away", told))
    unknown = sum(one.fees_unknown for one in found.hedges)
    if unknown:
        facts.append(("Fills whose fee nobody told", f"{unknown:,}, in no figure"))
    unpriced = [words.base(one.symbol) for one in found.hedges if one.closed_unpriced]
    if unpriced:
        facts.append(("Closed by others at an unknown price", ", ".join(unpriced)))
    lost = [words.base(one.symbol) for one in found.bots if one.unmeasured_ms]
    if lost:
        facts.append(("Bot's positions without a price at times", ", ".join(lost)))
    return facts


def _risk_facts(risk: Risk) -> list[tuple[str, str]]:
    def pair(expected: float | None, realised: float | None) -> str:
        return f"{words.usd(realised)} realised, {words.usd(expected)} expected"

    shares = (risk.realised_effectiveness, risk.expected_effectiveness)
    return [
        (
            "Swing a day, bot alone",
            pair(risk.expected_unhedged_daily_usd, risk.realised_unhedged_daily_usd),
        ),
        (
            "Swing a day, with hedges",
            pair(risk.expected_hedged_daily_usd, risk.realised_hedged_daily_usd),
        ),
        (
            "Variance taken away",
            f"{words.percent(shares[0])} realised, {words.percent(shares[1])} expected",
        ),
        ("Measured over", f"{risk.days:,.1f} days"),
    ]


def trip_rows(events: Sequence[Document]) -> list[TripRow]:
    """Controls that acted, the one that acted last first."""
    last: dict[str, Document] = {}
    times: dict[str, int] = {}
    for one in events:
        name = str(one.get("control") or "")
        if one.get("event") in TRIPS and name:
            times[name] = times.get(name, 0) + 1
            last[name] = one
    order = sorted(last, key=lambda name: -int(last[name]["timestamp_ms"]))
    return [_trip(name, times[name], last[name]) for name in order]


def _trip(name: str, times: int, event: Document) -> TripRow:
    control, _ = BY_NAME.get(name, (None, None))
    number = "" if control is None else f"{control.number} "
    return TripRow(
        control=f"{number}{words.plain(name).replace('_', ' ')}",
        says="" if control is None else control.says,
        times=f"{times:,}",
        last=_minute(int(event["timestamp_ms"])),
        reason=words.plain(event.get("reason") or event.get("text") or ""),
    )


def _minute(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M")


def signal_rows(cycle: Document | None) -> list[SignalRow]:
    """What goes on at the newest cycle, warnings and alarms first as they are recorded."""
    ranks = {"alarm": 0, "warning": 1, "note": 2}
    found = [] if cycle is None else list(cycle.get("signals") or ())
    found.sort(key=lambda one: ranks.get(str(one.get("severity")), 3))
    return [
        SignalRow(
            words.plain(one.get("severity")),
            words.plain(one.get("since") or "")[:16].replace("T", " "),
            words.plain(one.get("sentence") or ""),
        )
        for one in found
    ]
