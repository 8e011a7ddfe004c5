"""Dockerfile and compose files: linted, read as the specification says, and closed up."""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from bot.cli.main import _run
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME
from bot.lock import EngineLock
from release.image_steps import instructions
from tests.cycle_scene import open_scene

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
FILES = ("docker-compose.yml", "deploy/compose.live.yml")
OURS = ("perphedge", "web", "metrics")
HADOLINT = Path(sys.executable).parent / "hadolint"


def compose(name: str) -> dict[str, Any]:
    """The file with its merge keys carried out, which is YAML's part."""
    found: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return found


@pytest.mark.parametrize("name", FILES)
def test_compose_files_keep_to_the_specification(name: str) -> None:
    document = compose(name)
    PyCompose.from_yaml(yaml.safe_dump(document)).validate()


@pytest.mark.parametrize(
    ("key", "value"), [("readonly", True), ("init", [1]), ("healthcheck", {"tests": []})]
)
def test_the_check_finds_what_the_specification_does_not_know(key: str, value: object) -> None:
    document = compose(FILES[0])
    document["services"]["perphedge"][key] = value
    with pytest.raises(ValueError, match=r"services\.perphedge"):
        PyCompose.from_yaml(yaml.safe_dump(document)).validate()


def test_every_service_is_closed_up_and_looked_after() -> None:
    for name, service in compose(FILES[0])["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["healthcheck"]["test"][0] == "CMD", name
        assert "privileged" not in service
        assert "environment" not in service or name == "grafana"
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), f"{name} is open to others"
        if name in OURS:
            assert service["user"] == "10001:10001"
        else:
            assert service["profiles"] == ["monitoring"], name
            assert re.fullmatch(r"[a-z/]+:v?[0-9.]+", service["image"]), "a version, not latest"


def test_paper_is_the_default_and_live_needs_more() -> None:
    assert compose("config/profiles/paper.yaml")["mode"] == "paper"
    assert "COPY config/profiles/paper.yaml /sidecar/config.yaml" in DOCKERFILE
    assert "command" not in compose(FILES[0])["services"]["perphedge"]
    live = compose(FILES[1])
    assert "--live" in live["services"]["perphedge"]["command"]
    every = compose(FILES[0])["secrets"] | live["secrets"]
    assert all(list(secret) == ["file"] for secret in every.values()), "secrets are files"


def test_what_is_mounted_exists() -> None:
    for service in compose(FILES[0])["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("./deploy"):
                assert (ROOT / source).is_dir()
            elif not source.startswith("."):
                assert source in compose(FILES[0])["volumes"]


@pytest.mark.skipif(not HADOLINT.exists(), reason="needs hadolint, which has no wheel here")
def test_the_linter_finds_nothing_in_the_dockerfile() -> None:
    done = subprocess.run(  # noqa: S603
        [str(HADOLINT), "--failure-threshold", "info", str(ROOT / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_as_nobody_special_and_installs_by_hash() -> None:
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]
    assert DOCKERFILE.rindex("USER") > DOCKERFILE.rindex("RUN")
    steps = list(instructions(DOCKERFILE))
    assert [rest for keyword, rest in steps if keyword == "RUN"] == [
        "python -m venv /venv",
        "/venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock",
        "/venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation .",
    ]
    ignored = (ROOT / ".dockerignore").read_text().split()
    for keyword, rest in steps:
        if keyword == "COPY":
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists()
                assert f"!{source}" in ignored, "what is copied is sent to the builder"


async def test_the_health_check_tells_a_fresh_engine_from_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["status", "--state", str(tmp_path), "--fresh", "600"]
    assert _run(words) == 5
    async with open_scene(tmp_path) as scene:
        assert _run(words) == 5, "no engine holds the lock"
        with EngineLock(scene.folder):
            assert _run(words) == 5, "no cycle yet"
            record = await scene.cycle()
            now_s = record.timestamp_ms / 1000
            monkeypatch.setattr(time, "time", lambda: now_s + 600)
            capsys.readouterr()
            assert _run(words) == 0
            assert capsys.readouterr().out == "The newest cycle is 600 s old.\n"
            monkeypatch.setattr(time, "time", lambda: now_s + 601)
            assert _run(words) == 5
            assert "the newest cycle is 601 s old" in capsys.readouterr().err


def test_a_journal_without_an_engine_is_not_healthy(tmp_path: Path, journal: Journal) -> None:
    shutil.copy(journal.path, tmp_path / JOURNAL_NAME)
    assert _run(["status", "--state", str(tmp_path), "--fresh", "600"]) == 5
