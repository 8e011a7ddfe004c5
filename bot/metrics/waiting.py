"""What waits for people: alerts by route, and proposals."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric

from bot.alerting.desk import PREFIX
from bot.approval import pending
from bot.approval.proposal import ProposalState
from bot.journal.reader import JournalReader


def waiting(journal: JournalReader, state_dir: Path, now_ms: int) -> Iterator[Metric]:
    """As the journal and the state directory have it now.

    Raises:
        JournalError: it cannot be read.
    """
    failing: Counter[str] = Counter()
    for key in journal.meta_keys(PREFIX):
        for notice in json.loads(journal.meta(key) or "[]"):
            failing[notice["route"]] += notice["failures"] > 0
    family = GaugeMetricFamily(
        "perphedge_alerts_failing",
        "Alerts that a route has not taken at the last try.",
        labels=("route",),
    )
    for route, count in sorted(failing.items()):
        family.add_metric([route], count)
    yield family
    try:
        found = pending(journal, state_dir, now_ms)
    except OSError:  # then nobody knows
        return
    undecided = [one for one in found if one.state is ProposalState.PENDING and one.asked is None]
    yield GaugeMetricFamily(
        "perphedge_proposals_waiting", "Proposals that nobody has decided on.", value=len(undecided)
    )
