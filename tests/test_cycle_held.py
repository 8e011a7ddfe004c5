"""Whatever is missing, stale, unknown or out of reach holds the cycle, with its reason."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.errors import UnreachableError, VenueError
from bot.records.cycle import CycleStatus
from risk.errors import DataError, EstimationError, OptimizationError
from strategies.proposal import NoHedge, NoHedgeReason
from tests.cycle_scene import FET, LONGS, Scene, open_scene, stale

GoOn = Callable[[], Awaitable[Any]]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path) as opened:
        yield opened


def _late(scene: Scene) -> None:
    scene.hold(at_ms=scene.clock.now_ms() - 3_601_000)


def _early(scene: Scene) -> None:
    scene.hold(at_ms=scene.clock.now_ms() + 61_000)


def _gone(scene: Scene) -> None:
    scene.positions_file.unlink()


def _half(scene: Scene) -> None:
    text = scene.positions_file.read_text()
    scene.positions_file.write_text(text[: len(text) // 2])


def _unlisted(scene: Scene) -> None:
    scene.hold({**LONGS, "DOGE/USDT:USDT": "10"})


def _no_price(scene: Scene) -> None:
    async def without(go_on: GoOn) -> Any:
        return {s: q for s, q in (await go_on()).items() if s != FET}

    scene.faults.by_call["quotes"] = without


def _old_price(scene: Scene) -> None:
    async def older(go_on: GoOn) -> Any:
        quotes = await go_on()
        return stale(quotes, FET, 4_000) if FET in quotes else quotes

    scene.faults.by_call["quotes"] = older


def _no_number(scene: Scene) -> None:
    async def nothing(go_on: GoOn) -> Any:
        return {s: replace(q, mark=float("nan")) for s, q in (await go_on()).items()}

    scene.faults.by_call["quotes"] = nothing


def _old_account(scene: Scene) -> None:
    async def older(go_on: GoOn) -> Any:
        account = await go_on()
        then = account.state.timestamp_ms - 31_000
        return replace(account, state=replace(account.state, timestamp_ms=then))

    scene.faults.by_call["account"] = older


def _no_equity(scene: Scene) -> None:
    async def poor(go_on: GoOn) -> Any:
        account = await go_on()
        return replace(account, state=replace(account.state, equity_usd=0.0))

    scene.faults.by_call["account"] = poor


def _no_bars(scene: Scene) -> None:
    async def empty(go_on: GoOn) -> Any:
        panel = await go_on()
        close = panel.close.copy()
        close[:, panel.symbols.index(FET)] = float("nan")
        return replace(panel, close=close)

    scene.faults.by_call["bars"] = empty


def _raise(call: str, error: Exception) -> Callable[[Scene], None]:
    def set_up(scene: Scene) -> None:
        scene.faults.by_call[call] = error

    return set_up


def _strategy(answer: Any) -> Callable[[Scene], None]:
    def set_up(scene: Scene) -> None:
        class Strategy:
            def decide(self, *_: Any) -> Any:
                if isinstance(answer, Exception):
                    raise answer
                return answer

        scene.engine._parts = replace(scene.engine._parts, strategy=Strategy())  # type: ignore[arg-type]  # a stub

    return set_up


HOLDS: dict[str, tuple[Callable[[Scene], None], str]] = {
    "stale source": (_late, "source manual: 3601 s old, at most 3600 s is accepted"),
    "future timestamp": (_early, "source manual: its timestamp lies 61 s in the future"),
    "file missing": (_gone, "source manual: cannot read .*positions.json: No such file"),
    "file half written": (_half, "positions.json: not JSON: "),
    "symbol not listed": (_unlisted, "source manual: holds DOGE/USDT:USDT, but the venue lists"),
    "no price for what is held": (_no_price, "FET/USDT:USDT: held, but the venue has no price"),
    "old price of what is held": (_old_price, "FET/USDT:USDT: mark price: 4 s old, at most 3 s"),
    "price that is no number": (_no_number, "price nan, must be"),
    "old account": (_old_account, "hedge account: 31 s old, at most 30 s is accepted"),
    "account without money": (_no_equity, "equity|0.0"),
    "no bars of what is held": (_no_bars, "FET/USDT:USDT: cannot be measured"),
    "no instruments": (
        _raise("instruments", UnreachableError("markets: no reply")),
        "markets: no reply",
    ),
    "venue does not answer": (_raise("account", UnreachableError("no reply")), "^no reply$"),
    "venue errs": (_raise("account", VenueError("code -1001")), "^code -1001$"),
    "account told in part": (
        _raise("account", DataError("position in X: no contracts")),
        "position in X: no contracts",
    ),
    "feed does not answer": (_raise("bars", UnreachableError("bars: no reply")), "bars: no"),
    "funding paid cannot be read": (
        _raise("funding_receipts", VenueError("income: code -1000")),
        "income: code",
    ),
    "no estimate": (_raise("funding", EstimationError("too few bars")), "too few bars"),
    "malformed problem": (_strategy(OptimizationError("caps of 3 symbols")), "caps of 3"),
    "solver failed": (
        _strategy(NoHedge("stub", 0, NoHedgeReason.SOLVER_FAILED, "the solver gave up", None)),
        "the solver gave up",
    ),
}


@pytest.mark.parametrize("name", HOLDS)
async def test_held_and_back_as_soon_as_it_is_over(scene: Scene, name: str) -> None:
    set_up, reason = HOLDS[name]
    if name == "funding paid cannot be read":
        await scene.cycle()  # before the first order nothing is asked
        scene.advance(5, longs={})
    placed = len(scene.venue.placed)
    real = scene.engine._parts
    set_up(scene)
    record = await scene.cycle()
    assert record.status is CycleStatus.HELD
    assert len(scene.venue.placed) == placed
    assert re.search(reason, record.reason), record.reason
    assert scene.events[-1]["level"] == "warning"
    if name == "no bars of what is held":
        return  # it has to trade for a while first
    scene.faults.by_call.clear()
    scene.engine._parts = real
    scene.hold({} if name == "funding paid cannot be read" else LONGS)
    assert (await scene.cycle()).status is CycleStatus.HEDGED
