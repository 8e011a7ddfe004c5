"""``perphedge attribution``: who earned and cost what, and whether the exchange says the same."""

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.journals import Config, Json, State, open_journal, since_ms_of, state_dir_of
from bot.errors import UsageError

if TYPE_CHECKING:
    from bot.attribution.period import Attribution
    from bot.attribution.reconciling import Reconciled
    from bot.controls.books import Income
    from config.settings import Settings


def attribution(
    config: Config = None,
    state: State = None,
    since: Annotated[
        str | None, typer.Option(help="UTC time, or an age like 90m, 24h or 7d; all by default.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Before that time or age.")] = None,
    reconcile: Annotated[
        bool,
        typer.Option("--reconcile", help="Ask the exchange for its income and compare; needs -c."),
    ] = False,
    json: Json = False,
) -> None:
    """What bot and hedges earned, paid and cost in a period, by symbol, and what risk it took away.

    With --reconcile every kind of income in every symbol is held against the exchange's own list.
    """
    from bot.attribution.reading import read_attribution
    from bot.attribution.reconciling import reconciled
    from bot.clock import SystemClock

    since_ms = 0 if since is None else since_ms_of(since)
    until_ms = SystemClock().now_ms() if until is None else since_ms_of(until, "--until")
    settings = _asked_settings(config) if reconcile else None
    account = None if settings is None else settings.venue.account
    state_dir = state_dir_of(config, state)
    # The income first: what the engine books meanwhile must not look as if nobody had paid it.
    income = None if settings is None else _income(settings, state_dir, since_ms)
    with open_journal(state_dir) as journal:
        found = read_attribution(journal, since_ms, until_ms, account=account)
    if found is None:
        raise UsageError(f"{state_dir}: no cycle of that time measured the book")
    compared = None if income is None else reconciled(found, income)
    document = {
        "attribution": found.document(),
        "reconciled": None if compared is None else compared.document(),
    }
    if json:
        print(json_text.dumps(document, allow_nan=False, indent=2))
        return
    _show(found, compared)


def _asked_settings(config: Path | None) -> "Settings":
    """Of an account that is at an exchange, and not in the engine's own process.

    Raises:
        UsageError: there is no exchange to ask, or none that tells.
    """
    from config.load import load_settings

    if config is None:
        raise UsageError("--reconcile asks the exchange; give -c FILE, not --state")
    settings = load_settings(config)
    if settings.mode != "live":
        raise UsageError(
            f"--reconcile: mode is {settings.mode}, whose account is in the engine and its journal "
            "alone; there is no exchange to ask"
        )
    if not settings.venue.exchange.startswith("binance"):
        raise UsageError(
            f"--reconcile: {settings.venue.exchange} has no list of income in which every payment "
            "has its kind and symbol; binanceusdm has"
        )
    return settings


def _income(settings: "Settings", state_dir: Path, since_ms: int) -> "list[Income]":
    import asyncio

    from bot.attribution.asking import ask_income

    with open_journal(state_dir) as journal:
        first = next(iter(journal.cycles_since(since_ms)), None)
    if first is None:
        raise UsageError(f"{state_dir}: no cycle is recorded in that time")
    return asyncio.run(ask_income(settings, max(since_ms, int(first["timestamp_ms"]))))


def _show(found: "Attribution", compared: "Reconciled | None") -> None:
    from rich.console import Console

    from bot.cli.attribution_tables import attribution_tables

    Console().print(attribution_tables(found, compared))
