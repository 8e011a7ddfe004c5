"""Values and names as an error message may show them: on one line, short, and never a secret."""

from datetime import timedelta
from pathlib import Path

from config.fields import duration_text

_LONGEST = 32  # keys of exchanges are mostly longer
_LONGEST_PATH = 200
_LONGEST_KEY = 40
_BEGINNING = 8


def printable(text: str) -> str:
    """``text`` with everything that is not a visible character written as an escape."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode("ascii")
        for c in text
    )


def key_name(key: str) -> str:
    """A key of the file, cut where it is unreasonably long."""
    shown = printable(key)
    return shown if len(shown) <= _LONGEST_KEY else shown[:_BEGINNING] + "…"


def value_text(value: object) -> str:
    """A value as YAML would have it; long texts only begin, lists and mappings are only named."""
    if isinstance(value, str | Path):
        # A Path was understood as one, so it is no key that stands in the wrong place.
        longest = _LONGEST_PATH if isinstance(value, Path) else _LONGEST
        return _quoted(printable(str(value)), longest)
    if isinstance(value, bool) or value is None:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, dict | list | tuple):
        kind = "mapping" if isinstance(value, dict) else "list"
        return f"a {kind}" if value else f"an empty {kind}"
    return f"a {type(value).__name__}"


def _quoted(text: str, longest: int) -> str:
    if len(text) > longest:
        return f'"{text[:_BEGINNING]}…" ({len(text)} characters)'
    return f'"{text}"'


def _number(value: float) -> str:
    if isinstance(value, int) and abs(value) >= 10**30:
        return "a number of more than 30 digits"
    return f"{value:.3e}" if abs(value) >= 1e15 else plain_number(value)


def plain_number(value: float) -> str:
    """A whole number without its decimal point: 1000000, 0.05, 20.5."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
