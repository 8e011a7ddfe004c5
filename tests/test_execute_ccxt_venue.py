"""The ccxt adapter over real sockets, against the simulated exchange, and the executor on it."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.clock import SimulatedClock
from bot.feeds.generated import generated_tape
from bot.feeds.tape import DAY_MS, Tape
from bot.feeds.tape_feed import TapeFeed
from bot.journal.journal import Journal
from bot.trading.cancels import cancel_resting
from bot.trading.execution import ExecutionContext, Executor
from bot.trading.orders import Acknowledged, OrderState, Rejected, Side
from bot.trading.planner import PlanIdentity, PlanSettings, plan_orders
from bot.trading.pretrade import PretradeLimits
from bot.trading.reconcile import (
    attribute,
    book_fills,
    book_funding,
    recover,
    resolve_unresolved,
)
from bot.venues.ccxt_controlled import ControlledVenue
from bot.venues.ccxt_venue import CcxtVenue
from bot.venues.dialects import dialect_of
from bot.venues.http.server import serve_exchange
from bot.venues.loopback import client
from bot.venues.sim.account import SimAccount
from bot.venues.sim.exchange import SimulatedExchange
from risk.errors import DataError
from tests.execute_scene import BTC, FET, KEY, intent, leg, order, proposal

WALLET = Decimal(50_000)


@dataclass
class Market:
    """A simulated exchange behind its face, and the account that hedges."""

    exchange: SimulatedExchange
    tape: Tape
    clock: SimulatedClock
    account: SimAccount

    def advance(self, seconds: float) -> None:
        self.clock.advance_to(self.clock.now_ms() + round(seconds * 1000))
        self.exchange.update_market(self.tape.quotes(self.clock.now_ms()))

    def price(self, symbol: str, factor: str) -> Decimal:
        """A whole tick near the mark price times a factor."""
        one = self.exchange.instruments[symbol]
        wanted = Decimal(repr(self.exchange.quote(symbol).mark)) * Decimal(factor)
        return round(wanted / one.tick) * one.tick


@pytest.fixture
def market() -> Market:
    tape = generated_tape(11, 1_750_000_000_000)
    clock = SimulatedClock(tape.start_ms + 20 * DAY_MS + 17 * 60_000)
    exchange = SimulatedExchange(tape.instruments.values(), clock, 11)
    account = exchange.open_account("hedge", "hedge-key", "hedge-secret", WALLET)
    exchange.update_market(tape.quotes(clock.now_ms()))
    return Market(exchange, tape, clock, account)


@pytest.fixture
async def raw(market: Market) -> AsyncIterator[Any]:
    async with serve_exchange(market.exchange, market.tape, market.clock) as server:
        exchange = client(
            server.host, key="hedge-key", secret="hedge-secret", now_ms=market.clock.now_ms
        )
        exchange.timeout_on_exit = 0
        yield exchange
        await exchange.close()


@pytest.fixture
def venue(raw: Any, market: Market) -> CcxtVenue:
    return CcxtVenue(raw, "hedge", market.clock)


@pytest.fixture
def journal(tmp_path: Path, market: Market) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.sqlite", market.clock) as opened:
        yield opened


def sell(market: Market, client_id: str, quantity: str, **change: Any) -> Any:
    price = str(market.price(FET, "0.99"))
    return order(client_id, symbol=FET, quantity=quantity, **{"price": price, **change})


async def test_a_flat_account(venue: CcxtVenue, market: Market) -> None:
    seen = await venue.account()
    assert (seen.state.name, seen.state.equity_usd) == ("hedge", 50_000.0)
    assert (seen.state.available_usd, seen.state.initial_margin_usd) == (50_000.0, 0.0)
    assert (seen.base_quantity, seen.hedge_mode) == ({}, False)
    assert seen.state.timestamp_ms == market.clock.now_ms()
    assert seen.margin_rate[FET] == 1 / 20
    assert seen.open_order_client_ids == frozenset()


async def test_open_orders_are_not_asked_for_after_each_order_of_a_plan(
    venue: CcxtVenue, market: Market
) -> None:
    asked, orders = [], market.exchange.open_orders

    def counting(account: SimAccount, symbol: str | None = None) -> Any:
        asked.append(symbol)
        return orders(account, symbol)

    market.exchange.open_orders = counting  # type: ignore[method-assign]  # a tap on the wire
    for number in range(5):
        await venue.place(sell(market, f"h1taken{number}", "10"))
        assert (await venue.account()).open_order_client_ids == frozenset()
    assert len(asked) == 1
    resting = str(market.price(FET, "1.05"))
    await venue.place(replace(sell(market, "h1rests", "10", price=resting), time_in_force="GTC"))
    assert (await venue.account()).open_order_client_ids == {"h1rests"}
    assert len(asked) == 2
    market.exchange.cancel_all(market.account, FET)
    market.advance(3)
    assert (await venue.account()).open_order_client_ids == frozenset()


async def test_an_order_that_is_known_to_have_ended_is_open_no_more(
    raw: Any, market: Market, journal: Journal
) -> None:
    """Nor is it taken for a bot's, in whose symbol no hedge may be."""
    venue = ControlledVenue(raw, "hedge", market.clock)
    journal.record_intents([intent()])
    far = str(market.price(FET, "1.05"))
    ours = replace(sell(market, "h1rests", "10", price=far), time_in_force="GTC")
    far = str(market.price(BTC, "1.05"))
    bots = replace(order("bots", symbol=BTC, quantity="0.01", price=far), time_in_force="GTC")
    journal.mark_sending(ours, account="hedge", leg="open-0", attempt=0)
    journal.record_outcome(await venue.place(ours))
    await venue.place(bots)
    assert (await venue.account()).open_order_symbols == {FET, BTC}
    assert await cancel_resting(journal, venue, market.clock, "test") == ()
    seen = await venue.account()
    assert (seen.open_order_client_ids, seen.open_order_symbols) == ({"bots"}, {BTC})


