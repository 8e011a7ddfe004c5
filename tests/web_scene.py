"""The dashboard over a journal that was written by hand, and a browser's way of asking it."""

import html
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from bot.clock import SystemClock
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME
from bot.records.cycle import CycleRecord, CycleStatus, LegRecord, iso_utc
from bot.web.password import PasswordHash, hashed
from bot.web.server import guarded_app
from config.load import settings_from
from config.settings import Settings

PASSWORD = "a password for tests"
HASH: PasswordHash = replace(hashed(PASSWORD))
ORIGIN = "http://127.0.0.1:8844"
EVIL = "<script>alert(1)</script>/USDT:USDT"
EVIL_REASON = '"><img src=x onerror=alert(2)>'


def settings_of(state: Path, **web: Any) -> Settings:
    """A plain config."""
    return settings_from(
        {
            "mode": "paper",
            "state_dir": str(state),
            "venue": {"exchange": "binanceusdm", "account": "hedge"},
            "sources": [{"kind": "file", "name": "manual", "path": "positions.json"}],
            "web": web,
        },
        where="test",
        base=state,
    )


def cycle_record() -> CycleRecord:
    """A cycle with figures of many digits, and a symbol that is a script."""
    now_ms = round(time.time() * 1000)
    symbols = [EVIL, "FET/USDT:USDT", "NEAR/USDT:USDT"]
    return CycleRecord(
        cycle_id="20260101T000000-000001",
        timestamp=iso_utc(now_ms),
        timestamp_ms=now_ms,
        status=CycleStatus.NO_HEDGE,
        reason=EVIL_REASON,
        bot_gross_usd=12_345.6789,
        hedge_gross_usd=4_321.0987,
        equity_usd=60_000.5,
        volatility_unhedged_daily_usd=912.3456,
        volatility_before_daily_usd=612.3456,
        volatility_after_daily_usd=512.3456,
        cae_before_usd=9_876.5432,
        cae_after_usd=8_765.4321,
        cap_use_before={"net_usd": 1.234567},
        cap_use_after={"net_usd": 0.617283},
        limits={"net_usd": 20_000.0},
        crowding={EVIL: 1.5, "FET/USDT:USDT": None},
        correlation={
            "symbols": symbols,
            "matrix": [[1.0, 0.5, -0.25], [0.5, 1.0, 0.75], [-0.25, 0.75, 1.0]],
            "clusters": [[EVIL], ["FET/USDT:USDT", "NEAR/USDT:USDT"]],
            "held": [EVIL],
            "windows": {"30d": [50, -25, None], "7d": [10, 20, 30]},
        },
        legs=(LegRecord(EVIL, 12_345.6789, 0.0, 0.0, 0.0, -4_321.0987, 0.123456),),
    )


def written(state: Path) -> CycleRecord:
    """A journal with that cycle."""
    state.mkdir(parents=True, exist_ok=True)
    record = cycle_record()
    with Journal.open(state / JOURNAL_NAME, SystemClock()) as journal:
        journal.record_cycle(record)
        journal.record_event("defect", {"where": EVIL, "error": EVIL_REASON})
    return record


def field(page: str, name: str) -> str:
    """What a form on a page brings by itself."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None
    return found[1]


class Browser:
    """A client that sends what a browser sends, and finds the token of a form."""

    def __init__(self, settings: Settings) -> None:
        self.door = guarded_app(settings, HASH, "paper")
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.door, client=("127.0.0.1", 5)), base_url=ORIGIN
        )

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers=headers)

    async def post(
        self, path: str, form: dict[str, str], *, origin: str | None = ORIGIN, **headers: str
    ) -> httpx.Response:
        sent = headers if origin is None else {"Origin": origin, **headers}
        return await self.client.post(path, data=form, headers=sent)

    async def told(self, path: str, form: dict[str, str]) -> str:
        """What a page says after a form was sent, as text."""
        done = await self.post(path, form)
        assert (done.status_code, done.headers["location"]) == (303, path)
        found = re.search(
            r'(?s)<p class="banner \w+" role="\w+"><strong>[✓✗].*?</p>', await self.text(path)
        )
        assert found is not None
        return html.unescape(re.sub(r"<[^>]+>", "", found[0]))

    async def text(self, path: str) -> str:
        """A page."""
        return (await self.get(path)).text

    async def hidden(self, path: str, name: str) -> str:
        """A field that a form brings by itself."""
        return field(await self.text(path), name)

    async def token(self, path: str) -> str:
        """Of the forms on a page."""
        return await self.hidden(path, "form_token")

    async def log_in(self, password: str = PASSWORD, **more: str) -> httpx.Response:
        form = {"form_token": await self.token("/login"), "name": "ann", "password": password}
        return await self.post("/login", {**form, **more})
