"""Several things at once, of which none goes on behind its caller's back."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What each gives, in their order.

    Where one fails, or the caller is cancelled, the others are cancelled and have ended before
    that is told; a plain ``asyncio.gather`` would let them run on, with nobody to hear of them.

    Raises:
        Whatever the first that fails raises; what the others raise as they end is dropped.
    """
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
