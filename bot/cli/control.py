"""``perphedge halt``, ``resume``, ``ack`` and ``selftest``: the operator's hand on the controls."""

import contextlib
import getpass
import json as json_text
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.journals import Config, Json, State, state_dir_of
from bot.errors import SafetyError, UsageError

if TYPE_CHECKING:
    from bot.requests import Asked

MOST_CHARACTERS = 500
"""Of what somebody says; it stands in every record of it."""

By = Annotated[str | None, typer.Option("--by", help="Who asks; else the user's name.")]


def halt(
    config: Config = None,
    state: State = None,
    reason: Annotated[str, typer.Option(help="Why, one line.")] = "the operator halts",
    flatten: Annotated[
        bool, typer.Option("--flatten", help="Close our own hedges as well.")
    ] = False,
    by: By = None,
    json: Json = False,
) -> None:
    """Stop sending at once; a running engine cancels its own open orders."""
    from bot.halt import HaltSwitch
    from bot.lock import lock_holder
    from bot.requests import FLATTEN_NAME, RESUME_NAME, ask, taken

    folder = state_dir_of(config, state)
    if not folder.is_dir():
        raise UsageError(
            f"{folder}: there is no such state directory; name the right -c or --state"
        )
    asked = asked_by(by, reason)
    switch = HaltSwitch(folder)
    switch.trip_again(f"{asked.reason} ({asked.by})")  # of its own: a resume may be under way
    if switch.unwritten is not None:
        raise _not_halted(folder, switch.unwritten)
    taken(folder, RESUME_NAME)  # whoever resumed did not know of this
    if flatten:
        ask(folder, FLATTEN_NAME, asked)
    running = lock_holder(folder)
    if running is None:
        _latch(folder)
    document = {"halted": switch.reason, "flatten": flatten, "running_process": running}
    _print(document, f"Halted: {switch.reason}", as_json=json)


def _not_halted(folder: Path, why: str) -> SafetyError:
    """What to tell, and to do, where the kill switch cannot be thrown."""
    from bot.halt import HaltSwitch
    from bot.lock import lock_holder

    if HaltSwitch(folder).reason is not None:
        return SafetyError(f"halted, but it may not outlast a power cut: {why}")
    running = lock_holder(folder)
    stop = "no engine runs there" if running is None else "stop its engine now"
    stop += f": kill {running}" if running else ""
    return SafetyError(f"NOT halted: {why}; {stop}")


def resume(
    config: Config = None,
    state: State = None,
    reason: Annotated[str, typer.Option(help="Why it is safe to go on, one line.")] = "",
    by: By = None,
    json: Json = False,
) -> None:
    """Lift the halt of everything and of every symbol; recorded with name and reason."""
    from bot.cli.journals import open_journal
    from bot.controls.shown import halts_of
    from bot.requests import ask_resume

    folder, asked = folder_of(config, state), asked_by(by, reason)
    with open_journal(folder) as journal:
        halts = halts_of(journal, folder)  # one that trips from now on stays
    _request([ask_resume(folder, asked, halts)], folder, asked, as_json=json)


def acknowledge(
    alert: Annotated[
        list[str] | None, typer.Argument(help="Ids as perphedge alerts shows them; else all.")
    ] = None,
    config: Config = None,
    state: State = None,
    reason: Annotated[str, typer.Option(help="What is known of it, one line.")] = "seen",
    by: By = None,
    json: Json = False,
) -> None:
    """Acknowledge open alerts, so that none of them halts or is escalated."""
    from bot.requests import ACKNOWLEDGE_NAME, ACKNOWLEDGE_PREFIX, ask

    folder, asked = folder_of(config, state), asked_by(by, reason)
    names = [ACKNOWLEDGE_PREFIX + one for one in _open_ids(folder, alert or [])]
    left = [ask(folder, name, asked) for name in names or [ACKNOWLEDGE_NAME]]
    _request(left, folder, asked, as_json=json)


def _open_ids(folder: Path, idents: list[str]) -> list[str]:
    """The same ids.

    Raises:
        UsageError: one of them names no open alert.
    """
    if not idents:
        return []
    from bot.cli.alerts import open_alerts
    from bot.cli.journals import open_journal

    with open_journal(folder) as journal:
        known = [one["id"] for one in open_alerts(journal)]
    for one in idents:
        if one not in known:
            told = f"these are: {', '.join(known)}" if known else "none is open"
            raise UsageError(f"{one}: no open alert; {told}")
    return idents


