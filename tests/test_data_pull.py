"""Pulled from a simulated exchange by the real client over sockets, and held against its market."""

import re
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bot.data.pull import INTEREST_BACK_MS
from bot.data.pulled import PullOptions, pulled
from bot.data.store import Stored
from bot.errors import UnreachableError, UsageError
from bot.feeds.quality import iso
from bot.feeds.recorded import recorded_tape
from bot.feeds.recorded_files import (
    read_bars,
    read_funding,
    read_instrument_rows,
    read_open_interest,
)
from bot.feeds.tape import DAY_MS
from config.load import load_settings
from risk.errors import DataError
from risk.returns import HOUR_MS
from tests.e2e_scene import (
    called,
    finish,
    one_line,
    paper_config,
    perphedge,
    served_exchange,
    start,
    until,
)
from tests.live_feed_scene import BTC, FET, NEW, START, Stage, stage

SYMBOLS = ("FET", BTC, NEW)


async def pull(one: Stage, folder: Path, told: list[str] | None = None, **more: Any) -> Stored:
    """The three symbols, of the last 50 days unless told otherwise."""
    settings = load_settings(paper_config(folder.parent / "config", one.host))
    options = PullOptions(
        folder,
        more.get("symbols", SYMBOLS),
        more.get("start_ms", one.now - 50 * DAY_MS),
        more.get("end_ms"),
    )
    tell = (lambda _: None) if told is None else told.append
    return await pulled(settings, options, tell, clock=one.clock)


