"""``perphedge report``: one HTML file of what an engine saw and did."""

import json as json_text
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.cli.journals import Config, Json, State, open_journal, since_ms_of, state_dir_of
from bot.errors import UsageError


def report(
    out: Annotated[Path, typer.Option(help="The HTML file to write.")] = Path("report.html"),
    config: Config = None,
    state: State = None,
    since: Annotated[
        str | None, typer.Option(help="UTC time, or an age like 90m, 24h or 7d; all by default.")
    ] = None,
    stress: Annotated[
        Path | None, typer.Option(help="The stress.json of perphedge stress run, shown as well.")
    ] = None,
    json: Json = False,
) -> None:
    """Exposure against caps, hedges and their cost, attribution and controls, in one HTML file.

    The file needs no network. With --json its figures are printed as well.
    """
    from bot.report.gather import period_of
    from bot.report.page import write_report

    since_ms = 0 if since is None else since_ms_of(since)
    state_dir = state_dir_of(config, state)
    with open_journal(state_dir) as journal:
        cycles, beside = period_of(journal, since_ms)
    if not cycles:
        when = "" if since is None else f" since {_utc(since_ms)}"
        raise UsageError(f"{state_dir}: no cycle is recorded{when}; there is nothing to report")
    if stress is not None:
        beside = replace(beside, stress=_stress_rows(stress))
    write_report(cycles, out, title=f"perphedge, {_utc(cycles[0]['timestamp_ms'])}", beside=beside)
    document: dict[str, Any] = {
        "file": str(out),
        "cycles": beside.cycles_total,
        "from": cycles[0]["timestamp"],
        "to": cycles[-1]["timestamp"],
        "attribution": None if beside.attribution is None else beside.attribution.document(),
    }
    if json:
        print(json_text.dumps(document, allow_nan=False, indent=2))
        return
    print(f"{out}: {beside.cycles_total:,} cycles, {document['from']} to {document['to']}")


def _stress_rows(path: Path) -> list[dict[str, str]]:
    from bot.report.stress import stress_rows
    from risk.errors import DataError

    try:
        return stress_rows(json_text.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(f"--stress {path}: {error.strerror}") from error
    except (ValueError, DataError) as error:
        raise UsageError(f"--stress {path}: is no table of perphedge stress run") from error


def _utc(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
