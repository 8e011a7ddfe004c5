"""Files of positions that other people write: read whole, strictly, refused in one line."""

import json
from decimal import Decimal, DecimalException
from pathlib import Path
from typing import Any

from risk.errors import DataError

LARGEST_FILE_BYTES = 5_000_000  # thousands of positions; anything more is another file


def read_text(path: Path) -> str:
    """The whole file as text, as it was at one moment if it is replaced by renaming.

    Raises:
        OSError: it cannot be read.
        DataError: it is empty, too large, or no UTF-8 text.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise DataError(f"{path}: not a regular file")
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE_BYTES + 1)
    if len(content) > LARGEST_FILE_BYTES:
        raise DataError(f"{path}: larger than {LARGEST_FILE_BYTES // 1_000_000} MB")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text") from error
    if not text.strip():
        raise DataError(f"{path}: empty")
    return text


def parse_json(text: str, where: str) -> Any:
    """Strict JSON; numbers with a point or an exponent become Decimal, exactly as written.

    Raises:
        DataError: it is not JSON, holds NaN or infinity, or names a key twice.
    """
    if text.startswith("\ufeff"):
        raise DataError(f"{where}: starts with a byte order mark; save it as UTF-8 without one")
    try:
        return json.loads(
            text,
            parse_float=Decimal,
            parse_int=_integer,
            parse_constant=_refuse_constant,
            object_pairs_hook=_refuse_repeated,
        )
    except (ValueError, DataError) as error:
        raise DataError(f"{where}: not JSON: {error}") from error
    except DecimalException as error:
        raise DataError(f"{where}: a number in it has an exponent beyond all bounds") from error
    except RecursionError as error:
        raise DataError(f"{where}: not JSON: nested too deeply") from error


def shown(value: object, longest: int = 60) -> str:
    """A value for a message: short, in one line, strings in quotes, numbers as written."""
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= longest else f"{text[:longest]}…"


def is_number(value: object) -> bool:
    """A number of JSON; true and false are none."""
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _integer(text: str) -> Decimal | int:
    # A whole number of thousands of digits is slow to read and no quantity of anything.
    return int(text) if len(text) <= 40 else Decimal(text)


def _refuse_constant(value: str) -> None:
    raise DataError(f"{value} is no number")


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise DataError(f"the key {shown(key)} stands twice in one object")
        found[key] = value
    return found
