"""What is installed is what the locks name, by hash; and ccxt, which has imitators, is ccxt."""

import base64
import hashlib
import re
import tomllib
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock")
_PIN = re.compile(
    r"^([A-Za-z0-9._-]+)==(\S+)(?: ;[^\\]*)? \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+",
    re.MULTILINE,
)
SIGNING = (
    *("base/exchange.py", "async_support/base/exchange.py"),
    *(f"async_support/{name}.py" for name in ("binance", "binanceusdm", "bybit", "okx")),
    *(f"async_support/{name}.py" for name in ("hyperliquid", "bitget", "gate")),
)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: str) -> dict[str, set[str]]:
    """Versions by name; some have one for each version of Python."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    found: dict[str, set[str]] = {}
    every = _PIN.findall(text)
    for name, version in every:
        found.setdefault(normal(name), set()).add(version)
    assert len(every) == len(re.findall(r"^\S", text, re.MULTILINE)), "a line that is no pin"
    return found


def near(one: str, other: str) -> int:
    """Edits from one name to the other."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (a != b))
    return row[-1]


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_is_pinned_by_hash_and_nothing_says_from_where(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert all(len(versions) <= 2 for versions in pins(lock).values())
    assert not re.search(r"://|^-[a-zA-Z]|--index|--find|--trusted", text, re.MULTILINE)


def test_every_dependency_is_in_the_lock_and_the_locks_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {normal(re.split(r"[^A-Za-z0-9._-]", one)[0]) for one in project["dependencies"]}
    runtime, dev = (pins(lock) for lock in LOCKS)
    assert wanted <= runtime.keys()
    assert {name: dev[name] for name in dev.keys() & runtime.keys()} == {
        name: runtime[name] for name in dev.keys() & runtime.keys()
    }


@pytest.mark.parametrize("lock", LOCKS)
def test_no_name_is_almost_that_of_a_package_that_is_meant(lock: str) -> None:
    names = sorted(pins(lock))
    meant = {"ccxt", "aiohttp", "cvxpy", "numpy", "pydantic", "cryptography", "requests"}
    close = [
        (name, other)
        for other in meant
        for name in names
        if name != other and near(name.replace("-", ""), other) <= 1
    ]
    assert close == []


def test_ccxt_is_the_locked_one_alone_and_unchanged() -> None:
    installed = distribution("ccxt")
    assert {installed.version} == pins("requirements.lock")["ccxt"]
    assert packages_distributions()["ccxt"] == ["ccxt"]
    assert "github.com/ccxt/ccxt" in str(installed.metadata)
    recorded = {str(file): file for file in installed.files or ()}
    for name in SIGNING:
        file = recorded[f"ccxt/{name}"]
        assert file.hash is not None
        digest = hashlib.new(file.hash.mode, Path(str(file.locate())).read_bytes()).digest()
        text = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        assert text == file.hash.value, f"{name} is not as it was installed"
