"""Many open orders after a restart: one list, few requests, and the truth all the same."""

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.clock import SimulatedClock
from bot.feeds.generated import generated_tape
from bot.feeds.tape import DAY_MS
from bot.journal.journal import Journal
from bot.trading.listing import unproven_symbols
from bot.trading.orders import Acknowledged, OrderRequest, OrderState, Side
from bot.trading.reconcile import recover
from bot.venues.ccxt_venue import CcxtVenue
from bot.venues.http.server import serve_exchange
from bot.venues.loopback import client
from bot.venues.sim.exchange import SimulatedExchange
from tests.execute_scene import ACCOUNT, FET, TAO, intent, order

TOKENS = ("FET", "TAO", "NEAR", "WLD", "INJ", "ICP", "ARKM", "IO")


class Street:
    """A venue on which orders of ours rest, and the journal of an engine that has stopped."""

    def __init__(self, exchange: SimulatedExchange, venue: CcxtVenue, journal: Journal) -> None:
        self.exchange, self.venue, self.journal = exchange, venue, journal

    def request(self, number: int, factor: str, time_in_force: str = "GTC") -> OrderRequest:
        symbol = f"{TOKENS[number]}/USDT:USDT"
        one = self.exchange.instruments[symbol]
        mark = Decimal(repr(self.exchange.quote(symbol).mark))
        return replace(
            order(f"h1rest{number}", symbol=symbol, intent_id=f"i{number}"),
            side=Side.SELL,
            quantity=Decimal(repr(200.0 / float(mark))) // one.lot * one.lot,
            limit_price=mark * Decimal(factor) // one.tick * one.tick,
            time_in_force=time_in_force,
        )

    async def send(self, request: OrderRequest, *, heard: bool) -> None:
        number = request.intent_id
        self.journal.record_intents([replace(intent(), intent_id=number, symbol=request.symbol)])
        self.journal.mark_sending(request, account=ACCOUNT, leg="leg", attempt=0)
        outcome = await self.venue.place(request)
        assert isinstance(outcome, Acknowledged)
        if heard:
            self.journal.record_outcome(outcome)


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    tape = generated_tape(11, 1_750_000_000_000)
    clock = SimulatedClock(tape.start_ms + 20 * DAY_MS + 17 * 60_000)
    exchange = SimulatedExchange(tape.instruments.values(), clock, 11)
    exchange.open_account(ACCOUNT, "hedge-key", "hedge-secret", Decimal(50_000))
    exchange.update_market(tape.quotes(clock.now_ms()))
    async with serve_exchange(exchange, tape, clock) as server:
        raw = client(server.host, key="hedge-key", secret="hedge-secret", now_ms=clock.now_ms)
        with Journal.open(tmp_path / "journal.sqlite", clock) as journal:
            yield Street(exchange, CcxtVenue(raw, ACCOUNT, clock), journal)
        await raw.close()


async def test_orders_that_the_list_shows_are_not_asked_for_singly(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        await street.send(street.request(number, "1.03"), heard=True)
    await street.send(street.request(5, "1.03"), heard=False)  # rests, and nobody knows
    await street.send(street.request(6, "0.99", "IOC"), heard=False)  # filled, and nobody knows
    await street.send(street.request(7, "1.03"), heard=True)
    street.exchange.cancel_all(_account(street), street.request(7, "1").symbol)
    asked: list[str] = []
    for name in ("find", "fills"):
        _count(monkeypatch, street.venue, name, asked)
    recovery = await recover(street.journal, street.venue, street.venue._clock)
    # Asked for singly: the one that filled and the one that was cancelled, each with its fills.
    assert sorted(asked) == sorted(["find h1rest6", "fills ARKM", "find h1rest7", "fills IO"])
    assert recovery.resolution.problems == ()
    states = {n: street.journal.order(f"h1rest{n}").state for n in range(8)}  # type: ignore[union-attr]  # it was placed above
    live, filled, gone = OrderState.LIVE, OrderState.FILLED, OrderState.CANCELED
    assert states == dict.fromkeys(range(6), live) | {6: filled, 7: gone}
    held = (await street.venue.account()).base_quantity
    assert street.journal.own_positions(ACCOUNT) == held != {}


async def test_a_resting_order_that_filled_in_part_has_its_fills_booked(street: Street) -> None:
    for number in range(3):
        await street.send(street.request(number, "1.03"), heard=True)
    one = street.request(0, "1.03")
    quotes = street.exchange.quote(one.symbol)
    raised = replace(
        quotes, bid=quotes.mark * 1.031, ask=quotes.mark * 1.032, last=quotes.mark * 1.0315
    )
    everything = {
        s: street.exchange.quote(s)
        for s in street.exchange.instruments
        if street.exchange.trading(s)
    }
    street.exchange.update_market({**everything, one.symbol: raised})
    await recover(street.journal, street.venue, street.venue._clock)
    row = street.journal.order("h1rest0")
    assert row is not None
    assert row.booked_quantity == row.filled_quantity > 0
    assert street.journal.own_positions(ACCOUNT) == (await street.venue.account()).base_quantity


def _account(street: Street) -> Any:
    return street.exchange.account_by_key("hedge-key")


def _count(patch: pytest.MonkeyPatch, venue: CcxtVenue, name: str, asked: list[str]) -> None:
    real = getattr(venue, name)

    async def counted(symbol: str, second: Any) -> Any:
        asked.append(f"{name} {second if name == 'find' else symbol.partition('/')[0]}")
        return await real(symbol, second)

    patch.setattr(venue, name, counted)


async def test_executions_are_read_wherever_the_account_does_not_prove_that_all_are_booked(
    street: Street,
) -> None:
    await street.send(street.request(0, "1.03"), heard=True)
    [live] = street.journal.unresolved_orders(ACCOUNT)
    account = await street.venue.account()
    both, own = (FET, "BOTH"), {(FET, "BOTH"): Decimal(-5)}

    def asked(held: dict[Any, Decimal], row: Any = live) -> list[str]:
        return unproven_symbols([FET, TAO], own, replace(account, base_quantity=held), [row])

    assert asked(own) == []
    assert asked({both: Decimal(-4)}) == [FET]
    assert asked({}) == [FET]
    assert asked({**own, (TAO, "BOTH"): Decimal(1)}) == [TAO]
    assert asked({**own, ("BTC/USDT:USDT", "BOTH"): Decimal(1)}) == []
    assert asked(own, replace(live, state=OrderState.UNKNOWN)) == [FET]
    assert asked(own, replace(live, state=OrderState.QUARANTINED)) == [FET]
    assert asked(own, replace(live, filled_quantity=Decimal(1))) == [FET]
    assert asked(own, replace(live, state=OrderState.FILLED)) == []
