"""The live feed: the real ccxt client over HTTP against a simulated exchange with holes."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ccxt
import ccxt.async_support
import numpy as np
import pytest

from bot.clock import SimulatedClock
from bot.errors import UnreachableError, VenueError
from bot.feeds.generated import GeneratedTape
from bot.feeds.generated_universe import UNIVERSE
from bot.feeds.live import LiveFeed
from bot.feeds.live_bars import Progress
from bot.feeds.live_funding import intervals, next_payment_ms
from bot.feeds.tape import DAY_MS, Kline
from bot.logs import open_log
from bot.venues.clients import make_client
from bot.venues.http.server import serve_exchange
from bot.venues.sim.exchange import SimulatedExchange
from risk.crowding.funding import is_pinned
from risk.errors import DataError, PerphedgeError
from risk.returns import HOUR_MS

START = 20_000 * DAY_MS
BTC, FET, NEW = "BTC/USDT:USDT", "FET/USDT:USDT", "KAITO/USDT:USDT"
SPECS = [one for one in UNIVERSE if one.symbol in (BTC, FET, NEW)]


class HoleyTape(GeneratedTape):
    """A generated market that can keep bars back or spoil them."""

    hidden: set[tuple[str, int]]
    spoiled: set[tuple[str, int]]
    early: set[tuple[str, int]]

    def _as_told(self, symbol: str, bar: Kline) -> Kline:
        if (symbol, bar.open_ms) in self.spoiled:
            return replace(bar, low=0.0)
        if (symbol, bar.open_ms) in self.early:
            return replace(bar, close=bar.close * 1.01, high=bar.high * 1.01)
        return bar

    def klines(
        self, symbol: str, interval_ms: int, start_ms: int, end_ms: int, now_ms: int
    ) -> list[Kline]:
        return [
            self._as_told(symbol, bar)
            for bar in super().klines(symbol, interval_ms, start_ms, end_ms, now_ms)
            if (symbol, bar.open_ms) not in self.hidden
        ]


@dataclass
class Stage:
    """A running exchange, and feeds that read from it."""

    tape: HoleyTape
    clock: SimulatedClock
    exchange: SimulatedExchange
    host: str
    log: io.StringIO = field(default_factory=io.StringIO)
    feeds: list[LiveFeed] = field(default_factory=list)

    @property
    def requests(self) -> int:
        return self.exchange.counters.public_requests

    @property
    def now(self) -> int:
        return self.clock.now_ms()

    def feed(self, cache: Path | None = None, **more: Any) -> LiveFeed:
        log = open_log(None, self.clock, echo=self.log)
        client = make_client("binanceusdm", urls_host=self.host, now_ms=self.clock.now_ms)
        self.feeds.append(LiveFeed(client, self.clock, log, cache_dir=cache, **more))
        return self.feeds[-1]

    def advance(self, milliseconds: int) -> None:
        self.clock.advance_to(self.now + milliseconds)
        self.exchange.update_market(self.tape.quotes(self.now))

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in lines if line["event"] == name]

    def hour(self, back: int) -> int:
        """Open of the hour that many hours before the running one."""
        return self.now // HOUR_MS * HOUR_MS - back * HOUR_MS


@asynccontextmanager
async def stage(seed: int = 7, minutes: int = 17) -> AsyncIterator[Stage]:
    listed = np.array([0, 0, 40 * 24], dtype=np.int64)
    tape = HoleyTape(seed, START, SPECS, listed)
    tape.hidden, tape.spoiled, tape.early = set(), set(), set()
    clock = SimulatedClock(START + 60 * DAY_MS + minutes * 60_000)
    exchange = SimulatedExchange(tape.instruments.values(), clock, seed)
    exchange.update_market(tape.quotes(clock.now_ms()))
    async with serve_exchange(exchange, tape, clock) as server:
        one = Stage(tape, clock, exchange, server.host)
        try:
            yield one
        finally:
            for feed in one.feeds:
                await feed.close()


async def asked(one: Stage, feed: LiveFeed, days: int = 60) -> tuple[Any, int]:
    """Bars of the last days, and how many requests they took."""
    await feed.quotes([])  # markets are read
    before = one.requests
    panel = await feed.bars([BTC, FET, NEW], one.now - days * DAY_MS, one.now)
    return panel, one.requests - before


async def test_backfill_is_the_exchange_s_history_with_progress() -> None:
    async with stage() as one:
        seen: list[Progress] = []
        panel, requests = await asked(one, one.feed(on_progress=seen.append))
        truth = one.tape.panel([BTC, FET, NEW], one.now - 60 * DAY_MS, one.now, one.now)
        np.testing.assert_array_equal(panel.open_ms, truth.open_ms)
        np.testing.assert_array_equal(panel.close, truth.close)
        np.testing.assert_allclose(panel.quote_volume_usd, truth.quote_volume_usd, rtol=1e-12)
        assert requests == 2 + 2 + 1  # 1,439 hours in pages of 1,000; 480 since the listing
        assert [p.done_hours for p in seen if p.symbol == BTC] == [1000, 1439]
        assert {p.symbol for p in seen} == {BTC, FET, NEW}
        assert all(p.done_hours <= p.total_hours for p in seen)


async def test_instruments_are_those_of_the_exchange() -> None:
    async with stage() as one:
        found = await one.feed().instruments()
        assert found == {
            symbol: replace(truth, max_quantity=found[symbol].max_quantity)
            for symbol, truth in one.tape.instruments.items()
        }
        assert found[NEW].funding_interval_hours == 1.0


async def test_quotes_take_three_requests_for_all_symbols() -> None:
    async with stage() as one:
        feed = one.feed(open_interest=True)
        await asked(one, feed)
        before = one.requests
        quotes = await feed.quotes([FET, BTC, "XXX/USDT:USDT"])
        assert one.requests - before == 3 + 2
        truth = one.tape.quotes(one.now)
        for symbol in (BTC, FET):
            quote = quotes[symbol]
            for name in ("last", "bid", "ask", "funding_interval_hours", "next_funding_ms"):
                assert getattr(quote, name) == getattr(truth[symbol], name), name
            assert quote.mark == pytest.approx(truth[symbol].mark, rel=1e-7)
            assert quote.index == pytest.approx(truth[symbol].index, rel=1e-7)
            assert quote.funding_rate == pytest.approx(truth[symbol].funding_rate, abs=1e-8)
            assert quote.volatility_daily == pytest.approx(truth[symbol].volatility_daily, rel=0.1)
            assert quote.open_interest_base == pytest.approx(
                truth[symbol].open_interest_base, rel=1e-3
            )
            assert quote.timestamp_ms == one.now
        for hours, more in ((0, 0), (3, 0), (1, 2)):  # open interest every four hours
            one.advance(hours * HOUR_MS)
            before = one.requests
            await feed.quotes([FET, BTC])
            assert one.requests - before == 3 + more


async def test_funding_is_the_settled_history_with_its_intervals() -> None:
    async with stage() as one:
        feed = one.feed()
        symbols, start = [BTC, FET, NEW], one.now - 30 * DAY_MS
        got = await feed.funding(symbols, start, one.now + 1)
        for symbol in symbols:
            truth = one.tape.funding_series(symbol, start, one.now + 1)
            assert truth is not None
            np.testing.assert_array_equal(got[symbol].time_ms, truth.time_ms)
            np.testing.assert_array_equal(got[symbol].interval_hours, truth.interval_hours)
            np.testing.assert_allclose(got[symbol].rate, truth.rate, atol=1e-8)
        before = one.requests
        again = await feed.funding(symbols, start, one.now + 1)
        assert one.requests == before
        assert again.keys() == got.keys()
        one.advance(HOUR_MS)
        later = await feed.funding([NEW], start, one.now + 1)
        assert len(later[NEW].rate) == len(got[NEW].rate) + 1


async def test_funding_is_asked_for_only_when_a_payment_is_due() -> None:
    async with stage() as one:
        feed = one.feed()
        symbols, start = [BTC, FET, NEW], one.now - 30 * DAY_MS
        intervals_ms = {
            s: round(one.tape.instruments[s].funding_interval_hours * HOUR_MS) for s in symbols
        }
        await feed.funding(symbols, start, one.now + 1)
        for _ in range(24):
            one.advance(HOUR_MS)
            before = one.requests
            got = await feed.funding(symbols, start, one.now + 1)
            due = [s for s in symbols if one.now % intervals_ms[s] < HOUR_MS]
            pinned = [s for s in due if is_pinned(got[s])[-1]]
            assert one.requests - before == len(due) + len(pinned)
            for symbol in symbols:
                truth = one.tape.funding_series(symbol, start, one.now + 1)
                assert truth is not None
                np.testing.assert_array_equal(got[symbol].time_ms, truth.time_ms)


async def test_the_premium_behind_pinned_payments_is_read_and_no_other() -> None:
    async with stage() as one:
        feed = one.feed()
        symbols, start = [BTC, FET, NEW], one.now - 30 * DAY_MS
        got = await feed.funding(symbols, start, one.now + 1)
        seen = 0
        for hours in (0, 9):
            one.advance(hours * HOUR_MS)
            got = await feed.funding(symbols, start, one.now + 1)
            for symbol, series in got.items():
                truth = one.tape.funding_series(symbol, start, one.now + 1)
                assert truth is not None
                assert truth.premium is not None
                assert series.premium is not None
                pinned = is_pinned(series)
                seen += int(pinned.sum())
                assert np.isnan(series.premium[~pinned]).all()
                np.testing.assert_allclose(series.premium[pinned], truth.premium[pinned], atol=1e-9)
                # The venue's own rule: a rate is pinned because the premium is near the interest.
                assert np.all(np.abs(series.premium[pinned] - 0.0001) <= 0.0005 + 1e-8)
        assert seen > 50


async def test_an_exchange_that_tells_no_premium_costs_no_payment() -> None:
    async with stage() as one:
        feed = one.feed()
        start = one.now - 30 * DAY_MS
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(one.tape), "premium", lambda *_: None)
            got = await feed.funding([BTC], start, one.now + 1)
        assert len(got[BTC].rate) == 90
        assert got[BTC].premium is None


def test_the_next_payment_follows_the_shorter_of_told_and_kept_interval() -> None:
    hours = np.array([0, 8, 16, 24], dtype=np.int64) * HOUR_MS
    assert next_payment_ms(hours, 8.0) == 32 * HOUR_MS
    assert next_payment_ms(hours, 1.0) == 25 * HOUR_MS  # it pays more often from now on
    assert next_payment_ms(hours // 8, 8.0) == 4 * HOUR_MS  # told late, or never
    assert next_payment_ms(hours + 4 * HOUR_MS, 8.0) == 32 * HOUR_MS  # a grid of another hour
    assert next_payment_ms(hours[:1], 4.0) == 4 * HOUR_MS
    assert next_payment_ms(hours[:0], 4.0) == 0


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


async def test_several_requests_at_a_time_bring_the_same_bars() -> None:
    async with stage() as one:
        plain, _ = await asked(one, one.feed())
        wide, _ = await asked(one, one.feed(concurrency=3))
        np.testing.assert_array_equal(plain.close, wide.close)


async def test_a_symbol_that_is_not_listed_is_all_nan() -> None:
    async with stage() as one:
        panel = await one.feed().bars(["XXX/USDT:USDT", BTC], one.now - DAY_MS, one.now)
        assert np.isnan(panel.close[:, 0]).all()
        assert np.isfinite(panel.close[:, 1]).all()


async def test_an_exchange_that_is_gone_is_unreachable() -> None:
    async with stage() as one:
        feed = one.feed()
        await feed.instruments()
        host = one.host
        calls: list[Callable[[], Any]] = [
            feed.instruments,
            lambda: feed.bars([BTC], one.now - DAY_MS, one.now),
            lambda: feed.quotes([BTC]),
            lambda: feed.funding([BTC], one.now - DAY_MS, one.now),
        ]
        feed._exchange.urls["api"] = {
            key: value.replace(host, "127.0.0.1:1") if isinstance(value, str) else value
            for key, value in feed._exchange.urls["api"].items()
        }
        for call in calls:
            with pytest.raises(UnreachableError, match="binanceusdm: ") as caught:
                await call()
            assert "://" not in str(caught.value)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "reply", "expected", "says"),
    [
        (400, b'{"code": -1121, "msg": "Invalid symbol."}', VenueError, "BadSymbol: -1121 Invalid"),
        (200, b'{"symbols": [17]}', VenueError, "parseMarket"),
        (200, b"[[[]]]", DataError, "none of 0 is an active linear perp"),
        (200, b"<html>", DataError, "the answer cannot be understood"),
        (503, b"<html>", UnreachableError, "ExchangeNotAvailable"),
        (429, b'{"code": -1003, "msg": "Too many requests"}', UnreachableError, "-1003"),
    ],
)
async def test_refusals_and_nonsense_are_told_apart(
    status: int, reply: bytes, expected: type[PerphedgeError], says: str
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = (
            f"HTTP/1.1 {status} Said\r\nContent-Length: {len(reply)}\r\nConnection: close\r\n\r\n"
        )
        writer.write(head.encode() + reply)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    clock = SimulatedClock(START)
    client = make_client(
        "binanceusdm",
        urls_host=f"127.0.0.1:{server.sockets[0].getsockname()[1]}",
        now_ms=clock.now_ms,
    )
    feed = LiveFeed(client, clock, open_log(None, clock))
    try:
        with pytest.raises(expected, match=says) as caught:
            await feed.instruments()
    finally:
        await feed.close()
        server.close()
        await server.wait_closed()
    assert str(caught.value).startswith("binanceusdm: ")
    assert "://" not in str(caught.value)


async def test_an_exchange_without_what_is_needed_is_refused_at_start() -> None:
    clock, text = SimulatedClock(START), io.StringIO()
    client = ccxt.async_support.mexc()
    feed = LiveFeed(client, clock, open_log(None, clock, echo=text))
    with pytest.raises(VenueError, match=r"^mexc: cannot be used, it lacks fetchFundingRates$"):
        await feed.instruments()
    await feed.close()


def test_intervals_are_told_by_the_distance_between_payments() -> None:
    hours = np.array([0, 8, 16, 20, 24, 48, 56, 57, 58])
    np.testing.assert_array_equal(
        intervals(hours * HOUR_MS, 1.0), [8.0, 8.0, 8.0, 4.0, 4.0, 8.0, 8.0, 1.0, 1.0]
    )
    assert intervals(np.array([HOUR_MS]), 4.0).tolist() == [4.0]
    assert intervals(np.empty(0, dtype=np.int64), 4.0).tolist() == []
