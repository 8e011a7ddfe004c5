"""The report's correlations, pairs, crowding and funding: what is drawn is what was recorded."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

from bot.report.beside import Beside
from bot.report.funding import crowding_chart, crowding_now_chart, funding_chart
from bot.report.heatmaps import correlation_charts
from bot.report.page import render_report
from bot.report.pairs import PairHistory, pair_charts, pairs_to_follow

FET, TAO, NEAR, WLD = (f"{name}/USDT:USDT" for name in ("FET", "TAO", "NEAR", "WLD"))
HOUR_MS = 3_600_000


def leg(symbol: str, bot: float, hedge: float) -> dict[str, Any]:
    return {"symbol": symbol, "bot_usd": bot, "hedge_after_usd": hedge, "mark_price": 1.0}


def cycle(hour: int, *, windows: bool = True, **more: Any) -> dict[str, Any]:
    """FET is held, TAO and NEAR hedge it, WLD is only there; a record every hour."""
    correlation = {
        "symbols": [FET, TAO, NEAR, WLD],
        "matrix": [[1.0, 0.5, 0.5, 0.5]] * 4,
        "clusters": [[FET, TAO], [NEAR], [WLD]],
        "held": [FET],
        # Pairs: FET–TAO, FET–NEAR, FET–WLD, TAO–NEAR, TAO–WLD, NEAR–WLD.
        "windows": {"30d": [80 + hour, 60, 10, 55, None, 20], "7d": [70, 50, -5, 45, None, 15]},
    }
    if not windows:
        del correlation["windows"]
    return {
        "cycle_id": f"c{hour}",
        "timestamp": f"2026-01-01T{hour:02d}:00:00.000Z",
        "timestamp_ms": 1_767_225_600_000 + hour * HOUR_MS,
        "status": "no_hedge",
        "correlation": correlation,
        "legs": [leg(FET, 1000.0, 0.0), leg(TAO, 0.0, -600.0), leg(NEAR, 0.0, -300.0)],
        "crowding": {FET: 1.5, TAO: -0.5, NEAR: None, WLD: 3.0},
        "funding_annual": {FET: 0.1095, TAO: -0.2, NEAR: None, WLD: 0.5},
    } | more


DAY = [cycle(hour) for hour in range(3)]


def followed(documents: list[dict[str, Any]]) -> PairHistory:
    history = PairHistory(pairs_to_follow(documents[-1]["legs"]))
    for document in documents:
        history.add(document)
    return history


def test_thirty_days_stand_beside_seven_in_the_same_order() -> None:
    long, short = correlation_charts(DAY)
    assert (long.key, short.key) == ("correlation-30d", "correlation-7d")
    for chart, first in ((long, 0.82), (short, 0.70)):
        heat = chart.figure["data"][0]
        assert heat["z"][0][1] == heat["z"][1][0] == first
        assert [heat["z"][i][i] for i in range(4)] == [1.0] * 4
        assert heat["z"][1][3] is None, "not known, which is not 0"
        assert chart.figure["layout"]["yaxis"]["ticktext"] == ["FET ●", "TAO ▼", "NEAR ▼", "WLD"]
        assert len(chart.figure["layout"]["shapes"]) == 1, "one cluster of more than one"


def test_a_record_without_windows_shows_the_matrix_it_has() -> None:
    (chart,) = correlation_charts([cycle(0, windows=False)])
    assert chart.key == "correlation"
    assert chart.figure["data"][0]["z"][0] == [1.0, 0.5, 0.5, 0.5]


def test_pairs_are_of_the_bot_and_its_hedges_the_largest_first() -> None:
    assert pairs_to_follow(DAY[0]["legs"]) == [(FET, TAO), (FET, NEAR)]
    alone = [leg(FET, 10.0, 0.0), leg(TAO, 30.0, 0.0), leg(WLD, 20.0, 0.0)]
    assert pairs_to_follow(alone) == [(TAO, WLD), (FET, TAO), (FET, WLD)]
    many = [
        *(leg(f"B{i}", 100.0 - i, 0.0) for i in range(9)),
        *(leg(f"H{i}", 0, -9) for i in (1, 2)),
    ]
    chosen = pairs_to_follow(many)
    assert all(sum(s in pair for pair in chosen) <= 2 for pair in chosen for s in pair)


def test_the_history_of_a_pair_is_what_each_cycle_recorded() -> None:
    quiet = cycle(3, correlation=None)
    history = followed([*DAY, quiet, cycle(4, windows=False), cycle(5)])
    assert len(history.times_ms) == 4, "cycles without windows tell nothing"
    assert history.values["30d"] == [[0.80, 0.81, 0.82, 0.85], [0.60] * 4]
    long, short = pair_charts(history)
    assert [trace["name"] for trace in long.figure["data"]] == ["FET – TAO", "FET – NEAR"]
    assert short.figure["data"][0]["y"] == [0.7] * 4
    assert pair_charts(followed(DAY[:1])) == [], "one moment is no history"


def test_a_long_history_is_thinned_to_what_can_be_drawn() -> None:
    history = followed([cycle(0) | {"timestamp_ms": hour} for hour in range(4_000)])
    thin = history.thinned()
    assert 1_000 < len(thin.times_ms) <= 1_500
    assert thin.times_ms[-1] == 3_999, "the newest stays"
    assert len(thin.values["7d"][0]) == len(thin.times_ms)


def test_crowding_and_funding_of_what_is_held() -> None:
    crowding, funding = crowding_chart(DAY), funding_chart(DAY)
    assert crowding is not None
    assert funding is not None
    told = {trace["name"]: trace["y"] for trace in funding.figure["data"]}
    assert told == {"FET": [10.95] * 3, "TAO": [-20.0] * 3}, "NEAR is not known, WLD not held"
    assert {trace["name"] for trace in crowding.figure["data"]} == {"FET", "TAO"}
    now = crowding_now_chart(DAY)
    assert now is not None
    bars = {
        now.figure["layout"]["yaxis"]["ticktext"][y]: (x, text)
        for trace in now.figure["data"]
        for x, y, text in zip(trace["x"], trace["y"], trace["text"], strict=True)
    }
    assert bars == {"FET ●": (1.5, "11 %"), "TAO ▼": (-0.5, "−20 %"), "WLD": (3.0, "50 %")}


def test_cycles_between_two_bars_leave_no_gap_in_the_funding() -> None:
    documents = [cycle(0), cycle(1, funding_annual={}), cycle(2)]
    chart = funding_chart(documents)
    assert chart is not None
    assert [trace["y"] for trace in chart.figure["data"]] == [[10.95] * 2, [-20.0] * 2]


def page() -> str:
    return render_report(DAY, title="perphedge", beside=Beside(pairs=followed(DAY)))


def test_every_new_figure_is_valid_plotly() -> None:
    def paint(value: Any) -> Any:
        if isinstance(value, str) and value.startswith("var(--"):
            return "#123456"
        if isinstance(value, list):
            return [paint(one) for one in value]
        return {k: paint(v) for k, v in value.items()} if isinstance(value, dict) else value

    charts = [*correlation_charts(DAY), *pair_charts(followed(DAY))]
    charts += [c for c in (crowding_chart(DAY), funding_chart(DAY), crowding_now_chart(DAY)) if c]
    assert len(charts) == 7
    for chart in charts:
        go.Figure(paint(json.loads(json.dumps(chart.figure, allow_nan=False))))


def test_a_browser_draws_all_of_it_without_an_error(tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed: the report is not opened in a browser")
    file = tmp_path / "report.html"
    file.write_text(page(), encoding="utf-8")
    done = subprocess.run(  # noqa: S603 - a browser of the system, a file of ours
        [
            *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
            *("--enable-logging=stderr", "--v=0", "--virtual-time-budget=20000"),
            *(f"--user-data-dir={tmp_path / 'profile'}", file.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    drawn = done.stdout.count('class="main-svg"')
    charts = page().count("data-chart=")
    assert charts >= 7
    assert drawn >= charts, "each chart has at least one drawing"
    for name in ("FET – TAO", "Correlation, 30 days", "NEAR ▼"):
        assert name in done.stdout
