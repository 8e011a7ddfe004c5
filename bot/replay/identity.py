"""What a result rests on beside its options: the program's version, and what is in files."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bot.feeds.recorded_files import (
    BARS_FILE,
    FUNDING_FILE,
    INSTRUMENTS_FILE,
    OPEN_INTEREST_FILE,
)
from config.settings import Settings
from risk.errors import DataError

ABSENT = "not there"
VERSION = "version"
_DATA_FILES = (BARS_FILE, FUNDING_FILE, INSTRUMENTS_FILE, OPEN_INTEREST_FILE)
_DECIDING = {"universe", "macro", "calendar"}
"""Sections of the settings whose files decisions rest on."""


def data_files(folder: Path) -> list[Path]:
    """Every file that recorded data may have, there or not."""
    return [folder / name for name in _DATA_FILES]


def named_files(settings: Settings) -> list[Path]:
    """Files that the settings name and decisions rest on: tokens, other names, series, events."""
    return sorted(set(_paths(settings.model_dump(include=_DECIDING))))


def contents(files: Iterable[Path]) -> dict[str, str]:
    """The program's version, and by path the SHA-256 of each file, or that it is not there.

    Raises:
        DataError: a file cannot be read.
    """
    return {VERSION: version("perphedge")} | {str(path): _content(path) for path in files}


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Names under which the two say something else, or only one says anything."""
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def _paths(value: object) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _paths(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _paths(one)


def _content(path: Path) -> str:
    try:
        state = path.stat()
        return _hashed(path, state.st_size, state.st_mtime_ns)
    except FileNotFoundError:
        return ABSENT
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error


@lru_cache(maxsize=64)
def _hashed(path: Path, _size: int, _changed_ns: int) -> str:
    """Read once a process for as long as it stays as it is."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
