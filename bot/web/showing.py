"""Pages that only show."""

from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.responses import Response

from bot.web import reading
from bot.web.app import Pages, Show
from bot.web.heat import WINDOWS, heat_of
from bot.web.moments import HOUR_MS, correlated_at, span

_Text = Annotated[str, Query(max_length=80)]
_Time = Annotated[int | None, Query(ge=0, le=10**14)]


def show_routes(app: FastAPI, inside: Pages, show: Show) -> None:
    """Adds them."""

    @app.get("/")
    def now(request: Request) -> Response:
        with reading.opened(inside.state_dir) as journal:
            found = reading.now_page(journal, inside.state_dir, inside.now_ms())
        return show.page(request, "now.html", **found)

    @app.get("/crowding")
    def crowding(request: Request) -> Response:
        with reading.opened(inside.state_dir) as journal:
            found = reading.crowding_page(journal, inside.now_ms())
        return show.page(request, "crowding.html", **found)

    @app.get("/log")
    def log(
        request: Request,
        event: _Text = "",
        symbol: _Text = "",
        severity: _Text = "",
        until_ms: _Time = None,
    ) -> Response:
        with reading.opened(inside.state_dir) as journal:
            found = reading.log_page(
                journal, event=event, symbol=symbol, severity=severity, until_ms=until_ms
            )
        return show.page(request, "log.html", **found)

    @app.get("/explain/{cycle_id}")
    def explain(request: Request, cycle_id: str) -> Response:
        with reading.opened(inside.state_dir) as journal:
            found = reading.explain_page(journal, cycle_id)
        return show.page(request, "explain.html", **found)

    _heatmap_route(app, inside, show)


def _heatmap_route(app: FastAPI, inside: Pages, show: Show) -> None:
    @app.get("/heatmap")
    def heatmap(request: Request, hour: _Time = None, window: _Text = "30d") -> Response:
        chosen = window if window in WINDOWS else "30d"
        with reading.opened(inside.state_dir) as journal:
            reach = span(journal)
            document = correlated_at(journal, None if hour is None else hour * HOUR_MS)
        heat = None if document is None else heat_of(document, chosen)
        hours = (0, 0) if reach is None else (reach[0] // HOUR_MS, reach[1] // HOUR_MS)
        return show.page(
            request,
            "heatmap.html",
            document=document,
            heat=heat,
            windows=WINDOWS,
            window=chosen,
            first=hours[0],
            last=hours[1],
            hour=hours[1] if hour is None else min(max(hour, hours[0]), hours[1]),
            newest=hour is None or hour >= hours[1],
        )
