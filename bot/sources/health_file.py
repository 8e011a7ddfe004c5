"""How the sources are, in a file that the process which answers bots reads; replaced whole."""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from bot.logs import Logger

HEALTH_NAME: Final = "sources.json"


class HealthFile:
    """Writes it at every cycle; a failure is told once and holds nothing."""

    def __init__(self, folder: Path, log: Logger) -> None:
        self._folder = folder
        self._log = log
        self._failing = False

    def write(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """These in place of the last."""
        beside = self._folder / f".{HEALTH_NAME}.{os.getpid()}"
        try:
            beside.write_text(json.dumps(list(documents)), encoding="utf-8")
            beside.replace(self._folder / HEALTH_NAME)
        except OSError as error:
            if not self._failing:
                self._log.warning("source_health_not_written", reason=str(error))
            self._failing = True
            return
        self._failing = False


def read_health(folder: Path, now_ms: int) -> list[dict[str, Any]] | None:
    """What the last cycle knew, with ages as of ``now_ms``; None where nothing can be read."""
    try:
        told = json.loads((folder / HEALTH_NAME).read_bytes())
    except (OSError, ValueError):
        return None
    return [as_of(one, now_ms) for one in told]


def as_of(source: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """What was known of a source, with its age at another time."""
    if source.get("as_of") is None:
        return source
    then_ms = datetime.fromisoformat(source["as_of"]).timestamp() * 1000
    return {**source, "age_seconds": round(now_ms - then_ms) / 1000}
