"""Login, logout, and links that were signed for one decision."""

import math
import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from bot.approval import Asked, decide, pending, read_link
from bot.web.app import MENU, Pages, Show, see_other, visit_of
from bot.web.reading import opened
from risk.errors import PerphedgeError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. -]{0,31}")


def enter_routes(app: FastAPI, inside: Pages, show: Show) -> None:
    """Adds them."""

    @app.get("/login")
    def login_page(request: Request, next: str = "/") -> Response:  # noqa: A002 - the address says so
        return show.page(request, "login.html", next=_own_place(next))

    @app.post("/login")
    def login(request: Request) -> Response:
        visit = visit_of(request)
        place = _own_place(visit.form.get("next", "/"))
        wait_s = inside.attempts.wait_s(visit.peer)
        if wait_s > 0:
            text = f"Too many wrong passwords: try again in {math.ceil(wait_s)} s."
            answer: Response = show.page(request, "login.html", 429, next=place, wrong=text)
            answer.headers["Retry-After"] = str(math.ceil(wait_s))
            return answer
        name = " ".join(visit.form.get("name", "").split())
        if not _NAME.fullmatch(name):
            text = "Name: 1 to 32 letters, digits, spaces, . _ - ; it stands in the records."
            return show.page(request, "login.html", 422, next=place, wrong=text)
        if not inside.admits(visit.peer, visit.form.get("password", "")):
            text = "That is not the password."
            return show.page(request, "login.html", 403, next=place, wrong=text)
        if visit.session is not None:
            inside.sessions.end(visit.session)
        visit.set_cookie(inside.sessions.begin(name))
        return see_other(place)

    @app.post("/logout")
    def logout(request: Request) -> Response:
        visit = visit_of(request)
        if visit.session is not None:
            inside.sessions.end(visit.session)
        visit.set_cookie("")
        return see_other("/login")

    _link_routes(app, inside, show)


def _link_routes(app: FastAPI, inside: Pages, show: Show) -> None:
    @app.get("/decide")
    def link_page(request: Request, token: str = "") -> Response:
        """Shows what the link is about; mail programs open links, so it does nothing."""
        return _told(inside, show, request, token, "link.html")

    @app.post("/decide")
    def link(request: Request) -> Response:
        form, now_ms = visit_of(request).form, inside.now_ms()
        try:
            _require_links(inside)
            allowed = read_link(inside.state_dir, form.get("token", ""), now_ms)
            asked = Asked("a signed link", "decided by a link of an alert")
            with opened(inside.state_dir) as journal:
                done = decide(
                    journal,
                    inside.state_dir,
                    allowed.proposal_id,
                    allowed.action,
                    asked,
                    now_ms=now_ms,
                )
        except (PerphedgeError, OSError) as error:
            return show.page(request, "link.html", 409, wrong=_plain(inside, error), **_NOTHING)
        return show.page(request, "link.html", said=done.text, **_NOTHING)


_NOTHING: dict[str, Any] = {"link": None, "proposal": None, "token": ""}


def _told(inside: Pages, show: Show, request: Request, token: str, template: str) -> Response:
    now_ms = inside.now_ms()
    try:
        _require_links(inside)
        allowed = read_link(inside.state_dir, token, now_ms)
        with opened(inside.state_dir) as journal:
            waiting = pending(journal, inside.state_dir, now_ms)
    except (PerphedgeError, OSError) as error:
        return show.page(request, template, 403, wrong=_plain(inside, error), **_NOTHING)
    proposal = next((one for one in waiting if one.proposal_id == allowed.proposal_id), None)
    if proposal is None:
        text = f"Proposal {allowed.proposal_id} waits no more."
        return show.page(request, template, 410, wrong=text, **_NOTHING)
    return show.page(request, template, link=allowed, proposal=proposal.document(), token=token)


def _plain(inside: Pages, error: Exception) -> str:
    """What a visitor without a login may read: nothing of where our files are."""
    text = str(error)
    if isinstance(error, OSError) or str(inside.state_dir) in text:
        return "The records cannot be read now; perphedge status says more on their machine."
    return text


def _require_links(inside: Pages) -> None:
    from bot.errors import SafetyError

    if inside.settings.approval.link_url is None:
        raise SafetyError("links are not served here: approval.link_url is not set")


def _own_place(place: str) -> str:
    """Only one of our own pages: nobody is led elsewhere."""
    return place if place in {path for path, _ in MENU} else "/"
