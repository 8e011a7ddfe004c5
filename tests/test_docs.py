"""The documents tell the truth: commands run, files exist, fields and packages are all named."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from bot.cli.main import COMMANDS
from bot.records.cycle import (
    CycleRecord,
    CycleStatus,
    ExposureRecord,
    FillRecord,
    LegRecord,
    OrderRecord,
    ProposalRecord,
)
from bot.trading.orders import OrderState
from config.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
HEDGE_LOG = (ROOT / "docs" / "hedge-log.md").read_text()


TUTORIALS = sorted(path.name for path in (ROOT / "docs" / "tutorials").glob("*.md"))


def shell_lines(page: str = README) -> Iterator[str]:
    """Every line of a page's ``sh`` blocks."""
    for block in re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL):
        yield from block.splitlines()


def run_all(lines: list[str], folder: Path) -> None:
    """Each line in a shell of its own, in a folder that has the profiles."""
    (folder / "config").symlink_to(ROOT / "config")
    found = Path(sys.executable).parent
    surroundings = os.environ | {"PATH": f"{found}{os.pathsep}{os.environ['PATH']}"}
    for line in lines:
        done = subprocess.run(  # noqa: S603 - lines of our own pages
            ["/bin/sh", "-c", line],
            cwd=folder,
            env=surroundings,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        assert "Traceback" not in done.stderr


def test_the_commands_of_the_readme_run(tmp_path: Path) -> None:
    lines = list(shell_lines())
    assert len(lines) >= 4
    run_all(lines, tmp_path)
    assert (tmp_path / "demo-out" / "report.html").exists()
    assert (tmp_path / "my-paper.yaml").exists()


@pytest.mark.long
@pytest.mark.parametrize("name", TUTORIALS)
def test_the_commands_of_the_tutorials_run(name: str, tmp_path: Path) -> None:
    lines = list(shell_lines((ROOT / "docs" / "tutorials" / name).read_text()))
    assert lines
    run_all(lines, tmp_path)


@pytest.mark.parametrize("name", TUTORIALS)
def test_the_settings_of_the_tutorials_are_settings(name: str) -> None:
    """Each ``yaml`` block, put over the paper profile, is a config that loads."""
    blocks = re.findall(
        r"```yaml\n(.*?)```", (ROOT / "docs" / "tutorials" / name).read_text(), flags=re.DOTALL
    )
    for block in blocks:
        told = yaml.safe_load(block)
        profile = yaml.safe_load((ROOT / "config" / "profiles" / "paper.yaml").read_text())
        for section, value in told.items():
            whole = {**profile[section], **value} if isinstance(value, dict) else value
            profile[section] = whole
        Settings.model_validate(profile)


def test_the_readme_names_every_command() -> None:
    for name in COMMANDS:
        assert f"`perphedge {name}" in README


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/approval.md",
        "docs/dashboard.md",
        "docs/architecture.md",
        "docs/evaluation.md",
        "docs/evaluation-research.md",
        "docs/hedge-log.md",
        "docs/strategies.md",
        *(f"docs/tutorials/{name}" for name in TUTORIALS),
    ],
)
def test_links_and_paths_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text)]
    near = [link for link in links if link and "://" not in link]
    for link in near:
        assert ((ROOT / page).parent / link).exists(), link
    paths = re.findall(r"`((?:bot|risk|strategies|config|docs)/[\w./*-]+)`", text)
    for path in paths:
        assert list(ROOT.glob(path.rstrip("/"))), path


@pytest.mark.parametrize(
    "record",
    [CycleRecord, LegRecord, OrderRecord, FillRecord, ProposalRecord, ExposureRecord],
)
def test_the_hedge_log_names_every_field(record: type) -> None:
    for one in fields(record):
        assert f"`{one.name}`" in HEDGE_LOG, one.name


def test_the_hedge_log_names_every_status_and_order_event() -> None:
    for status in CycleStatus:
        assert f"`{status.value}`" in HEDGE_LOG
    for state in OrderState:
        if state is not OrderState.PLANNED:
            assert f"`order_{state.value}`" in HEDGE_LOG


def test_the_changelog_gives_a_reason_for_every_dependency() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    for wanted in [*project["dependencies"], *(one for extra in extras for one in extra)]:
        name = re.split(r"[<>=\[; ]", wanted)[0]
        assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text), name
