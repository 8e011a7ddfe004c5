"""Being told to stop: Ctrl-C or SIGTERM sets an event instead of breaking in anywhere."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stopped_by_signals(stop: asyncio.Event | None = None) -> Iterator[asyncio.Event]:
    """An event, ``stop`` or a new one, that SIGINT and SIGTERM set until the block ends."""
    event = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, event.set)
    try:
        yield event
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
