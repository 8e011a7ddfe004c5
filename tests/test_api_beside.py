"""The API's process beside a running engine: a flood, its death, the engine's death.

Takes half a minute: an exchange and two engines are started, each with its bars.
"""

import http.client
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.flood import Running, Turns, open_venue, running

SECRETS = {
    "PERPHEDGE_HEDGE_API_KEY": "canary-key-5521",
    "PERPHEDGE_HEDGE_API_SECRET": "canary-secret-5522",
    "OTHER_API_PASSPHRASE": "canary-phrase-5523",
    "PERPHEDGE_HB_PASSWORD": "canary-password-5524",
    "PERPHEDGE_ALERT_URL_PHONE": "ntfys://canary-address-5525",
    "PERPHEDGE_WEB_PASSWORD_HASH": "canary-hash-5526",
}


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    with open_venue() as found:
        yield found


@pytest.fixture(scope="module")
def engine(host: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("beside"), host, **SECRETS) as found:
        yield found


def _until(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
    return found


def _events(engine: Running, name: str) -> list[dict[str, Any]]:
    return [one for one in engine.events() if one["event"] == name]


def _is_there(process: int) -> bool:
    """Whether it runs; one that has ended and waits to be asked for its exit code does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


def _alive(engine: Running) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", engine.port, timeout=10)
    try:
        connection.request("GET", "/v1/alive")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_server_has_the_token_and_no_key_of_an_exchange(engine: Running) -> None:
    child = _events(engine, "api_started")[-1]["process"]
    ours = Path(f"/proc/{engine.process.pid}/environ").read_text()
    its = Path(f"/proc/{child}/environ").read_text()
    assert "PERPHEDGE_BOT_TOKEN=" in its
    assert all(secret in ours for secret in SECRETS.values())
    assert "canary" not in its


@pytest.mark.long
def test_a_flood_loses_nothing_and_the_cycles_go_on(engine: Running) -> None:
    """Raises where an answer is not clear, or a cycle reads less than was accepted before it."""
    turns = Turns(engine)
    turns.flood(4.0)
    assert turns.flooded
    # How many there were is the machine's pace: a benchmark tells it.
    assert len(turns.told[0].accepted) > 50
    assert sum(turns.told[0].refused.values()) > 0


@pytest.mark.long
def test_a_server_that_is_killed_is_started_again_ever_later(engine: Running) -> None:
    for times, pause_s in enumerate((1.0, 2.0), start=1):
        started = _until(
            lambda n=times: found if len(found := _events(engine, "api_started")) >= n else None
        )
        _until(lambda: _alive(engine))
        os.kill(started[-1]["process"], signal.SIGKILL)
        ended = _until(
            lambda n=times: found if len(found := _events(engine, "api_ended")) >= n else None
        )
        assert ended[-1]["exit_code"] == -signal.SIGKILL
        assert ended[-1]["again_in_seconds"] == pause_s
    killed_s = time.time()
    _until(lambda: _alive(engine))
    assert len(_events(engine, "api_started")) == 3
    assert engine.push(900_000) == 200
    assert engine.after(time.time())[0].read == 900_000
    assert engine.after(killed_s)


@pytest.mark.long
def test_a_server_that_never_starts_holds_up_no_cycle(host: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()  # so that the port is taken, and who waits for the server sees one
        port = taken.getsockname()[1]
        with running(tmp_path, host, port=port) as other:
            _until(lambda: len(_events(other, "api_ended")) >= 2)
            first, second = _events(other, "api_ended")[:2]
            assert first["exit_code"] == 5
            assert f"cannot listen on 127.0.0.1:{port}" in first["reason"]
            assert (first["again_in_seconds"], second["again_in_seconds"]) == (1.0, 2.0)
            cycles = _until(lambda: _events(other, "cycle"))
            assert "no positions were pushed yet" in cycles[0]["reason"]
            _until(lambda: len(_events(other, "cycle")) >= len(cycles) + 2, 20)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_server_ends_with_the_engine_however_that_ends(engine: Running) -> None:
    child = _events(engine, "api_started")[-1]["process"]
    assert _is_there(child)
    engine.process.kill()
    engine.process.wait(20)
    _until(lambda: not _is_there(child), 20)
    assert not _alive(engine)
