"""What a planted bug is: how it bends a real part, and what it must break."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from bot.trading.styles import Style

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Bug:
    """``faults`` are played together; ``promises``: one of these must be seen broken."""

    plant: Callable[[Patch], None]
    faults: tuple[str, ...]
    promises: tuple[str, ...]
    style: Style | None = None
    paper: bool = False

    @property
    def name(self) -> str:
        return self.plant.__name__