@pytest.mark.parametrize("change", ["cancel", "place"])
async def test_a_list_of_open_orders_that_was_under_way_during_a_change_is_not_kept(
    raw: Any, market: Market, change: str
) -> None:
    venue = ControlledVenue(raw, "hedge", market.clock)
    far = str(market.price(FET, "1.05"))
    ours = replace(sell(market, "h1rests", "10", price=far), time_in_force="GTC")
    other = replace(sell(market, "h1other", "10", price=far), time_in_force="GTC")
    await venue.place(ours)
    fetch = raw.fetch_open_orders

    async def late(*asked: Any) -> Any:
        """The answer takes longer than what happens meanwhile."""
        found = await fetch(*asked)
        if change == "cancel":
            assert await venue.cancel(FET, "h1rests")
        else:
            await venue.place(other)
        return found

    raw.fetch_open_orders = late
    assert (await venue.account()).open_order_client_ids == {"h1rests"}, "as it was then"
    raw.fetch_open_orders = fetch
    left = set() if change == "cancel" else {"h1rests", "h1other"}
    assert (await venue.account()).open_order_client_ids == left


async def test_a_list_that_was_read_while_an_order_was_sent_is_not_kept(
    raw: Any, market: Market
) -> None:
    venue = ControlledVenue(raw, "hedge", market.clock)
    assert (await venue.account()).open_order_client_ids == set()
    create = raw.create_order

    async def slow(**asked: Any) -> Any:
        """The reply takes longer than a look at the account."""
        made = await create(**asked)
        assert (await venue.account()).open_order_client_ids == {"h1rests"}
        market.exchange.cancel_all(market.account, FET)
        return {**made, "status": "canceled"}

    raw.create_order = slow
    far = str(market.price(FET, "1.05"))
    await venue.place(replace(sell(market, "h1rests", "10", price=far), time_in_force="GTC"))
    assert (await venue.account()).open_order_client_ids == set()


async def test_order_position_fill_and_money_agree_with_the_exchange(
    venue: CcxtVenue, market: Market
) -> None:
    outcome = await venue.place(sell(market, "h1one", "2000"))
    assert isinstance(outcome, Acknowledged)
    assert (outcome.state, outcome.filled_quantity) == (OrderState.FILLED, 2000)
    assert await venue.find(FET, "h1one") == outcome
    fills = await venue.fills(FET, market.clock.now_ms() - 60_000)
    assert sum(f.quantity for f in fills) == 2000
    assert {(f.venue_order_id, f.side, f.maker) for f in fills} == {
        (outcome.venue_order_id, Side.SELL, False)
    }
    trades = market.exchange.trades(market.account, FET)
    assert [(f.trade_id, f.price, f.fee_usd) for f in fills] == [
        (str(t.trade_id), t.price, t.fee_usd) for t in trades
    ]
    assert all(f.fee_usd is not None and f.fee_usd > 0 for f in fills)
    seen = await venue.account()
    assert seen.base_quantity == {(FET, "BOTH"): Decimal(-2000)}
    margin = market.exchange.margin(market.account)
    assert seen.state.equity_usd == pytest.approx(float(margin.margin_balance_usd), abs=1e-6)
    assert seen.state.initial_margin_usd == pytest.approx(
        float(margin.initial_margin_usd), abs=1e-6
    )
    assert market.exchange.counters.orders_received == 1


