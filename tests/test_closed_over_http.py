"""Who closed a hedge is found out through the real ccxt client, where trades do not tell it."""

from decimal import Decimal
from pathlib import Path

from bot.clock import SystemClock
from bot.feeds.generated import HISTORY_DAYS, generated_tape
from bot.journal.journal import Journal
from bot.measuring.hedge_account import HedgeAccount
from bot.trading.orders import OrderRequest, Side
from bot.trading.reconcile import book_fills
from bot.trading.venue_closes import CloseKind
from bot.venues.ccxt_controlled import ControlledVenue
from bot.venues.http.server import serve_exchange
from bot.venues.loopback import client
from bot.venues.sim.exchange import SimulatedExchange
from tests.execute_scene import IntentRecord

FET = "FET/USDT:USDT"
KEY, SECRET = "hedge-key", "hedge-secret"


async def sell(journal: Journal, venue: ControlledVenue, symbol: str, quantity: str) -> None:
    """A hedge of ours, through journal and venue."""
    ticker = await venue._exchange.fetch_mark_price(symbol)
    price = venue._exchange.price_to_precision(symbol, ticker["markPrice"] * 0.99)
    request = OrderRequest(
        client_id=f"h1{symbol[:3].lower()}",
        intent_id=f"i-{symbol}",
        symbol=symbol,
        side=Side.SELL,
        quantity=Decimal(quantity),
        limit_price=Decimal(price),
        time_in_force="IOC",
        reduce_only=False,
    )
    journal.record_intents(
        [IntentRecord(request.intent_id, "c1", "hedge", symbol, -request.quantity)]
    )
    journal.mark_sending(request, account="hedge", leg="open-0", attempt=0)
    journal.record_outcome(await venue.place(request))
    await book_fills(journal, venue, symbol, SystemClock())


async def test_deleveraging_liquidation_and_a_hand_are_told_apart(tmp_path: Path) -> None:
    clock = SystemClock()
    tape = generated_tape(5, clock.now_ms() - HISTORY_DAYS * 86_400_000)
    exchange = SimulatedExchange(tape.instruments.values(), clock, 5)
    account = exchange.open_account("hedge", KEY, SECRET, Decimal(50_000))
    exchange.update_market(tape.quotes(clock.now_ms()))
    with Journal.open(tmp_path / "journal.sqlite", clock) as journal:
        async with serve_exchange(exchange, tape, clock) as server:
            real = client(server.host, key=KEY, secret=SECRET)
            venue = ControlledVenue(real, "hedge", clock)
            hedges = HedgeAccount(venue, journal, clock)
            try:
                await sell(journal, venue, FET, "3000")
                exchange.deleverage(account, FET, Decimal("0.4"))
                adl = await hedges.look()
                await real.create_order(FET, "market", "buy", 100, None, {"reduceOnly": True})
                hand = await hedges.look()
                money = exchange.margin(account)
                keep = money.maintenance_margin_usd / 2 - money.unrealised_pnl_usd
                exchange.transfer(account, keep - account.wallet_usd)
                exchange.update_market(tape.quotes(clock.now_ms()))
                liquidated = await hedges.look()
            finally:
                await venue.close()
        looks = (adl, hand, liquidated)
        assert [look.closed[0].kind for look in looks] == [
            CloseKind.ADL,
            CloseKind.OTHERS,
            CloseKind.LIQUIDATION,
        ]
        closes = journal.external_closes("hedge")
        closed = dict.fromkeys(("adl", "others", "liquidation"), Decimal(0))
        for close in closes:  # a trade of its own for each price that it met
            closed[close.kind] += close.quantity_change
        assert list(closed.values()) == [Decimal(1200), Decimal(100), Decimal(1700)]
        trades = [t for t in account.trades if not t.client_id.startswith("h1")]
        assert [c.price for c in closes] == [t.price for t in trades]
        assert journal.own_positions("hedge") == {}
        told = journal.ledger("hedge")
        paid = sum((t.realised_pnl_usd - t.fee_usd for t in account.trades), Decimal(0))
        assert told.wallet_usd(Decimal(0)) == paid
