"""What machine this is, for the head of every table."""

import os
import platform
import sqlite3
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

_PACKAGES = ("numpy", "pandas", "cvxpy", "clarabel", "ccxt", "aiohttp")


def machine() -> dict[str, Any]:
    """Processor, system and versions; ``load`` tells whether others were at work."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "sqlite": sqlite3.sqlite_version,
        "disk": _file_system(Path(tempfile.gettempdir()).resolve()),
        "load": round(os.getloadavg()[0], 2),
    }


def machine_line(facts: dict[str, Any]) -> str:
    """The same in a line or two."""
    packages = ", ".join(f"{name} {number}" for name, number in facts["packages"].items())
    return (
        f"{facts['processor']}, {facts['cores']} cores, {facts['system']}, load {facts['load']}, "
        f"{facts['disk']}; Python {facts['python']}, {packages}, SQLite {facts['sqlite']}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown processor")


def _file_system(folder: Path) -> str:
    """Type of the file system that the journals are written to: fsync is free on some."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown file system"
    found = [line.split()[1:3] for line in mounts]
    inside = [(len(place), kind) for place, kind in found if folder.is_relative_to(place)]
    return max(inside)[1] if inside else "unknown file system"
