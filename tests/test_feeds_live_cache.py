"""Bars that the live feed keeps: only what is missing is asked for, and nothing wrong is kept."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from bot.feeds.live_bars import Progress
from bot.feeds.tape import DAY_MS
from risk.returns import HOUR_MS
from tests.live_feed_scene import BTC, FET, NEW, asked, stage


async def test_restart_reads_the_cache_and_asks_for_two_bars_only(tmp_path: Path) -> None:
    async with stage() as one:
        first, _ = await asked(one, one.feed(tmp_path))
        files = sorted(path.name for path in tmp_path.rglob("*.*"))
        assert files == [f"{base}-USDT-USDT.parquet" for base in ("BTC", "FET", "KAITO")]
        seen: list[Progress] = []
        panel, requests = await asked(one, one.feed(tmp_path, on_progress=seen.append))
        assert requests == 3
        assert {(p.symbol, p.total_hours) for p in seen} == {(s, 2) for s in (BTC, FET, NEW)}
        np.testing.assert_array_equal(panel.close, first.close)
        np.testing.assert_array_equal(panel.quote_volume_usd, first.quote_volume_usd)


async def test_a_new_hour_asks_for_that_hour_only(tmp_path: Path) -> None:
    async with stage() as one:
        seen: list[Progress] = []
        feed = one.feed(tmp_path, on_progress=seen.append)
        await asked(one, feed)
        _, none = await asked(one, feed)
        assert none == 0
        one.advance(HOUR_MS)
        seen.clear()
        panel, requests = await asked(one, feed)
        assert requests == 3
        assert {p.total_hours for p in seen} == {1}
        truth = one.tape.panel([BTC, FET, NEW], one.now - 60 * DAY_MS, one.now, one.now)
        np.testing.assert_array_equal(panel.close, truth.close)


async def test_a_gap_is_asked_for_again_then_left_alone_then_repaired(tmp_path: Path) -> None:
    async with stage() as one:
        gap = [one.hour(back) for back in (300, 301, 302)]
        one.tape.hidden = {(FET, hour) for hour in gap}
        feed = one.feed(tmp_path)
        panel, requests = await asked(one, feed)
        missing = panel.open_ms[np.isnan(panel.close[:, 1])].tolist()
        assert missing == sorted(gap)
        assert np.isnan(panel.quote_volume_usd[np.isnan(panel.close[:, 1]), 1]).all()
        assert requests == 5 + 1
        assert [event["hours"] for event in one.events("bars_missing")] == [3]
        _, none = await asked(one, feed)
        assert none == 0
        one.tape.hidden = set()
        one.advance(7 * HOUR_MS)
        panel, _ = await asked(one, feed)
        assert np.isfinite(panel.close[:, 1]).all()
        again, _ = await asked(one, one.feed(tmp_path))
        np.testing.assert_array_equal(again.close, panel.close)


async def test_a_bar_that_is_only_late_is_asked_for_at_the_next_call() -> None:
    async with stage() as one:
        one.tape.hidden = {(FET, one.hour(1))}
        feed = one.feed()
        panel, _ = await asked(one, feed)
        assert np.isnan(panel.close[-1, 1])
        assert one.events("bars_missing") == []
        one.tape.hidden = set()
        panel, requests = await asked(one, feed)
        assert requests == 1
        assert np.isfinite(panel.close[-1]).all()


async def test_a_bar_read_at_its_very_end_is_read_again_with_the_next() -> None:
    async with stage(minutes=0) as one:
        one.tape.early = {(FET, one.hour(1))}
        feed = one.feed()
        panel, _ = await asked(one, feed)
        truth = one.tape.panel([FET], one.hour(1), one.now, one.now).close[0, 0]
        assert panel.close[-1, 1] == pytest.approx(truth * 1.01, rel=1e-3)
        one.tape.early = set()
        one.advance(HOUR_MS)
        panel, requests = await asked(one, feed)
        assert requests == 3
        assert panel.close[-2, 1] == truth


async def test_it_is_read_again_also_where_the_next_read_was_broken_off() -> None:
    async with stage(minutes=0) as one:
        one.tape.early = {(FET, one.hour(1))}
        feed = one.feed()
        await asked(one, feed)
        one.tape.early = set()
        one.advance(HOUR_MS)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await feed.bars([FET], one.now - DAY_MS, one.now)
        panel, _ = await asked(one, feed)
        truth = one.tape.panel([FET], one.hour(2), one.hour(1), one.now).close[0, 0]
        assert panel.close[-2, 1] == truth


async def test_bars_that_cannot_be_right_are_dropped_and_told() -> None:
    async with stage() as one:
        one.tape.spoiled = {(FET, one.hour(50))}
        panel, _ = await asked(one, one.feed())
        assert panel.open_ms[np.isnan(panel.close[:, 1])].tolist() == [one.hour(50)]
        reasons = {event["reason"] for event in one.events("bar_dropped")}
        assert reasons == {"low is 0.0, must be a number above 0"}


@pytest.mark.parametrize("content", [b"", b"PAR1 no", None], ids=["empty", "garbage", "cut"])
async def test_a_broken_cache_file_is_set_aside(tmp_path: Path, content: bytes | None) -> None:
    async with stage() as one:
        first, _ = await asked(one, one.feed(tmp_path))
        path = next(tmp_path.rglob("FET-USDT-USDT.parquet"))
        path.write_bytes(path.read_bytes()[:999] if content is None else content)
        panel, _ = await asked(one, one.feed(tmp_path))
        np.testing.assert_array_equal(panel.close, first.close)
        assert [event["symbol"] for event in one.events("bar_cache_set_aside")] == [FET]
        assert path.with_name(f"{path.name}.unusable").exists()
        _, requests = await asked(one, one.feed(tmp_path))
        assert requests == 3


async def test_a_cache_of_another_market_is_set_aside(tmp_path: Path) -> None:
    async with stage(seed=7) as one:
        await asked(one, one.feed(tmp_path))
    async with stage(seed=8) as other:
        panel, _ = await asked(other, other.feed(tmp_path))
        truth = other.tape.panel([BTC, FET, NEW], other.now - 60 * DAY_MS, other.now, other.now)
        np.testing.assert_array_equal(panel.close, truth.close)
        assert len(other.events("bar_cache_set_aside")) == 3


async def test_a_cache_that_cannot_be_written_costs_no_bars(tmp_path: Path) -> None:
    (tmp_path / "bars").write_text("in the way")
    async with stage() as one:
        panel, _ = await asked(one, one.feed(tmp_path))
        assert np.isfinite(panel.close[:, :2]).all()
        assert {event["symbol"] for event in one.events("bar_cache_not_written")} == {BTC, FET, NEW}
