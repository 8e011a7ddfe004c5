"""The risk document: every field, its sums and bounds, its tables and its heatmap."""

import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread
from rich.console import Console

from bot.riskview.heatmap import write_heatmap
from bot.riskview.tables import risk_tables
from risk.errors import DataError
from tests.risk_scene import (
    BASES,
    BOOK,
    BTC,
    ETH,
    FET,
    NEAR,
    Outcome,
    Run,
    runner,
    write,
)

DOCS = (Path(__file__).resolve().parents[1] / "docs" / "risk.md").read_text(encoding="utf-8")
EXPOSURE = {
    "gross_usd",
    "net_usd",
    "cae_usd",
    "beta_net_usd",
    "beta_net_se_usd",
    "volatility_daily_usd",
    "diversification_ratio",
    "effective_bets",
    "contributions",
    "marginal",
    "var95_usd",
    "es95_usd",
    "var99_usd",
    "es99_usd",
    "clusters",
    "stress",
    "sector",
}
BETA = {"btc", "btc_se", "correlation_btc", "eth", "eth_se", "correlation_eth"}
CROWDING = {
    "annual_rate",
    "score",
    "cluster_score",
    "persistence",
    "interval_hours",
    "pinned",
    "capped",
    "unknown",
    "half_life_hours",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("risk") / "data")


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr("bot.outlook.signal_states.COSTLY_BARS", 3)  # a bootstrap for each
    return runner(tmp_path, capsys)


@pytest.fixture(scope="module")
def kept() -> dict[str, Outcome]:
    return {}


@pytest.fixture
def document(run: Run, data: Path, kept: dict[str, Outcome]) -> dict[str, Any]:
    """Made once."""
    if "one" not in kept:
        kept["one"] = run(data, None, "--json")
    seen = kept["one"]
    assert (seen.code, seen.err) == (0, "")
    return json.loads(json.dumps(seen.document))


def keys(value: Any, inside: bool = True) -> Iterator[str]:
    """Names of fields, without symbols and names of caps and stresses."""
    if isinstance(value, dict):
        for key, one in value.items():
            if not key.endswith(":USDT"):
                yield key
            yield from keys(one)
    elif isinstance(value, list):
        for one in value:
            yield from keys(one)


def test_every_field_is_there(document: dict[str, Any]) -> None:
    wanted = {
        "exposure",
        "correlation",
        "clusters",
        "beta",
        "crowding",
        "signals",
        "excluded",
        "breaches",
        "timestamp",
        "funding",
    }
    assert wanted <= document.keys()
    assert document["exposure"].keys() >= EXPOSURE
    assert {"30d", "7d", "daily_30d", "volume_weighted"} <= document["correlation"].keys()
    assert all(row.keys() >= BETA for row in document["beta"].values())
    assert all(row.keys() >= CROWDING for row in document["crowding"].values())
    assert document["timestamp"].startswith("2025-03-12T00:00:00")


def test_the_page_names_every_field(document: dict[str, Any]) -> None:
    told = {**document, "limits": {}, "cap_use": {}}
    told["exposure"] = {**document["exposure"], "stress_unknown": {}}
    told["exposure"]["tail"] = {**document["exposure"]["tail"], "filled_by_symbol": {}}
    for key in set(keys(told)):
        assert f"`{key}`" in DOCS, key


def test_sums_and_bounds(document: dict[str, Any]) -> None:
    exposure = document["exposure"]
    assert exposure["gross_usd"] == pytest.approx(sum(map(abs, BOOK.values())), abs=0.01)
    assert exposure["net_usd"] == pytest.approx(sum(BOOK.values()), abs=0.01)
    volatility = exposure["volatility_daily_usd"]
    assert sum(exposure["contributions"].values()) == pytest.approx(volatility, abs=0.01)
    parts = [exposure["marginal"][s] * usd for s, usd in exposure["positions"].items()]
    assert sum(parts) == pytest.approx(volatility, rel=1e-4)
    assert exposure["cae_usd"] * exposure["volatility_btc_daily"] == pytest.approx(
        volatility, rel=1e-4
    )
    assert math.hypot(
        exposure["systematic_daily_usd"], exposure["specific_daily_usd"]
    ) == pytest.approx(volatility, rel=1e-5)
    assert 1 <= exposure["effective_bets"] <= len(BOOK)
    assert exposure["diversification_ratio"] >= 1
    assert 0 < exposure["var95_usd"] <= exposure["es95_usd"] <= exposure["es99_usd"]
    assert exposure["var95_usd"] <= exposure["var99_usd"] <= exposure["es99_usd"]
    assert sum(c["variance_share"] for c in exposure["clusters"]) == pytest.approx(1, abs=1e-4)
    net = sum(document["beta"][s]["hedge_btc"] * usd for s, usd in BOOK.items())
    assert exposure["beta_net_usd"] == pytest.approx(net, rel=1e-5)


@pytest.mark.parametrize("key", ["30d", "7d", "daily_30d"])
def test_correlation_matrices_are_sound(key: str, document: dict[str, Any]) -> None:
    part = document["correlation"][key]
    matrix = np.array(part["matrix"], dtype=float)
    assert sorted(part["symbols"]) == sorted(f"{base}/USDT:USDT" for base in BASES)
    assert (matrix == matrix.T).all()
    assert (np.diag(matrix) == 1).all()
    assert np.abs(matrix).max() <= 1
    assert np.linalg.eigvalsh(matrix)[0] > -1e-6
    assert part["symbols"] == [s for members in document["clusters"] for s in members]


def test_betas_and_their_errors(document: dict[str, Any]) -> None:
    assert (document["beta"][BTC]["btc"], document["beta"][BTC]["btc_se"]) == (1, 0)
    assert document["beta"][ETH]["correlation_eth"] == 1
    for symbol in BOOK:
        row = document["beta"][symbol]
        assert 0 < row["btc_se"] < row["btc"]


