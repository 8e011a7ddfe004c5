"""One report, one file: everything inside it, nothing fetched when it is opened."""

import json
import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bot.report import history, rows, words
from bot.report.beside import Beside, result_facts, result_rows, signal_rows, trip_rows
from bot.report.breakdowns import contribution_chart
from bot.report.canvas import Chart
from bot.report.funding import crowding_chart, crowding_now_chart, funding_chart
from bot.report.heatmaps import correlation_charts
from bot.report.orders import order_rows
from bot.report.pace import pace_rows
from bot.report.pairs import pair_charts
from bot.report.proposal import carry_words, proposal_facts
from bot.report.timelines import cae_chart, cap_use_chart, exposure_chart, volatility_chart

ORDERS_SHOWN = 500
_NOTHING_BESIDE = Beside()
_CHARTS = (
    exposure_chart,
    volatility_chart,
    cae_chart,
    cap_use_chart,
    contribution_chart,
    crowding_chart,
    funding_chart,
    crowding_now_chart,
)


def write_report(
    cycles: Sequence[Mapping[str, Any]],
    path: Path,
    *,
    title: str,
    beside: Beside = _NOTHING_BESIDE,
) -> None:
    """Write the report of these cycles, oldest first, as one HTML file.

    ``cycles`` are the documents of ``CycleRecord.document()``, as they are or read back from JSON.
    The file appears whole or not at all; its folder is made when it is missing. OSError when it
    cannot be written.
    """
    page = render_report(cycles, title=title, beside=beside)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with draft.open("w", encoding="utf-8", newline="\n") as file:
            file.write(page)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def render_report(
    cycles: Sequence[Mapping[str, Any]], *, title: str, beside: Beside = _NOTHING_BESIDE
) -> str:
    """The report as text."""
    environment = _environment()
    drawn = [chart for draw in _CHARTS if (chart := draw(cycles)) is not None]
    drawn += [*correlation_charts(cycles), *pair_charts(beside.pairs)]
    plotly_js = _plotly_js() if drawn else ""
    page_js = _source(environment, "report.js") if drawn else ""
    scripts = [script for script in (plotly_js, page_js) if script]
    return environment.get_template("report.html").render(
        title=words.plain(title),
        policy=_content_policy(scripts),
        css=Markup(_source(environment, "report.css")),  # noqa: S704 - our own file, no input
        plotly_js=Markup(plotly_js),  # noqa: S704 - the package's own file, no input
        page_js=Markup(page_js),  # noqa: S704 - our own file, no input
        chart_data=Markup(_inert_json(_chart_data(drawn))),  # noqa: S704 - escaped by _inert_json
        charts={chart.key: chart for chart in drawn},
        **_facts(cycles),
        **_beside_facts(cycles, beside),
    )


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("bot.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0].replace("\r\n", "\n")


def _plotly_js() -> str:
    """The chart library that the plotly package carries, as text."""
    from plotly.offline import get_plotlyjs

    text: str = get_plotlyjs()
    return text.replace("\r\n", "\n")


def _content_policy(scripts: Sequence[str]) -> str:
    """No request of any kind, and no script but these, whatever a name in the data says."""
    hashes = [b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _chart_data(drawn: Sequence[Chart]) -> dict[str, Any]:
    return {chart.key: chart.figure for chart in drawn}


def _inert_json(document: Mapping[str, Any]) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(document, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _facts(cycles: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Everything that the template prints, as text."""
    known = history.with_figures(cycles)
    booked = history.latest(cycles, "legs")
    capped = history.latest(cycles, "cap_use_after") or history.latest(cycles, "cap_use_before")
    total = sum(len(document.get("orders") or ()) for document in cycles)
    return {
        "verdict": history.verdict(cycles),
        "inside": None if known is None else history.standing(known).inside,
        "period": _period(cycles),
        "counts": _counts(cycles),
        "tiles": _tiles(cycles, known),
        "cap_rows": [] if capped is None else rows.cap_rows(capped),
        "cap_time": "" if capped is None else words.clock_text(capped),
        "book_rows": [] if booked is None else rows.book_rows(booked),
        "book_time": "" if booked is None else words.clock_text(booked),
        "book_proposed": booked is not None and str(booked.get("status")) == "proposed",
        "proposal": proposal_facts(cycles),
        "proposal_sentence": _proposal_sentence(cycles),
        "cost": _cost_facts(cycles),
        "orders": order_rows(cycles, ORDERS_SHOWN),
        "orders_total": total,
        "troubles": rows.trouble_rows(cycles),
        "cycles": rows.cycle_rows(cycles),
        "pace": pace_rows(cycles),
        "excluded": _excluded(cycles),
    }


def _beside_facts(cycles: Sequence[Mapping[str, Any]], told: Beside) -> dict[str, Any]:
    """Attribution, controls and signals, and how many cycles there were in all."""
    found = told.attribution
    return {
        "results": [] if found is None else result_rows(found),
        "result_facts": [] if found is None else result_facts(found),
        "trips": trip_rows(told.events),
        "stress": told.stress,
        "signals": signal_rows(history.with_figures(cycles)),
        "cycles_total": len(cycles) if told.cycles_total is None else told.cycles_total,
    }


def _period(cycles: Sequence[Mapping[str, Any]]) -> str:
    if not cycles:
        return ""
    first, last = words.clock_text(cycles[0]), words.clock_text(cycles[-1])
    return f"{first} UTC" if first == last else f"{first} to {last} UTC"


def _counts(cycles: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, int]]:
    """Status for the colour, its words, how many cycles."""
    if not cycles:
        return []
    counted = history.status_counts(cycles).items()
    known = words.STATUS_WORDS
    return [(s if s in known else "other", words.status_words(s), n) for s, n in counted]


def _tiles(
    cycles: Sequence[Mapping[str, Any]], known: Mapping[str, Any] | None
) -> list[tuple[str, str, str]]:
    """Name, figure and a note for the row of large figures."""
    if known is None:
        return []
    state = history.standing(known)
    share, cost = history.relief(known), history.cost_so_far(cycles)
    limit = words.number((known.get("limits") or {}).get("cae_usd"))
    alone = words.number(known.get("volatility_unhedged_daily_usd"))
    change = words.ABSENT if share is None else words.percent(-share)
    if share is not None and share < 0:
        change = f"+{change}"
    return [
        ("Bot gross", words.usd(words.number(known.get("bot_gross_usd"))), "sum of positions"),
        ("Hedge gross", words.usd(words.number(known.get("hedge_gross_usd"))), "sum of hedges"),
        ("Volatility, bot alone", words.usd(alone), "a day"),
        ("Volatility now", words.usd(state.volatility_daily_usd), f"a day, {change}"),
        (
            "Correlation-adjusted exposure",
            words.usd(state.cae_usd),
            "no cap" if limit is None else f"cap {words.usd(limit)}",
        ),
        ("Fees so far", words.money(float(cost.fees_usd)), f"{cost.fills:,} fills"),
    ]


def _cost_facts(cycles: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    cost = history.cost_so_far(cycles)
    fees = words.money(float(cost.fees_usd))
    if cost.fees_unknown:
        fees += f", and {cost.fees_unknown} of {cost.fills} fills did not tell theirs"
    return [
        ("Fees paid", fees),
        ("Half-spread and impact, expected", words.money(cost.expected_usd)),
        ("Funding of the hedges, expected", carry_words(cost.carry_usd_per_day)),
    ]


def _proposal_sentence(cycles: Sequence[Mapping[str, Any]]) -> str:
    document = history.latest(cycles, "proposal")
    return "" if document is None else words.plain(document["proposal"].get("sentence") or "")


def _excluded(cycles: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    if not cycles:
        return []
    left_out = (cycles[-1].get("excluded") or {}).items()
    return [(words.plain(symbol), words.plain(reason)) for symbol, reason in sorted(left_out)]