async def test_what_was_pulled_is_what_the_exchange_holds(tmp_path: Path) -> None:
    async with stage() as one:
        told: list[str] = []
        done = await pull(one, tmp_path / "data", told)
        assert told == []
        start_ms = -(-(one.now - 50 * DAY_MS) // HOUR_MS) * HOUR_MS
        end_ms = one.now // HOUR_MS * HOUR_MS
        bars = read_bars(tmp_path / "data", None)
        assert sorted(bars) == sorted([BTC, FET, NEW])
        for symbol, rows in bars.items():
            truth = one.tape.klines(symbol, HOUR_MS, start_ms, end_ms, one.now)
            assert rows.time_ms.tolist() == [bar.open_ms for bar in truth]
            for name in ("open", "high", "low", "close"):
                assert getattr(rows, name).tolist() == [getattr(bar, name) for bar in truth]
            np.testing.assert_allclose(rows.volume, [bar.volume_base for bar in truth], rtol=1e-9)
        assert int(bars[NEW].time_ms[0]) == START + 40 * DAY_MS, "since it is listed"
        for paid in read_funding(tmp_path / "data"):
            assert paid.venue == "binance"
            every = one.tape.instruments[paid.symbol].funding_interval_hours
            assert set(np.diff(paid.time_ms)) == {every * HOUR_MS}
            assert set(paid.interval_hours) == {every}
            assert paid.time_ms[0] >= one.now - 50 * DAY_MS
            assert one.now - paid.time_ms[-1] < every * HOUR_MS
        interest = read_open_interest(tmp_path / "data")[FET]
        assert one.now - interest.time_ms[0] > INTEREST_BACK_MS - 2 * HOUR_MS
        at = int(interest.time_ms[100])
        assert interest.base[100] == pytest.approx(one.tape.open_interest(FET, at), rel=1e-6)
        assert done.new_bars == sum(map(len, bars.values()))
        tape = recorded_tape(tmp_path / "data")
        assert tape.quote(FET, end_ms - HOUR_MS).mark > 0
        assert (done.contracts, done.new_contracts) == (3, 3)
        for symbol, listed in one.tape.instruments.items():
            if symbol in SYMBOLS or symbol == FET:
                assert replace(tape.instruments[symbol], max_quantity=None) == replace(
                    listed, listed_at_ms=tape.instruments[symbol].listed_at_ms, max_quantity=None
                )


async def test_only_what_is_lacking_is_asked_for(tmp_path: Path) -> None:
    async with stage() as one:
        first = await pull(one, tmp_path / "data")
        contracts = tmp_path / "data" / "instruments.parquet"
        known = read_instrument_rows(tmp_path / "data")
        elsewhere = pd.read_parquet(contracts).assign(tick=0.5).replace({FET: "OLD/USDT:USDT"})
        elsewhere[elsewhere.symbol == "OLD/USDT:USDT"].to_parquet(contracts)
        before = one.requests
        again = await pull(one, tmp_path / "data")
        rows = read_instrument_rows(tmp_path / "data")
        assert rows.pop("OLD/USDT:USDT")["tick"] == 0.5, "what is there of others stays"
        assert rows == known
        assert (again.new_bars, again.new_payments, again.new_interest) == (0, 0, 0)
        assert (again.bars, again.payments) == (first.bars, first.payments)
        quiet = one.requests - before
        one.advance(5 * HOUR_MS)
        before = one.requests
        later = await pull(one, tmp_path / "data")
        assert later.new_bars == 3 * 5
        assert one.requests - before <= quiet + 2 * 3
        further = await pull(one, tmp_path / "data", start_ms=one.now - 58 * DAY_MS)
        assert further.new_bars == 2 * 8 * 24 - 2 * 5, "before what was there; one is not listed"


async def test_a_hole_is_told_by_its_hours_and_stays_one(tmp_path: Path) -> None:
    async with stage() as one:
        hours = [one.hour(back) for back in (200, 199, 90)]
        one.tape.hidden |= {(FET, hour) for hour in hours}
        told: list[str] = []
        await pull(one, tmp_path / "data", told, symbols=("FET",))
        path = tmp_path / "data" / "hourly.parquet"
        assert told == [
            f"{path}: {FET} has no bar from {iso(hours[0])} to {iso(hours[1] + HOUR_MS)} (2 h)",
            f"{path}: {FET} has no bar from {iso(hours[2])} to {iso(hours[2] + HOUR_MS)} (1 h)",
        ]
        one.tape.hidden.clear()
        told.clear()
        done = await pull(one, tmp_path / "data", told, symbols=("FET",))
        assert (done.new_bars, told) == (3, []), "what the exchange shows later is taken then"


async def test_another_market_is_not_mixed_in(tmp_path: Path) -> None:
    async with stage() as one:
        await pull(one, tmp_path / "data", symbols=("FET",))
        whole = (tmp_path / "data" / "hourly.parquet").read_bytes()
    async with stage(seed=8) as other:
        other.advance(HOUR_MS)
        with pytest.raises(DataError, match=r"data: FET/USDT:USDT: the exchange has other prices"):
            await pull(other, tmp_path / "data", symbols=("FET",))
    assert (tmp_path / "data" / "hourly.parquet").read_bytes() == whole


async def test_an_exchange_that_stops_answering_costs_only_what_it_did_not_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers for two symbols and then no more; the next pull goes on from there."""
    from ccxt.async_support import binanceusdm

    real, asked = binanceusdm.fetch_ohlcv, dict[str, int]()

    async def failing(self: Any, symbol: str, *rest: Any, **more: Any) -> Any:
        asked[symbol] = asked.get(symbol, 0) + 1
        if symbol == NEW:
            import ccxt

            raise ccxt.RequestTimeout("no answer")
        return await real(self, symbol, *rest, **more)

    async with stage() as one:
        told: list[str] = []
        with monkeypatch.context() as patched:
            patched.setattr(binanceusdm, "fetch_ohlcv", failing)
            with pytest.raises(UnreachableError, match="bars of KAITO"):
                await pull(one, tmp_path / "data", told)
        assert asked[NEW] == 5
        waits = [re.findall(r"again in (\d+) s", text) for text in told]
        assert waits == [["1"], ["2"], ["4"], ["8"]]
        assert sorted(read_bars(tmp_path / "data", None)) == [BTC, FET]
        before = one.requests
        done = await pull(one, tmp_path / "data")
        assert sorted(read_bars(tmp_path / "data", None)) == sorted([BTC, FET, NEW])
        assert done.new_bars == len(read_bars(tmp_path / "data", None)[NEW])
        assert one.requests > before


async def test_what_cannot_be_pulled_is_refused_in_one_line(tmp_path: Path) -> None:
    async with stage() as one:
        with pytest.raises(UsageError, match="--symbols XYZ: binanceusdm lists no such perpetual"):
            await pull(one, tmp_path / "data", symbols=("FET", "XYZ"))
        with pytest.raises(UsageError, match=r"--from .* must lie before"):
            await pull(one, tmp_path / "data", start_ms=one.now)
        (tmp_path / "data").write_text("a file")
        with pytest.raises((UsageError, DataError)):
            await pull(one, tmp_path / "data")


@pytest.mark.long
def test_a_pull_by_the_command_that_is_killed_goes_on(tmp_path: Path) -> None:
    """The whole command beside an exchange in wall time, of which the history is its market's."""
    with served_exchange() as exchange:
        config = paper_config(tmp_path, exchange.host)
        words = ("data", "pull", "--into", str(tmp_path / "data"), "-c", str(config))
        since = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 20 * 86_400))
        counters = exchange.exchange.counters
        before, process = counters.public_requests, start(*words, "--from", since, "--json")
        until(lambda: process.poll() is not None or counters.public_requests > before + 12)
        process.send_signal(signal.SIGKILL)
        assert finish(process).code == -signal.SIGKILL
        done = perphedge(*words, "--from", since, "--json")
        assert done.code == 0, done.err
        assert done.document["new_bars"] > 15 * 24 * 10
        assert done.document["new_payments"] > 0
        again = perphedge(*words[:2], "--out", *words[3:], "--days", "20", "--json")
        assert again.document["new_bars"] <= 30, "an hour may have passed"
        both = called(*words, "--from", since, "--days", "20")
        assert one_line(both, 2).endswith("--from and --days: name one of them")
        assert perphedge("data", "check", str(tmp_path / "data")).code == 0
