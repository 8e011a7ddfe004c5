"""Funding payments and open interest."""

from typing import Final

from bot.venues.http.face import Call, Face
from bot.venues.http.klines import DAY_MS, INTERVALS_MS
from bot.venues.http.params import malformed
from bot.venues.http.wire import Json, fixed
from bot.venues.sim.errors import VenueReject

_LONGEST_FUNDING_MS: Final = 8 * 3_600_000
_RATE_CAP: Final = "0.02000000"
_HISTORY_MS: Final = 30 * DAY_MS
_PERIODS: Final = frozenset({"5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d"})


def funding_rate(face: Face, call: Call) -> Json:
    """GET v1/fundingRate: settled payments, oldest first; the last ones without a start."""
    named = face.optional_market(call.params)
    limit = call.params.limit(100, 1000)
    start_ms, end_ms = call.params.window(call.now_ms)
    end_ms = min(end_ms, call.now_ms)
    asked = face.contracts(call.now_ms) if named is None else [named]
    from_ms = end_ms - limit * _LONGEST_FUNDING_MS if start_ms is None else start_ms
    found = [
        (payment.time_ms, one.market_id, payment)
        for one in asked
        for payment in face.tape.funding(one.symbol, from_ms, end_ms + 1)
    ]
    found.sort(key=lambda row: row[:2])
    return [
        {
            "symbol": market_id,
            "fundingRate": fixed(payment.rate, 8),
            "fundingTime": time_ms,
            "markPrice": fixed(payment.mark_price, 8),
            "rateType": "Regular",
        }
        for time_ms, market_id, payment in (found[-limit:] if start_ms is None else found[:limit])
    ]


def funding_info(face: Face, call: Call) -> Json:
    """GET v1/fundingInfo: every contract's interval, in hours."""
    rows = []
    for one in face.contracts(call.now_ms):
        quote = face.quote(one)
        hours = (
            one.instrument.funding_interval_hours if quote is None else quote.funding_interval_hours
        )
        rows.append(
            {
                "symbol": one.market_id,
                "adjustedFundingRateCap": _RATE_CAP,
                "adjustedFundingRateFloor": f"-{_RATE_CAP}",
                "fundingIntervalHours": round(hours),
                "disclaimer": False,
            }
        )
    return rows


def open_interest(face: Face, call: Call) -> Json:
    """GET v1/openInterest; refused where the tape does not know it, never 0.

    Raises:
        VenueReject: nothing is recorded (-1000).
    """
    one = face.market(call.params)
    [(_, quote)] = face.quoted(one)
    base = quote.open_interest_base
    if base is None:
        raise VenueReject(-1000, f"No open interest is known for {one.market_id}.", 400)
    return {
        "openInterest": one.quantity(base),
        "symbol": one.market_id,
        "time": quote.timestamp_ms,
    }


def open_interest_history(face: Face, call: Call) -> Json:
    """GET futures/data/openInterestHist: as of each period's end, within the last 30 days."""
    one = face.market(call.params)
    period = call.params.text("period")
    if period not in _PERIODS:
        raise malformed("period")
    step_ms = INTERVALS_MS[period]
    limit = call.params.limit(30, 500)
    start_ms, end_ms = call.params.window(call.now_ms)
    if start_ms is not None and start_ms < call.now_ms - _HISTORY_MS:
        raise VenueReject(-1130, "parameter 'startTime' is invalid.", 400)
    last_ms = min(end_ms, call.now_ms) // step_ms * step_ms
    first_ms = max(start_ms or 0, call.now_ms - _HISTORY_MS, last_ms - (limit - 1) * step_ms)
    rows = []
    for at_ms in range(-(-first_ms // step_ms) * step_ms, last_ms + 1, step_ms):
        base = face.tape.open_interest(one.symbol, at_ms)
        quote = face.tape.quote(one.symbol, at_ms)
        if base is not None and quote is not None:
            rows.append(
                {
                    "symbol": one.market_id,
                    "sumOpenInterest": fixed(base, 8),
                    "sumOpenInterestValue": fixed(base * quote.mark, 8),
                    "CMCCirculatingSupply": "0.00000000",
                    "timestamp": at_ms,
                }
            )
    return rows
