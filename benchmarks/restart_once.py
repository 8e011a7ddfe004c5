"""One start of an engine, as ``perphedge run`` starts one: imports, recovery, ready.

``python -m benchmarks.restart_once HOST FOLDER ACCOUNT`` prints what it found as one line of JSON.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from bot.cli.startup import quick_imports

with quick_imports():
    from ccxt.async_support.base.exchange import Exchange

    import strategies.minimum_risk  # noqa: F401 - as perphedge run does
    from benchmarks.crowd_accounts import BOT, credentials, settings_values
    from bot.clock import SystemClock
    from bot.logs import silent_log
    from bot.wiring import Surroundings, open_engine
    from config.load import settings_from


async def ready(host: str, folder: Path, hedger: str) -> dict[str, Any]:
    """Starts an engine, prints what it found once it is ready, and ends it."""
    requests = [0]
    plain = Exchange.fetch

    async def counted(*arguments: Any, **named: Any) -> Any:
        requests[0] += 1
        return await plain(*arguments, **named)

    Exchange.fetch = counted
    clock = SystemClock()
    start, cpu = time.perf_counter(), time.process_time()
    settings = settings_from(settings_values(host, folder, hedger), where="benchmark", base=folder)
    around = Surroundings(clock, credentials={name: credentials(name) for name in (BOT, hedger)})
    async with open_engine(settings, around, silent_log(clock)) as engine:
        ready_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu
        journal = engine._parts.journal
        states: dict[str, int] = {}
        for row in journal.unresolved_orders():
            states[row.state.value] = states.get(row.state.value, 0) + 1
        problems = journal.events(kind="recovered")[-1].document["problems"]
        found = {
            "ready_s": ready_s,
            "cpu_s": cpu_s,
            "cpu_all_s": cpu + cpu_s,
            "requests": requests[0],
            "states": states,
            "problems": problems,
            "as_booked": (await engine.venue.account()).base_quantity
            == journal.own_positions(hedger),
        }
        print(json.dumps(found), flush=True)
    return found


if __name__ == "__main__":
    asyncio.run(ready(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
