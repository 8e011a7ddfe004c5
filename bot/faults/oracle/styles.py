"""Orders are of a style that the owner may choose: at once or at rest, and never something else."""

from collections.abc import Iterator

from bot.faults.oracle.evidence import Evidence

_AT_ONCE, _AT_REST = "IOC", "GTX"


def nothing_else_is_sent(evidence: Evidence) -> Iterator[str]:
    """Nothing that rests is sent where the owner wants all at once, and nothing rests and takes."""
    allowed = {_AT_ONCE, _AT_REST} if evidence.rests else {_AT_ONCE}
    resting = set()
    for arrival in evidence.sent():
        request = arrival.request
        if request.time_in_force not in allowed:
            yield f"{request.client_id} was sent as {request.time_in_force}"
        if request.time_in_force == _AT_REST:
            resting.add(request.client_id)
    for trade in evidence.own_trades():
        if trade.client_id in resting and not trade.maker:
            yield f"{trade.client_id} was to rest, and took in trade {trade.trade_id}"


def rests_before_it_takes(evidence: Evidence) -> Iterator[str]:
    """Where the owner wants orders to rest, what is taken at once was to rest before."""
    if not evidence.rests:
        return
    sent = evidence.sent()
    if sent and not any(a.request.time_in_force == _AT_REST for a in sent):
        yield f"none of {len(sent)} orders was sent to rest"


def nothing_is_left_resting(evidence: Evidence) -> Iterator[str]:
    """Between cycles nothing of ours is open."""
    if not evidence.at_rest:
        return
    for arrival in evidence.sent():
        order_id = arrival.order_id
        if order_id is not None and evidence.exchange.orders[order_id].status.open:
            yield f"{arrival.request.client_id} still rests at the end"
