"""``perphedge check``: is the configuration right, do sources and venue answer, what is left."""

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bot.ports import PositionSource
    from config.settings import Settings


def check(
    config: Annotated[Path, typer.Option("-c", "--config", help="Configuration file.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Validate the configuration, probe sources and venue, print caps and hedgeable symbols."""
    import asyncio

    from bot.cli.startup import engine_settings

    document = asyncio.run(_check(engine_settings(config)))
    if json:
        print(json_text.dumps(document, allow_nan=False, indent=2))
        return
    from rich.console import Console

    from bot.cli.findings import check_tables

    Console().print(check_tables(document))


async def _check(settings: "Settings") -> dict[str, Any]:
    from bot.cli.startup import backfill_bar, quick_imports
    from bot.clock import SystemClock
    from bot.logs import stderr_log

    with quick_imports():
        from bot.measuring.basis import bases
        from bot.measuring.bot_margin import bot_margin
        from bot.measuring.conflict import conflicts_of
        from bot.records.summary import limits_record, shares
        from bot.wiring import Surroundings, open_observer
    clock = SystemClock()
    around = Surroundings(clock, on_backfill=backfill_bar())
    async with open_observer(settings, around, stderr_log(clock, "warning")) as engine:
        look = await engine.look()
    facts, observation = look.assessment.facts, look.observation
    hedgeable = [s for s, may in zip(facts.symbols, facts.may_hedge, strict=True) if may]
    return {
        "mode": settings.mode,
        "autonomy": settings.autonomy,
        "exchange": settings.venue.exchange,
        "account": settings.venue.account,
        "equity_usd": round(observation.account.state.equity_usd, 2),
        "sources": {one.name: _words(one) for one in engine.sources},
        "bot_symbols": list(observation.book.symbols()),
        "symbols": [one.document() for one in observation.translation.rows],
        "unmapped": [one.document() for one in observation.left_out],
        "elsewhere": [one.document() for one in bases(observation, look.assessment.view)],
        "caps": limits_record(look.choices.limits),
        "cap_use": shares(look.before.cap_use),
        "hedgeable": hedgeable,
        "excluded": dict(look.assessment.excluded),
        "breaches": [b.cap for b in look.before.breaches],
        "bot_margin": bot_margin(observation).document(),
        "conflicts": conflicts_of(observation, look.assessment.universe.symbols).document(),
    }


def _words(source: "PositionSource") -> str:
    """That it answers, and who it is where it tells."""
    described = getattr(source, "described", "")
    return f"answers: {described}" if described else "answers"
