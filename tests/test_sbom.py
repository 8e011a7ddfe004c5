"""The bill of materials holds what the lock holds, by hash, and how one thing needs another."""

import json
import subprocess
import sys
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any

import pytest

from release.sbom import locked
from tests.test_supply_chain import pins

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def text() -> str:
    return subprocess.run(
        [sys.executable, "-m", "release.sbom"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.fixture(scope="module")
def bill(text: str) -> dict[str, Any]:
    return dict(json.loads(text))


def test_it_is_the_lock_and_nothing_else(bill: dict[str, Any]) -> None:
    found: dict[str, set[str]] = {}
    for one in bill["components"]:
        assert one["purl"] == one["bom-ref"] == f"pkg:pypi/{one['name']}@{one['version']}"
        found.setdefault(one["name"], set()).add(one["version"])
    assert found == pins("requirements.lock")
    hashes = [
        digest["content"]
        for one in bill["components"]
        for reference in one["externalReferences"]
        for digest in reference["hashes"]
    ]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert sorted(hashes) == sorted(
        line.split(":")[1].split()[0] for line in lock.splitlines() if "--hash=" in line
    )


def test_everything_in_it_is_there_because_something_needs_it(bill: dict[str, Any]) -> None:
    needs = {one["ref"]: one["dependsOn"] for one in bill["dependencies"]}
    root = bill["metadata"]["component"]["bom-ref"]
    assert needs.keys() == {root, *(one["bom-ref"] for one in bill["components"])}
    reached, open_ = set(), [root]
    while open_:
        ref = open_.pop()
        if ref not in reached:
            reached.add(ref)
            open_ += needs[ref]
    assert reached == needs.keys()
    assert (
        f"pkg:pypi/cryptography@{version('cryptography')}"
        in needs[f"pkg:pypi/ccxt@{version('ccxt')}"]
    )
    assert any(one.startswith("cryptography") for one in requires("ccxt") or ())


def test_licences_of_what_is_installed_are_told(bill: dict[str, Any]) -> None:
    by_name = {(one["name"], one["version"]): one for one in bill["components"]}
    for name, licence in (("ccxt", "MIT"), ("pandas", "BSD"), ("aiohttp", "Apache")):
        assert licence in str(by_name[name, version(name)]["licenses"])
    assert bill["metadata"]["component"]["licenses"] == [{"expression": "MIT"}]


def test_twice_gives_the_same_bytes(text: str) -> None:
    again = subprocess.run(
        [sys.executable, "-m", "release.sbom"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert again.stdout == text


@pytest.mark.parametrize(
    ("lock", "said"),
    [
        ("ccxt==4.5.90\n", "ccxt has no hash"),
        ("ccxt>=4.5\n", "line 1 of the lock is neither"),
        ("    --hash=sha256:" + "0" * 64 + "\n", "line 1 of the lock is neither"),
        ("ccxt==1 \\\n    --hash=md5:" + "0" * 32 + "\n", "line 2 of the lock is neither"),
    ],
)
def test_a_lock_that_is_not_by_hash_gives_no_bill(lock: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        locked(lock)
