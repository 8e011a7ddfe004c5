"""Objects that stand before a door, or in its place, and offer just what it offers.

The engine finds out what a venue can do by looking for methods on its class, so a stand-in gets a
class of its own with the very same ones.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Any, Protocol


class Offer(Enum):
    """Kinds of what a door has."""

    ASKED = "asked"  # a method that is awaited
    CALLED = "called"  # a method that is not
    FACT = "fact"  # a property


class Answers(Protocol):
    """What stands behind a stand-in."""

    async def asked(self, door: str, method: str, args: tuple[Any, ...]) -> Any:
        """The answer of a method that is awaited."""
        ...

    def called(self, door: str, method: str, args: tuple[Any, ...]) -> Any:
        """Of one that is not, or (without arguments) of a property."""
        ...


_LEFT_OUT = frozenset({"close"})


def offers(door: object) -> dict[str, Offer]:
    """Every public method and property of a door's class, but for its end."""
    found = {}
    for name in dir(type(door)):
        if name.startswith("_") or name in _LEFT_OUT:
            continue
        member = inspect.getattr_static(type(door), name)
        if isinstance(member, property):
            found[name] = Offer.FACT
        elif inspect.iscoroutinefunction(member):
            found[name] = Offer.ASKED
        elif inspect.isfunction(member):
            found[name] = Offer.CALLED
    return found


def stand_in(
    door: str, offered: Mapping[str, Offer], answers: Answers, close: Callable[[], Awaitable[None]]
) -> Any:
    """An object with these methods and properties, each answered by ``answers``."""
    members: dict[str, Any] = {name: _MADE[kind](door, name) for name, kind in offered.items()}
    made = type(f"StandInFor_{door.replace(' ', '_')}", (_StandIn,), members)
    return made(answers, close)


class _StandIn:
    def __init__(self, answers: Answers, close: Callable[[], Awaitable[None]]) -> None:
        self._answers = answers
        self._close = close

    async def close(self) -> None:
        """Give back sockets."""
        await self._close()


def _asked(door: str, name: str) -> Any:
    async def ask(self: _StandIn, *args: Any) -> Any:
        return await self._answers.asked(door, name, args)

    return ask


def _called(door: str, name: str) -> Any:
    def call(self: _StandIn, *args: Any) -> Any:
        return self._answers.called(door, name, args)

    return call


def _fact(door: str, name: str) -> Any:
    return property(lambda self: self._answers.called(door, name, ()))


_MADE: dict[Offer, Callable[[str, str], Any]] = {
    Offer.ASKED: _asked,
    Offer.CALLED: _called,
    Offer.FACT: _fact,
}
