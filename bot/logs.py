"""The structured hedge log: JSON lines in the state directory, readable lines on a terminal.

Times come from the engine's clock, so a simulated run writes the same file every time. No
global configuration: every logger is made here and handed down. The log is for reading; what the
engine rests on is the journal. So a log that cannot be written never stops or disturbs a trade.
"""

import contextlib
import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

from bot.ports import Clock
from bot.records.cycle import iso_utc

Logger = structlog.typing.FilteringBoundLogger

_LEVEL = {"debug": 10, "info": 20, "warning": 30, "error": 40}

LOG_NAME = "hedge.jsonl"  # in the state directory
MAX_BYTES = 32_000_000  # half a year of cycles a minute
KEPT_FILES = 4  # older ones beside the running file


def open_log(
    path: Path | None,
    clock: Clock,
    *,
    echo: TextIO | None = None,
    echo_level: str = "info",
    max_bytes: int = MAX_BYTES,
    kept: int = KEPT_FILES,
) -> Logger:
    """A logger that appends JSON lines to ``path`` and echoes events to ``echo``.

    Args:
        path: file to append to; None writes none.
        clock: where timestamps come from.
        echo: usually stderr; a terminal gets readable lines, anything else JSON lines.
        echo_level: events below it stay out of ``echo``.
        max_bytes: a larger file is put aside; ``kept`` older ones stay.
    """
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _stamp(clock),
        _echo_to(echo, echo_level),
        _as_json,
    ]
    sink: Any = _Nowhere() if path is None else LogFile(path, max_bytes=max_bytes, kept=kept)
    bound: Logger = structlog.wrap_logger(
        sink, processors=processors, wrapper_class=structlog.make_filtering_bound_logger(10)
    )
    return bound


def silent_log(clock: Clock) -> Logger:
    """A logger that writes nowhere."""
    return open_log(None, clock)


def stderr_log(clock: Clock, level: str = "info") -> Logger:
    """A logger on stderr only, for commands without a state directory."""
    return open_log(None, clock, echo=sys.stderr, echo_level=level)


class LogFile:
    """Appends lines to a private file, which is held open only while a line is written.

    So it may be moved or removed at any time, and nothing has to be closed. What cannot be
    written is told on stderr once, until it works again.
    """

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, kept: int = KEPT_FILES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._kept = kept
        self._failed = False

    def msg(self, message: str) -> None:
        """Append one line; never raises."""
        try:
            descriptor = self._opened()
            try:
                os.write(descriptor, f"{message}\n".encode(errors="backslashreplace"))
                size = os.fstat(descriptor).st_size
            finally:
                os.close(descriptor)
            if size >= self._max_bytes:
                self._put_aside()
            self._failed = False
        except OSError as error:
            if not self._failed:
                with contextlib.suppress(OSError, ValueError):
                    sys.stderr.write(f"perphedge: log {self._path}: {error.strerror}\n")
            self._failed = True

    def _opened(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            return os.open(self._path, flags, 0o600)
        except FileNotFoundError:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self._path, flags, 0o600)

    debug = info = warning = error = critical = exception = msg

    def _put_aside(self) -> None:
        names = [self._path, *(self._numbered(n) for n in range(1, self._kept + 1))]
        if not self._kept:
            self._path.unlink(missing_ok=True)
        for older, newer in zip(reversed(names[1:]), reversed(names[:-1]), strict=True):
            if newer.exists():
                newer.replace(older)

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


class _Nowhere:
    """Takes whatever a logger says and keeps nothing."""

    def msg(self, message: str) -> None:
        """Drop it."""

    debug = info = warning = error = critical = exception = msg


def _stamp(clock: Clock) -> structlog.typing.Processor:
    def stamp(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["timestamp"] = iso_utc(clock.now_ms())
        return event

    return stamp


def _echo_to(echo: TextIO | None, level: str) -> structlog.typing.Processor:
    if echo is None:
        return lambda _logger, _method, event: event
    render = _renderer(echo)

    def tee(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        if _LEVEL.get(method, 50) >= _LEVEL.get(level, 20):
            # A terminal that is gone is no reason to stop.
            with contextlib.suppress(OSError, ValueError):
                # A copy, because renderers take what they print out of the event.
                echo.write(str(render(logger, method, dict(event))) + "\n")
                echo.flush()
        return event

    return tee


def _as_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """One line of strict JSON; numbers that JSON does not know are written as text."""
    try:
        return json.dumps(event, default=str, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(event), default=str, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _renderer(echo: TextIO) -> Callable[[WrappedLogger, str, EventDict], Any]:
    if not echo.isatty():
        return _as_json
    console = structlog.dev.ConsoleRenderer(colors=True, pad_event_to=18)

    def readable(logger: WrappedLogger, method: str, event: EventDict) -> Any:
        # On a terminal nested documents hide what matters; the file keeps them whole.
        short = {k: v for k, v in event.items() if not isinstance(v, dict | list | tuple)}
        return console(logger, method, short)

    return readable
