"""The pages' routes: what is read is rendered, what is asked is left for the engine."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException

from bot.errors import UsageError
from bot.web import reading
from bot.web.door import FORM_TOKEN, Visit
from bot.web.figures import FILTERS
from bot.web.live import Watch
from bot.web.password import PasswordHash
from bot.web.sessions import Attempts, Sessions
from config.settings import Settings
from risk.errors import PerphedgeError

_HERE = Path(__file__).parent
MENU = (
    ("/", "Now"),
    ("/heatmap", "Heatmap"),
    ("/crowding", "Crowding"),
    ("/proposals", "Proposals"),
    ("/log", "Log"),
    ("/controls", "Controls"),
)


@dataclass(slots=True)
class Pages:
    """What the routes hand over to."""

    state_dir: Path
    settings: Settings
    now_ms: Callable[[], int]
    sessions: Sessions
    attempts: Attempts
    password: PasswordHash
    title: str
    checking: Lock = field(default_factory=Lock)

    def admits(self, peer: str, password: str) -> bool:
        """Whether it is the password; one at a time, since each check costs memory."""
        with self.checking:
            if self.attempts.wait_s(peer) > 0:
                return False  # nobody looked at it, so it was not wrong either
            right = self.password.matches(password)
            if right:
                self.attempts.succeeded(peer)
            else:
                self.attempts.failed(peer)
        return right


def pages(inside: Pages) -> FastAPI:
    """The application; nobody may reach it but through its door."""
    from bot.web.asking import ask_routes
    from bot.web.entering import enter_routes
    from bot.web.showing import show_routes

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    show = Show(inside)
    app.add_exception_handler(PerphedgeError, show.failed)
    app.add_exception_handler(HTTPException, show.not_found)
    enter_routes(app, inside, show)
    show_routes(app, inside, show)
    ask_routes(app, inside, show)
    watch = Watch(inside.state_dir)

    @app.get("/events")
    async def events(request: Request) -> Response:
        """Tells the page that something is new."""
        from fastapi.responses import StreamingResponse

        session = visit_of(request).session
        if session is None or watch.full:
            return PlainTextResponse("too many pages are open\n", 503)
        stream = watch.stream(lambda: inside.sessions.holds(session))
        return StreamingResponse(stream, media_type="text/event-stream")

    @app.get("/alive")
    async def alive() -> Response:
        """Whether anybody is there."""
        return PlainTextResponse("alive\n")

    app.mount("/static", StaticFiles(directory=_HERE / "static"))
    return app


def visit_of(request: Request) -> Visit:
    """What the door found out."""
    found: Visit = request.state.visit
    return found


class Show:
    """Renders pages; every value in them is escaped."""

    def __init__(self, inside: Pages) -> None:
        self._inside = inside
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(FILTERS)

    def page(self, request: Request, name: str, status: int = 200, **more: Any) -> HTMLResponse:
        """A page of a template."""
        visit = visit_of(request)
        settings = self._inside.settings
        around: dict[str, Any] = {
            "menu": MENU,
            "path": request.url.path,
            "form_token": visit.form_token,
            "form_field": FORM_TOKEN,
            "session": visit.session,
            "mode": self._inside.title,
            "exchange": settings.venue.exchange,
            "autonomy": settings.autonomy,
            "said": "",
            "wrong": "",
        }
        if visit.session is not None:
            around |= reading.shell(self._inside.state_dir)
            # Only for who looks: pages fetch themselves anew by themselves.
            if request.headers.get("sec-fetch-mode", "navigate") == "navigate":
                done, told = visit.session.told.pop(request.url.path, (True, ""))
                around["said" if done else "wrong"] = told
        text = self._templates.get_template(name).render(around | more)
        return HTMLResponse(text, status)

    async def failed(self, request: Request, error: Exception) -> Response:
        """One line where something cannot be read or done."""
        status = 404 if isinstance(error, UsageError) else 409
        return self.page(request, "message.html", status, title="Not done", text=str(error))

    async def not_found(self, request: Request, error: Exception) -> Response:
        """No such page."""
        assert isinstance(error, HTTPException)
        if visit_of(request).session is None:
            return PlainTextResponse(f"{error.detail}\n", error.status_code)
        return self.page(
            request, "message.html", error.status_code, title="No page", text=str(error.detail)
        )


def see_other(place: str) -> Response:
    """After a POST: the browser loads the page anew, and a reload repeats nothing."""
    return RedirectResponse(place, 303)


def told(request: Request, text: str, *, done: bool) -> Response:
    """After a POST of somebody with a login: the same page anew, which says this once."""
    session = visit_of(request).session
    assert session is not None  # the door lets nobody else here
    session.told[request.url.path] = (done, text)
    return see_other(request.url.path)
