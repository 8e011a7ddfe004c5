"""The API's routes: each hands over to what knows the answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from bot.advice.desk import EntryDesk, EntryRequest
from bot.api.answers import entry_out, health_out
from bot.api.pushes import PushDesk
from bot.api.schema import (
    AliveOut,
    CancelIn,
    CancelOut,
    EntryIn,
    EntryOut,
    ErrorOut,
    HealthOut,
    PositionsIn,
    PushedOut,
)
from bot.records.cycle import iso_utc
from risk.errors import DataError, StaleDataError

_WRONG: dict[int | str, dict[str, Any]] = {
    code: {"model": ErrorOut, "description": text}
    for code, text in {
        400: "The body is not JSON.",
        401: "The token is missing or wrong.",
        403: "Requests of browsers are not answered.",
        408: "The body did not come in time.",
        413: "The body is too long.",
        421: "The Host header names another server.",
        422: "A field is not what it must be.",
    }.items()
}


_SCHEMAS = "#/components/schemas/{model}"


@dataclass(frozen=True, slots=True)
class Desks:
    """What the routes hand over to.

    Attributes:
        sources: health of the sources as of a time; None where no engine has told of it.
        now_ms: UTC milliseconds.
    """

    entries: EntryDesk
    pushes: PushDesk
    sources: Callable[[int], list[dict[str, Any]] | None]
    now_ms: Callable[[], int]


def api(desks: Desks, version: str) -> FastAPI:
    """The application; who may call it is decided before it, by the gate."""
    app = FastAPI(
        title="perphedge",
        version=version,
        summary="A say before a bot enters, and a place to push positions to.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        responses=_WRONG,
        # A Bearer token is checked before any route; this tells those who read the document.
        openapi_tags=[{"name": "bots"}],
        redirect_slashes=False,
    )
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(StarletteHTTPException, _plain)
    _entry_routes(app, desks)
    _position_routes(app, desks)
    _complete_document(app)
    return app


def _entry_routes(app: FastAPI, desks: Desks) -> None:
    @app.post("/v1/entry-check", response_model=EntryOut, tags=["bots"])
    async def entry_check(entry: EntryIn) -> dict[str, Any]:
        """Ask before entering: allowed, reduced to ``allowed_usd``, or refused, and why."""
        request = EntryRequest(
            entry.bot,
            entry.symbol,
            entry.side,
            entry.notional_usd,
            entry.entry_id,
            entry.leverage,
        )
        return entry_out(desks.entries.ask(request))

    @app.post("/v1/entry-cancel", response_model=CancelOut, tags=["bots"])
    async def entry_cancel(entry: CancelIn) -> dict[str, Any]:
        """Say that an entry which was allowed is not made, so that its room is free again."""
        name = entry.entry_id or entry.side
        return {"taken_back": desks.entries.take_back(entry.bot, entry.symbol, name)}


def _position_routes(app: FastAPI, desks: Desks) -> None:
    body = {
        "content": {"application/json": {"schema": {"$ref": _SCHEMAS.format(model="PositionsIn")}}}
    }
    wrong: dict[int | str, dict[str, Any]] = {
        404: {"model": ErrorOut, "description": "No source of this name is pushed to."},
        409: {"model": ErrorOut, "description": "Older than what was taken last."},
        503: {"model": ErrorOut, "description": "It could not be kept."},
    }

    @app.put(
        "/v1/positions/{source}",
        response_model=PushedOut,
        responses=wrong,
        tags=["bots"],
        openapi_extra={"requestBody": {**body, "required": True}},
    )
    async def positions(source: str, request: Request) -> dict[str, Any]:
        """Everything that a bot holds now; the last document counts, none is merged."""
        text = _text(await request.body())
        try:
            taken = await desks.pushes.put(source, text, desks.now_ms())
        except KeyError:
            known = ", ".join(desks.pushes.files.sources) or "none"
            raise HTTPException(404, f"source: no such pushed source — one of: {known}") from None
        except StaleDataError as error:
            raise HTTPException(409, str(error)) from None
        except DataError as error:
            raise HTTPException(422, str(error)) from None
        except OSError as error:
            raise HTTPException(503, f"could not be kept: {error.strerror}") from None
        return {
            "source": source,
            "timestamp": iso_utc(taken.timestamp_ms),
            "positions": len(taken.positions),
        }

    @app.get("/v1/alive", response_model=AliveOut)
    async def alive() -> dict[str, Any]:
        """Whether the server is there; needs no token."""
        return {"alive": True}

    @app.get("/v1/health", response_model=HealthOut)
    async def health() -> dict[str, Any]:
        """How old the book and every source are, and which sources fail."""
        now_ms = desks.now_ms()
        return health_out(desks.entries, desks.pushes.files, desks.sources(now_ms), now_ms)


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise HTTPException(400, "body: not UTF-8 text") from None


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """The first problem: where, what stands there, what would be right."""
    assert isinstance(error, RequestValidationError)
    first: Mapping[str, Any] = error.errors()[0]
    if first["type"] == "json_invalid":
        return JSONResponse({"error": "body: not JSON"}, 400)
    where = ".".join(str(part) for part in first["loc"] if part != "body") or "body"
    value = repr(first.get("input"))[:60] if first["type"] != "missing" else "missing"
    return JSONResponse({"error": f"{where}: {value} — {first['msg']}"}, 422)


async def _plain(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StarletteHTTPException)
    return JSONResponse({"error": str(error.detail)}, error.status_code, headers=error.headers)


def _complete_document(app: FastAPI) -> None:
    """The token, and the body that a route reads itself; references lead to the schemas of all."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        components = document.setdefault("components", {})
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        pushed = PositionsIn.model_json_schema(ref_template=_SCHEMAS)
        components["schemas"] |= {**pushed.pop("$defs"), "PositionsIn": pushed}
        document["security"] = [{"token": []}]
        document["paths"]["/v1/alive"]["get"]["security"] = []
        return document

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way to extend it
