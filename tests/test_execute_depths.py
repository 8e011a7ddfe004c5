"""Books of orders: read while something else is waited for, never stale, never after our order."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from bot.clock import SimulatedClock
from bot.errors import UnreachableError
from bot.trading.depths import Depths
from bot.trading.orders import Side
from tests.execute_scene import BTC, FET, NOW_MS, TAO

COLLAR, MAX_AGE_MS = 0.01, 1_500


class Books:
    """A market that answers when it is let, each time with another depth."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails = 0
        self.answers = asyncio.Event()
        self.answers.set()

    async def depth_usd(self, symbol: str, within: float) -> Mapping[Side, float]:
        assert within == COLLAR
        self.asked.append(symbol)
        number = len(self.asked)
        await self.answers.wait()
        if self.fails:
            self.fails -= 1
            raise UnreachableError("no answer")
        return dict.fromkeys(Side, float(number))


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW_MS)


@pytest.fixture
def depths(books: Books, clock: SimulatedClock) -> Depths:
    market: Any = books
    return Depths(market, clock, COLLAR, MAX_AGE_MS)


async def test_a_book_is_read_again_when_prices_would_be(
    books: Books, clock: SimulatedClock, depths: Depths
) -> None:
    assert (await depths.read(FET))[Side.BUY] == 1.0
    clock.advance_to(NOW_MS + MAX_AGE_MS)
    assert (await depths.read(FET))[Side.BUY] == 1.0
    clock.advance_to(NOW_MS + MAX_AGE_MS + 1)
    assert (await depths.read(FET))[Side.BUY] == 2.0
    assert books.asked == [FET, FET]


async def test_it_counts_from_when_it_was_asked_for(
    books: Books, clock: SimulatedClock, depths: Depths
) -> None:
    books.answers.clear()
    depths.begin(FET)
    await asyncio.sleep(0)
    clock.advance_to(NOW_MS + MAX_AGE_MS + 1)
    books.answers.set()
    assert (await depths.read(FET))[Side.BUY] == 2.0, "the answer was too long on its way"


async def test_our_own_order_ends_what_is_known(books: Books, depths: Depths) -> None:
    await depths.read(FET)
    await depths.read(TAO)
    depths.traded(FET)
    assert (await depths.read(TAO))[Side.BUY] == 2.0
    assert (await depths.read(FET))[Side.BUY] == 3.0
    assert books.asked == [FET, TAO, FET]


async def test_what_was_begun_is_waited_for_and_not_asked_twice(
    books: Books, depths: Depths
) -> None:
    books.answers.clear()
    depths.begin(FET)
    await asyncio.sleep(0)
    assert books.asked == [FET], "on its way before anybody waits for it"
    reading = asyncio.ensure_future(depths.read(FET))
    await asyncio.sleep(0)
    assert not reading.done()
    books.answers.set()
    assert (await reading)[Side.SELL] == 1.0
    assert books.asked == [FET]


async def test_what_failed_ahead_of_its_time_is_asked_for_again(
    books: Books, depths: Depths
) -> None:
    books.fails = 1
    depths.begin(FET)
    assert (await depths.read(FET))[Side.BUY] == 2.0
    books.fails = 2
    depths.begin(TAO)
    with pytest.raises(UnreachableError):
        await depths.read(TAO)


async def test_another_book_than_the_one_begun_does_not_wait_for_it(
    books: Books, depths: Depths
) -> None:
    books.answers.clear()
    depths.begin(FET)
    await asyncio.sleep(0)
    reading = asyncio.ensure_future(depths.read(BTC))
    await asyncio.sleep(0.01)
    books.answers.set()
    assert (await reading)[Side.BUY] == 2.0
    assert (await depths.read(FET))[Side.BUY] == 3.0, "the one begun was given up"


async def test_nothing_is_left_running_at_the_end(books: Books, depths: Depths) -> None:
    books.answers.clear()
    depths.begin(FET)
    await asyncio.sleep(0)
    await depths.end()
    assert len(asyncio.all_tasks()) == 1
    books.fails = 1
    books.answers.set()
    depths.begin(FET)
    await asyncio.sleep(0.01)
    await depths.end()  # its failure is nobody's any more


class Ended(BaseException):
    pass


async def test_the_end_of_the_process_is_not_swallowed(depths: Depths, books: Books) -> None:
    async def ends(symbol: str, within: float) -> Mapping[Side, float]:
        raise Ended

    books.depth_usd = ends  # type: ignore[method-assign]
    depths.begin(FET)
    with pytest.raises(Ended):
        await depths.read(FET)
