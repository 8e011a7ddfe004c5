"""What people ask for on pages: decisions on proposals, halt, resume, acknowledgement."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from bot.approval import Action, decide
from bot.errors import SafetyError, UsageError
from bot.web import deeds, reading
from bot.web.app import Pages, Show, visit_of
from risk.errors import PerphedgeError


def ask_routes(app: FastAPI, inside: Pages, show: Show) -> None:
    """Adds them."""
    _proposal_routes(app, inside, show)
    _control_routes(app, inside, show)


def _proposal_routes(app: FastAPI, inside: Pages, show: Show) -> None:
    def page(request: Request, status: int = 200, **more: Any) -> Response:
        with reading.opened(inside.state_dir) as journal:
            found = reading.proposals_page(journal, inside.state_dir, inside.now_ms())
        return show.page(request, "proposals.html", status, **found, **more)

    @app.get("/proposals")
    def proposals(request: Request) -> Response:
        return page(request)

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
            return page(request, 409, wrong=str(error))
        return page(request, said=done.text)


def _control_routes(app: FastAPI, inside: Pages, show: Show) -> None:
    def page(request: Request, status: int = 200, **more: Any) -> Response:
        try:
            with reading.opened(inside.state_dir) as journal:
                found = reading.controls_page(journal, inside.state_dir)
        except PerphedgeError as error:  # the switch works without the journal too
            found = reading.no_controls(str(error))
        return show.page(request, "controls.html", status, **found, **more)

    @app.get("/controls")
    def controls(request: Request) -> Response:
        return page(request)

    @app.post("/controls")
    def asked(request: Request) -> Response:
        form, peer = visit_of(request).form, visit_of(request).peer
        try:
            who = deeds.asked_by(_name(request), form.get("reason", ""))
            match form.get("action", ""):
                case "halt":
                    flatten = form.get("flatten") == "yes"
                    text = deeds.halt(inside.state_dir, who, flatten=flatten)
                case "resume":
                    _require_password(inside, peer, form.get("password", ""))
                    _renew(inside, request)
                    text = deeds.resume(inside.state_dir, who)
                case "acknowledge":
                    text = deeds.acknowledge(inside.state_dir, who)
                case _:
                    raise UsageError("action: halt, resume or acknowledge")
        except (PerphedgeError, OSError) as error:
            return page(request, 409, wrong=str(error))
        return page(request, said=text)


def _require_password(inside: Pages, peer: str, password: str) -> None:
    """Raises SafetyError where it is not the password, or too many were wrong."""
    if (wait_s := inside.attempts.wait_s(peer)) > 0:
        raise SafetyError(f"too many wrong passwords: try again in {wait_s:.0f} s")
    if not inside.admits(peer, password):
        raise SafetyError("that is not the password; nothing was changed")


def _renew(inside: Pages, request: Request) -> None:
    visit = visit_of(request)
    if visit.session is not None:
        visit.cookies.append(inside.cookie(inside.sessions.renew(visit.session)))


def _name(request: Request) -> str:
    session = visit_of(request).session
    assert session is not None  # the door lets nobody else here
    return session.name


def _action(text: str) -> Action:
    try:
        return Action(text)
    except ValueError:
        raise UsageError("action: approve or reject") from None
