"""How a source tells what happened beside positions."""

from collections.abc import Callable, Mapping
from typing import Any

Tell = Callable[[str, Mapping[str, Any]], None]
"""Journals and logs an event with its facts."""
