"""What a trip is, and what it must prove."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bot.selftest.stage import Stage
from bot.trading.execution import ExecutionReport
from risk.errors import PerphedgeError


class UntrippedError(PerphedgeError):
    """A control did not act as it must."""


Run = Callable[[Stage], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Trip:
    """How one control is tripped; ``run`` returns what was seen, or raises.

    Attributes:
        started: the engine has recovered before the trip begins.
        journaled: names of the control that the journal must have; empty where it cannot.
    """

    number: int
    how: str
    run: Run
    journaled: tuple[str, ...]
    started: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the self-test's table."""

    number: int
    name: str
    effect: str
    tripped: str
    seen: str
    journaled: bool | None
    ok: bool

    def document(self) -> dict[str, Any]:
        """Plain JSON types; ``journaled`` is null where the control acts without a journal."""
        return {name: getattr(self, name) for name in self.__slots__}


def must(holds: object, what: str) -> None:
    """What has to be so.

    Raises:
        UntrippedError: it is not.
    """
    if not holds:
        raise UntrippedError(what)


def must_deny(report: ExecutionReport, control: str) -> str:
    """The reason for which the control denied the plan's last order."""
    denied = report.results[-1].denied
    seen = report.results[-1].detail or report.results[-1].state.value
    must(denied is not None and denied.control == control, f"not denied by {control}: {seen}")
    return seen
