"""The structured hedge log: JSON lines in the state directory, readable lines on a terminal.

Times come from the engine's clock, so a simulated run writes the same file every time. No
global configuration: every logger is made here and handed down.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

from bot.ports import Clock
from bot.records import iso_utc

Logger = structlog.typing.FilteringBoundLogger

_LEVEL = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def open_log(
    path: Path | None, clock: Clock, *, echo: TextIO | None = None, echo_level: str = "info"
) -> Logger:
    """A logger that appends JSON lines to ``path`` and echoes events to ``echo``.

    Args:
        path: file to append to; None writes none.
        clock: where timestamps come from.
        echo: usually stderr; a terminal gets readable lines, anything else JSON lines.
        echo_level: events below it stay out of ``echo``.
    """
    file: TextIO | None = None
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a", encoding="utf-8", buffering=1)
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _stamp(clock),
        _echo_to(echo, echo_level),
        structlog.processors.JSONRenderer(sort_keys=False, default=str),
    ]
    sink: Any = structlog.WriteLogger(file) if file is not None else _Nowhere()
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
            # A copy, because renderers take what they print out of the event.
            echo.write(str(render(logger, method, dict(event))) + "\n")
            echo.flush()
        return event

    return tee


def _renderer(echo: TextIO) -> Callable[[WrappedLogger, str, EventDict], Any]:
    if not echo.isatty():
        return structlog.processors.JSONRenderer(default=str)
    console = structlog.dev.ConsoleRenderer(colors=True, pad_event_to=18)

    def readable(logger: WrappedLogger, method: str, event: EventDict) -> Any:
        # On a terminal nested documents hide what matters; the file keeps them whole.
        short = {k: v for k, v in event.items() if not isinstance(v, dict | list | tuple)}
        return console(logger, method, short)

    return readable
