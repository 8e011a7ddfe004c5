"""A venue that lists hundreds of perpetuals, in a process of its own, with a bot that holds many.

``python -m benchmarks.crowd`` serves it until it is told to stop, and prints its address.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from benchmarks.crowd_accounts import BOT, HEDGER, NEWCOMER, symbol, token
from bot.clock import SystemClock
from bot.feeds.generated import HISTORY_DAYS, generated_tape
from bot.feeds.generated_universe import UNIVERSE, TokenSpec
from bot.feeds.tape import DAY_MS
from bot.ports import Quote
from bot.trading.orders import Side
from bot.venues.http.runner import run_exchange
from bot.venues.sim.account import SimAccount
from bot.venues.sim.exchange import SimulatedExchange
from bot.venues.sim.records import NewOrder, OrderType

LISTED = 500
HELD = 50
POSITION_USD = 1_000.0
WALLET_USD = Decimal(200_000)
_SEED = 7


def specs(listed: int) -> list[TokenSpec]:
    """The tokens of the generated market first, then the crowd, which moves like some of them."""
    like = [one for one in UNIVERSE if one.subsector and one.lists_after_days is None]
    crowd = [
        replace(like[n % len(like)], base=token(n), daily_volume_usd=2e7, interval_hours=8)
        for n in range(listed - len(UNIVERSE))
    ]
    return [*UNIVERSE, *crowd]


@contextmanager
def open_crowd(listed: int = LISTED, held: int = HELD) -> Iterator[str]:
    """Serves it until the block ends; its address."""
    command = [sys.executable, "-m", "benchmarks.crowd", str(listed), str(held)]
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[1]
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def main(arguments: Sequence[str]) -> None:
    """Serve."""
    listed, held = (int(word) for word in arguments)
    clock = SystemClock()
    tape = generated_tape(_SEED, clock.now_ms() - HISTORY_DAYS * DAY_MS, specs=specs(listed))
    exchange = SimulatedExchange(tape.instruments.values(), clock, _SEED)
    for name in (BOT, HEDGER, NEWCOMER):
        exchange.open_account(name, f"{name}-key", f"{name}-secret", WALLET_USD)
    quotes = tape.quotes(clock.now_ms())
    exchange.update_market(quotes)
    account = exchange.account_by_key(f"{BOT}-key")
    assert account is not None
    for number in range(held):
        _buy(exchange, account, quotes[symbol(number)])
    asyncio.run(
        run_exchange(exchange, tape, clock, ready=lambda server: print(server.host, flush=True))
    )


def _buy(exchange: SimulatedExchange, account: SimAccount, quote: Quote) -> None:
    step = exchange.filters(quote.symbol).step
    quantity = Decimal(repr(POSITION_USD / quote.mark)) // step * step
    exchange.place(account, NewOrder(quote.symbol, Side.BUY, OrderType.MARKET, quantity))


if __name__ == "__main__":
    main(sys.argv[1:])
