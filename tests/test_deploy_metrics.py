"""Alert rules and dashboard: every metric exists, and a real Prometheus takes and scrapes them."""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from bot.metrics.exposition import EngineCollector
from tests.cycle_scene import open_scene
from tests.e2e_scene import finish, start

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yml"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "perphedge.json"
_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}

PROMETHEUS, PROMTOOL = (shutil.which(name) or "" for name in ("prometheus", "promtool"))

needs_prometheus = pytest.mark.skipif(
    not (PROMETHEUS and PROMTOOL),
    reason="needs prometheus and promtool (Debian: apt-get install prometheus)",
)


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def expressions() -> list[str]:
    shown = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [rule["expr"] for rule in rules()] + shown


async def test_every_metric_that_is_asked_for_exists(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        await scene.cycle()
        known = {
            family.name + suffix
            for family in EngineCollector(scene.folder).collect()
            for suffix in _SUFFIXES[family.type]
        }
    asked = {name for one in expressions() for name in re.findall(r"perphedge_[a-z_]+", one)}
    assert asked - known == set()
    assert len(asked) > 25


def test_rules_say_how_weighty_they_are_and_what_they_mean() -> None:
    for rule in rules():
        assert re.fullmatch(r"Perphedge[A-Za-z]+", rule["alert"])
        assert rule["labels"]["severity"] in ("warning", "alarm")
        assert rule["annotations"]["summary"]
    assert len({rule["alert"] for rule in rules()}) == len(rules())


def test_panels_have_names_and_places_of_their_own() -> None:
    places = set()
    for panel in panels():
        place = panel["gridPos"]
        assert panel["title"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & places, f"{panel['title']} lies over another panel"
        places |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())


@needs_prometheus
def test_promtool_takes_rules_config_and_every_panel_and_the_rules_fire(tmp_path: Path) -> None:
    asked = [{"record": f"panel:{n}", "expr": one} for n, one in enumerate(expressions())]
    every = tmp_path / "expressions.yml"
    every.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": asked}]}))
    for arguments in (
        ["check", "rules", "--lint=all", "--lint-fatal", str(RULES)],
        ["check", "rules", str(every)],
        ["check", "config", str(RULES.with_name("prometheus.yml"))],
        ["test", "rules", str(RULES.with_name("rules_test.yml"))],
    ):
        done = subprocess.run(  # noqa: S603
            [PROMTOOL, *arguments], capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr


@contextlib.contextmanager
def prometheus(folder: Path, target: str) -> Iterator[str]:
    """A real server with our rules that scrapes the target; its address."""
    config = yaml.safe_load(RULES.with_name("prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [target]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    shutil.copy(RULES, folder / "rules.yml")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [
        PROMETHEUS,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log)  # noqa: S603
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(60)


def asked(address: str, path: str, holds: str, within_s: float = 60.0, **params: str) -> Any:
    """The data of the first answer in which a text stands."""
    ends = time.monotonic() + within_s
    while True:
        with contextlib.suppress(httpx.HTTPError):
            reply = httpx.get(f"{address}/api/v1/{path}", params=params, timeout=10)
            if reply.status_code == 200 and holds in reply.text:
                return reply.json()["data"]
        assert time.monotonic() < ends, f"Prometheus never answered {path} {params}"
        time.sleep(0.2)


@needs_prometheus
async def test_a_real_prometheus_scrapes_the_engine_and_raises_its_halt(tmp_path: Path) -> None:
    state, folder = tmp_path / "state", tmp_path / "prometheus"
    state.mkdir()
    folder.mkdir()
    async with open_scene(state) as scene:
        scene.halt_file.write_text("stop")
        record = await scene.cycle()
        server = start("metrics", "--state", str(scene.folder), "--port", "0")
        try:
            assert server.stdout is not None
            found = re.search(r"http://(127\.0\.0\.1:\d+)/metrics", server.stdout.readline())
            assert found is not None
            with prometheus(folder, found[1]) as address:
                [cycles] = asked(address, "query", "value", query="perphedge_cycles")["result"]
                assert float(cycles["value"][1]) == 1
                [at] = asked(address, "query", "value", query="perphedge_cycle_timestamp_seconds")[
                    "result"
                ]
                assert float(at["value"][1]) == record.timestamp_ms / 1000
                raised = asked(address, "alerts", "PerphedgeHalted")["alerts"]
                [halted] = [
                    one for one in raised if one["labels"]["alertname"] == "PerphedgeHalted"
                ]
                assert halted["labels"]["severity"] == "alarm"
                groups = asked(address, "rules", "PerphedgeProposalWaits")["groups"]
                health = {rule["name"]: rule["health"] for rule in groups[0]["rules"]}
                assert set(health) == {rule["alert"] for rule in rules()}
                assert "err" not in health.values()
        finally:
            server.terminate()
            finish(server)
