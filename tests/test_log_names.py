"""Every event that is logged by its name has its row in docs/hedge-log.md."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_LEVELS = {"debug", "info", "warning", "error"}
_NAME = re.compile(r"[a-z][a-z0-9_]+")
_ASIDE = {"bot/demo", "bot/faults", "bot/selftest", "bot/plugins"}
"""Not of a running engine: a show, simulations, and files that are copied beside a bot."""


def _logged(tree: ast.AST) -> Iterator[str]:
    """First arguments of calls such as ``log.info("name", …)`` and ``say("name", …)``."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not call.args:
            continue
        by = call.func
        called = by.attr if isinstance(by, ast.Attribute) else getattr(by, "id", "")
        name = call.args[0]
        if (
            called in _LEVELS | {"say", "_failed", "record_event", "_tell", "tell"}
            and isinstance(name, ast.Constant)
            and isinstance(name.value, str)
            and _NAME.fullmatch(name.value)
        ):
            yield name.value


def test_every_event_is_told() -> None:
    page = (ROOT / "docs/hedge-log.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`([a-z][a-z0-9_]+)`", page[page.index("## Events") :]))
    found: dict[str, set[str]] = {}
    for file in sorted((ROOT / "bot").rglob("*.py")):
        place = file.relative_to(ROOT).as_posix()
        if any(place.startswith(aside) for aside in _ASIDE):
            continue
        for name in _logged(ast.parse(file.read_text(encoding="utf-8"))):
            found.setdefault(name, set()).add(place)
    assert set(found) >= {"api_ended", "cycle", "entry_book_not_written"}
    assert {name: places for name, places in found.items() if name not in told} == {}
