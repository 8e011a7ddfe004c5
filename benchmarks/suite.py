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
    log,
    order,
    replay,
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
    "replay": replay.run,
    "startup": startup.run,
    "journal": journal.run,
    "log": log.run,
}
SLOW = frozenset({"crowd", "flood", "log", "replay", "restart"})
"""Even a few rounds take a minute: a venue is served, or many processes are started."""
