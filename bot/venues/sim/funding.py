"""Funding: each symbol pays at its own interval; longs pay when the rate is positive."""

from collections.abc import Iterable
from decimal import Decimal

from bot.ports import Quote
from bot.venues.sim.account import SimAccount
from bot.venues.sim.booking import Booker
from bot.venues.sim.events import Reason
from bot.venues.sim.market import HOUR_MS, SymbolMarket
from bot.venues.sim.records import USD_STEP, IncomeType


def due_payments(market: SymbolMarket, now_ms: int) -> list[int]:
    """Payment times that have passed since the last update, oldest first."""
    due, quote = market.funding_due_ms, market.quote
    if due is None or quote is None:
        return []
    interval_ms = round(quote.funding_interval_hours * HOUR_MS)
    return list(range(due, now_ms + 1, interval_ms))


def next_payment(quote: Quote, settled_ms: int) -> int:
    """The first payment after ``settled_ms``; a quote may still name the one just settled."""
    due = quote.next_funding_ms
    interval_ms = round(quote.funding_interval_hours * HOUR_MS)
    if due <= settled_ms:
        due += ((settled_ms - due) // interval_ms + 1) * interval_ms
    return due


def settle_funding(
    market: SymbolMarket,
    due_ms: Iterable[int],
    rate: float,
    accounts: Iterable[SimAccount],
    booker: Booker,
) -> None:
    """Pay ``- quantity * mark * rate`` for each leg and time, at the market's mark price now."""
    exact = Decimal(repr(rate))
    holders = [(a, p) for a in accounts for p in a.held(market.symbol)]
    for at_ms in due_ms:
        for account, position in holders:
            amount = (-position.quantity * market.mark * exact).quantize(USD_STEP)
            isolated = account.isolated(market.symbol)
            if isolated:
                position.isolated_wallet_usd += amount
            booker.pay(account, IncomeType.FUNDING_FEE, amount, symbol=market.symbol, at_ms=at_ms)
            # A payment of a position in cross margin is told without the position.
            legs = (position,) if isolated else ()
            paid = Reason.FUNDING_FEE
            booker.teller.account(account, paid, legs, change_usd=amount, at_ms=at_ms)
