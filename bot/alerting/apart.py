"""Finds out which part of a message a service does not take, so that the rest reaches people. Pure.

A service refuses a whole message for one line in it. So what was refused is sent again in halves,
down to the one that it does not like. Where nothing at all is taken the service itself is at
fault, and is left alone soon.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sent(Generic[T]):
    """What was taken, and why the rest was not; None where all was."""

    taken: tuple[T, ...]
    error: Exception | None


def send_apart(
    items: Sequence[T],
    send: Callable[[Sequence[T]], None],
    *,
    attempt: int = 0,
    goes_on: Callable[[], bool] = lambda: True,
) -> Sent[T]:
    """Sends all in one, or else in parts.

    Args:
        items: in order; parts keep it.
        send: one message of these; raises where it is not taken.
        attempt: how often this was tried before. Each try begins its parts with another item, so
            that the same few refused ones cannot keep the rest back for ever.
        goes_on: asked before each further message.
    """
    first = attempt % len(items)
    parts = [tuple(items)]
    taken: list[T] = []
    error: Exception | None = None
    refused = 0
    while parts and (not refused or goes_on()):
        part = parts.pop(0)
        try:
            send(part)
        except Exception as why:  # noqa: BLE001 - whatever it was, other parts may pass
            error, refused = why, refused + 1
            if not taken and refused > len(items).bit_length():
                break  # it takes nothing
            if refused == 1:
                part = (*part[first:], *part[:first])
            if len(part) > 1:
                half = (len(part) + 1) // 2
                parts[:0] = [part[:half], part[half:]]
        else:
            taken += part
    return Sent(tuple(taken), error)
