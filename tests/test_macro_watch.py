"""Thresholds of a series: on, off, never calm without data; over a file and over HTTP."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.clock import SimulatedClock
from bot.outlook.macro import MacroWatch, macro_watches
from bot.outlook.macro_series import MAX_BYTES
from bot.outlook.tightening import Outside, Tightening, joined, tightened
from config.macro import CsvSeries, JsonSeries
from risk.limits.caps import RiskLimits
from risk.returns import HOUR_MS
from risk.signals.episodes import SignalKind

DAY_MS = 24 * HOUR_MS
NOW_MS = 1_740_960_000_000 + 10 * DAY_MS  # 2025-03-13


def csv_settings(path: Path, **more: Any) -> CsvSeries:
    data = {
        "kind": "csv",
        "name": "vix",
        "path": str(path),
        "time_column": "t",
        "value_column": "v",
        "above": 30.0,
        "factor": 0.5,
        **more,
    }
    return CsvSeries.model_validate(data)


def write(path: Path, *values: float, last_ms: int = NOW_MS) -> None:
    """One value a day up to ``last_ms``."""
    rows = [f"{last_ms - (len(values) - 1 - i) * DAY_MS},{v}" for i, v in enumerate(values)]
    path.write_text("\n".join(["t,v", *rows]) + "\n")
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + hash(values) % 10**9))


def watch_of(path: Path, **more: Any) -> MacroWatch:
    return macro_watches([csv_settings(path, **more)], SimulatedClock(NOW_MS))[0]


async def test_a_threshold_tightens_and_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "vix.csv"
    watch = watch_of(path)
    write(path, 20, 29.9)
    assert (await watch.look(NOW_MS)) == Outside()
    write(path, 20, 31)
    on = await watch.look(NOW_MS)
    assert on.factor == 0.5
    (signal,) = on.signals
    assert (signal.kind, signal.symbols, signal.value, signal.threshold, signal.since_ms) == (
        SignalKind.MACRO,
        ("vix",),
        31.0,
        30.0,
        NOW_MS,
    )
    assert on.reasons == ("vix is 31, has been above 30: the caps are at 50%.",)
    write(path, 31, 20)
    assert (await watch.look(NOW_MS)).factor == 1


async def test_hysteresis_lasts_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "vix.csv"
    write(path, 20, 31, 28, 27)
    again = await watch_of(path, above_until=25.0).look(NOW_MS)
    assert again.factor == 0.5
    assert "not yet back behind 25" in again.reasons[0]
    assert again.signals[0].since_ms == NOW_MS - 2 * DAY_MS
    assert (await watch_of(path).look(NOW_MS)).factor == 1
    write(path, 20, 31, 28, 24)
    assert (await watch_of(path, above_until=25.0).look(NOW_MS)).factor == 1


async def test_several_values_in_a_row_and_below(tmp_path: Path) -> None:
    path = tmp_path / "vix.csv"
    write(path, 20, 31)
    assert (await watch_of(path, values_in_a_row=2).look(NOW_MS)).factor == 1
    write(path, 20, 31, 32)
    assert (await watch_of(path, values_in_a_row=2).look(NOW_MS)).factor == 0.5
    write(path, 20, 9)
    low = await watch_of(path, above=None, below=10.0).look(NOW_MS)
    assert low.reasons == ("vix is 9, has been below 10: the caps are at 50%.",)
    write(path, 9, 11)
    assert (await watch_of(path, above=None, below=10.0).look(NOW_MS)).factor == 1
    held = await watch_of(path, above=None, below=10.0, below_until=12.0).look(NOW_MS)
    assert held.factor == 0.5


async def test_nothing_is_read_from_the_future(tmp_path: Path) -> None:
    path = tmp_path / "vix.csv"
    write(path, 20, 31, last_ms=NOW_MS + 1)
    assert (await watch_of(path).look(NOW_MS)).factor == 1
    assert (await watch_of(path).look(NOW_MS + 1)).factor == 0.5
    write(path, 20, 31)
    assert (await watch_of(path, known_after_hours=24.0).look(NOW_MS)).factor == 1
    write(path, 31, last_ms=NOW_MS + 1)
    missing = await watch_of(path).look(NOW_MS)
    assert missing.troubles[0].reason == "no value that was known by now"


async def test_missing_stale_and_garbled_are_never_calm(tmp_path: Path) -> None:
    path = tmp_path / "vix.csv"

    async def reason(**more: Any) -> str:
        tight = await watch_of(path, **more).look(NOW_MS)
        calm = await watch_of(path, when_missing="ignore", **more).look(NOW_MS)
        assert (tight.factor, calm.factor) == (0.5, 1.0)
        assert tight.troubles[0].tightens
        assert not calm.troubles[0].tightens
        assert tight.troubles[0].reason == calm.troubles[0].reason
        assert "vix is not known" in tight.reasons[0]
        assert "\n" not in tight.reasons[0]
        return tight.troubles[0].reason

    assert await reason() == "cannot be read (No such file or directory)"
    path.write_bytes(b"t,v\n\xff\n")
    assert await reason() == "not UTF-8"
    path.write_bytes(b"x" * (MAX_BYTES + 1))
    assert "larger than" in await reason()
    path.write_text("t,v\n2025-01-01,much\n")
    assert "line 2: the value 'much'" in await reason()
    path.write_text("t,v\n")
    assert await reason() == "no value that was known by now"
    write(path, 20, last_ms=NOW_MS - 97 * HOUR_MS)
    assert (await reason()).endswith("97.0 hours ago, at most 96 are accepted")
    write(path, 20, last_ms=NOW_MS - 96 * HOUR_MS)
    assert (await watch_of(path).look(NOW_MS)) == Outside()
    path.unlink()
    path.mkdir()
    assert "regular file" in await reason() or "directory" in await reason()


async def test_a_file_that_becomes_whole_again_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "vix.csv"
    watch = watch_of(path)
    write(path, 20)
    assert (await watch.look(NOW_MS)).factor == 1
    path.write_text("t,v\nhalf a li")
    assert (await watch.look(NOW_MS)).troubles
    write(path, 20, 21)
    assert (await watch.look(NOW_MS)) == Outside()


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(answer: Answer) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/{any:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def json_settings(url: str, **more: Any) -> JsonSeries:
    data = {
        "kind": "json",
        "name": "fear",
        "url": f"{url}/series?api_key=hush",
        "records_at": "data",
        "time_column": "t",
        "value_column": "v",
        "above": 30.0,
        "factor": 0.4,
        "max_age_hours": 2.0,
        "timeout_seconds": 0.5,
        **more,
    }
    return JsonSeries.model_validate(data)


async def test_an_address_is_asked_when_due_and_its_last_answer_counts_until_stale() -> None:
    asked: list[str] = []
    broken = False

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path_qs)
        if broken:
            return web.Response(status=503, text="no")
        return web.json_response({"data": [{"t": NOW_MS, "v": "31"}]})

    async with served(answer) as url:
        clock = SimulatedClock(NOW_MS)
        (watch,) = macro_watches([json_settings(url)], clock)
        assert (await watch.look(NOW_MS)).factor == 0.4
        clock.advance_to(NOW_MS + 14 * 60_000)
        assert (await watch.look(clock.now_ms())).factor == 0.4
        assert asked == ["/series?api_key=hush"]
        broken = True
        clock.advance_to(NOW_MS + 16 * 60_000)
        kept = await watch.look(clock.now_ms())
        assert (kept.factor, len(asked)) == (0.4, 2)
        assert kept.troubles[0].reason == "127.0.0.1 answered with HTTP status 503"
        assert not kept.troubles[0].tightens
        clock.advance_to(clock.now_ms() + 30_000)
        await watch.look(clock.now_ms())
        assert len(asked) == 2, "a failure is not repeated at once"
        clock.advance_to(NOW_MS + 3 * HOUR_MS)
        stale = await watch.look(clock.now_ms())
        assert "3.0 hours ago, at most 2 are accepted" in stale.troubles[0].reason
        assert "HTTP status 503" in stale.troubles[0].reason
        assert "hush" not in str(stale)


async def _redirect(_request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("http://127.0.0.1:9/")


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(100):
        await response.write(b" " * 100_000)
    return response


async def _no_json(_request: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>")


async def _slow(_request: web.Request) -> web.StreamResponse:
    import asyncio

    await asyncio.sleep(2)
    return web.Response(text="[]")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (_redirect, "127.0.0.1 answered with HTTP status 302"),
        (_no_json, "the answer is not JSON"),
        (_endless, "the answer is larger than 5,000,000 bytes"),
        (_slow, "127.0.0.1 did not answer in 0.2 s"),
    ],
)
async def test_bad_answers_tighten_with_one_line(answer: Answer, reason: str) -> None:
    seconds = 0.2 if answer is _slow else 10.0
    async with served(answer) as url:
        settings = json_settings(url, timeout_seconds=seconds)
        (watch,) = macro_watches([settings], SimulatedClock(NOW_MS))
        found = await watch.look(NOW_MS)
    assert (found.factor, found.troubles[0].reason) == (0.4, reason)


async def test_nobody_at_the_address_is_told_without_it() -> None:
    settings = json_settings("http://127.0.0.1:9")
    (watch,) = macro_watches([settings], SimulatedClock(NOW_MS))
    found = await watch.look(NOW_MS)
    assert found.troubles[0].reason.startswith("127.0.0.1 cannot be reached")
    assert "hush" not in str(found)


async def test_the_smallest_factor_counts_and_only_caps_on_what_is_held(tmp_path: Path) -> None:
    path = tmp_path / "vix.csv"
    write(path, 40)
    parts = [
        await watch_of(path, factor=factor, name=f"s{factor}").look(NOW_MS)
        for factor in (0.7, 0.3, 1.0)
    ]
    both = joined(parts)
    assert both.factor == 0.3
    assert [reason.split()[0] for reason in both.reasons] == ["s0.3", "s0.7"]
    assert all(isinstance(t, Tightening) for t in both.tightenings)
    limits = RiskLimits(
        token_usd=10.0,
        hedge_gross_usd=10.0,
        net_usd=20.0,
        sector_net_usd=None,
        cluster_net_usd=30.0,
        cluster_gross_usd=10.0,
        beta_net_usd=40.0,
        cae_usd=50.0,
        turnover_daily_usd=10.0,
        adv_share=0.01,
        margin_use=0.5,
    )
    assert tightened(limits, 0.5) == RiskLimits(
        token_usd=5.0,
        hedge_gross_usd=10.0,
        net_usd=10.0,
        sector_net_usd=None,
        cluster_net_usd=15.0,
        cluster_gross_usd=10.0,
        beta_net_usd=20.0,
        cae_usd=25.0,
        turnover_daily_usd=10.0,
        adv_share=0.01,
        margin_use=0.5,
    )
    assert tightened(limits, 1.0) == limits
