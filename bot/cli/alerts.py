"""``perphedge alerts``: what is open, whom it was told, and what could not be delivered."""

import json as json_text
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.journals import Config, Json, State, open_journal, state_dir_of
from bot.errors import UnreachableError, UsageError

if TYPE_CHECKING:
    from bot.journal.reader import JournalReader

Document = dict[str, Any]


def alerts(
    config: Config = None,
    state: State = None,
    test: Annotated[
        bool, typer.Option("--test", help="Send a message over every route now; needs -c.")
    ] = False,
    json: Json = False,
) -> None:
    """Open alerts, whom they were told, and what could not be delivered."""
    if test:
        if config is None:
            raise UsageError("--test: needs -c FILE, which names the routes")
        document = {"routes": _tried(config)}
    else:
        folder = state_dir_of(config, state)
        with open_journal(folder) as journal:
            document = {"alerts": open_alerts(journal)}
    if json:
        print(json_text.dumps(document, allow_nan=False, indent=2))
    else:
        _show(document)
    failed = [one["route"] for one in document.get("routes", ()) if not one["taken"]]
    if failed:
        raise UnreachableError(f"route {', '.join(failed)}: not taken by the service")


def open_alerts(journal: "JournalReader") -> list[Document]:
    """Every open alert with what became of its notices, the oldest first.

    Raises:
        JournalError: it cannot be read.
    """
    from bot.alerting.desk import PREFIX
    from bot.alerting.subjects import subject_of_alert
    from bot.controls.state import recall_all
    from bot.records.cycle import iso_utc

    found = []
    for account, remembered in recall_all(journal).items():
        notices = json_text.loads(journal.meta(f"{PREFIX}{account}") or "[]")
        for alert in remembered.alerts.values():
            subject = subject_of_alert(alert)
            told = [_notice(one) for one in notices if one["key"] == alert.key]
            found.append(
                {
                    "id": subject.ident,
                    "severity": str(subject.weight),
                    "since": iso_utc(alert.raised_ms),
                    "account": account,
                    **alert.document(),
                    "routes": told,
                }
            )
    return sorted(found, key=lambda one: (one["raised_ms"], one["key"]))


def _notice(notice: Document) -> Document:
    from bot.records.cycle import iso_utc

    told_ms = notice["told_ms"]
    return {
        "route": notice["route"],
        "told": None if told_ms is None else iso_utc(told_ms),
        "failures": notice["failures"],
        "reason": notice["reason"],
    }


def _tried(config: Path) -> list[Document]:
    """What each route makes of a message, all of them asked at once."""
    from concurrent.futures import TimeoutError as LateError

    from bot.alerting.message import Message
    from bot.alerting.opening import services_of
    from bot.alerting.service import in_thread
    from bot.records.event_kinds import Weight
    from config.load import load_settings

    settings = load_settings(config).alerts
    services = services_of(settings)
    if not services:
        raise UsageError(f"{config}: alerts.routes names no route")
    message = Message("perphedge: a test", "Alerts of perphedge arrive here.")
    sent = {
        name: in_thread(partial(one.send, message, Weight.NOTE), name)
        for name, one in services.items()
    }
    found = []
    for name, future in sent.items():
        try:
            error = future.exception(settings.timeout_seconds)
            reason = "" if error is None else "not taken by the service"
        except LateError:
            reason = f"no answer in {settings.timeout_seconds:g} s"
        found.append({"route": name, "taken": not reason, "reason": reason})
    return found


def _show(document: Document) -> None:
    from bot.report import words

    if "routes" in document:
        for one in document["routes"]:
            print(f"{one['route']}: {'taken' if one['taken'] else one['reason']}")
        return
    if not document["alerts"]:
        print("No alert is open.")
        return
    for one in document["alerts"]:
        about = words.plain(f"control {one['number']}: {one['text']}")
        print(f"{one['id']}  {one['severity']:<7}  {one['since']}  {about}")
        print(f"        told: {'; '.join(map(_words, one['routes'])) or 'log'}")
    print("Seen: perphedge ack ID")


def _words(notice: Document) -> str:
    if notice["failures"]:
        return f"{notice['route']} not, {notice['failures']} times: {notice['reason']}"
    return f"{notice['route']} {notice['told'] or 'later'}"
