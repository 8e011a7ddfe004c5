"""One scrape: the newest cycle, the sources now, halts and alerts, and what was counted up."""

import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.controls.state import recall_all
from bot.errors import JournalError
from bot.halt import HaltSwitch
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.lock import lock_holder
from bot.metrics.gauges import cycle_gauges, latency_gauges, source_gauges
from bot.metrics.realised import Realised
from bot.metrics.tally import Tally
from bot.metrics.waiting import waiting
from bot.sources.health_file import as_of
from bot.venues.streams.told import told_streams


class EngineCollector(Collector):
    """Asks the journal of a state directory at each scrape; the engine knows nothing of it."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._tally = Tally()
        self._realised = Realised()

    def describe(self) -> Iterator[Metric]:
        """Nothing: to register it must not cost a scrape."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """All samples; without a journal only that there is none."""
        yield _gauge(
            "perphedge_engine_running",
            "1 while an engine holds the state directory's lock.",
            float(lock_holder(self._state_dir) is not None),
        )
        try:
            with JournalReader.open_reader(self._state_dir / JOURNAL_NAME) as journal:
                told = list(self._of_journal(journal))
        except JournalError:
            yield _gauge("perphedge_journal_readable", "0 where it cannot be read.", 0)
            return
        yield _gauge("perphedge_journal_readable", "0 where it cannot be read.", 1)
        yield from told

    def _of_journal(self, journal: JournalReader) -> Iterator[Metric]:
        self._tally.read(journal)
        yield from self._tally.families()
        yield from self._controls(journal)
        yield _gauge(
            "perphedge_orders_unresolved",
            "Orders that may still change a position.",
            len(journal.unresolved_orders()),
        )
        yield _streams(journal)
        now_ms = round(time.time() * 1000)
        yield from waiting(journal, self._state_dir, now_ms)
        newest = journal.newest_cycle()
        if newest is None:
            return
        # A day back from the newest cycle, so that a simulated engine's is a day too.
        self._realised.read(journal, int(newest["timestamp_ms"]))
        yield from self._realised.families()
        yield _gauge(
            "perphedge_cycle_timestamp_seconds",
            "When the newest cycle began, Unix time.",
            newest["timestamp_ms"] / 1000,
        )
        yield _gauge("perphedge_cycles", "Cycles recorded.", journal.cycle_count())
        status = GaugeMetricFamily(
            "perphedge_cycle_status", "1 at how the newest cycle ended.", labels=("status",)
        )
        status.add_metric([str(newest["status"])], 1)
        yield status
        yield from source_gauges([as_of(one, now_ms) for one in newest.get("sources") or ()])
        yield from latency_gauges(newest)
        measured = newest if newest.get("bot_gross_usd") is not None else None
        # A cycle that could not look measured nothing; the last that could is no news.
        if measured is not None:
            yield from cycle_gauges(measured)

    def _controls(self, journal: JournalReader) -> Iterator[Metric]:
        known = list(recall_all(journal).values())
        halted = HaltSwitch(self._state_dir).reason is not None or any(k.everything for k in known)
        yield _gauge("perphedge_halted", "1 while trading is halted.", float(halted))
        yield _gauge(
            "perphedge_symbols_halted",
            "Symbols in which trading is halted.",
            sum(len(one.symbols) for one in known),
        )
        yield _gauge(
            "perphedge_alerts_open",
            "Alerts that nobody acknowledged and that did not end.",
            sum(len(one.alerts) for one in known),
        )


def _streams(journal: JournalReader) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "perphedge_stream_live", "1 while what a stream tells is believed.", labels=("stream",)
    )
    for name, told in told_streams(journal).items():
        family.add_metric([name], float(told.get("health") == "live"))
    return family


def _gauge(name: str, told: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, told, value=value)


def registry_of(state_dir: Path) -> CollectorRegistry:
    """A registry with this engine's figures and none of our own process."""
    registry = CollectorRegistry()
    registry.register(EngineCollector(state_dir))
    return registry


def exposition(state_dir: Path) -> str:
    """One scrape in Prometheus' text format."""
    return generate_latest(registry_of(state_dir)).decode()
