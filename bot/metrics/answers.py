"""How long exchanges took to answer orders, as a histogram, from the journal's events. Pure."""

from bisect import bisect_left
from collections.abc import Iterator

from prometheus_client.core import HistogramMetricFamily, Metric

from bot.journal.rows import EventRow

_BOUNDS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_MOST_OPEN = 1_000
"""Orders without an answer that are remembered; a crash leaves some that never get one."""


class OrderAnswers:
    """From the moment that an order leaves until something is known of it."""

    def __init__(self) -> None:
        self._sent: dict[str, int] = {}
        self._counts = [0] * (len(_BOUNDS_S) + 1)
        self._sum_s = 0.0

    def add(self, event: EventRow) -> None:
        """One event of the journal, in order."""
        if event.client_id is None or not event.kind.startswith("order_"):
            return
        if event.kind == "order_sending":
            self._sent[event.client_id] = event.timestamp_ms
            if len(self._sent) > _MOST_OPEN:
                del self._sent[next(iter(self._sent))]
            return
        sent_ms = self._sent.pop(event.client_id, None)
        if sent_ms is not None:
            seconds = max(0, event.timestamp_ms - sent_ms) / 1000
            self._counts[bisect_left(_BOUNDS_S, seconds)] += 1
            self._sum_s += seconds

    def families(self) -> Iterator[Metric]:
        """Cumulative counts, as Prometheus wants them."""
        total, buckets = 0, []
        for bound, count in zip((*map(str, _BOUNDS_S), "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((bound, float(total)))
        yield HistogramMetricFamily(
            "perphedge_order_answer_seconds",
            "From the moment an order leaves until something is known of it.",
            buckets=buckets,
            sum_value=self._sum_s,
        )
