"""I5, I7, I9: every fill booked once, nothing invented, cash exact, others left alone."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from decimal import Context, Decimal, localcontext
from typing import Any

from bot.faults.oracle.evidence import Evidence
from bot.venues.sim.records import IncomeType, SimTrade

_EXACT = Context(prec=60)


def fills_are_real(evidence: Evidence) -> Iterator[str]:
    """I5: what is booked was executed, for that order, of that size and price."""
    trades = {(t.symbol, str(t.trade_id)): t for t in evidence.exchange.trades}
    for row in evidence.journal.get("fills", ()):
        trade = trades.get((row["symbol"], row["trade_id"]))
        if trade is None:
            yield f"trade {row['trade_id']} of {row['symbol']} is booked and never happened"
        elif not _same(row, trade):
            yield f"trade {row['trade_id']} of {row['symbol']} is booked otherwise than executed"


def _same(row: Mapping[str, Any], trade: SimTrade) -> bool:
    return (
        row["client_id"] == trade.client_id
        and row["side"] == trade.side.value
        and row["position_side"] == trade.position_side.value
        and Decimal(row["quantity"]) == trade.quantity
        and Decimal(row["price"]) == trade.price
    )


def booked_once(evidence: Evidence) -> Iterator[str]:
    """I5: each execution of ours is booked exactly once; at rest none is missing."""
    booked = Counter((row["symbol"], row["trade_id"]) for row in evidence.journal.get("fills", ()))
    for (symbol, trade_id), times in booked.items():
        if times > 1:
            yield f"trade {trade_id} of {symbol} is booked {times} times"
    if not evidence.at_rest:
        return
    for trade in evidence.own_trades():
        if not booked[trade.symbol, str(trade.trade_id)]:
            yield (
                f"trade {trade.trade_id} of {trade.client_id} "
                f"({trade.side} {trade.quantity} {trade.symbol}) is not booked at rest"
            )


def no_fill_denied(evidence: Evidence) -> Iterator[str]:
    """I5: an order that the journal holds for rejected or absent has filled nothing."""
    states = {row["client_id"]: row["state"] for row in evidence.journal.get("orders", ())}
    for arrival in evidence.sent():
        state = states.get(arrival.request.client_id)
        if arrival.order_id is None or state not in ("rejected", "absent"):
            continue
        filled = evidence.exchange.orders[arrival.order_id].filled_quantity
        if filled:
            yield f"{arrival.request.client_id} is {state} and filled {filled}"


def filled_as_told(evidence: Evidence) -> Iterator[str]:
    """I5: of an order that the venue ended, the journal holds no less filled than is booked."""
    sends = Counter(a.request.client_id for a in evidence.exchange.arrivals)
    for row in evidence.journal.get("orders", ()):
        ended = row["state"] in ("filled", "expired", "canceled") and not row["reason"]
        copied = sends[row["client_id"]] > 1 or row["client_id"] in evidence.exchange.tampered
        told, booked = Decimal(row["filled_quantity"]), Decimal(row["booked_quantity"])
        if ended and not copied and told < booked:
            yield f"{row['client_id']} ended with {told} filled, and {booked} is booked"


def closes_are_real(evidence: Evidence) -> Iterator[str]:
    """I5: a close by others is booked only where others, or a delisting, closed that much."""
    closed: dict[str, Decimal] = defaultdict(Decimal)
    for row in evidence.journal.get("external_closes", ()):
        closed[row["symbol"]] += Decimal(row["quantity_change"])
    ids = evidence.own_ids()
    possible: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
    for trade in evidence.exchange.trades:
        if trade.client_id not in ids:
            possible[trade.symbol, trade.side.sign] += trade.quantity
    for symbol, quantity in evidence.exchange.delivered.items():
        possible[symbol, -1 if quantity > 0 else 1] += abs(quantity)
    for symbol, change in closed.items():
        if abs(change) > possible[symbol, 1 if change > 0 else -1]:
            yield (
                f"{symbol}: {change} is booked as closed by others, who closed "
                f"{possible[symbol, 1 if change > 0 else -1]} at most"
            )


def hands_off_others(evidence: Evidence) -> Iterator[str]:
    """I7: the engine cancels nothing that it has not sent, or written down to be sent."""
    ids = evidence.own_ids() | {row["client_id"] for row in evidence.journal.get("orders", ())}
    for client_id in evidence.exchange.cancelled:
        if client_id not in ids:
            yield f"{client_id} was cancelled, which is not ours"


def exchange_cash(evidence: Evidence) -> Iterator[str]:
    """I9: the exchange's own wallet is its start and its income, exactly."""
    log = evidence.exchange
    with localcontext(_EXACT):
        total = sum((e.amount_usd for e in log.income), log.initial_usd)
    if total != log.wallet_usd:
        yield f"the exchange has {log.wallet_usd} USD where its income says {total}"


def journal_cash(evidence: Evidence) -> Iterator[str]:
    """I9: fee and realised PnL of each booked fill are what the exchange charged and paid."""
    trades = {(t.symbol, str(t.trade_id)): t for t in evidence.exchange.trades}
    for row in evidence.journal.get("fills", ()):
        trade = trades.get((row["symbol"], row["trade_id"]))
        if trade is None:
            continue
        told = row["fee_usd"] is not None or not evidence.exchange.fees_withheld
        if told and Decimal(row["fee_usd"] or 0) != trade.fee_usd:
            yield f"trade {row['trade_id']}: fee {row['fee_usd']}, charged {trade.fee_usd}"
        if Decimal(row["realised_pnl_usd"] or 0) != trade.realised_pnl_usd:
            yield f"trade {row['trade_id']}: PnL {row['realised_pnl_usd']}, not what was paid"


def funding_booked(evidence: Evidence) -> Iterator[str]:
    """I9: funding is booked as it was paid; at rest every payment in our symbols is there."""
    paid = {
        f"{e.symbol}#{e.transaction_id}": e
        for e in evidence.exchange.income
        if e.type is IncomeType.FUNDING_FEE
    }
    rows = {row["receipt_id"]: row for row in evidence.journal.get("funding", ())}
    for receipt_id, row in rows.items():
        entry = paid.get(receipt_id)
        if entry is None or entry.amount_usd != Decimal(row["amount_usd"]):
            yield f"funding {receipt_id} of {row['amount_usd']} USD was never paid so"
    if not evidence.at_rest:
        return
    first: dict[str, int] = {}
    for arrival in evidence.sent():
        first.setdefault(arrival.request.symbol, arrival.told.sent_ms)
    for receipt_id, entry in paid.items():
        began_ms = first.get(entry.symbol)
        if began_ms is not None and entry.timestamp_ms > began_ms and receipt_id not in rows:
            yield f"funding {receipt_id} of {entry.amount_usd} USD is not booked at rest"
