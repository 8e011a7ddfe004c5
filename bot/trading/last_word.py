"""The kill switch asked on the doorstep, after everything that may take long.

Between the checks of an order and its first byte lie a wait for the disk and, behind a client, a
queue for the exchange's allowance. Whoever opens the door to the wire asks here once more.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

WhyNot = Callable[[], str | None]


def _allowed() -> str | None:
    return None


_why_not: ContextVar[WhyNot] = ContextVar("last_word", default=_allowed)


@contextmanager
def unless(why_not: WhyNot) -> Iterator[None]:
    """Inside, a request that changes something leaves only while ``why_not`` tells no reason."""
    token = _why_not.set(why_not)
    try:
        yield
    finally:
        _why_not.reset(token)


def forbidden() -> str | None:
    """Why nothing may leave now, one line; None when it may."""
    return _why_not.get()()
