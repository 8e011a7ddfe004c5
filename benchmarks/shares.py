"""Where the wall time of an engine's cycle goes, measured from outside by wrapping its parts."""

import functools
import inspect
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import ccxt.async_support
from ccxt.async_support.base.exchange import Exchange

from bot.journal.journal import Journal
from bot.measuring.estimation import MarketModel
from bot.steps import carrying, looking
from strategies.minimum_risk import MinimumRisk

NETWORK, CLIENT, ESTIMATION, DECISION, JOURNAL, REST = (
    "network and exchange",
    "ccxt",
    "estimation",
    "decision",
    "journal",
    "the rest",
)


class Shares:
    """Seconds by part, each moment counted once, to the innermost part.

    Only between ``start`` and ``stop``, and right only where one thing is done after another, as
    in the demo's engine. The exchange answers in the same process while the engine waits, so its
    work is part of the network's share.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._open: list[str] = []
        self._since = 0.0

    @property
    def running(self) -> bool:
        return bool(self._open)

    def start(self) -> None:
        self.seconds = defaultdict(float)
        self._since = time.perf_counter()
        self._open = [REST]

    def stop(self) -> dict[str, float]:
        self._charge()
        self._open = []
        return dict(self.seconds)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        self._charge()
        self._open.append(name)
        try:
            yield
        finally:
            self._charge()
            self._open.pop()

    def _charge(self) -> None:
        now = time.perf_counter()
        self.seconds[self._open[-1]] += now - self._since
        self._since = now

    def counted(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function``, its time counted to ``part`` while a cycle runs."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                if not self.running:
                    return await function(*args, **kwargs)
                with self.part(part):
                    return await function(*args, **kwargs)

            return awaited

        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            if not self.running:
                return function(*args, **kwargs)
            with self.part(part):
                return function(*args, **kwargs)

        return called


@contextmanager
def counting(shares: Shares) -> Iterator[None]:
    """All parts of every engine count into ``shares`` until the block ends."""
    client = ccxt.async_support.binanceusdm
    with ExitStack() as stack:

        def count(part: str, owner: Any, name: str) -> None:
            wrapped = shares.counted(part, getattr(owner, name))
            stack.enter_context(patch.object(owner, name, wrapped))

        count(NETWORK, Exchange, "fetch")
        for name in dir(client):
            unified = name.startswith("fetch_") or name in {"load_markets", "create_order"}
            if unified and inspect.iscoroutinefunction(getattr(client, name)):
                count(CLIENT, client, name)
        count(ESTIMATION, MarketModel, "refresh")
        count(ESTIMATION, looking, "assess")
        for step in (looking, carrying):
            count(ESTIMATION, step, "risk_state")
        count(DECISION, MinimumRisk, "decide")
        count(DECISION, carrying, "plan_orders")
        for name in dir(Journal):
            if not name.startswith("_") and inspect.isfunction(getattr(Journal, name)):
                count(JOURNAL, Journal, name)
        yield
