"""``perphedge evaluate`` as it is typed: document, table, picture, and what it refuses.

Slow where processes start afresh, each with a solver to import.
"""

import io
import json
import re
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from rich.console import Console

from bot.evaluate.table import evaluation_table
from tests.e2e_scene import Finished, called, one_line, perphedge, start, until
from tests.evaluate_scene import write_folder

FIGURES = (
    "effectiveness_daily",
    "effectiveness_hourly",
    "es95_cut",
    "turnover_per_day",
    "cost_bps_per_day",
    "bias",
    "systematic_removed",
    "specific_added",
    "funding_bps_per_day",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("market"))


def evaluated(folder: Path, *more: str) -> Finished:
    return called("evaluate", "--data", str(folder), "--tokens", "3", *more)


@pytest.fixture(scope="module")
def finished(folder: Path) -> Finished:
    return evaluated(
        folder,
        *("--books", "3", "--strategies", "none,beta,basket,ledoit_wolf,minimum_risk"),
        *("--processes", "1", "--plot", str(folder / "plot.png"), "--json"),
    )


def test_one_document_has_every_figure_of_every_strategy(finished: Finished) -> None:
    assert finished.code == 0, finished.err
    assert finished.err == ""
    found = finished.document
    assert list(found["strategies"]) == ["none", "beta", "basket", "ledoit_wolf", "minimum_risk"]
    for name, figures in found["strategies"].items():
        assert set(FIGURES) <= set(figures)
        assert set(figures["diebold_mariano"]) == set(found["strategies"]) - {name}
        assert figures["held_decisions"] == 0
        for other, test in figures["diebold_mariano"].items():
            back = found["strategies"][other]["diebold_mariano"][name]
            assert test["statistic"] == pytest.approx(-back["statistic"])
            assert test["p_value"] == pytest.approx(back["p_value"])
    assert set(FIGURES) <= set(found["hindsight"])
    assert found["from"] == "2025-01-31T00:00Z"
    assert found["to"] == "2025-02-14T00:00Z"


def test_figures_are_those_that_a_factor_market_must_give(finished: Finished) -> None:
    found, bound = finished.document["strategies"], finished.document["hindsight"]
    bare = found["none"]
    assert bare["effectiveness_daily"] == bare["turnover_per_day"] == bare["specific_added"] == 0
    for name in ("basket", "ledoit_wolf", "minimum_risk"):
        assert 0.6 < found[name]["effectiveness_hourly"] < 1
        assert found[name]["effectiveness_hourly"] > found["beta"]["effectiveness_hourly"] + 0.1
        assert found[name]["systematic_removed"] > 0.8
        assert found[name]["diebold_mariano"]["none"]["p_value"] < 0.1
        assert found[name]["cost_bps_per_day"] == pytest.approx(7 * found[name]["turnover_per_day"])
        assert found[name]["funding_bps_per_day"] < 0  # shorts receive here
    for name in ("ledoit_wolf", "minimum_risk"):  # foretold by the covariance it was made with
        assert 0.9 < found[name]["bias"] < 1.15
    assert bound["effectiveness_hourly"] > found["ledoit_wolf"]["effectiveness_hourly"]
    assert found["beta"]["specific_added"] == 0  # BTC is a factor
    assert found["minimum_risk"]["turnover_per_day"] < found["ledoit_wolf"]["turnover_per_day"]


@pytest.mark.long
def test_figures_do_not_depend_on_how_many_processes_work(folder: Path) -> None:
    asked = ("--books", "2", "--strategies", "basket", "--to", "2025-02-05", "--json")
    alone = evaluated(folder, *asked, "--processes", "1")
    shared = perphedge(
        "evaluate", "--data", str(folder), "--tokens", "3", *asked, "--processes", "2"
    )
    assert shared.code == 0, shared.err
    assert shared.out == alone.out


def test_the_picture_is_drawn(finished: Finished, folder: Path) -> None:
    assert finished.code == 0
    assert (folder / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_the_table_fits_and_names_all(finished: Finished) -> None:
    console = Console(width=80, record=True, file=io.StringIO(), force_terminal=True)
    console.print(evaluation_table(finished.document))
    text = console.export_text()
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "…" not in text
    found = finished.document["strategies"]["minimum_risk"]
    line = next(one for one in text.splitlines() if one.startswith("minimum_risk "))
    assert f"{found['effectiveness_daily']:.3f}" in line
    assert f"{found['cost_bps_per_day']:.2f}" in line
    told = " ".join(text.split())
    test = found["diebold_mariano"]["basket"]
    assert "Diebold-Mariano of minimum_risk, below 0 is less variance: none -" in told
    assert f"basket {test['statistic']:+.1f} (p {test['p_value']:.3f})" in told


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--from", "2025-01-05"), "--from 2025-01-05T00:00Z: .* need 30 days before them"),
        (("--from", "yesterday"), "--from yesterday: must be a day like"),
        (("--to", "2025-03-01"), "--to 2025-03-02T00:00Z: .* ends at 2025-02-14T00:00Z"),
        (("--to", "2025-02-01T00:30"), "must be a full hour"),
        (("--from", "2025-02-10", "--to", "2025-02-10"), "must be at least two days apart"),
        (("--symbols", "FET,DOGE"), "--symbols DOGE: must be of FET, GRT"),
        (("--symbols", "FET,GRT"), "2 tokens with 30 days of bars at .*, a book holds 3"),
        (("--symbols", ","), "no name in it"),
        (("--strategies", "magic"), '--strategies: "magic" — one of: none, pair'),
        (("--plot", "/no/such/folder/plot.png"), "no such folder"),
        (("--plot", "/"), "--plot /: is a folder"),
        (("--books", "0"), "Invalid value for '--books'"),
    ],
)
def test_what_cannot_be_evaluated_is_said_in_one_line(
    folder: Path, options: tuple[str, ...], said: str
) -> None:
    done = evaluated(folder, "--processes", "1", *options)
    assert re.search(said, one_line(done, 2)), done.err


def test_decisions_are_as_far_apart_as_the_config_says(folder: Path, tmp_path: Path) -> None:
    config = tmp_path / "daily.yaml"
    config.write_text(
        "mode: paper\nstate_dir: state\nvenue: {exchange: binanceusdm, account: hedge}\n"
        "sources: [{kind: file, name: bot, path: positions.json}]\nhedge: {decide_every: 12h}\n"
    )
    asked = ("--books", "1", "--strategies", "beta", "--processes", "1", "--json")
    done = evaluated(folder, "-c", str(config), *asked)
    assert json.loads(done.out)["decide_every_hours"] == 12
    config.write_text(config.read_text().replace("12h", "90m"))
    refused = evaluated(folder, "-c", str(config), *asked)
    assert refused.code == 2
    assert "hedge.decide_every: bars are hourly" in refused.err


def children(pid: int) -> set[int]:
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.add(int(stat.parent.name))
    return found


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_the_command(folder: Path, how: signal.Signals) -> None:
    running = start(
        *("evaluate", "--data", str(folder), "--books", "500", "--processes", "2", "--json")
    )
    try:
        until(lambda: len(children(running.pid)) == 3)  # two workers and Python's own tracker
        workers = children(running.pid)
        running.send_signal(how)
        assert running.communicate(timeout=60)[0] == ""
        until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), 20)
    finally:
        running.kill()
