"""The simulated exchange on wall time: the market moves every second until it is told to stop."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Final

from bot.feeds.tape import Tape
from bot.ports import Clock
from bot.stopping import stopped_by_signals
from bot.venues.http.server import Between, LoopbackServer, serve_exchange
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
    between: Between | None = None,
) -> None:
    """Serve and tick until ``stop`` is set, or SIGINT or SIGTERM comes.

    ``between``: sees every request first, to play what goes wrong.

    Raises:
        SafetyError: ``host`` is not this machine.
        OSError: the port is taken.
    """
    exchange.update_market(tape.quotes(clock.now_ms()))
    async with AsyncExitStack() as stack:
        stopped = stack.enter_context(stopped_by_signals(stop))
        serving = serve_exchange(exchange, tape, clock, host, port, themes=themes, between=between)
        ready(await stack.enter_async_context(serving))
        while not stopped.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), tick_seconds)
            exchange.update_market(tape.quotes(clock.now_ms()))
