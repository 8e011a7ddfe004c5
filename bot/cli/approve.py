"""``perphedge proposals``, ``approve`` and ``reject``: people's word on what an engine proposes."""

import json as json_text
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.control import By, asked_by, folder_of
from bot.cli.journals import Config, Json, State, open_journal

if TYPE_CHECKING:
    from pathlib import Path

    from bot.approval import Action

_MOST_ENDED = 10

Id = Annotated[str, typer.Argument(metavar="ID", help="As perphedge proposals prints it.")]


def proposals(config: Config = None, state: State = None, json: Json = False) -> None:
    """What waits for approval, and what became of the last ones."""
    document = _proposals(folder_of(config, state))
    if json:
        print(json_text.dumps(document, allow_nan=False, indent=2))
        return
    from rich.console import Console

    from bot.cli.proposals import shown

    Console().print(shown(document))


def _proposals(folder: "Path") -> dict[str, Any]:
    import time

    from bot.approval import ended, pending
    from bot.records.cycle import iso_utc

    with open_journal(folder) as journal:
        waiting = pending(journal, folder, round(time.time() * 1000))
        over = ended(journal)[-_MOST_ENDED:]
    return {
        "pending": [one.document() for one in waiting],
        "ended": [
            {"event": row.kind, "timestamp": iso_utc(row.timestamp_ms), **row.document}
            for row in over
        ],
    }


def approve(
    proposal_id: Id,
    config: Config = None,
    state: State = None,
    reason: Annotated[str, typer.Option(help="Why, one line.")] = "the operator approves",
    by: By = None,
    json: Json = False,
) -> None:
    """Let the engine carry out a proposal, once, if it still holds when it looks anew."""
    from bot.approval import Action

    _decide(proposal_id, Action.APPROVE, config, state, reason=reason, by=by, as_json=json)


def reject(
    proposal_id: Id,
    config: Config = None,
    state: State = None,
    reason: Annotated[str, typer.Option(help="Why, one line.")] = "the operator rejects",
    by: By = None,
    json: Json = False,
) -> None:
    """End a proposal; the same is not asked again until the next decision is due."""
    from bot.approval import Action

    _decide(proposal_id, Action.REJECT, config, state, reason=reason, by=by, as_json=json)


def _decide(
    proposal_id: str,
    action: "Action",
    config: "Path | None",
    state: "Path | None",
    *,
    reason: str,
    by: str | None,
    as_json: bool,
) -> None:
    import time

    from bot.approval import decide
    from bot.lock import lock_holder

    folder, asked = folder_of(config, state), asked_by(by, reason)
    with open_journal(folder) as journal:
        now_ms = round(time.time() * 1000)
        made = decide(journal, folder, proposal_id, action, asked, now_ms=now_ms)
    document = {
        "proposal_id": proposal_id,
        "action": action.value,
        "repeated": made.repeated,
        "text": made.text,
        "running_process": lock_holder(folder),
        "by": asked.by,
        "reason": asked.reason,
    }
    print(json_text.dumps(document, allow_nan=False, indent=2) if as_json else made.text)
