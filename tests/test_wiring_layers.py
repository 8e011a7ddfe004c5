"""What holds of the whole tree: who asks for the mode, who imports what, errors and their codes."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from types import ModuleType

import pytest

import bot
import config
import risk
import strategies
from bot.cli.exits import exit_code, one_line
from bot.faults.errors import ProcessEndedError
from bot.plugins.perphedge_client import SidecarError
from risk import errors as tree
from risk.errors import PerphedgeError

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("risk", "strategies", "config", "bot")
PURE_FORBIDDEN = {
    "aiohttp",
    "asyncio",
    "ccxt",
    "datetime",
    "os",
    "pathlib",
    "pydantic",
    "random",
    "socket",
    "sqlite3",
    "structlog",
    "time",
}


def sources(*layers: str) -> Iterator[tuple[str, ast.Module]]:
    for layer in layers:
        for path in sorted((ROOT / layer).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def imported(tree_: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree_):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def test_the_mode_is_asked_for_in_few_places() -> None:
    """Everything else does the same whatever the mode; wiring alone gives it other parts."""
    asking = {
        name
        for name, module in sources(*LAYERS)
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute) and node.attr == "mode"
    }
    allowed = ("config/", "bot/cli/", "bot/wiring.py")
    assert not [name for name in asking if not name.startswith(allowed)]
    assert "bot/wiring.py" in asking


def test_the_layers_point_one_way() -> None:
    for i, layer in enumerate(LAYERS):
        above = set(LAYERS[i + 1 :])
        for name, module in sources(layer):
            upward = {m for m in imported(module) if m.partition(".")[0] in above}
            assert not upward, name


@pytest.mark.parametrize("layer", ["risk", "strategies"])
def test_numbers_and_decisions_know_no_time_and_no_world(layer: str) -> None:
    for name, module in sources(layer):
        used = {m.partition(".")[0] for m in imported(module)}
        assert not used & PURE_FORBIDDEN, name
        calls = {
            node.func.id
            for node in ast.walk(module)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not calls & {"open", "print", "input"}, name


def test_the_pure_layers_load_nothing_of_the_engine() -> None:
    code = (
        "import sys, pkgutil, importlib, risk, strategies\n"
        "for package in (risk, strategies):\n"
        "    for one in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        importlib.import_module(one.name)\n"
        "print(sorted({'ccxt', 'structlog', 'pydantic', 'aiohttp', 'bot', 'config'}"
        " & set(sys.modules)))"
    )
    ran = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_no_module_is_called_models_or_helpers() -> None:
    vague = {"models", "utils", "helpers", "common", "misc"}
    found = [name for name, _ in sources(*LAYERS) if vague & set(Path(name).with_suffix("").parts)]
    assert not found


def test_nobody_else_owns_our_package_names() -> None:
    for one in distributions():
        if one.metadata["Name"] == "perphedge":
            continue
        tops = {Path(str(file)).parts[0] for file in one.files or () if len(file.parts) > 1}
        singles = {
            file.name.removesuffix(".py") for file in one.files or () if len(file.parts) == 1
        }
        assert not (tops | singles) & set(LAYERS), one.metadata["Name"]


def modules() -> Iterator[ModuleType]:
    for package in (risk, strategies, config, bot):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(found.name)


def our_errors() -> set[type[BaseException]]:
    return {
        value
        for module in modules()
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, BaseException)
        and value.__module__.partition(".")[0] in LAYERS
        and not value.__name__.startswith("_")
    }


def drawn() -> dict[str, int | None]:
    """Names in the drawing, with the exit code that stands beside them."""
    found: dict[str, int | None] = {}
    name = ""
    for line in (tree.__doc__ or "").splitlines():
        named = re.search(r"[├└]── (\w+)\s", line)
        if named:
            name = named.group(1)
            found[name] = None
        code = re.search(r"\(exit (\d)\)", line)
        if code and name:
            found[name] = int(code.group(1))
    return found


def test_every_error_has_one_root_and_a_place_in_the_drawing() -> None:
    errors = our_errors()
    assert len(errors) >= 14
    # A simulated process ends by something that nothing in it may catch.
    errors -= {ProcessEndedError}
    # A file that is copied beside a bot knows nothing of our tree.
    errors -= {SidecarError}
    assert not [e for e in errors if not issubclass(e, PerphedgeError)]
    names = {e.__name__ for e in errors} - {"PerphedgeError"}
    assert names == set(drawn()) - {"bot"}


def test_exit_codes_are_those_of_the_drawing() -> None:
    by_name = {e.__name__: e for e in our_errors()}
    codes = {name: code for name, code in drawn().items() if name in by_name}
    for name, code in codes.items():
        made_of = {"VenueReject": (-2010, "no"), "UnmeasurableError": ({"FET": "no"},)}
        error = by_name[name](*made_of.get(name, ("no",)))
        expected = code if code is not None else codes["DataError"]
        assert isinstance(error, PerphedgeError)
        assert exit_code(error) == expected, name
    assert exit_code(PerphedgeError("no")) == 1
    assert one_line(PerphedgeError("a\nb\r\n c")) == "a b c"


CATCH_ALL = {
    "bot/cycle.py",  # a defect must not end the engine
    "bot/kill.py",  # nor the watch over its kill switch
    "bot/trading/cancels.py",  # nor one order keep the others open
    "bot/advice/publisher.py",  # nor an advice hold the hedging
    "bot/alerts.py",  # nor keep an alert from the next channel
    "bot/alerting/desk.py",  # nor end whoever tells of alerts
    "bot/alerting/apart.py",  # whatever a service did, it counts as not told
    "bot/venues/streams/tap.py",  # nor a stream by one message
    "bot/venues/streams/task.py",  # nor leave it down
    "bot/selftest/run.py",  # whatever it was, the control is not proven
    "bot/sweep/spread.py",  # whatever one run of a sweep did, the others are played
    "bot/session/recorder.py",  # what a door raises is part of a session, and is raised again
    "strategies/own.py",  # and so may asking it
}


def test_only_few_places_catch_everything() -> None:
    broad = [
        name
        for name, module in sources(*LAYERS)
        for node in ast.walk(module)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception"))
    ]
    assert set(broad) == CATCH_ALL