async def test_refusals_come_back_with_their_code(venue: CcxtVenue, market: Market) -> None:
    refused = await venue.place(sell(market, "h1close", "100", reduce_only=True))
    assert isinstance(refused, Rejected)
    assert refused.code == "-2022"
    small = await venue.place(sell(market, "h1small", "1"))
    assert isinstance(small, Rejected)
    assert small.code == "-4164"
    price = str(market.price(BTC, "0.995"))
    huge = await venue.place(order("h1huge", symbol=BTC, quantity="100", price=price))
    assert isinstance(huge, Rejected)
    assert huge.code == "-2019"
    assert await venue.find(FET, "h1close") is None


async def test_a_resting_order_is_seen_and_its_id_cannot_be_used_again(
    venue: CcxtVenue, market: Market
) -> None:
    resting = replace(
        sell(market, "h1rest", "100", price=str(market.price(FET, "1.02"))), time_in_force="GTX"
    )
    outcome = await venue.place(resting)
    assert isinstance(outcome, Acknowledged)
    assert (outcome.state, outcome.filled_quantity) == (OrderState.LIVE, 0)
    seen = await venue.account()
    assert (seen.open_order_client_ids, seen.open_order_symbols) == ({"h1rest"}, {FET})
    again = await venue.place(resting)
    assert again == outcome, "the duplicate id proves that the first one exists"
    assert len(market.exchange.open_orders(market.account)) == 1


async def test_hedge_mode_names_the_side(venue: CcxtVenue, market: Market) -> None:
    market.exchange.set_position_mode(market.account, hedge=True)
    opened = await venue.place(sell(market, "h1open", "500", position_side="SHORT"))
    assert isinstance(opened, Acknowledged)
    seen = await venue.account()
    assert seen.hedge_mode
    assert seen.base_quantity == {(FET, "SHORT"): Decimal(-500)}
    closing = sell(
        market,
        "h1close",
        "200",
        position_side="SHORT",
        side=Side.BUY,
        reduce_only=True,
        price=str(market.price(FET, "1.009")),
    )
    assert isinstance(await venue.place(closing), Acknowledged)
    market.advance(61)
    assert (await venue.account()).base_quantity == {(FET, "SHORT"): Decimal(-300)}


