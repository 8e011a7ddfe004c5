"""Alerts by webhook: a real server on loopback, and an address that is never said."""

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from bot.alerts import Alert, alert_channels, deliver
from bot.clock import SimulatedClock
from bot.controls.guard import Guard
from bot.journal.journal import Journal
from bot.logs import open_log
from config.controls import Controls
from config.errors import ConfigError
from config.webhook import find_webhook
from tests.execute_scene import ACCOUNT, FET, NOW_MS

TOKEN = "canary-hook-0123456789abcdef"
ALERT = Alert("missing_fee:X", 28, "missing_fee", "X", "no fee of trade 1", NOW_MS)


@dataclass
class Receiver:
    """Takes posts, and answers as it is told."""

    status: int = 200
    pause_s: float = 0.0
    paths: list[str] = field(default_factory=list)
    taken: list[dict[str, object]] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.paths.append(request.path)
        await asyncio.sleep(self.pause_s)
        self.taken.append(await request.json())
        return web.Response(status=self.status, headers={"Location": "/elsewhere"})


@asynccontextmanager
async def receiving(**behaviour: Any) -> AsyncIterator[tuple[Receiver, SecretStr]]:
    """A server that is told of alerts, and its address."""
    one = Receiver(**behaviour)
    runner = web.ServerRunner(web.Server(one.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield one, SecretStr(f"http://127.0.0.1:{runner.addresses[0][1]}/{TOKEN}")
    finally:
        await runner.cleanup()


async def test_an_alert_is_posted_and_logged(tmp_path: Path) -> None:
    echo = io.StringIO()
    log = open_log(None, SimulatedClock(NOW_MS), echo=echo)
    async with receiving() as (receiver, address):
        found = await deliver(ALERT, alert_channels(log, tmp_path, address), 5.0)
    assert (found.channel, found.failures) == ("webhook", {})
    [taken] = receiver.taken
    assert taken["text"] == "perphedge, control 28 X: no fee of trade 1"
    assert (taken["control"], taken["number"], taken["symbol"]) == ("missing_fee", 28, "X")
    assert json.loads(echo.getvalue())["event"] == "alert"
    assert not (tmp_path / "alerts.jsonl").exists()


@pytest.mark.parametrize("status", [301, 307, 400, 404, 500])
async def test_what_is_not_taken_goes_to_the_file_and_no_redirect_is_followed(
    tmp_path: Path, status: int
) -> None:
    log = open_log(None, SimulatedClock(NOW_MS))
    async with receiving(status=status) as (receiver, address):
        found = await deliver(ALERT, alert_channels(log, tmp_path, address), 5.0)
    assert (found.channel, found.failures) == ("file", {"webhook": "OSError"})
    assert receiver.paths == [f"/{TOKEN}"]
    assert json.loads((tmp_path / "alerts.jsonl").read_text())["key"] == ALERT.key


async def test_a_webhook_that_takes_too_long_or_is_gone_leaves_time_for_the_file(
    tmp_path: Path,
) -> None:
    log = open_log(None, SimulatedClock(NOW_MS))
    async with receiving(pause_s=30.0) as (_, address):
        slow = await deliver(ALERT, alert_channels(log, tmp_path, address), 0.1)
    gone = await deliver(ALERT, alert_channels(log, tmp_path, address), 5.0)
    assert (slow.channel, slow.failures) == ("file", {"webhook": "TimeoutError"})
    assert (gone.channel, gone.failures) == ("file", {"webhook": "ClientConnectorError"})


@pytest.mark.parametrize("works", [True, False])
async def test_the_address_is_said_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, works: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    echo, clock = io.StringIO(), SimulatedClock(NOW_MS)
    log = open_log(tmp_path / "hedge.jsonl", clock, echo=echo, echo_level="debug")
    async with receiving(status=200 if works else 500) as (receiver, address):
        channels = alert_channels(log, tmp_path, address)
        with Journal.open(tmp_path / "journal.sqlite", clock) as journal:
            guard = Guard(journal, clock, ACCOUNT, channels=channels)
            guard.alert("missing_fee", FET, "no fee")
            await guard.tell()
            told = journal.events(kind="alert_told")[-1].document
            texts = [str(event.document) for event in journal.events()]
    assert told["channel"] == ("webhook" if works else "file")
    assert receiver.taken
    texts += [echo.getvalue(), caplog.text, repr(channels), repr(vars(channels[0]))]
    texts += [p.read_bytes().decode(errors="replace") for p in tmp_path.rglob("*") if p.is_file()]
    assert not [text for text in texts if TOKEN in text]


def test_where_the_address_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "hook"
    file.write_text(f"https://example.invalid/{TOKEN}\n")
    file.chmod(0o600)
    named = Controls(alert_webhook_file=file)
    assert find_webhook(Controls(), environment={}) is None
    found = find_webhook(named, environment={})
    assert found is not None
    assert found.get_secret_value() == f"https://example.invalid/{TOKEN}"
    other = find_webhook(named, environment={"PERPHEDGE_ALERT_WEBHOOK": "http://127.0.0.1:9/x"})
    assert other is not None
    assert other.get_secret_value() == "http://127.0.0.1:9/x"
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        find_webhook(named, environment={})


@pytest.mark.parametrize(
    "address",
    [
        f"http://example.invalid/{TOKEN}",
        f"http://127.0.0.1/{TOKEN}",
        f"http://127.0.0.1.example.invalid:80/{TOKEN}",
        f"https://user:pass@example.invalid/{TOKEN}",
        f"https:///{TOKEN}",
        f"file:///{TOKEN}",
        f"https://[{TOKEN}",
        f"https://example.invalid:port{TOKEN}/",
        TOKEN,
    ],
)
def test_an_address_that_is_not_safe_is_refused_and_not_shown(address: str) -> None:
    with pytest.raises(ConfigError, match="begins with https://") as caught:
        find_webhook(Controls(), environment={"PERPHEDGE_ALERT_WEBHOOK": address})
    assert TOKEN not in str(caught.value)
    assert caught.value.__context__ is None or TOKEN not in repr(caught.value.__cause__)
