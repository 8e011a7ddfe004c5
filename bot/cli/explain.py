"""``perphedge explain``: why a cycle did what it did, and what came of it."""

import json as json_text
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.journals import Config, Json, State, open_journal, state_dir_of
from bot.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from bot.explain.story import Told


def explain(
    cycle: Annotated[
        str,
        typer.Argument(
            help="Id of a cycle as the log has it, its number, or 'latest': the newest that traded."
        ),
    ] = "latest",
    config: Config = None,
    state: State = None,
    json: Json = False,
) -> None:
    """Why a cycle did what it did: what it saw, what bound it, what it cost and what came of it."""
    from bot.explain.gather import told_of

    with open_journal(state_dir_of(config, state)) as journal:
        told = told_of(journal, cycle)
        if told is None:
            raise UsageError(f"cycle {cycle}: there is none in {journal.path}")
    if json:
        print(json_text.dumps(_document(told), allow_nan=False, indent=2))
        return
    from rich.console import Console

    Console(highlight=False).print(_words(told))


def _words(told: "Told") -> "RenderableType":
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    from bot.explain.story import headline, story_of

    parts: list[RenderableType] = [
        Text(f"Cycle {told.cycle['cycle_id']}", style="bold"),
        Text(headline(told.cycle)),
    ]
    for section in story_of(told):
        parts.append(Text(f"\n{section.title}", style="bold"))
        parts += [Padding(Text(line), (0, 0, 0, 2)) for line in section.lines]
    return Group(*parts)


def _document(told: "Told") -> dict[str, Any]:
    from bot.explain.story import headline, story_of

    return {
        "cycle_id": told.cycle["cycle_id"],
        "headline": headline(told.cycle),
        "sections": [asdict(one) for one in story_of(told)],
        "outcome": None if told.outcome is None else told.outcome.document(),
        "cycle": dict(told.cycle),
        "events": [dict(one) for one in told.events],
        "later_costs": [dict(one) for one in told.later_costs],
    }
