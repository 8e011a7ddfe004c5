"""What a stream kept back is noticed: nobody believes a stream that does not tell our own fills."""

from collections.abc import Iterator

from bot.faults.oracle.evidence import Evidence

NOTICED_WITHIN_MS = 90_000
_CLOCK_MS = 35_000  # by which the engine's clock may be wrong
_KNOWN_SOON_MS = 3_000
_PATIENCE_MS = 30_000  # twice the time after which a stream that does not tell is mute
_SEEN = ("hedged", "no_hedge")


def silence_is_noticed(evidence: Evidence) -> Iterator[str]:
    """A fill that REST told and the stream did not makes the stream one that is not believed."""
    booked = {
        f"{row['symbol']} {row['trade_id']}": row["booked_ms"]
        for row in evidence.journal.get("fills", ())
    }
    looks = [r["timestamp_ms"] for r in evidence.journal.get("cycles", ()) if r["status"] in _SEEN]
    events = evidence.journal.get("events", ())
    health = [
        (row["timestamp_ms"], row["kind"])
        for row in events
        if row["kind"] in ("stream_gap", "stream_recovered")
    ]
    starts = [row["timestamp_ms"] for row in events if row["kind"] == "recovered"]
    for told in evidence.told:
        begin_ms = told.happened_ms
        end_ms = begin_ms + NOTICED_WITHIN_MS
        if told.told_ms is not None and told.told_ms < end_ms + _CLOCK_MS:
            continue
        known_ms = booked.get(told.key)
        if known_ms is None or not begin_ms <= known_ms <= begin_ms + _KNOWN_SOON_MS:
            continue  # REST told of it too late for this
        soon, late = begin_ms - _CLOCK_MS, end_ms + _CLOCK_MS
        if any(soon <= start <= late for start in starts):
            continue  # another process has not seen it
        following = [look for look in looks if look > known_ms]
        if not following or not _PATIENCE_MS < following[0] - known_ms < NOTICED_WITHIN_MS:
            continue  # the next look by REST came so soon that nothing could be missed
        before = [kind for at_ms, kind in health if at_ms < soon]
        if not (before and before[-1] == "stream_gap") and not any(
            soon <= at_ms <= late and kind == "stream_gap" for at_ms, kind in health
        ):
            yield f"the stream never told of {told.key}, and was believed all the same"
