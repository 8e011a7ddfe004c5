"""Being told to stop: Ctrl-C or SIGTERM sets an event instead of breaking in anywhere."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stopped_by_signals(stop: asyncio.Event | None = None) -> Iterator[asyncio.Event]:
    """An event, ``stop`` or a new one, that SIGINT and SIGTERM set until the block ends.

    Only the first one is so patient: a second one breaks in at once, as if the block were not
    there, for whoever does not want to wait for the end of a long request.
    """
    event = stop or asyncio.Event()
    loop = asyncio.get_running_loop()

    def as_before() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    def told() -> None:
        event.set()
        as_before()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told)
    try:
        yield event
    finally:
        as_before()
