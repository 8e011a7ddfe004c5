"""``perphedge check``: is the configuration right, do sources and venue answer, what is left."""

import json as json_text
from pathlib import Path
from typing import Annotated, Any

import typer


def check(
    config: Annotated[Path, typer.Option("-c", "--config", help="Configuration file.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Validate the configuration, probe sources and venue, print caps and hedgeable symbols."""
    import asyncio

    from config.load import load_settings

    settings = load_settings(config)
    document = asyncio.run(_check(settings))
    if json:
        print(json_text.dumps(document, allow_nan=False, indent=2))
    else:
        _show(document)


async def _check(settings: Any) -> dict[str, Any]:
    from bot.clock import SystemClock
    from bot.logs import stderr_log
    from bot.summary import limits_record
    from bot.wiring import Surroundings, open_observer

    clock = SystemClock()
    log = stderr_log(clock, "warning")
    async with open_observer(settings, Surroundings(clock), log) as engine:
        look = await engine.look()
    facts, observation = look.assessment.facts, look.observation
    hedgeable = [s for s, may in zip(facts.symbols, facts.may_hedge, strict=True) if may]
    return {
        "mode": settings.mode,
        "autonomy": settings.autonomy,
        "exchange": settings.venue.exchange,
        "account": settings.venue.account,
        "equity_usd": round(observation.account.state.equity_usd, 2),
        "sources": {item.name: "answers" for item in settings.sources},
        "bot_symbols": list(observation.book.symbols()),
        "caps": limits_record(look.choices.limits),
        "hedgeable": hedgeable,
        "excluded": dict(look.assessment.excluded),
        "breaches": [b.cap for b in look.before.breaches],
    }


def _show(document: dict[str, Any]) -> None:
    from rich.console import Console

    from bot.cli.tables import status_table

    console = Console()
    left_out = document["excluded"]
    shown = {
        **{k: v for k, v in document.items() if k not in ("excluded", "hedgeable")},
        "left_to_hedge_with": document["hedgeable"],
    }
    console.print(status_table(shown))
    if left_out:
        console.print("Not used for new hedges:")
        console.print(status_table(left_out))
    if not document["hedgeable"]:
        console.print("No symbol is left to hedge with.", style="bold red")
