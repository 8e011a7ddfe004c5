"""I4, I6, I8: what was known when an order left, and whether it was allowed to leave."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from bot.faults.arrivals import Arrival
from bot.faults.oracle.evidence import Evidence
from bot.trading.orders import Side

# The owner's caps, as the settings of the simulation have them, and a little for what moves between
# a look and the send: marks may be three seconds old, equity five.
ORDER_USD = 2000.0
ORDER_SHARE = 0.05
SYMBOL_SHARE = 0.30
GROSS_SHARE = 1.0
COLLAR = 0.01
SLACK = 0.02
BOT_MAX_AGE_MS = 30_000 + 45_000  # by the settings, and what a plan may take from look to send


def halt_holds(evidence: Evidence) -> Iterator[str]:
    """I8: while the kill switch is on no order leaves that increases risk; it stays on."""
    if evidence.lost_halts:
        yield f"power cuts took {evidence.lost_halts} halts that somebody was told of"
    for arrival in evidence.sent():
        if arrival.told.halted and not arrival.request.reduce_only:
            yield f"{arrival.request.client_id} was sent although trading was halted"


class _Book:
    """Our hedges at each moment: what had filled by then, and what was on its way."""

    def __init__(self, evidence: Evidence) -> None:
        self._trades = sorted(evidence.own_trades(), key=lambda t: t.timestamp_ms)
        self._arrivals = evidence.sent()
        self._orders = evidence.exchange.orders
        self._delivered = evidence.exchange.delivered
        self._closes = evidence.journal.get("external_closes", ())

    def worst(self, arrival: Arrival) -> dict[str, Decimal]:
        """Gross by symbol, base units, with whatever is worst of what was under way filled."""
        at_ms, request = arrival.told.sent_ms, arrival.request
        net: dict[str, Decimal] = defaultdict(Decimal)
        for trade in self._trades:
            # With a network that takes no time an order is executed as it leaves.
            if trade.timestamp_ms <= at_ms and trade.client_id != request.client_id:
                net[trade.symbol] += trade.side.sign * trade.quantity
        for close in self._closes:
            if close["timestamp_ms"] <= at_ms + arrival.told.offset_ms:  # by the engine's clock
                net[close["symbol"]] += Decimal(close["quantity_change"])
        lowest, highest = defaultdict(Decimal, net), defaultdict(Decimal, net)
        under_way = [
            other.request
            for other in self._arrivals
            if other.told.sent_ms < at_ms < other.arrived_ms and other.order_id is not None
        ]
        for one in (*under_way, request):
            reached = highest if one.side is Side.BUY else lowest
            reached[one.symbol] += one.side.sign * one.quantity
        return {s: max(abs(lowest[s]), abs(highest[s])) for s in {*net, *lowest, *highest}}


def caps_hold(evidence: Evidence) -> Iterator[str]:
    """I4: nothing that increases risk takes a cap's use beyond the cap, at worst."""
    book = _Book(evidence)
    for arrival in evidence.sent():
        request, told = arrival.request, arrival.told
        mark, equity = told.marks[request.symbol], told.equity_usd
        if abs(float(request.limit_price) / mark - 1) > COLLAR + SLACK:
            yield f"{request.client_id}: limit {request.limit_price} with the mark at {mark:g}"
        if request.reduce_only:
            continue
        usd = float(request.quantity) * max(mark, float(request.limit_price))
        if usd > min(ORDER_USD, ORDER_SHARE * equity) * (1 + SLACK):
            yield f"{request.client_id}: {usd:.0f} USD with an equity of {equity:.0f} USD"
        gross = book.worst(arrival)
        in_usd = {s: float(q) * told.marks[s] for s, q in gross.items()}
        if in_usd[request.symbol] > SYMBOL_SHARE * equity * (1 + SLACK):
            yield (
                f"{request.client_id}: {request.symbol} at worst {in_usd[request.symbol]:.0f} USD "
                f"with an equity of {equity:.0f} USD"
            )
        if sum(in_usd.values()) > GROSS_SHARE * equity * (1 + SLACK):
            yield f"{request.client_id}: all hedges at worst {sum(in_usd.values()):.0f} USD"


def never_over_hedged(evidence: Evidence) -> Iterator[str]:
    """I6: hedges at worst are no larger than what the bot was last said to hold, and the band."""
    book = _Book(evidence)
    for arrival in evidence.sent():
        request, told = arrival.request, arrival.told
        if request.reduce_only:
            continue
        if told.bot_quantity is None:
            yield f"{request.client_id} was sent before the bot's positions were ever read"
            continue
        age_ms = told.sent_ms - told.bot_ms
        if age_ms > BOT_MAX_AGE_MS:
            yield f"{request.client_id} was sent on positions that were {age_ms / 1000:.0f} s old"
        bot_usd = sum(q * told.marks[s] for s, q in told.bot_quantity.items())
        others_usd = _others_usd(evidence, arrival)
        hedge_usd = sum(float(q) * told.marks[s] for s, q in book.worst(arrival).items())
        most_usd = max(0.0, bot_usd + others_usd) * (1 + SLACK) + evidence.band_usd
        if hedge_usd > most_usd:
            yield (
                f"{request.client_id}: hedges of {hedge_usd:.0f} USD at worst against "
                f"{bot_usd:.0f} USD of the bot's and {others_usd:.0f} USD of others"
            )


def _others_usd(evidence: Evidence, arrival: Arrival) -> float:
    """What others are long in the hedge account, by their own trades."""
    ids = evidence.own_ids()
    total = 0.0
    for trade in evidence.exchange.trades:
        if trade.client_id not in ids and trade.timestamp_ms <= arrival.told.sent_ms:
            usd = float(trade.quantity) * arrival.told.marks[trade.symbol]
            total += trade.side.sign * usd
    return total
