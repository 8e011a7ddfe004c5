"""Planted secrets appear in no log, page, report, metric, alert, journal or message.

One live engine with everything that needs a secret: keys of two accounts, an alert service and a
web hook, signed links, a password for the pages. Then everything that perphedge can show is looked
through.
"""

import base64
import re
import urllib.parse
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

import httpx
import pytest

from bot.approval.link_key import KEY_NAME
from bot.trading.orders import Side
from bot.venues.sim.records import NewOrder, OrderType
from bot.web.password import hashed, required_hash, write_hash
from bot.web.server import guarded_app
from config.load import load_settings
from tests.alert_scene import TOKEN, Receiver, receiving
from tests.e2e_scene import (
    Finished,
    called,
    live_config,
    perphedge,
    served_exchange,
)
from tests.test_e2e_secrets import BOT, SECRETS, key_files

ORIGIN = "http://127.0.0.1:8844"
HOOK = "canary-hook-9876543210fedcba"
PASSWORD = "canary password of the pages 4711"


def forms(secret: bytes) -> set[bytes]:
    """As it might be written: plain, in base64, in hexadecimal digits, in an address."""
    return {
        secret,
        base64.b64encode(secret).rstrip(b"="),
        base64.urlsafe_b64encode(secret).rstrip(b"="),
        secret.hex().encode(),
        urllib.parse.quote(secret).encode(),
    }


def private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def planted(folder: Path, host: str, route: Receiver) -> Path:
    """The live profile with every secret in a file of its own."""
    config = live_config(folder, host, (r"^autonomy: .*$", "autonomy: approve"))
    hook = private(folder / "hook", f"http://127.0.0.1:{route.port}/{HOOK}")
    lines = []
    for line in config.read_text().splitlines():
        lines.append(line)
        indent = line[: len(line) - len(line.lstrip())]
        if line.strip().startswith("urls_host:"):
            mine = SECRETS if len(indent) == 2 else BOT
            files = key_files(folder, f"n{len(indent)}", mine)
            lines += [f"{indent}{field}: {path}" for field, path in files.items()]
        if line == "controls:":
            lines.append(f"  alert_webhook_file: {hook}")
    url = private(folder / "route", route.address)
    write_hash(folder / "web.hash", hashed(PASSWORD))
    more = f"""
log: {{level: debug}}
data: {{backfill_days: 15}}
approval: {{link_url: "https://hedge.example:8844"}}
alerts: {{routes: [{{name: phone, url_file: {url}, least: note}}]}}
web: {{password_hash_file: {folder / "web.hash"}, allowed_origins: ["https://hedge.example:8844"]}}
"""
    config.write_text("\n".join(lines) + more)
    return config


def shown(config: Path, state: Path) -> Iterator[Finished]:
    """What every command shows that looks at an engine."""
    of = ("-c", str(config))
    for arguments in (
        ("status", "--json", *of),
        ("status", *of),
        ("alerts", "--json", *of),
        ("proposals", *of),
        ("log", "--json", *of),
        ("log", *of),
        ("metrics", "--once", *of),
        ("report", *of, "--out", str(state.parent / "report.html")),
    ):
        finished = called(*arguments)
        assert finished.code == 0, (arguments, finished.err)
        yield finished


async def pages(config: Path) -> dict[str, bytes]:
    """Every page that can be reached by links, logged in."""
    settings = load_settings(config)
    door = guarded_app(settings, required_hash(settings.web), settings.mode)
    transport = httpx.ASGITransport(door, client=("127.0.0.1", 5))
    found: dict[str, bytes] = {}
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        token = re.search(r'name="form_token" value="([^"]+)"', (await client.get("/login")).text)
        assert token is not None
        form = {"form_token": token[1], "name": "ann", "password": PASSWORD}
        reply = await client.post("/login", data=form, headers={"Origin": ORIGIN})
        assert reply.status_code == 303, reply.text
        waiting = ["/"]
        while waiting and len(found) < 40:
            path = waiting.pop()
            if path in found or path.startswith("/events"):
                continue
            reply = await client.get(path)
            found[path] = reply.content
            waiting += re.findall(r'href="(/[^"#]*)"', reply.text)
    return found


@pytest.mark.timeout(240)
async def test_a_planted_secret_is_seen_nowhere(tmp_path: Path) -> None:
    with served_exchange() as served, receiving() as route:
        config = planted(tmp_path, served.host, route)
        longs = NewOrder("FET/USDT:USDT", Side.BUY, OrderType.MARKET, Decimal(25_000))
        served.do(partial(served.exchange.place, served.account("bot"), longs))
        arguments = ("run", "-c", str(config), "--live", "--account", "hedge-sub", "--cycles", "2")
        ran = perphedge(*arguments)
        state = load_settings(config).state_dir
        (state / "HALT").write_text("stop")  # an alarm, for the web hook too
        halted = perphedge(*arguments)
        outputs = [ran, halted, *shown(config, state)]
        seen = {f"command {n}": (one.out + one.err).encode() for n, one in enumerate(outputs)}
        seen |= await pages(config)
        assert ran.code == 0, ran.err
        seen["alerts"] = str(route.taken).encode()
        paths = set(route.paths)
    assert "/decide?token=" in seen["alerts"].decode(), "an alert with signed links was sent"
    assert {f"/{TOKEN}", f"/{HOOK}"} <= paths, "both addresses were used"
    assert "/" in seen
    assert len([name for name in seen if name.startswith("/")]) >= 5
    key = (state / KEY_NAME).read_bytes()
    assert key not in config.read_bytes()
    for path in [tmp_path / "report.html", *state.rglob("*")]:
        if path.is_file() and path.name != KEY_NAME:
            seen[str(path)] = path.read_bytes()
    assert len([name for name in seen if "hedge.jsonl" in name]) == 1
    secrets = [*SECRETS.values(), *BOT.values(), TOKEN, HOOK, PASSWORD]
    for secret in [key, (tmp_path / "web.hash").read_bytes().strip(), *map(str.encode, secrets)]:
        for form in forms(secret):
            told = [name for name, content in seen.items() if form in content]
            assert told == [], secret
