"""``perphedge status``: what an engine holds and did last, from its journal."""

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.journals import Config, Json, State, open_journal, state_dir_of
from bot.errors import UnreachableError

if TYPE_CHECKING:
    from bot.journal.reader import JournalReader


def status(
    config: Config = None,
    state: State = None,
    fresh: Annotated[
        int | None,
        typer.Option(
            min=1, help="Only say whether an engine runs with a cycle no older, in seconds."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """What the engine holds and did last, and whether it runs."""
    folder = state_dir_of(config, state)
    if fresh is not None:
        _require_fresh(folder, fresh)
        return
    document = _status(folder)
    if json:
        print(json_text.dumps(document, allow_nan=False, indent=2))
        return
    from rich.console import Console

    from bot.cli.records import engine_status

    Console().print(engine_status(document))


def _require_fresh(state_dir: Path, seconds: int) -> None:
    """For health checks, which look at the exit code alone.

    Raises:
        UnreachableError: no engine runs, or it has not finished a cycle for so long.
    """
    import time

    from bot.lock import lock_holder

    if lock_holder(state_dir) is None:
        raise UnreachableError(f"{state_dir}: no engine runs")
    with open_journal(state_dir) as journal:
        newest = journal.newest_cycle()
    if newest is None:
        raise UnreachableError(f"{state_dir}: no cycle yet")
    age_s = time.time() - newest["timestamp_ms"] / 1000
    if age_s > seconds:
        raise UnreachableError(f"{state_dir}: the newest cycle is {age_s:.0f} s old")
    print(f"The newest cycle is {age_s:.0f} s old.")


def _latched(journal: "JournalReader") -> str | None:
    """A halt that is in the journal, whatever became of the file."""
    from bot.controls.state import recall_all

    found = [one.everything for one in recall_all(journal).values() if one.everything]
    return found[0].reason if found else None


def _controls(journal: "JournalReader") -> dict[str, Any]:
    """Halted symbols and open alerts."""
    from bot.controls.state import recall_all

    known = recall_all(journal)
    return {
        "halted_symbols": {
            symbol: {**halt.document(), "account": account}
            for account, one in known.items()
            for symbol, halt in one.symbols.items()
        },
        "alerts": [alert.document() for one in known.values() for alert in one.alerts.values()],
    }


def _proposals(journal: "JournalReader", state_dir: Path) -> list[dict[str, Any]]:
    """What waits for approval."""
    import time

    from bot.approval import pending

    found = pending(journal, state_dir, round(time.time() * 1000))
    return [one.document() for one in found]


def _status(state_dir: Path) -> dict[str, Any]:
    import time

    from bot.halt import HaltSwitch
    from bot.lock import lock_holder
    from bot.sources.health_file import as_of
    from bot.venues.streams.told import told_streams

    running = lock_holder(state_dir)
    with open_journal(state_dir) as journal:
        newest = journal.cycles(limit=1)
        last = newest[-1] if newest else None
        accounts = journal.accounts()
        return {
            "state_dir": str(state_dir),
            "running_process": running,
            "streams": told_streams(journal) if running is not None else {},
            "halted": HaltSwitch(state_dir).reason or _latched(journal),
            **_controls(journal),
            "proposals": _proposals(journal, state_dir),
            "starts": journal.epoch,
            "cycles": journal.cycle_count(),
            "hedges_base": {
                f"{account} {symbol}": str(quantity)
                for account in accounts
                for (symbol, _), quantity in journal.own_positions(account).items()
            },
            "sources": [
                as_of(one, round(time.time() * 1000)) for one in (last or {}).get("sources", ())
            ],
            "bot_margin": None if last is None else last.get("bot_margin"),
            "unresolved_orders": [o.client_id for o in journal.unresolved_orders()],
            "last_cycle": None
            if last is None
            else {
                key: last[key]
                for key in (
                    "cycle_id",
                    "timestamp",
                    "status",
                    "reason",
                    "bot_gross_usd",
                    "hedge_gross_usd",
                    "volatility_unhedged_daily_usd",
                    "volatility_after_daily_usd",
                    "cae_after_usd",
                )
            },
        }
