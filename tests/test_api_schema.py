"""The API against its own OpenAPI document: what that allows is taken, the rest refused."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.routing import Route

from bot.api.app import Desks, api
from tests.api_scene import SYMBOLS, Server, book_of, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("api")) as running:
        running.publish(book_of(SYMBOLS))
        yield running


ROUTES = (
    ("/v1/entry-check", "POST"),
    ("/v1/entry-cancel", "POST"),
    ("/v1/positions/{source}", "PUT"),
    ("/v1/alive", "GET"),
    ("/v1/health", "GET"),
)


# A GET without parameters cannot be asked wrongly.
_CASES = [
    pytest.param(path, method, mode, id=f"{method} {path} {mode.value}")
    for path, method in ROUTES
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or method != "GET"
]


REFUSED = [400, 401, 403, 404, 405, 408, 409, 413, 422]
"""A body that is too long is one that the document does not allow, too."""


def operation_of(server: Server, path: str, method: str) -> Any:
    """One route as the document of the running server has it."""
    document = server.send("GET", "/v1/openapi.json")[1]
    checks = {"negative_data_rejection": {"expected-statuses": REFUSED}}
    config = schemathesis.Config.from_dict({"checks": checks})
    operation = schemathesis.openapi.from_dict(document, config=config)[path][method]
    # A reference that leads nowhere would leave the body out, and nothing would be asked.
    assert len(operation.body) == (method != "GET")
    return operation


@pytest.mark.parametrize(("path", "method", "mode"), _CASES)
def test_every_route_keeps_to_the_document(
    server: Server, path: str, method: str, mode: GenerationMode
) -> None:
    """Status, content type and body are those documented; nothing is a 5xx; 401 without token."""
    operation = operation_of(server, path, method)
    statuses: Counter[int] = Counter()

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def holds(case: schemathesis.Case) -> None:
        answer = case.call_and_validate(
            base_url=f"http://127.0.0.1:{server.port}", headers=server.headers
        )
        statuses[answer.status_code] += 1

    holds()
    assert server.process.poll() is None
    if mode is GenerationMode.NEGATIVE:
        # Where only the token was spoiled ours takes its place; the library checks the others.
        assert sum(n for status, n in statuses.items() if 400 <= status < 500) >= 10
    elif path != "/v1/positions/{source}":  # of a source that the config does not name
        assert set(statuses) == {200}


def test_pushes_that_the_document_allows_are_taken(server: Server) -> None:
    """Of a source that is there and as of now: taken, or refused for what no schema can say, that
    a symbol stands twice or has letters that cannot be shown."""
    operation = operation_of(server, "/v1/positions/{source}", "PUT")
    statuses: Counter[int] = Counter()

    # What it sends has the time of the moment, so a failure could not be made smaller.
    @settings(
        max_examples=60,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    def holds(case: schemathesis.Case) -> None:
        case.path_parameters = {"source": "bot-a"}
        assert isinstance(case.body, dict)
        case.body["timestamp"] = datetime.now(UTC).isoformat(timespec="microseconds")
        answer = case.call_and_validate(
            base_url=f"http://127.0.0.1:{server.port}",
            headers=server.headers,
            excluded_checks=[positive_data_acceptance],
        )
        statuses[answer.status_code] += 1
        if answer.status_code == 200:
            held = [one for one in case.body["positions"] if one["base"]]
            assert answer.json()["positions"] == len(held)
        else:
            assert re.search("twice|must be like FET/USDT:USDT", answer.json()["error"])

    holds()
    assert server.process.poll() is None
    assert set(statuses) <= {200, 422}
    assert statuses[200] >= 10


def test_every_route_that_is_served_is_asked_here() -> None:
    """Also one that the document would leave out, but for the document itself."""
    served = {
        (route.path, method)
        for route in api(cast("Desks", None), "0").routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert served == {*ROUTES, ("/v1/openapi.json", "GET")}


@pytest.mark.parametrize(("path", "method"), [*ROUTES, ("/v1/openapi.json", "GET")])
def test_without_the_token_nothing_is_told(server: Server, path: str, method: str) -> None:
    wrong = {"Authorization": "Bearer of-another-server"}
    status, told = server.send(method, path.format(source="bot-a"), {}, headers=wrong)
    if path == "/v1/alive":
        assert (status, told) == (200, {"alive": True})
    else:
        assert status == 401
        assert set(told) == {"error"}


def test_every_reference_of_the_document_leads_somewhere(server: Server) -> None:
    text = json.dumps(server.send("GET", "/v1/openapi.json")[1])
    document = json.loads(text)
    references = set(re.findall(r'"\$ref": "([^"]+)"', text))
    assert "#/components/schemas/PositionIn" in references
    for reference in references:
        found = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]


def test_the_document_names_every_route_and_asks_for_the_token(server: Server) -> None:
    document = server.send("GET", "/v1/openapi.json")[1]
    assert set(document["paths"]) == {path for path, _ in ROUTES}
    assert document["security"] == [{"token": []}]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (path, method)
