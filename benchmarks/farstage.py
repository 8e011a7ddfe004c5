"""The generated market's exchange in a process of its own, whose clock moves when it is told to.

So what the exchange works on one request does not hold up whoever waits for another, as with a
real one. ``python -m benchmarks.farstage NAME...`` opens an account for each name, prints its
address, and answers each line on its input, milliseconds, once it has moved on by so much.
"""

import asyncio
import subprocess
import sys
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from benchmarks.stage import START_MS, WALLET_USD, account_client, market_at
from bot.clock import SimulatedClock
from bot.venues.http.server import serve_exchange

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FarStage:
    """What is on it; ``run`` plays a coroutine of ours to its end."""

    runner: asyncio.Runner
    clock: SimulatedClock
    host: str
    orders_to: IO[str]
    answers_of: IO[str]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def advance(self, milliseconds: int) -> tuple[int, int]:
        """Move both clocks, and the market; how many requests came so far, public and signed."""
        self.clock.advance_to(self.clock.now_ms() + milliseconds)
        print(milliseconds, file=self.orders_to, flush=True)
        public, signed = (int(word) for word in self.answers_of.readline().split())
        return public, signed

    def client(self, account: str | None = None) -> Any:
        """A ccxt client, of an account or for public data; close it with ``run``."""
        return account_client(self.host, self.clock, account)


@contextmanager
def open_far_stage(*accounts: str) -> Iterator[FarStage]:
    """Serves it until the block ends."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "benchmarks.farstage", *accounts],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[1],
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        host = process.stdout.readline().strip()
        with asyncio.Runner() as runner:
            clock = SimulatedClock(START_MS)
            yield FarStage(runner, clock, host, process.stdin, process.stdout)
    finally:
        process.stdin.close()  # at which it ends
        process.wait()
        process.stdout.close()


async def _serve(accounts: Sequence[str]) -> None:
    clock = SimulatedClock(START_MS)
    tape, exchange = market_at(clock)
    for name in accounts:
        exchange.open_account(name, f"{name}-key", f"{name}-secret", WALLET_USD)
    async with serve_exchange(exchange, tape, clock) as server:
        print(server.host, flush=True)
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
        )
        while line := await lines.readline():
            clock.advance_to(clock.now_ms() + int(line))
            exchange.update_market(tape.quotes(clock.now_ms()))
            counted = exchange.counters
            print(counted.public_requests, counted.private_requests, flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1:]))
