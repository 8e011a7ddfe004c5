"""Trips of the controls that look at what became of orders: fills, fees, positions, cost."""

from dataclasses import replace
from decimal import Decimal

from bot.controls.books import Income
from bot.ports import VenueAccount
from bot.requests import Asked
from bot.selftest.halts import blocked, halted_all, halted_symbol
from bot.selftest.stage import NEAR, RENDER, Piece, Stage
from bot.selftest.trip import Trip, must, must_deny
from bot.trading.orders import Fill, Side

_SECOND_MS = 1_000
_BOOKS = ("unknown_income", "missing_fee", "fee_differs", "funding_incomplete", "liquidation_fee",
          "closed_by_others", "books_unchecked")  # fmt: skip


async def _slippage(stage: Stage) -> str:
    stage.market.bend = lambda quote: replace(quote, bid=quote.mark * 0.9955)
    await stage.send(Piece(price="4.951"))
    must(NEAR not in stage.engine.guard.halted_symbols, "45 bp are halted")
    stage.world.advance(3 * _SECOND_MS)
    stage.market.bend = lambda quote: replace(quote, bid=quote.mark * 0.992)
    await stage.send(Piece(price="4.951", quantity="200"))
    return halted_symbol(stage, NEAR, "slippage")


async def _spending(stage: Stage) -> str:
    tight = stage.executor(max_daily_turnover=0.0009)
    await stage.send(Piece(RENDER, quantity="10"), executor=tight)
    must_deny(await stage.send(Piece(), executor=tight), "turnover")
    await stage.send(
        Piece(quantity="50"), executor=stage.executor(max_daily_cost=1e-6, max_daily_turnover=3.0)
    )
    seen = halted_all(stage)
    must(stage.recorded("daily_cost"), "the journal does not name it")
    await blocked(stage)
    guard = stage.engine.guard
    guard.resume(Asked("selftest", "to spend again"))
    stage.world.advance(3 * _SECOND_MS)
    await stage.send(Piece(RENDER, quantity="20"), executor=stage.executor(max_daily_cost=1.0))
    guard.limits = replace(guard.limits, max_daily_turnover=1e-6)
    guard.review(100_000.0)
    halted_all(stage)
    return seen


async def _gate(stage: Stage) -> str:
    seen = must_deny(await stage.send(Piece(), Piece(), intent_share=0.5), "last_gate")
    must(stage.orders_received == 1, "more left than was meant to be traded")
    halted_all(stage)
    return seen


async def _booking(stage: Stage) -> str:
    def twice(fills: list[Fill]) -> list[Fill]:
        return [*fills, *(replace(one, trade_id=f"{one.trade_id}-again") for one in fills)]

    stage.venue.bend_fills = twice
    await stage.send(Piece())
    seen = halted_symbol(stage, NEAR, "order_overfilled")
    stage.venue.bend_fills = lambda fills: fills
    await stage.send(Piece(RENDER, quantity="20"))
    stage.venue.bend_fills = lambda fills: [replace(f, quantity=f.quantity + 1) for f in fills]
    stage.world.advance(3 * _SECOND_MS)
    await stage.send(Piece(RENDER, quantity="30"))
    stage.engine.guard.review(100_000.0)
    halted_symbol(stage, RENDER, "fill_contradiction")
    return seen


async def _position(stage: Stage) -> str:
    """Somebody else trades whenever we do."""
    more = Decimal(0)

    def bent(found: VenueAccount) -> VenueAccount:
        nonlocal more
        more += 1
        held = dict(found.base_quantity)
        held[NEAR, "BOTH"] = held.get((NEAR, "BOTH"), Decimal(0)) - more
        return replace(found, base_quantity=held)

    stage.venue.bend_account = bent
    must_deny(await stage.send(Piece(), Piece(quantity="30")), "position")
    must(NEAR not in stage.engine.guard.halted_symbols, "halted at the first time")
    stage.world.advance(3 * _SECOND_MS)
    await stage.send(Piece(quantity="50"))
    return halted_symbol(stage, NEAR, "position_mismatch")


async def _fill_price(stage: Stage) -> str:
    stage.venue.bend_fills = lambda fills: [replace(f, price=Decimal("4.97")) for f in fills]
    await stage.send(Piece(price="4.975"))
    seen = halted_symbol(stage, NEAR, "fill_price")
    stage.venue.bend_fills = lambda fills: [replace(f, price=f.price * 2) for f in fills]
    await stage.send(Piece(RENDER, quantity="20"))
    halted_symbol(stage, RENDER, "fill_price")
    return seen


async def _books(stage: Stage) -> str:
    """What the exchange lists, and our books do not hold or hold otherwise."""
    stage.venue.bend_fills = lambda fills: [replace(f, fee_usd=None) for f in fills]
    await stage.send(Piece())
    stage.venue.bend_fills = lambda fills: [replace(f, fee_usd=Decimal(7)) for f in fills]
    await stage.send(Piece(RENDER, quantity="20"))
    stage.venue.bend_fills = lambda fills: fills
    stage.world.other_places(NEAR, Side.BUY, Decimal(40), "adl", reduce_only=True)
    now_ms = stage.clock.now_ms()
    stage.venue.strange_income = (
        Income("1", "LUNAR_TAX", NEAR, "-3", now_ms),
        Income("2", "FUNDING_FEE", NEAR, "-1.5", now_ms),
        Income("3", "INSURANCE_CLEAR", RENDER, "-9", now_ms),
    )
    # Funding may be listed two hours late; then what was not booked never will be.
    for seconds in (3, 3, 3, 7_300, 700):
        stage.world.advance(seconds * _SECOND_MS)
        await stage.engine.cycle()
    stage.venue.income_silent = True
    stage.world.advance(3_700 * _SECOND_MS)
    record = await stage.engine.cycle()
    must(record.equity_usd is not None, "a cycle was held for the list of income")
    alerts = {alert.control: alert.text for alert in stage.engine.guard.alerts}
    missing = set(_BOOKS) - alerts.keys()
    must(not missing, f"unseen: {sorted(missing)}")
    stage.venue.income_silent = False
    stage.world.advance(60 * _SECOND_MS)
    await stage.engine.cycle()
    told = {alert.control for alert in stage.engine.guard.alerts}
    must("books_unchecked" not in told, "it is told although the books were checked")
    return alerts["funding_incomplete"]


TRIPS = (
    Trip(5, "fills 45 bp, then 80 bp below the mark", _slippage, ("slippage",)),
    Trip(23, "turnover, then cost above the day's limits", _spending,
         ("turnover", "daily_cost", "daily_turnover")),
    Trip(24, "two orders of an intent for one", _gate, ("last_gate",)),
    Trip(25, "a trade told twice, one told otherwise", _booking,
         ("order_overfilled", "fill_contradiction")),
    Trip(26, "positions that move otherwise, twice", _position,
         ("position", "position_mismatch")),
    Trip(27, "fills beyond the limit and outside the collar", _fill_price, ("fill_price",)),
    Trip(28, "income, fees, funding and closes that our books do not hold", _books, _BOOKS),
)  # fmt: skip
