"""All benchmarks by name, in the order in which they run."""

from collections.abc import Callable, Iterable

from benchmarks import (
    backfill,
    covariance,
    crowdcycle,
    cycle,
    decision,
    entrycheck,
    flood,
    hedge,
    journal,
    order,
    restart,
    riskupdate,
    rolling,
    startup,
)
from benchmarks.measure import Effort, Line

BENCHMARKS: dict[str, Callable[[Effort], Iterable[Line]]] = {
    "decision": decision.run,
    "hedge": hedge.run,
    "covariance": covariance.run,
    "rolling": rolling.run,
    "riskupdate": riskupdate.run,
    "backfill": backfill.run,
    "cycle": cycle.run,
    "crowd": crowdcycle.run,
    "order": order.run,
    "entrycheck": entrycheck.run,
    "flood": flood.run,
    "restart": restart.run,
    "startup": startup.run,
    "journal": journal.run,
}
SLOW = frozenset({"crowd", "flood", "restart"})
"""Each serves a venue of its own; even a few rounds take a minute."""
