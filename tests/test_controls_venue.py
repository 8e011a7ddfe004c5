"""What controls ask of a venue, through a real ccxt client and a real server."""

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.clock import SimulatedClock
from bot.controls.asking import VenueQuestions, require_harmless_key
from bot.controls.books import Income, IncomePage, whole_income
from bot.controls.guard import Guard
from bot.controls.permissions import KeyPermissions, require_harmless
from bot.errors import SafetyError, UnreachableError
from bot.feeds.generated import generated_tape
from bot.feeds.tape import DAY_MS
from bot.journal.journal import Journal
from bot.trading.orders import Acknowledged, OrderState
from bot.trading.reconcile import book_fills, book_funding
from bot.venues.ccxt_controlled import ControlledVenue
from bot.venues.http.server import serve_exchange
from bot.venues.loopback import client
from bot.venues.sim.account import SimAccount
from bot.venues.sim.exchange import SimulatedExchange
from bot.venues.sim.records import MarginType, SelfTradePrevention
from risk.errors import DataError
from tests.execute_scene import ACCOUNT, order, send

FET = "FET/USDT:USDT"


class Scene:
    """A served exchange with one account, and the venue that reaches it."""

    def __init__(self) -> None:
        self.tape = generated_tape(11, 1_750_000_000_000)
        self.clock = SimulatedClock(self.tape.start_ms + 20 * DAY_MS + 17 * 60_000)
        self.exchange = SimulatedExchange(self.tape.instruments.values(), self.clock, 11)
        self.account: SimAccount = self.exchange.open_account(
            "hedge", "hedge-key", "hedge-secret", Decimal(100_000)
        )
        self.exchange.update_market(self.tape.quotes(self.clock.now_ms()))
        self.venue: ControlledVenue
        self.raw: Any

    def resting(self, client_id: str) -> Any:
        tick = self.tape.instruments[FET].tick
        mark = Decimal(repr(self.tape.quotes(self.clock.now_ms())[FET].mark))
        price = str((mark * Decimal("1.009") // tick) * tick)
        return replace(order(client_id, quantity="100", price=price), time_in_force="GTC")


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    async with serve_exchange(made.exchange, made.tape, made.clock) as server:
        made.raw = client(
            server.host, key="hedge-key", secret="hedge-secret", now_ms=made.clock.now_ms
        )
        made.raw.timeout_on_exit = 0
        made.venue = ControlledVenue(made.raw, "hedge", made.clock)
        yield made
        await made.venue.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key_withdraws": True}, "its key can withdraw"),
        ({"key_transfers": True}, "its key can transfer"),
        ({"key_ip_bound": False}, "its key works from every address"),
    ],
)
async def test_a_key_that_can_do_more_than_trade_is_refused(
    scene: Scene, tmp_path: Path, change: dict[str, bool], words: str
) -> None:
    with Journal.open(tmp_path / "journal.sqlite", scene.clock) as journal:
        assert await require_harmless_key(scene.venue, journal) == ""
        for name, value in change.items():
            setattr(scene.account, name, value)
        with pytest.raises(SafetyError, match=words) as error:
            await require_harmless_key(scene.venue, journal)
        assert "hedge-key" not in str(error.value)
        [event] = journal.events(kind="refused")
        assert event.document["number"] == 35


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "does not tell what the key may do"),
        (KeyPermissions(False, None, None), "transfer, ip"),
        (KeyPermissions(False, False, True), ""),
    ],
)
def test_what_is_not_told_is_said(found: KeyPermissions | None, words: str) -> None:
    told = require_harmless("hedge", found)
    assert words in told
    assert bool(told) == bool(words)


async def test_one_of_our_orders_is_cancelled_and_no_other(scene: Scene) -> None:
    for name in ("h1one", "h1two"):
        outcome = await scene.venue.place(scene.resting(name))
        assert isinstance(outcome, Acknowledged)
        assert outcome.state is OrderState.LIVE
    assert await scene.venue.cancel(FET, "h1one")
    assert [o.client_id for o in scene.account.open_orders()] == ["h1two"]
    await scene.venue.cancel(FET, "h1one")  # again, and one that never was: nothing happens
    await scene.venue.cancel(FET, "h1three")
    assert [o.client_id for o in scene.account.open_orders()] == ["h1two"]


async def test_our_order_ends_where_it_would_meet_another(scene: Scene) -> None:
    await scene.venue.place(scene.resting("h1one"))
    [found] = scene.account.open_orders()
    assert found.self_trade_prevention is SelfTradePrevention.EXPIRE_TAKER
    assert scene.venue.self_trade_safe


