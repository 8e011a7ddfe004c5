"""Figures of the newest cycle as Prometheus gauges. Pure.

What is not known has no sample: a missing line is seen by ``absent()``, a zero would be believed.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.core import GaugeMetricFamily

from bot.report.words import number

Document = Mapping[str, Any]

_PLAIN = (
    ("bot_gross_usd", "Sum of the bot's absolute positions."),
    ("hedge_gross_usd", "Sum of the absolute hedges."),
    ("equity_usd", "Equity of the hedge account."),
    ("caps_factor", "What the caps of the config are multiplied by; 1 is not tightened."),
)
_BOOKS = (("bot", "unhedged"), ("before", "before"), ("after", "after"))


def cycle_gauges(cycle: Document) -> Iterator[GaugeMetricFamily]:
    """Exposures, caps, positions, crowding and sources as the cycle saw them."""
    for key, told in _PLAIN:
        yield _one(f"perphedge_{key}", told, cycle.get(key))
    yield _labelled(
        "perphedge_volatility_daily_usd",
        "One standard deviation of a day; of the bot alone, before and after the cycle's trades.",
        "book",
        ((book, cycle.get(f"volatility_{key}_daily_usd")) for book, key in _BOOKS),
    )
    yield _labelled(
        "perphedge_cae_usd",
        "Correlation-adjusted exposure, before and after the cycle's trades.",
        "book",
        ((book, cycle.get(f"cae_{book}_usd")) for book in ("before", "after")),
    )
    yield _one(
        "perphedge_hedge_effectiveness_expected",
        "Share of the bot's variance that the hedges take away, by the model.",
        _effectiveness(cycle),
    )
    yield from _caps(cycle)
    yield from _positions(cycle)
    yield _labelled(
        "perphedge_crowding_score",
        "Unusual funding; above 0 longs crowd.",
        "symbol",
        (cycle.get("crowding") or {}).items(),
    )
    yield from _bot_margin(cycle)


def latency_gauges(cycle: Document) -> Iterator[GaugeMetricFamily]:
    """How long the cycle took, also one that could not look."""
    spent = (cycle.get("latency_ms") or {}).items()
    yield _labelled(
        "perphedge_cycle_seconds",
        "How long each phase of the newest cycle took; total is all of it.",
        "phase",
        ((phase, None if ms is None else ms / 1000) for phase, ms in spent),
    )


def _effectiveness(cycle: Document) -> float | None:
    alone = number(cycle.get("volatility_unhedged_daily_usd"))
    after = number(cycle.get("volatility_after_daily_usd"))
    return 1 - (after / alone) ** 2 if alone and after is not None else None


def _caps(cycle: Document) -> Iterator[GaugeMetricFamily]:
    yield _labelled(
        "perphedge_cap_use",
        "Share of each cap that is used after the cycle; 1 is the cap.",
        "cap",
        (cycle.get("cap_use_after") or cycle.get("cap_use_before") or {}).items(),
    )
    yield _labelled(
        "perphedge_cap_limit",
        "Each cap in force, USD, or a share where its name says so.",
        "cap",
        (cycle.get("limits") or {}).items(),
    )
    breaches = GaugeMetricFamily(
        "perphedge_cap_exceeded",
        "1 for each cap that is exceeded after the cycle; curable: a hedge can lower it.",
        labels=("cap", "scope", "curable"),
    )
    for one in cycle.get("breaches_after") or ():
        curable = "no" if one.get("curable") is False else "yes"
        breaches.add_metric([str(one["cap"]), str(one.get("scope") or ""), curable], 1)
    yield breaches


def _positions(cycle: Document) -> Iterator[GaugeMetricFamily]:
    position = GaugeMetricFamily(
        "perphedge_position_usd",
        "Position after the cycle at its mark, long positive.",
        labels=("symbol", "owner"),
    )
    for leg in cycle.get("legs") or ():
        for owner, key in (("bot", "bot_usd"), ("hedge", "hedge_after_usd")):
            usd = number(leg.get(key))
            if usd:
                position.add_metric([str(leg["symbol"]), owner], usd)
    yield position


def _bot_margin(cycle: Document) -> Iterator[GaugeMetricFamily]:
    told = cycle.get("bot_margin") or {}
    yield _one(
        "perphedge_bot_margin_share",
        "Share of the bot's free margin that hedges take.",
        told.get("share"),
    )


def source_gauges(sources: Iterable[Document]) -> Iterator[GaugeMetricFamily]:
    """Age and health of each source, as of now."""
    known = list(sources)
    yield _labelled(
        "perphedge_source_age_seconds",
        "How old what the source said last is.",
        "source",
        ((str(one["name"]), one.get("age_seconds")) for one in known),
    )
    yield _labelled(
        "perphedge_source_failing",
        "1 while the source cannot be read.",
        "source",
        ((str(one["name"]), float(bool(one.get("failing")))) for one in known),
    )


def _one(name: str, told: str, value: object) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, told)
    known = number(value)
    if known is not None:
        family.add_metric([], known)
    return family


def _labelled(
    name: str, told: str, label: str, values: Iterable[tuple[str, object]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, told, labels=(label,))
    for key, value in values:
        known = number(value)
        if known is not None:
            family.add_metric([str(key)], known)
    return family
