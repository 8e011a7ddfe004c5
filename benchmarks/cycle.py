"""One engine cycle over HTTP, as the demo runs it, against its own GET requests sent bare."""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import aiohttp
from ccxt.async_support.base.exchange import Exchange
from yarl import URL

from benchmarks.measure import DisagreementError, Effort, Line, Pairs
from benchmarks.shares import Shares, counting
from bot.cycle import Engine
from bot.demo.stage import DemoOptions, run_demo
from bot.records.cycle import CycleRecord

_SEED = 7
_FIRST, _WITH, _WITHOUT = "first cycle, with backfill", "cycle with trades", "cycle without trades"


@dataclass(frozen=True, slots=True)
class _Get:
    """One request of the engine and the document that it was answered with."""

    url: str
    headers: dict[str, str]
    answer: Any


@dataclass(frozen=True, slots=True)
class _Cycle:
    """One measured cycle."""

    kind: str
    ours_s: float
    theirs_s: float
    requests: int
    shares: dict[str, float]


@dataclass(slots=True)
class _Meter:
    """Measures every cycle of every engine, and right after it its GET requests once more."""

    shares: Shares = field(default_factory=Shares)
    sent: list[_Get] = field(default_factory=list)
    requests: int = 0
    cycles: list[_Cycle] = field(default_factory=list)

    def watched_fetch(self) -> Any:
        plain, meter = Exchange.fetch, self

        async def fetch(
            client: Any, url: str, method: str = "GET", headers: Any = None, body: Any = None
        ) -> Any:
            answer = await plain(client, url, method, headers, body)
            if meter.shares.running:
                meter.requests += 1
                if method == "GET":
                    meter.sent.append(_Get(url, dict(headers or {}), answer))
            return answer

        return fetch

    def measured_cycle(self) -> Any:
        plain, meter = Engine.cycle, self

        async def cycle(engine: Engine) -> CycleRecord:
            meter.sent, meter.requests = [], 0
            meter.shares.start()
            start = time.perf_counter()
            record = await plain(engine)
            ours_s = time.perf_counter() - start
            shares = meter.shares.stop()
            # Trades change what some requests are answered, so only without them it must be equal.
            theirs_s = await _again(meter.sent, equal=not record.orders)
            kind = _WITH if record.orders else _WITHOUT
            if not meter.cycles:
                kind = _FIRST
            meter.cycles.append(_Cycle(kind, ours_s, theirs_s, meter.requests, shares))
            return record

        return cycle


async def _again(requests: Sequence[_Get], *, equal: bool) -> float:
    """Seconds that the same GET requests take one after another without ccxt and engine."""
    answers = []
    async with aiohttp.ClientSession() as session:
        start = time.perf_counter()
        for request in requests:
            url = URL(request.url, encoded=True)  # signed letter by letter
            async with session.get(url, headers=request.headers) as reply:
                answers.append((reply.status, await reply.read()))
        seconds = time.perf_counter() - start
    for request, (status, body) in zip(requests, answers, strict=True):
        if status != 200 or (equal and json.loads(body) != request.answer):
            raise DisagreementError(f"cycle: another answer the second time: {request.url}")
    return seconds


def run(effort: Effort) -> Iterator[Line]:
    """A demo of some cycles; the first one apart, for it fetches 60 days and compiles."""
    meter = _Meter()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        stack.enter_context(patch.object(Exchange, "fetch", meter.watched_fetch()))
        stack.enter_context(counting(meter.shares))
        stack.enter_context(patch.object(Engine, "cycle", meter.measured_cycle()))
        options = DemoOptions(None, effort.rounds(24, 3), _SEED, Path(folder))
        asyncio.run(run_demo(options))
    for kind in (_FIRST, _WITHOUT, _WITH):
        cycles = [one for one in meter.cycles if one.kind == kind]
        if cycles:
            yield _line(kind, cycles)


def _line(kind: str, cycles: Sequence[_Cycle]) -> Line:
    pairs = Pairs(tuple(c.ours_s for c in cycles), tuple(c.theirs_s for c in cycles))
    total = sum(pairs.ours_s)
    parts = {part: sum(c.shares.get(part, 0.0) for c in cycles) for part in cycles[0].shares}
    shares = ", ".join(
        f"{part} {seconds / total:.0%} ({1e3 * seconds / len(cycles):.0f} ms)"
        for part, seconds in sorted(parts.items(), key=lambda item: -item[1])
    )
    return pairs.line(
        "cycle",
        kind,
        "its GET requests by bare aiohttp",
        "all answers equal" if kind == _WITHOUT else "all answered (trades between change some)",
        {
            "requests a cycle": round(sum(c.requests for c in cycles) / len(cycles)),
            "shares": shares,
        },
    )