def selftest(json: Json = False) -> None:
    """Trip every control on a simulated exchange; needs no configuration."""
    import asyncio

    from bot.selftest.run import run_selftest

    results = asyncio.run(run_selftest())
    if json:
        document = {"controls": [one.document() for one in results]}
        print(json_text.dumps(document, allow_nan=False, indent=2))
    else:
        from rich.console import Console

        from bot.selftest.show import table

        Console().print(table(results))
    failed = [one.number for one in results if not one.ok]
    if failed:
        numbers = ", ".join(map(str, failed))
        raise SafetyError(f"selftest: control {numbers} did not act as it must; do not trade")


def _request(paths: list[Path], folder: Path, asked: "Asked", *, as_json: bool) -> None:
    """Leaves the requests to the running engine, or carries them out where none runs."""
    from bot.lock import lock_holder

    running = lock_holder(folder)
    if running is None:
        _carry_out(folder)
        text = f"Done and recorded: {asked.reason} ({asked.by})"
    else:
        text = f"Asked: the engine (process {running}) takes it up with its next cycle"
    document = {"done": not any(path.exists() for path in paths), "running_process": running}
    _print({**document, "by": asked.by, "reason": asked.reason}, text, as_json=as_json)


def _latch(folder: Path) -> None:
    """Writes the halt into the journal too, where there is one that can be used."""
    from bot.journal.reader import JOURNAL_NAME
    from risk.errors import PerphedgeError

    if (folder / JOURNAL_NAME).exists():
        with contextlib.suppress(PerphedgeError):
            _carry_out(folder)


def _carry_out(folder: Path) -> None:
    """Takes the engine's place for a moment.

    Raises:
        LockHeldError: an engine has started meanwhile; the request waits for it.
    """
    from bot.clock import SystemClock
    from bot.controls.guard import Guard
    from bot.controls.state import recall_all
    from bot.halt import HaltSwitch
    from bot.journal.journal import Journal
    from bot.journal.reader import JOURNAL_NAME
    from bot.lock import EngineLock
    from bot.requests import (
        ACKNOWLEDGE_NAME,
        ACKNOWLEDGE_PREFIX,
        RESUME_NAME,
        taken,
        waiting,
        waiting_acknowledgements,
        waiting_resume,
    )

    clock, switch = SystemClock(), HaltSwitch(folder)
    with EngineLock(folder), Journal.open(folder / JOURNAL_NAME, clock) as journal:
        single = waiting_acknowledgements(folder)
        acknowledged, resumed = waiting(folder, ACKNOWLEDGE_NAME), waiting_resume(folder)
        for account in list(recall_all(journal)) or [""]:
            guard = Guard(journal, clock, account, switch=switch)
            for ident, asked in single.items():
                if asked is not None:
                    guard.acknowledge(asked, ident)
            if acknowledged is not None:
                guard.acknowledge(acknowledged)
            if resumed is not None:
                guard.resume(resumed.asked, resumed.halts)
            guard.saw_switch()
        for ident in single:
            taken(folder, ACKNOWLEDGE_PREFIX + ident)
        taken(folder, ACKNOWLEDGE_NAME)
        taken(folder, RESUME_NAME)


def folder_of(config: Path | None, state: Path | None) -> Path:
    """The state directory in which an engine has run.

    Raises:
        UsageError: none has, or the options do not name one.
    """
    from bot.journal.reader import JOURNAL_NAME

    folder = state_dir_of(config, state)
    if not (folder / JOURNAL_NAME).exists():
        raise UsageError(f"{folder}: no engine has run there; name the right -c or --state")
    return folder


def asked_by(by: str | None, reason: str) -> "Asked":
    """Who asks and why.

    Raises:
        UsageError: nobody, or for no reason.
    """
    from bot.requests import Asked

    reason = " ".join(reason.split())
    if not reason:
        raise UsageError('--reason: say in one line why, for instance --reason "prices were wrong"')
    name = " ".join((by if by is not None else _user()).split())
    if not name:
        raise UsageError("--by: name who asks")
    for option, text in (("--reason", reason), ("--by", name)):
        if len(text) > MOST_CHARACTERS:
            raise UsageError(f"{option}: {len(text)} characters, at most {MOST_CHARACTERS}")
    return Asked(name, reason)


def _user() -> str:
    try:
        return getpass.getuser()
    except OSError:
        return "unknown user"


def _print(document: Mapping[str, object], text: str, *, as_json: bool) -> None:
    print(json_text.dumps(document, allow_nan=False, indent=2) if as_json else text)
