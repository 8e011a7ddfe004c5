"""The error of a configuration that cannot be used; the whole tree is drawn in risk/errors.py."""

from risk.errors import PerphedgeError


class ConfigError(PerphedgeError):
    """One line: the file, the field, its value, and what is allowed (exit code 2)."""
