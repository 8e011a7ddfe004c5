"""A halt that comes between the checks of an order and its first byte, and work that breaks off."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.errors import JournalError
from bot.trading.last_word import forbidden, unless
from bot.trading.orders import OrderState
from bot.trading.styles import ExecutionStyles
from bot.venues.ccxt_wire import CcxtWire
from tests.execute_scene import FET, NOW_MS, TAO, leg, plan_of
from tests.styles_scene import Street, open_styles

SHORT_FET = leg(FET, Decimal(0), Decimal(-2000), 0.5)
SHORT_TAO = leg(TAO, Decimal(0), Decimal(-2), 400.0)


async def test_a_halt_while_the_disk_is_waited_for_keeps_the_order_back(tmp_path: Path) -> None:
    async with open_styles(tmp_path, ExecutionStyles()) as stage:
        write = stage.journal.mark_sending

        def slow_disk(*arguments: Any, **named: Any) -> None:
            write(*arguments, **named)
            stage.halted = "somebody says so"

        stage.journal.mark_sending = slow_disk  # type: ignore[method-assign]  # a disk that takes its time
        report = await stage.run(plan_of(SHORT_FET, SHORT_TAO))
        assert stage.venue.placed == []
        assert (report.halted, report.stopped) == (True, "halted: somebody says so")
        [row] = stage.journal.orders("c1")
        assert (row.state, row.code) == (OrderState.REJECTED, "not-sent")
        assert stage.own == {}


def test_outside_of_a_send_nothing_is_forbidden() -> None:
    with unless(lambda: "halted"):
        assert forbidden() == "halted"
    assert forbidden() is None


async def test_the_client_asks_once_more_when_the_orders_turn_has_come() -> None:
    """ccxt queues an order for the exchange's allowance; a halt in that queue keeps it back."""
    import ccxt.async_support as ccxt

    exchange = ccxt.binanceusdm({"apiKey": "k", "secret": "s"})
    left: list[str] = []

    async def network(url: str, *_rest: Any) -> Any:
        left.append(url)
        return {}

    exchange.fetch = network
    wire = CcxtWire(exchange)
    halted: list[str] = []

    async def order() -> Any:
        halted.append("now")  # it waits for its turn, and somebody halts
        return await exchange.fetch("https://fapi.binance.com/fapi/v1/order", "POST")

    try:
        with unless(lambda: halted[0] if halted else None):
            _, reply = await wire.observe(order)
            assert reply is not None
            assert (reply.sent, reply.error_class) == (False, "HaltedOnTheWayError")
            _, read = await wire.observe(
                lambda: exchange.fetch("https://fapi.binance.com/fapi/v1/time", "GET")
            )
            assert read is None
        _, reply = await wire.observe(order)
        assert reply is None, "cancels and whatever else is no send go through"
    finally:
        await wire.close()
    assert [url.rpartition("/")[2] for url in left] == ["time", "order"]


@contextmanager
def broken_from(stage: Any, when: str, nth: int = 1) -> Iterator[None]:
    """The disk fails at the nth request of a name."""
    seen = 0

    def fail(_street: Street, what: str) -> None:
        nonlocal seen
        seen += what == when
        if what == when and seen == nth:
            stage.journal._broken = True

    stage.street.at = fail
    yield


@pytest.mark.parametrize(
    ("when", "nth"),
    [
        ("cancel", 1),  # while the first of two is taken back, in good order
        ("place GTX", 1),  # so that its reply cannot be written down
        ("place GTX", 2),
    ],
)
async def test_a_journal_that_fails_at_any_time_leaves_nothing_resting(
    tmp_path: Path, when: str, nth: int
) -> None:
    async with open_styles(tmp_path) as stage:
        with broken_from(stage, when, nth), pytest.raises(JournalError):
            await stage.run(plan_of(SHORT_FET, SHORT_TAO))
        assert len(stage.venue.placed) >= nth
        assert stage.account.open_orders() == []


async def test_a_defect_in_one_cancel_keeps_no_other_back(tmp_path: Path) -> None:
    async with open_styles(tmp_path) as stage:
        asked = []

        def defect(_street: Street, what: str) -> None:
            if what == "cancel":
                asked.append(what)
                if len(asked) <= 2:
                    raise ZeroDivisionError

        stage.street.at = defect
        with pytest.raises(ZeroDivisionError):
            await stage.run(plan_of(SHORT_FET, SHORT_TAO))
        assert [o.symbol for o in stage.account.open_orders()] == [FET], "the one with the defect"
        assert stage.clock.now_ms() - NOW_MS <= 15_000