def test_an_interval_that_changed_is_the_last_one(document: dict[str, Any]) -> None:
    assert document["crowding"][NEAR]["interval_hours"] == 1
    assert document["crowding"][FET]["interval_hours"] == 8
    for row in document["crowding"].values():
        assert row["unknown"] is None
        assert 0 <= row["persistence"] <= 1
        assert abs(row["score"]) <= 4


def test_breaches_name_causes_and_cures(document: dict[str, Any]) -> None:
    breaches = {one["cap"]: one for one in document["breaches"]}
    assert breaches.keys() == {cap for cap, use in document["cap_use"].items() if use > 1}
    one = breaches["beta_net_usd"]
    assert sum(p["contribution"] for p in one["positions"]) == pytest.approx(one["value"], abs=0.01)
    assert {p["symbol"] for p in one["positions"]} == BOOK.keys()
    assert one["limit"] < one["value"]


def test_a_cure_cures(run: Run, data: Path, document: dict[str, Any]) -> None:
    one = next(b for b in document["breaches"] if b["cure"])
    symbol, usd = one["cure"]["symbol"], one["cure"]["reduce_usd"]
    cured = {**BOOK, symbol: BOOK[symbol] - math.copysign(usd + 0.01, BOOK[symbol])}
    after = run(data, cured, "--json").document
    assert one["cap"] not in {b["cap"] for b in after["breaches"]}
    assert after["cap_use"][one["cap"]] == pytest.approx(1, abs=1e-4)


def test_the_order_of_the_book_does_not_matter(
    run: Run, data: Path, document: dict[str, Any]
) -> None:
    backwards = dict(reversed(BOOK.items()))
    assert run(data, backwards, "--json").document == document


def test_twice_the_book_is_twice_the_risk(run: Run, data: Path, document: dict[str, Any]) -> None:
    double = run(data, {s: 2 * usd for s, usd in BOOK.items()}, "--json").document["exposure"]
    once = document["exposure"]
    for key in ("volatility_daily_usd", "cae_usd", "beta_net_usd", "var95_usd", "es99_usd"):
        assert double[key] == pytest.approx(2 * once[key], rel=1e-5)
    for key in ("diversification_ratio", "effective_bets"):
        assert double[key] == pytest.approx(once[key], rel=1e-5)


def shown(document: dict[str, Any], width: int) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=True, record=True)
    console.print(risk_tables(document))
    return console.export_text()


@pytest.mark.parametrize("width", [120, 100, 80])
def test_tables_fit(width: int, document: dict[str, Any]) -> None:
    text = shown(document, width)
    assert max(map(len, text.splitlines())) <= width
    for word in (
        "Effective bets",
        "exceeded",
        "Stress",
        "Clusters",
        "Funding",
        "VaR",
        "smaller by",
    ):
        assert word in text


def test_rules_that_failed_stand_out(document: dict[str, Any]) -> None:
    console = Console(width=100, file=io.StringIO(), force_terminal=True, record=True)
    reasons = {"volume": "failed: a volume is negative", "regime": "not enough history"}
    console.print(risk_tables({**document, "signals_unknown": reasons}))
    text = console.export_text(styles=True, clear=False)
    (line,) = [line for line in text.splitlines() if "a volume is negative" in line]
    assert "\x1b[1;31m" in line
    assert "regime" in console.export_text()


def test_names_cannot_steer_a_terminal(document: dict[str, Any]) -> None:
    evil = "\x1b[2J[bold]x[/]"
    hostile = json.loads(json.dumps(document).replace("RENDER", json.dumps(evil)[1:-1]))
    hostile["excluded"] = {evil: evil}
    text = shown(hostile, 120)
    assert "\x1b[2J" not in text
    assert "[bold]x[/]" in text


def pixels(path: Path) -> np.ndarray[Any, Any]:
    assert path.read_bytes().startswith(b"\x89PNG\r\n")
    return np.asarray(imread(path), dtype=float)[:, :, :3] * 255


def test_the_heatmap_is_a_picture(run: Run, data: Path, tmp_path: Path) -> None:
    path = tmp_path / "map.png"
    seen = run(data, None, "--json", "--heatmap", str(path))
    assert (seen.code, seen.err) == (0, "")
    picture = pixels(path)
    height, width, _ = picture.shape
    assert 500 < height < 2500
    assert 1000 < width < 4500
    assert (picture.std(axis=(0, 1)) > 20).all()
    red = (picture[:, :, 0] > picture[:, :, 2] + 60).mean()
    assert red > 0.1  # correlations above 0


def test_the_heatmap_of_many_and_of_unknown(document: dict[str, Any], tmp_path: Path) -> None:
    symbols = [f"T{k}/USDT:USDT" for k in range(60)]
    matrix: list[list[float | None]] = np.eye(60).tolist()
    matrix[3] = [None] * 60
    part = {"symbols": symbols, "matrix": matrix}
    document["correlation"] = {"30d": part, "7d": part}
    document["clusters"] = [symbols[:20], symbols[20:]]
    write_heatmap(document, tmp_path / "many.png")
    assert pixels(tmp_path / "many.png").shape[1] < 4500
    document["correlation"] = {key: {"symbols": [], "matrix": []} for key in ("30d", "7d")}
    with pytest.raises(DataError, match="fewer than two"):
        write_heatmap(document, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_signals_are_sentences_the_most_urgent_first(document: dict[str, Any]) -> None:
    ranks = ["alarm", "warning", "note"]
    order = [ranks.index(one["severity"]) for one in document["signals"]]
    assert order == sorted(order)
    assert all(one["sentence"].endswith(".") for one in document["signals"])
