"""Which exit code an error means; the one place for that table."""

from bot.errors import (
    HaltedError,
    JournalError,
    LockHeldError,
    SafetyError,
    UnreachableError,
    UsageError,
    VenueError,
)
from config.errors import ConfigError
from risk.errors import DataError, EstimationError, PerphedgeError

_CODES: tuple[tuple[type[PerphedgeError], int], ...] = (
    (UsageError, 2),
    (ConfigError, 2),
    (LockHeldError, 3),
    (HaltedError, 4),
    (UnreachableError, 5),
    (VenueError, 5),
    (SafetyError, 6),
    (JournalError, 6),
    (DataError, 2),
    (EstimationError, 2),
)


def exit_code(error: PerphedgeError) -> int:
    """2 bad input, 3 locked, 4 halted, 5 unreachable, 6 refused for safety; else 1."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), 1)


def one_line(error: PerphedgeError) -> str:
    """The message without line breaks."""
    return " ".join(str(error).split())
