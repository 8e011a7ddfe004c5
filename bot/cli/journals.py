"""Which journal a command reads, and from when on: the options that many commands share."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.errors import UsageError

if TYPE_CHECKING:
    from bot.journal.reader import JournalReader

Config = Annotated[Path | None, typer.Option("-c", "--config", help="Configuration file.")]
State = Annotated[Path | None, typer.Option(help="State directory, in place of -c.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def open_journal(state_dir: Path) -> "JournalReader":
    """The journal of a state directory, to be read.

    Raises:
        UsageError: no engine has run there.
        JournalError: it cannot be read.
    """
    from bot.journal.reader import JOURNAL_NAME, JournalReader

    path = state_dir / JOURNAL_NAME
    if not path.exists():
        raise UsageError(f"{state_dir}: no engine has run there; name the right -c or --state")
    return JournalReader.open_reader(path)


def state_dir_of(config: Path | None, state: Path | None) -> Path:
    """The folder that one of the two options names.

    Raises:
        UsageError: none or both are given.
        ConfigError: the configuration cannot be used.
    """
    if (config is None) == (state is None):
        raise UsageError("give either -c FILE or --state DIR")
    if state is not None:
        return state
    from config.load import load_settings

    assert config is not None
    return load_settings(config).state_dir


def since_ms_of(text: str, option: str = "--since") -> int:
    """UTC milliseconds of a time, or of an age before now.

    Raises:
        UsageError: it is neither.
    """
    units = {"m": "minutes", "h": "hours", "d": "days"}
    if text[-1:] in units and text[:-1].isdigit():
        moment = datetime.now(UTC) - timedelta(**{units[text[-1]]: int(text[:-1])})
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise UsageError(
                f"{option} {text}: must be a time like 2026-01-31T12:00:00Z or an age like 24h"
            ) from None
        if moment.tzinfo is None:
            raise UsageError(f"{option} {text}: has no time zone; add Z for UTC")
    return round(moment.timestamp() * 1000)
