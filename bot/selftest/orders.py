"""Trips of the controls that look at one order."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from bot.faults.world import BOT_SYMBOLS
from bot.selftest.stage import NEAR, RENDER, Piece, Stage
from bot.selftest.trip import Trip, must, must_deny
from bot.trading.orders import OrderOutcome, OrderState, Side, UnknownOutcome

_SECOND_MS = 1_000


def denies(number: int, control: str, how: str, *pieces: Piece, **context: Any) -> Trip:
    """A trip by orders alone; none of them may reach the exchange."""

    async def run(stage: Stage) -> str:
        before = stage.orders_received
        seen = must_deny(await stage.send(*pieces, **context), control)
        must(stage.orders_received == before, "an order reached the exchange")
        return seen

    return Trip(number, how, run, (control,))


async def _depth(stage: Stage) -> str:
    stage.market.depth = 1_000.0
    return must_deny(await stage.send(Piece()), "depth")


async def _style(stage: Stage) -> str:
    first = must_deny(await stage.send(Piece(time_in_force="GTC")), "style")
    must_deny(await stage.send(Piece(price="4.9")), "collar")
    return first


async def _repeated(stage: Stage) -> str:
    """Sells above the market expire unfilled, so nothing is ever done."""
    for number in range(4):
        report = await stage.send(Piece(quantity=str(100 + number), price="5.04"))
        must(report.results[0].state is OrderState.EXPIRED, "an order did not expire")
        stage.world.advance(3 * _SECOND_MS)
    seen = must_deny(await stage.send(Piece(quantity="104", price="5.04")), "repeated")
    must(NEAR in stage.engine.guard.halted_symbols, "the symbol is not halted")
    must_deny(await stage.send(Piece(quantity="50")), "symbol_halted")
    must((await stage.send(Piece(RENDER, quantity="50"))).fills, "another symbol is halted too")
    return seen


async def _duplicate(stage: Stage) -> str:
    await stage.send(Piece())
    seen = must_deny(await stage.send(Piece()), "duplicate")
    stage.world.advance(2 * _SECOND_MS + 1)
    must((await stage.send(Piece())).fills, "denied two seconds later")
    return seen


def _lost(outcome: OrderOutcome) -> OrderOutcome:
    return UnknownOutcome(outcome.client_id, "no reply")


async def _unresolved(stage: Stage) -> str:
    stage.venue.bend_outcome = _lost
    await stage.send(Piece())
    return must_deny(await stage.send(Piece(quantity="50")), "unresolved")


async def _worst_case(stage: Stage) -> str:
    def cap_use(usd: Any) -> dict[str, float]:
        return {"gross": sum(abs(v) for v in usd.values()) / 800.0}

    stage.venue.bend_outcome = _lost
    await stage.send(Piece())  # 500 USD, nobody knows whether filled
    return must_deny(await stage.send(Piece(RENDER, quantity="50"), cap_use=cap_use), "worst_case")


async def _gross(stage: Stage) -> str:
    seen = must_deny(
        await stage.send(Piece(), executor=stage.executor(symbol_equity_fraction=0.004)),
        "symbol_gross",
    )
    tight = stage.executor(hedge_gross_equity_fraction=0.004)
    must_deny(await stage.send(Piece(), executor=tight), "hedge_gross")
    return seen


async def _closes(stage: Stage) -> str:
    await stage.send(Piece())
    return must_deny(await stage.send(Piece(side=Side.BUY, quantity="50")), "closes")


async def _filters(stage: Stage) -> str:
    stale_ms = stage.clock.now_ms() - 3_600_001
    seen = must_deny(await stage.send(Piece(), instruments_ms=stale_ms), "filters_age")
    must_deny(await stage.send(Piece(quantity="100.05")), "filters")
    must_deny(await stage.send(Piece(quantity="0.5")), "smallest")
    return seen


async def _numbers(stage: Stage) -> str:
    seen = must_deny(await stage.send(Piece(quantity="NaN")), "numbers")
    must_deny(await stage.send(Piece(quantity="0")), "numbers")
    stage.market.delisted = {RENDER}
    must_deny(await stage.send(Piece(RENDER)), "market")
    return seen


async def _divergence(stage: Stage) -> str:
    stage.market.bend = lambda quote: replace(quote, last=quote.mark * 1.0101)
    return must_deny(await stage.send(Piece()), "divergence")


async def _margin(stage: Stage) -> str:
    guard = stage.engine.guard
    tight = stage.executor(min_free_margin=0.9995)
    must_deny(await stage.send(Piece(), executor=tight), "free_margin")
    await stage.send(Piece(quantity="10"))
    near = {(NEAR, "BOTH"): 5.0 * 1.14}
    stage.venue.bend_account = lambda found: replace(found, liquidation_price=near)
    stage.world.advance(3 * _SECOND_MS)
    seen = must_deny(await stage.send(Piece()), "liquidation")
    await stage.engine.cycle()
    must([a for a in guard.alerts if a.control == "liquidation_near"], "no alert")
    return seen


async def _self_trade(stage: Stage) -> str:
    stage.venue.safe = False
    must(
        stage.world.other_places(NEAR, Side.BUY, Decimal(10), "bots-own", Decimal("4.5")),
        "the bot's order was refused",
    )
    seen = must_deny(await stage.send(Piece()), "self_trade")
    stage.venue.safe = True
    must((await stage.send(Piece(quantity="50"))).fills, "denied where the exchange prevents it")
    return seen


TRIPS = (
    denies(2, "order_notional", "an order of 2,100 USD", Piece(quantity="420")),
    Trip(3, "an order of 500 USD where the book bears 250", _depth, ("depth",)),
    Trip(4, "a resting order, then a limit 2 % from the mark", _style, ("style", "collar")),
    Trip(7, "five sells in 12 s of which none fills", _repeated, ("repeated",)),
    Trip(8, "the same order again at once", _duplicate, ("duplicate",)),
    Trip(9, "an order beside one without an answer", _unresolved, ("unresolved",)),
    Trip(10, "an order that exceeds a cap if a lost one filled", _worst_case, ("worst_case",)),
    Trip(11, "an order above the gross caps", _gross, ("symbol_gross", "hedge_gross")),
    Trip(13, "a buy against a short that is not reduce-only", _closes, ("closes",)),
    Trip(
        15,
        "filters an hour old, half a lot, too small",
        _filters,
        ("filters_age", "filters", "smallest"),
    ),
    Trip(
        16, "a quantity that is no number, a symbol that is gone", _numbers, ("numbers", "market")
    ),
    Trip(18, "a last price 1.01 % from the mark", _divergence, ("divergence",)),
    Trip(
        19,
        "too little free margin; an order that brings liquidation near",
        _margin,
        ("free_margin", "liquidation", "liquidation_near"),
    ),
    denies(20, "allow_list", "an order in a symbol that is not allowed", Piece(BOT_SYMBOLS[0])),
    Trip(21, "an order where somebody else's rests", _self_trade, ("self_trade",)),
)
