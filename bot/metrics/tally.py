"""What the journal counts up: orders, refusals, fills, costs. Each scrape reads what is new."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, Metric

from bot.controls.table import number_of
from bot.journal.reader import JournalReader
from bot.metrics.answers import OrderAnswers
from bot.report.words import number

_ACTED = ("order_denied", "plan_denied", "symbol_halted", "halted")
_DELIVERED = {"alert_sent": "taken", "alert_not_sent": "failed"}


class Tally:
    """Sums over everything since the first row; it remembers how far it has read."""

    def __init__(self) -> None:
        self._event = 0
        self._fill = 0
        self._events: Counter[str] = Counter()
        self._acted: Counter[str] = Counter()
        self._deliveries: Counter[tuple[str, str]] = Counter()
        self._answers = OrderAnswers()
        self._fees_usd = self._traded_usd = self._realised_usd = self._expected_usd = 0.0
        self._fills = 0

    def read(self, journal: JournalReader) -> None:
        """Adds what came since the last time.

        Raises:
            JournalError: it cannot be read.
        """
        for event in journal.events(after_id=self._event):
            self._event = event.event_id
            self._events[event.kind] += 1
            self._answers.add(event)
            if event.kind in _DELIVERED:
                route = str(event.document.get("route"))
                self._deliveries[route, _DELIVERED[event.kind]] += 1
            if event.kind in _ACTED:
                self._acted[str(event.document.get("control"))] += 1
            if event.kind == "order_costs":
                self._add_costs(event.document)
        newest = journal.newest_fill()
        if newest > self._fill:
            for account in journal.accounts():
                self._add_fills(journal, account)
            self._fill = newest

    def _add_costs(self, document: Mapping[str, Any]) -> None:
        for cost in document.get("costs") or ():
            realised, expected = (
                number(cost.get(f"{key}_usd")) for key in ("realised", "expected")
            )
            if realised is not None and expected is not None:  # only what can be compared
                self._realised_usd += realised
                self._expected_usd += expected

    def _add_fills(self, journal: JournalReader, account: str) -> None:
        for _, own, _, _ in journal.fills_with_orders(account, after=self._fill):
            self._fills += 1
            self._traded_usd += float(own.fill.quantity * own.fill.price)
            self._fees_usd += float(own.fill.fee_usd or 0)

    def families(self) -> Iterator[Metric]:
        """The sums."""
        events = CounterMetricFamily(
            "perphedge_events",
            "Events of the journal by name; orders by their outcome.",
            labels=("event",),
        )
        for kind, count in sorted(self._events.items()):
            events.add_metric([kind], count)
        yield events
        acted = CounterMetricFamily(
            "perphedge_control_acted",
            "How often each control refused or halted.",
            labels=("control", "number"),
        )
        for control, count in sorted(self._acted.items()):
            acted.add_metric([control, str(number_of(control))], count)
        yield acted
        deliveries = CounterMetricFamily(
            "perphedge_alert_deliveries",
            "Messages to each route by what came of them.",
            labels=("route", "outcome"),
        )
        for labels, count in sorted(self._deliveries.items()):
            deliveries.add_metric(list(labels), count)
        yield deliveries
        yield from self._answers.families()
        for name, told, value in (
            ("fills", "Executions of our orders.", self._fills),
            ("traded_usd", "Notional of our executions.", self._traded_usd),
            ("fees_usd", "Fees paid for them, where they are known.", self._fees_usd),
            ("cost_realised_usd", "Cost against the decision's price.", self._realised_usd),
            ("cost_expected_usd", "What the decision expected it to cost.", self._expected_usd),
        ):
            yield CounterMetricFamily(f"perphedge_{name}", told, value=value)