async def test_clock_income_and_modes_are_read(scene: Scene, tmp_path: Path) -> None:
    scene.account.margin_type[FET] = MarginType.ISOLATED
    scene.exchange.transfer(scene.account, Decimal(5))
    assert await scene.venue.clock_offset_ms() == 0
    assert (await scene.venue.account()).margin_mode[FET] == "isolated"
    assert scene.venue.messages_per_second == pytest.approx(1000 / scene.raw.rateLimit)
    [row] = await whole_income(scene.venue, scene.clock.now_ms() - 1)
    assert (row.kind, Decimal(row.amount_usd)) == ("TRANSFER", Decimal(5))
    with Journal.open(tmp_path / "journal.sqlite", scene.clock) as journal:
        guard = Guard(journal, scene.clock, "hedge")
        await VenueQuestions(scene.venue, guard, scene.clock).ask()
        assert guard.clock_offset_ms == 0
        assert guard.alerts == ()


async def test_every_fee_and_payment_of_a_real_list_is_in_our_books(
    scene: Scene, tmp_path: Path
) -> None:
    """A trade and three payments, read as income and booked as fills and funding."""
    with Journal.open(tmp_path / "journal.sqlite", scene.clock) as journal:
        tick = scene.tape.instruments[FET].tick
        mark = Decimal(repr(scene.tape.quotes(scene.clock.now_ms())[FET].mark))
        price = str((mark * Decimal("0.995") // tick) * tick)
        request = order("h1one", quantity="100", price=price)
        send(journal, request)
        journal.record_outcome(await scene.venue.place(request))
        for _ in range(3):
            scene.clock.advance_to(scene.clock.now_ms() + 8 * 3_600_000)
            scene.exchange.update_market(scene.tape.quotes(scene.clock.now_ms()))
        await book_fills(journal, scene.venue, FET, scene.clock)
        await book_funding(journal, scene.venue, scene.clock)
        rows = await whole_income(scene.venue, 0)
        kinds = [row.kind for row in rows if row.symbol == FET]
        assert kinds.count("COMMISSION") >= 1
        assert kinds.count("FUNDING_FEE") == 3
        guard = Guard(journal, scene.clock, ACCOUNT)
        guard.check_books(rows, 0, scene.clock.now_ms())
        assert guard.alerts == ()
        scene.clock.advance_to(scene.clock.now_ms() + 8 * 3_600_000)
        scene.exchange.update_market(scene.tape.quotes(scene.clock.now_ms()))
        rows = await whole_income(scene.venue, 0)
        guard.check_books(rows, 0, scene.clock.now_ms())
        assert guard.alerts == (), "it may still be listed late"
        journal.record_funding(ACCOUNT, [], read_ms=scene.clock.now_ms() + 8 * 3_600_000)
        guard.check_books(rows, 0, scene.clock.now_ms())
        assert [alert.control for alert in guard.alerts] == ["funding_incomplete"]


async def test_what_was_paid_while_the_engine_was_stopped_is_read_after_it(
    scene: Scene, tmp_path: Path
) -> None:
    """A kind that nobody knows, half an hour after the last look, and two days without one."""
    with Journal.open(tmp_path / "journal.sqlite", scene.clock) as journal:
        await VenueQuestions(scene.venue, Guard(journal, scene.clock, "hedge"), scene.clock).ask()
        scene.clock.advance_to(scene.clock.now_ms() + 1_800_000)
        scene.exchange.transfer(scene.account, Decimal(-7))
        asked, income_page = [], scene.venue.income_page

        async def strange(since_ms: int) -> IncomePage:
            asked.append(since_ms)
            page = await income_page(since_ms)
            rows = [replace(row, kind="NOBODY_KNOWS") for row in page.rows]
            return replace(page, rows=rows)

        scene.venue.income_page = strange  # type: ignore[method-assign]  # a tap on the wire
        scene.clock.advance_to(scene.clock.now_ms() + 2 * DAY_MS)
        guard = Guard(journal, scene.clock, "hedge")
        await VenueQuestions(scene.venue, guard, scene.clock).ask()
        assert [alert.control for alert in guard.alerts] == ["unknown_income"]
        scene.clock.advance_to(scene.clock.now_ms() + 90 * DAY_MS)
        again = VenueQuestions(scene.venue, Guard(journal, scene.clock, "hedge"), scene.clock)
        await again.ask()
        assert asked[1] == scene.clock.now_ms() - 30 * DAY_MS, "as far as lists are kept"


async def test_income_is_read_page_by_page(scene: Scene) -> None:
    for _ in range(1200):
        scene.clock.advance_to(scene.clock.now_ms() + 1)
        scene.exchange.transfer(scene.account, Decimal("0.01"))
    rows = await whole_income(scene.venue, 0)
    assert len([row for row in rows if row.kind == "TRANSFER"]) == 1200


def many_changes(scene: Scene, count: int) -> None:
    for _ in range(count):
        scene.clock.advance_to(scene.clock.now_ms() + 1)
        scene.exchange.transfer(scene.account, Decimal("0.01"))


async def test_a_long_list_of_income_is_read_over_several_cycles_and_then_checked(
    scene: Scene, tmp_path: Path
) -> None:
    """A page that fails in between loses nothing, holds no cycle, and is asked again."""
    with Journal.open(tmp_path / "journal.sqlite", scene.clock) as journal:
        guard = Guard(journal, scene.clock, "hedge")
        began_ms = scene.clock.now_ms()
        await VenueQuestions(scene.venue, guard, scene.clock).ask()
        assert guard.books_checked_ms() == began_ms
        many_changes(scene, 3_500)
        scene.exchange.transfer(scene.account, Decimal(-7))
        asked, income_page = [], scene.venue.income_page

        async def tapped(since_ms: int) -> IncomePage:
            asked.append(since_ms)
            if len(asked) == 4:
                raise UnreachableError("income: no answer")
            page = await income_page(since_ms)
            return replace(page, rows=[one_unknown(row) for row in page.rows])

        scene.venue.income_page = tapped  # type: ignore[method-assign]  # a tap on the wire
        questions = VenueQuestions(scene.venue, guard, scene.clock)
        await questions.ask()
        assert (len(asked), guard.books_checked_ms()) == (2, began_ms)
        await questions.ask()
        await questions.ask()
        assert (len(asked), guard.books_checked_ms()) == (4, began_ms), "not again at once"
        scene.clock.advance_to(scene.clock.now_ms() + 60_000)
        await questions.ask()
        assert len(asked) == 5
        assert asked[4] == asked[3], "the page that failed, not the list from its start"
        assert [alert.control for alert in guard.alerts] == ["unknown_income"]
        assert guard.books_checked_ms() == scene.clock.now_ms() - 60_000, "when it was begun"


def one_unknown(row: Income) -> Income:
    return replace(row, kind="NOBODY_KNOWS") if Decimal(row.amount_usd) == -7 else row


async def test_a_list_of_income_that_stays_unread_is_told_after_an_hour_until_it_is_read(
    scene: Scene, tmp_path: Path
) -> None:
    with Journal.open(tmp_path / "journal.sqlite", scene.clock) as journal:
        guard = Guard(journal, scene.clock, "hedge")
        questions = VenueQuestions(scene.venue, guard, scene.clock)
        income_page = scene.venue.income_page

        async def silent(_: int) -> IncomePage:
            raise DataError("income: 'x' is no list")

        scene.venue.income_page = silent  # type: ignore[method-assign]  # a tap on the wire
        for minutes in (0, 30, 29):
            scene.clock.advance_to(scene.clock.now_ms() + minutes * 60_000)
            await questions.ask()
            assert guard.alerts == ()
        scene.clock.advance_to(scene.clock.now_ms() + 60_000)
        await questions.ask()
        [alert] = guard.alerts
        assert (alert.control, alert.number, alert.clears) == ("books_unchecked", 28, True)
        assert alert.text == "income not held against our books for 60 min: income: 'x' is no list"
        scene.venue.income_page = income_page  # type: ignore[method-assign]
        scene.clock.advance_to(scene.clock.now_ms() + 60_000)
        await questions.ask()
        assert guard.alerts == ()


async def test_an_engine_that_starts_anew_remembers_how_long_income_is_unread(
    scene: Scene, tmp_path: Path
) -> None:
    with Journal.open(tmp_path / "journal.sqlite", scene.clock) as journal:
        await VenueQuestions(scene.venue, Guard(journal, scene.clock, "hedge"), scene.clock).ask()

        async def silent(_: int) -> IncomePage:
            raise DataError("income: 'x' is no list")

        scene.venue.income_page = silent  # type: ignore[method-assign]  # a tap on the wire
        for restarts in range(4):
            scene.clock.advance_to(scene.clock.now_ms() + 20 * 60_000)
            guard = Guard(journal, scene.clock, "hedge")
            await VenueQuestions(scene.venue, guard, scene.clock).ask()
            assert bool(guard.alerts) == (restarts >= 2)


@pytest.mark.parametrize("time", [None, "soon", ...])
async def test_income_without_a_time_is_no_income_of_1970(scene: Scene, time: Any) -> None:
    row = {"tranId": "7", "incomeType": "FUNDING_FEE", "income": "1", "asset": "USDT"}
    row |= {} if time is ... else {"time": time}

    async def rows(*_: object) -> list[dict[str, Any]]:
        return [row]

    scene.venue._rows = rows  # type: ignore[method-assign]  # as an exchange may answer
    with pytest.raises(DataError, match="income: 7: has no time"):
        await scene.venue.income_page(0)


@pytest.mark.parametrize("offset_ms", [-900, 499, 1200])
async def test_a_clock_that_is_off_is_told(scene: Scene, offset_ms: int) -> None:
    true = scene.raw.fetch_time

    async def skewed(*arguments: Any) -> Any:
        return await true(*arguments) + offset_ms

    scene.raw.fetch_time = skewed
    assert await scene.venue.clock_offset_ms() == offset_ms
