"""A position in a token of a few days: measured, and told apart from what is well known."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from bot.riskview.tables import risk_tables
from tests.risk_scene import BOOK, DAYS, FET, FIRST, TAO, Run, hourly, runner, write

YOUNG_HOURS = 72
HELD = {**BOOK, TAO: 6_000.0}


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr("bot.outlook.signal_states.COSTLY_BARS", 3)
    return runner(tmp_path, capsys)


def listed_late(folder: Path) -> Path:
    bars = hourly()
    start = FIRST + pd.Timedelta(days=DAYS, hours=-YOUNG_HOURS)
    return write(folder, bars[(bars.symbol != TAO) | (bars.timestamp >= start)])


def text_of(document: dict[str, Any]) -> str:
    """The tables as a terminal of 120 columns shows them."""
    out = io.StringIO()
    Console(file=out, width=120).print(risk_tables(document))
    return out.getvalue()


def test_little_history_shows_in_every_error(run: Run, tmp_path: Path) -> None:
    old = run(write(tmp_path / "old"), HELD, "--json").document["exposure"]
    late = listed_late(tmp_path / "late")
    seen = run(late, HELD, "--json")
    assert (seen.code, seen.err) == (0, "")
    young = seen.document["exposure"]
    known = young["history"]
    assert known[TAO]["observed_bars"] == YOUNG_HOURS - 1
    assert {s: row["short_history"] for s, row in known.items()} == {
        s: s == TAO for s in sorted(HELD)
    }
    # Weights within three days are nearly even, so nearly every hour counts.
    assert 0.9 * YOUNG_HOURS < known[TAO]["effective_bars"] < YOUNG_HOURS
    ratio = known[TAO]["volatility_daily_se"] / known[TAO]["volatility_daily"]
    wide = np.sqrt((young["kurtosis_hourly"] - 1) / 4 / known[TAO]["effective_bars"])
    assert ratio == pytest.approx(wide, rel=1e-4)

    def widened(path: str, symbol: str = "") -> float:
        here, there = young[path], old[path]
        return float(here[symbol] / there[symbol] if symbol else here / there)

    assert widened("contributions_se", TAO) > 2
    assert widened("contributions_se", FET) < 2
    for figure in ("volatility_daily_se_usd", "cae_se_usd", "beta_net_se_usd"):
        assert widened(figure) > 1.2
    # Three days say nothing of a bad one: its peers stand in, on the cautious side, and it is told.
    assert young["tail"]["stand_in"] == [TAO]
    assert young["tail"]["stand_in_share"] == pytest.approx(6_000 / young["gross_usd"], rel=1e-4)
    assert (old["tail"]["stand_in"], old["tail"]["stand_in_share"]) == ([], 0.0)
    for figure in ("var95_usd", "es95_usd", "es99_usd"):
        assert 0.9 < widened(figure) < 1.6
    assert "made up" in text_of(seen.document)
    assert "made up" not in text_of({**seen.document, "exposure": old})
    assert "Little is known of TAO: 3.0 days of bars" in text_of(seen.document)
    assert "Little is known" not in text_of({**seen.document, "exposure": old})
