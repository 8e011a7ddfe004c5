"""The proposal that closes every hedge of ours, for when an operator says so. Pure."""

from decimal import Decimal

from bot.records.ending import Look
from strategies.proposal import CostEstimate, HedgeLeg, HedgeProposal

_ZERO = Decimal(0)


def flattening(look: Look) -> HedgeProposal | None:
    """Closes all hedges that have a price; None where there are none.

    Of a symbol with a long and a short, one is closed whole; the other one next time. The first is
    on the side of the bot's own position, so that what is left is a hedge of it and no addition.
    """
    facts = look.assessment.facts
    columns = (facts.hedge_usd, facts.price_usd, facts.bot_usd)
    rows = zip(facts.symbols, *(column.tolist() for column in columns), strict=True)
    legs = []
    for symbol, usd, price, bot_usd in rows:
        long, short = both_sides(look, symbol)
        if long and short:
            trade_usd = -float(long if bot_usd >= 0 else short) * price
            legs.append(HedgeLeg(symbol, usd, usd + trade_usd, trade_usd, price))
        elif usd and (parts := closable(look, symbol)):
            # Less than a lot on the other side stays; it must not make this one too small to close.
            trade_usd = -usd if len(parts) != 1 else -float(next(iter(parts.values()))) * price
            legs.append(HedgeLeg(symbol, usd, usd + trade_usd, trade_usd, price))
    if not legs:
        return None
    return HedgeProposal(
        strategy="flatten",
        timestamp_ms=facts.timestamp_ms,
        legs=tuple(legs),
        before=look.before,
        after=look.unhedged,
        cost=CostEstimate(0.0, 0.0, 0.0, 0.0),
        shadow_prices={},
        slacks_usd={},
        objective_relaxed=0.0,
        objective_lots=0.0,
        solver_status="none",
        sentence="Every hedge is closed, as the operator asked.",
    )


def closable(look: Look, symbol: str) -> dict[str, Decimal]:
    """What of ours an order can close in a symbol, signed base units by position side."""
    instrument = look.observation.instruments.get(symbol)
    if instrument is None:
        return {}
    held = {side: amount for (one, side), amount in look.observation.own.items() if one == symbol}
    return {side: amount for side, amount in held.items() if abs(amount) >= instrument.lot}


def both_sides(look: Look, symbol: str) -> tuple[Decimal, Decimal]:
    """Our long and our short in a symbol, signed base units, each 0 where no order can close it."""
    found = closable(look, symbol)
    return found.get("LONG", _ZERO), found.get("SHORT", _ZERO)


def all_closed(look: Look) -> bool:
    """Nothing is held but less than a lot, which no order closes, now or later."""
    listed = look.observation.instruments
    return all(
        not amount or (symbol in listed and abs(amount) < listed[symbol].lot)
        for (symbol, _), amount in look.observation.own.items()
    )


def left_open(look: Look) -> str:
    """What is held and cannot be closed, in words; empty where nothing is."""
    held = sorted({symbol for (symbol, _), amount in look.observation.own.items() if amount})
    return f"no order can close what is held of {', '.join(held)}" if held else ""
