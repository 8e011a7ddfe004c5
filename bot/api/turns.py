"""Turns of requests that may wait, so that one which may not is behind one of them at most."""

import asyncio
from collections import deque


class Turns:
    """Lets one through in each round of the loop, in the order in which they came.

    Whatever else became ready meanwhile is answered between two of them. Many clients that push at
    once would otherwise be answered all in one round, and an entry check after the last.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def mine(self) -> None:
        """Returns when it is the caller's turn."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        if len(self._waiting) == 1:
            loop.call_soon(self._next)
        try:
            await turn
        finally:
            if not turn.done():
                turn.cancel()

    def _next(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                break
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
