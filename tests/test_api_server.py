"""The API over real sockets: answers, and everything that must be refused in one clear line."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.api.pushes import PushDesk
from bot.clock import SimulatedClock
from bot.errors import UnreachableError
from bot.journal.journal import Journal
from bot.logs import open_log
from bot.sources.health import SourcesHealth
from bot.sources.health_file import HEALTH_NAME, HealthFile
from bot.sources.pushed import PushedFiles, PushedSource
from tests.api_scene import SYMBOLS, TOKEN, Server, book_of, now_text, serving
from tests.monitor_scene import Source


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("api")) as running:
        yield running


def _positions(base: float = 10.0, **changes: object) -> dict[str, object]:
    row = {"symbol": SYMBOLS[1], "side": "long", "base": base}
    return {"timestamp": now_text(), "positions": [row], **changes}


def test_without_a_book_an_entry_is_refused_by_policy(tmp_path: Path) -> None:
    with serving(tmp_path, extra="entry_check: {when_unknown: allow}\n") as fresh:
        status, answer = fresh.ask(1_000)
        assert (status, answer["verdict"], answer["measured"]) == (200, "refused", False)
        assert answer["reason"] == "refused by policy: no book yet: the engine has not looked"
        fresh.publish(book_of(SYMBOLS))
        assert fresh.ask(1_000)[1]["verdict"] == "allowed"
        unknown = fresh.ask(1_000, symbol="XYZ/USDT:USDT")[1]
        assert (unknown["verdict"], unknown["measured"]) == ("allowed", False)
        old = book_of(SYMBOLS)
        fresh.publish(replace(old, timestamp_ms=old.timestamp_ms - 200_000))
        stale = fresh.ask(1_000)[1]
        assert stale["verdict"] == "refused"
        assert stale["book_age_seconds"] == pytest.approx(200, abs=20)


def test_an_entry_is_judged_by_the_caps_and_told_in_figures(server: Server) -> None:
    server.publish(book_of(SYMBOLS))
    status, answer = server.ask(20_000, entry_id="one")
    assert status == 200
    assert answer["verdict"] == "reduced"
    assert answer["allowed_usd"] == pytest.approx(8_000, rel=1e-6)
    tightest = answer["caps"][0]
    assert (tightest["cap"], tightest["value_before"], tightest["value_asked"]) == (
        "net_usd",
        2_000,
        22_000,
    )
    assert answer["before"]["net_usd"] == 2_000
    assert answer["after"]["net_usd"] == pytest.approx(10_000)
    assert [c["symbol"] for c in answer["correlated"]] == [SYMBOLS[3]]
    assert answer["granted_until"] > answer["book_timestamp"]
    entry = {"bot": "bot-a", "symbol": SYMBOLS[1], "side": "long", "entry_id": "one"}
    assert server.ask(1_000, bot="bot-b")[1]["verdict"] == "refused", "the room is given away"
    assert server.send("POST", "/v1/entry-cancel", entry) == (200, {"taken_back": True})
    assert server.ask(1_000, bot="bot-b")[1]["verdict"] == "allowed"


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({"Authorization": ""}, 401, "Authorization: missing or wrong"),
        ({"Authorization": "Bearer nonsense"}, 401, "Authorization"),
        ({"Authorization": f"Basic {TOKEN}"}, 401, "Authorization"),
        ({"Host": "evil.example"}, 421, "Host: not a name of this server"),
        ({"Host": "127.0.0.1.evil.example:8799"}, 421, "Host"),
        ({"Origin": "http://127.0.0.1"}, 403, "Origin: requests of browsers"),
        ({"Origin": "null"}, 403, "Origin"),
    ],
)
def test_who_may_not_ask_gets_one_clear_line(
    server: Server, headers: dict[str, str], status: int, words: str
) -> None:
    entry = {"bot": "a", "symbol": SYMBOLS[1], "side": "long", "notional_usd": 1}
    found, answer = server.send("POST", "/v1/entry-check", entry, headers=headers)
    assert found == status
    assert answer["error"].startswith(words)
    assert TOKEN not in json.dumps(answer)


def test_other_names_of_the_server_are_taken_and_alive_needs_no_token(server: Server) -> None:
    for host in ("localhost:1", "sidecar:8799", "SIDECAR", f"127.0.0.1:{server.port}"):
        assert server.send("GET", "/v1/alive", headers={"Host": host})[0] == 200, host
    anonymous = replace(server, headers={})
    assert anonymous.send("GET", "/v1/alive") == (200, {"alive": True})
    assert anonymous.send("GET", "/v1/health")[0] == 401
    assert anonymous.send("GET", "/v1/openapi.json")[0] == 401


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"notional_usd": -5}, "notional_usd: -5 — "),
        ({"notional_usd": "5"}, "notional_usd: '5' — "),
        ({"notional_usd": True}, "notional_usd: True — "),
        ({"side": "buy"}, "side: 'buy' — "),
        ({"symbol": "fet"}, "symbol: 'fet' — "),
        ({"bot": ""}, "bot: '' — "),
        ({"speed": 3}, "speed: 3 — "),
        ({"entry_id": "x" * 65}, "entry_id: "),
    ],
)
def test_a_wrong_field_is_named_with_its_value(
    server: Server, changes: dict[str, object], words: str
) -> None:
    status, answer = server.ask(1_000, **changes)
    assert status == 422
    assert answer["error"].startswith(words)
    assert "\n" not in answer["error"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"[]", 422),
        (b"\xff\xfe", 400),
        (b'{"bot": "a", "symbol": "FET/USDT:USDT", "side": "long", "notional_usd": NaN}', 422),
        (b"[" * 30_000, 400),
        (b" " * 70_000, 413),
    ],
)
def test_a_body_that_is_none_is_refused(server: Server, body: bytes, status: int) -> None:
    found, answer = server.send("POST", "/v1/entry-check", body=body)
    assert (found, list(answer)) == (status, ["error"])


def test_a_long_body_without_a_length_is_cut_off(server: Server) -> None:
    connection = server.connection()
    pieces = (b"x" * 8_192 for _ in range(40))
    headers = {**server.headers, "Content-Type": "application/json"}
    try:
        connection.request("POST", "/v1/entry-check", pieces, headers, encode_chunked=True)
        assert connection.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # it was told off while it was still talking
    finally:
        connection.close()


def test_the_health_of_sources_is_that_of_the_last_cycle_at_todays_age(server: Server) -> None:
    ago_ms = round(time.time() * 1000) - 90_000
    clock = SimulatedClock(ago_ms)
    assert server.send("GET", "/v1/health")[1]["sources"] is None
    with Journal.open(server.state.parent / "other.sqlite", clock) as journal:
        health = SourcesHealth([Source(clock), Source(clock, name="b")], journal, clock)
        health.good("bot-a", ago_ms)
        health.failed("b", UnreachableError("source b: no reply"))
        server.state.mkdir(exist_ok=True)
        HealthFile(server.state, open_log(None, clock)).write(health.documents())
    good, bad = server.send("GET", "/v1/health")[1]["sources"]
    assert (good["name"], good["failing"]) == ("bot-a", False)
    assert good["age_seconds"] == pytest.approx(90, abs=20)
    assert (bad["failing"], bad["last_error"]) == (True, "source b: no reply")
    assert bad["age_seconds"] is None
    (server.state / HEALTH_NAME).write_text("[{", encoding="utf-8")
    assert server.send("GET", "/v1/health")[1]["sources"] is None


async def test_pushed_positions_are_what_the_engine_reads(server: Server) -> None:
    source = PushedSource("bot-b", server.state, 60_000)
    pushed = _positions(12.5)
    assert server.send("PUT", "/v1/positions/bot-b", pushed)[1]["positions"] == 1
    snapshot = await source.read()
    assert [(p.symbol, str(p.base_quantity)) for p in snapshot.positions] == [(SYMBOLS[1], "12.5")]
    assert server.send("PUT", "/v1/positions/bot-b", _positions(positions=[]))[0] == 200
    assert (await source.read()).positions == ()
    sources = {s["name"]: s for s in server.send("GET", "/v1/health")[1]["pushed"]}
    assert sources["bot-b"]["age_seconds"] < 30


@pytest.mark.parametrize(
    ("source", "document", "status", "words"),
    [
        ("nobody", _positions(), 404, "source: no such pushed source — one of: bot-a, bot-b"),
        ("bot-a", _positions(timestamp="yesterday"), 422, "body: timestamp: 'yesterday'"),
        ("bot-a", {"positions": []}, 422, "body: timestamp: missing"),
        ("bot-a", {"timestamp": now_text()}, 422, "body: positions: missing"),
        ("bot-a", _positions(-1.0), 422, "body: positions[0]: base: -1.0"),
        ("bot-a", [], 422, "body: must be an object"),
    ],
)
def test_positions_that_cannot_be_right_are_not_taken(
    server: Server, source: str, document: object, status: int, words: str
) -> None:
    found, answer = server.send("PUT", f"/v1/positions/{source}", document)
    assert found == status
    assert answer["error"].startswith(words[:30])


def test_positions_from_the_future_are_not_taken(server: Server) -> None:
    ahead = _positions(timestamp=now_text(600))
    status, answer = server.send("PUT", "/v1/positions/bot-a", ahead)
    assert status == 409
    assert answer["error"].endswith("s in the future")


def test_older_positions_never_take_the_place_of_newer_ones(server: Server) -> None:
    assert server.send("PUT", "/v1/positions/bot-a", _positions(3.0))[0] == 200
    late = _positions(99.0, timestamp=now_text(-30))
    status, answer = server.send("PUT", "/v1/positions/bot-a", late)
    assert status == 409
    assert "older than the positions that were taken last" in answer["error"]
    kept = json.loads((server.state / "pushed" / "bot-a.json").read_text())
    assert kept["positions"][0]["base"] == 3.0


async def test_a_damaged_file_does_not_keep_new_positions_out(tmp_path: Path) -> None:
    for damaged in (b"{", b"\xff\xfe", b""):
        files = PushedFiles(tmp_path, frozenset({"bot-a"}))
        (tmp_path / "pushed").mkdir(exist_ok=True)
        (tmp_path / "pushed" / "bot-a.json").write_bytes(damaged)
        assert files.last_ms("bot-a") is None
        text, now_ms = json.dumps(_positions(2.0)), round(time.time() * 1000)
        taken = await PushDesk(files).put("bot-a", text, now_ms)
        assert len(taken.positions) == 1


def test_a_flood_is_taken_and_the_last_word_counts(server: Server) -> None:
    """Two bots push as fast as they can while a third asks."""
    server.publish(book_of(SYMBOLS))
    failed: list[object] = []
    sent = {"bot-a": 0, "bot-b": 0}

    def flood(name: str) -> None:
        connection = server.connection()
        headers = {**server.headers, "Content-Type": "application/json"}
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            sent[name] += 1
            document = json.dumps(_positions(float(sent[name])))
            connection.request("PUT", f"/v1/positions/{name}", document, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                failed.append(answer.status)
        connection.close()

    threads = [threading.Thread(target=flood, args=(name,)) for name in sent]
    for thread in threads:
        thread.start()
    answers = [server.ask(10, entry_id="flood")[0] for _ in range(20)]
    for thread in threads:
        thread.join()
    assert failed == []
    assert set(answers) == {200}
    for name, count in sent.items():
        kept = json.loads((server.state / "pushed" / f"{name}.json").read_text())
        assert kept["positions"][0]["base"] == count


def test_a_second_server_says_that_the_port_is_taken(server: Server, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        f"mode: paper\nstate_dir: {tmp_path}/state\n"
        "venue: {exchange: binanceusdm, account: hedge}\n"
        f"sources: [{{kind: pushed, name: bot-a}}]\napi: {{port: {server.port}}}\n"
    )
    code = "from bot.cli.main import main; main()"
    command = [sys.executable, "-c", code, "api", "-c", str(config)]
    clean = {k: v for k, v in os.environ.items() if k != "PERPHEDGE_BOT_TOKEN"}
    taken = subprocess.run(  # noqa: S603 - our own interpreter
        command, env={**clean, "PERPHEDGE_BOT_TOKEN": TOKEN}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert taken.returncode == 5
    assert f"cannot listen on 127.0.0.1:{server.port}: Address already in use" in taken.stderr
    assert len(taken.stderr.strip().splitlines()) == 1
    without = subprocess.run(  # noqa: S603 - our own interpreter
        command, env=clean, capture_output=True, text=True, check=False
    )
    assert without.returncode == 2
    assert "api.token_file: missing" in without.stderr
    assert len(without.stderr.strip().splitlines()) == 1
