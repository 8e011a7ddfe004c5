"""Errors of the running engine; the whole tree is drawn in risk/errors.py."""

from risk.errors import PerphedgeError


class UsageError(PerphedgeError):
    """Wrong arguments on the command line."""


class LockHeldError(PerphedgeError):
    """Another engine holds the state directory."""


class HaltedError(PerphedgeError):
    """The engine is halted and was not told to resume."""


class UnreachableError(PerphedgeError):
    """A venue or a position source does not answer."""


class VenueError(PerphedgeError):
    """The venue answered with an error to a request that changes nothing."""


class SafetyError(PerphedgeError):
    """Refused for safety."""


class JournalError(PerphedgeError):
    """The journal cannot be read or written."""