def pages_of(rows: int, venue: CcxtVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(dialect_of("binanceusdm"), trades_page=rows)
    monkeypatch.setattr(venue._history, "_dialect", small)


async def test_many_fills_are_read_page_by_page_and_week_by_week(
    venue: CcxtVenue, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages_of(3, venue, monkeypatch)
    start_ms = market.clock.now_ms()
    for number in range(12):
        await venue.place(sell(market, f"h1n{number}", "100"))
        market.advance(2 * 86_400 if number % 4 == 3 else 1)
    fills = await venue.fills(FET, start_ms)
    expected = market.exchange.trades(market.account, FET, limit=1000)
    assert [f.trade_id for f in fills] == [str(t.trade_id) for t in expected]
    assert len(fills) >= 12
    market.advance(20 * 86_400)
    assert await venue.fills(FET, start_ms) == fills


async def test_more_fills_in_one_moment_than_a_page_is_told(
    venue: CcxtVenue, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages_of(2, venue, monkeypatch)
    for number in range(3):
        await venue.place(sell(market, f"h1n{number}", "100"))
    with pytest.raises(DataError, match="more than 2 rows in 1 ms"):
        await venue.fills(FET, market.clock.now_ms())


async def test_nothing_but_orders_is_ever_changed(
    venue: CcxtVenue, market: Market, raw: Any
) -> None:
    """Leverage, margin mode and position mode are read only, and every POST is an order."""
    seen: list[tuple[str, str]] = []
    send = raw.fetch

    async def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        seen.append((method, url.partition("?")[0].rpartition("/fapi/")[2]))
        return await send(url, method, headers, body)

    raw.fetch = fetch
    await venue.account()
    await venue.place(sell(market, "h1one", "100"))
    await venue.find(FET, "h1one")
    await venue.fills(FET, 0)
    market.advance(61)
    await venue.account()
    assert {path for method, path in seen if method != "GET"} == {"v1/order"}


async def test_a_plan_goes_through_the_real_client(
    venue: CcxtVenue, market: Market, journal: Journal
) -> None:
    """Plan, checks, journal, socket, matching, fills: and every book says the same at the end."""
    feed = TapeFeed(market.tape, market.clock)
    executor = Executor(
        venue=venue, market=feed, journal=journal, clock=market.clock, limits=PretradeLimits()
    )
    shorts = {FET: Decimal(-5000), BTC: Decimal("-0.1")}
    for cycle_id, share in (("c1", Decimal(1)), ("c2", Decimal("0.5")), ("c3", Decimal(0))):
        seen = await venue.account()
        quotes = await feed.quotes([FET, BTC])
        own = journal.own_positions("hedge")
        legs = []
        for symbol, full in shorts.items():
            held = own.get((symbol, "BOTH"), Decimal(0))
            legs.append(leg(symbol, held, full * share - held, quotes[symbol].mark))
        plan = plan_orders(
            proposal(*legs),
            market.exchange.instruments,
            quotes,
            own,
            identity=PlanIdentity("hedge", cycle_id, KEY),
            settings=PlanSettings(PretradeLimits().order_cap_usd(seen.state.equity_usd)),
        )
        assert plan.skipped == ()
        report = await executor.execute(
            plan,
            ExecutionContext(
                cycle_id,
                market.exchange.instruments,
                quotes,
                seen,
                frozenset(shorts),
                instruments_ms=market.clock.now_ms(),
            ),
        )
        assert [r.detail for r in report.results] == [""] * len(plan.orders)
        assert [r.state for r in report.results] == [OrderState.FILLED] * len(plan.orders)
        assert (report.mismatches, report.stopped, report.denials) == ((), "", ())
        own = journal.own_positions("hedge")
        assert own == {(s, "BOTH"): q * share for s, q in shorts.items() if share}
        assert attribute(own, report.account.base_quantity).external == {}
        market.advance(30)
    ledger = journal.ledger("hedge")
    assert ledger.wallet_usd(WALLET) == market.account.wallet_usd, "to the last digit"
    assert market.exchange.counters.rejected == 0
    recovery = await recover(journal, venue, market.clock)
    assert recovery.ready
    assert recovery.resolution.booked == ()


async def test_an_order_that_arrived_unheard_is_found_through_the_real_client(
    venue: CcxtVenue, market: Market, journal: Journal
) -> None:
    request = sell(market, "h1lost", "700")
    journal.record_intents([intent()])
    journal.mark_sending(request, account="hedge", leg="open-0", attempt=0)
    await venue.place(request)  # and here the process died
    assert [r.client_id for r in journal.sending_to_unknown()] == ["h1lost"]
    market.advance(5)
    resolution = await resolve_unresolved(journal, venue, market.clock)
    assert [r.state for r in resolution.settled] == [OrderState.FILLED]
    assert journal.own_positions("hedge") == {(FET, "BOTH"): Decimal(-700)}
    assert journal.ledger("hedge").wallet_usd(WALLET) == market.account.wallet_usd


async def test_funding_is_booked_once_and_the_wallet_still_comes_out(
    venue: CcxtVenue, market: Market, journal: Journal
) -> None:
    request = sell(market, "h1one", "700")
    assert await book_funding(journal, venue, market.clock) == 0, "never traded"
    journal.record_intents([intent()])
    journal.mark_sending(request, account="hedge", leg="open-0", attempt=0)
    journal.record_outcome(await venue.place(request))
    await book_fills(journal, venue, FET, market.clock)
    for _ in range(17):
        market.advance(3600)
    assert await book_funding(journal, venue, market.clock) >= 2
    assert await book_funding(journal, venue, market.clock) == 0
    ledger = journal.ledger("hedge")
    assert ledger.funding_usd != 0
    assert ledger.wallet_usd(WALLET) == market.account.wallet_usd


async def test_markets_are_read_again_after_an_hour(
    venue: CcxtVenue, raw: Any, market: Market
) -> None:
    """What lists later, or changes its steps, is known without a restart."""
    await venue.account()
    first = raw.markets
    market.advance(3600)
    await venue.account()
    assert raw.markets is first
    market.advance(1)
    await venue.account()
    assert raw.markets is not first


@pytest.mark.parametrize("rows", [None, {}, [None], "[]", [{"symbol": FET}, 7]])
async def test_a_part_of_the_positions_is_no_proof_of_the_rest(
    venue: CcxtVenue, raw: Any, rows: Any
) -> None:
    async def told(*_: Any) -> Any:
        return rows

    raw.fetch_positions = told
    with pytest.raises(DataError, match=r"positions of account hedge: not a list"):
        await venue.account()
