"""What people ask for on pages: decisions on proposals, halt, resume, acknowledgement."""

import math
from collections.abc import Sequence

from fastapi import FastAPI, Request
from fastapi.responses import Response

from bot.approval import Action, decide
from bot.controls.shown import halts_of
from bot.errors import SafetyError, UsageError
from bot.requests import Asked
from bot.web import deeds, reading
from bot.web.app import Pages, Show, told, visit_of
from risk.errors import PerphedgeError


def ask_routes(app: FastAPI, inside: Pages, show: Show) -> None:
    """Adds them."""
    _proposal_routes(app, inside, show)
    _control_routes(app, inside, show)


def _proposal_routes(app: FastAPI, inside: Pages, show: Show) -> None:
    @app.get("/proposals")
    def proposals(request: Request) -> Response:
        with reading.opened(inside.state_dir) as journal:
            found = reading.proposals_page(journal, inside.state_dir, inside.now_ms())
        return show.page(request, "proposals.html", **found)

    @app.post("/proposals")
    def decided(request: Request) -> Response:
        visit = visit_of(request)
        try:
            action = _action(visit.form.get("action", ""))
            reason = visit.form.get("reason", "") or f"{action.value} on the page"
            asked = deeds.asked_by(_name(request), reason)
            with reading.opened(inside.state_dir) as journal:
                done = decide(
                    journal,
                    inside.state_dir,
                    visit.form.get("proposal_id", "")[:64],
                    action,
                    asked,
                    now_ms=inside.now_ms(),
                )
        except (PerphedgeError, OSError) as error:
            return told(request, str(error), done=False)
        return told(request, done.text, done=True)


def _control_routes(app: FastAPI, inside: Pages, show: Show) -> None:
    @app.get("/controls")
    def controls(request: Request) -> Response:
        try:
            with reading.opened(inside.state_dir) as journal:
                found = reading.controls_page(journal, inside.state_dir)
        except PerphedgeError as error:  # the switch works without the journal too
            found = reading.no_controls(str(error))
        return show.page(request, "controls.html", **found)

    @app.post("/controls")
    def asked(request: Request) -> Response:
        form = visit_of(request).form
        try:
            who = deeds.asked_by(_name(request), form.get("reason", ""))
            match form.get("action", ""):
                case "halt":
                    text = _halt(inside, request, who)
                case "resume":
                    _require_password(inside, request)
                    halts = _listed(form.get("halts", ""))
                    _require_shown(inside, halts)
                    text = deeds.resume(inside.state_dir, who, halts)
                case "acknowledge":
                    idents = _listed(form.get("alerts", ""))
                    text = deeds.acknowledge(inside.state_dir, who, idents)
                case _:
                    raise UsageError("action: halt, resume or acknowledge")
        except (PerphedgeError, OSError) as error:
            return told(request, str(error), done=False)
        return told(request, text, done=True)


def _halt(inside: Pages, request: Request, who: Asked) -> str:
    """Halts at any rate; a password that is wrong keeps only the hedges from being closed."""
    form = visit_of(request).form
    if form.get("flatten") != "yes":
        return deeds.halt(inside.state_dir, who, flatten=False)
    try:
        _require_password(inside, request)
    except SafetyError as error:
        halted = deeds.halt(inside.state_dir, who, flatten=False)
        raise SafetyError(f"hedges are not closed: {error}. {halted}") from None
    return deeds.halt(inside.state_dir, who, flatten=True)


def _require_shown(inside: Pages, shown: Sequence[str]) -> None:
    """Raises SafetyError where something was halted since the page was made."""
    with reading.opened(inside.state_dir) as journal:
        now = halts_of(journal, inside.state_dir)
    if not now <= set(shown):
        raise SafetyError(
            "what is halted has changed since this page was shown; nothing was lifted - "
            "look at it now, then resume"
        )


def _listed(text: str) -> list[str]:
    return [one for one in text.split(",") if one]


def _require_password(inside: Pages, request: Request) -> None:
    """Raises SafetyError where it is not the password, or too many were wrong."""
    visit = visit_of(request)
    if (wait_s := inside.attempts.wait_s(visit.peer)) > 0:
        raise SafetyError(f"too many wrong passwords: try again in {math.ceil(wait_s)} s")
    if not inside.admits(visit.peer, visit.form.get("password", "")):
        raise SafetyError("that is not the password")
    if visit.session is not None:
        renewed = inside.sessions.renew(visit.session)
        visit.set_cookie(renewed)
        if not renewed:
            raise SafetyError("this login was ended meanwhile: log in again")


def _name(request: Request) -> str:
    session = visit_of(request).session
    assert session is not None  # the door lets nobody else here
    return session.name


def _action(text: str) -> Action:
    try:
        return Action(text)
    except ValueError:
        raise UsageError("action: approve or reject") from None
