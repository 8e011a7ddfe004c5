"""The simulated exchange on wall time: the market moves every second until it is told to stop."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

from bot.feeds.tape import Tape
from bot.ports import Clock
from bot.venues.http.server import LoopbackServer, serve_exchange
from bot.venues.sim.exchange import SimulatedExchange

TICK_SECONDS: Final = 1.0


async def run_exchange(
    exchange: SimulatedExchange,
    tape: Tape,
    clock: Clock,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    themes: Mapping[str, tuple[str, ...]] | None = None,
    stop: asyncio.Event | None = None,
    ready: Callable[[LoopbackServer], None] = lambda _: None,
    tick_seconds: float = TICK_SECONDS,
) -> None:
    """Serve and tick until ``stop`` is set, or SIGINT or SIGTERM comes.

    Raises:
        SafetyError: ``host`` is not this machine.
        OSError: the port is taken.
    """
    exchange.update_market(tape.quotes(clock.now_ms()))
    async with (
        _stopped_by_signals(stop or asyncio.Event()) as stopped,
        serve_exchange(exchange, tape, clock, host, port, themes=themes) as server,
    ):
        ready(server)
        while not stopped.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), tick_seconds)
            exchange.update_market(tape.quotes(clock.now_ms()))


@contextlib.asynccontextmanager
async def _stopped_by_signals(stop: asyncio.Event) -> AsyncIterator[asyncio.Event]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
