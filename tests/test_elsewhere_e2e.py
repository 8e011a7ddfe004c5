"""Two served exchanges: the bot trades on one, the hedges stand on the other; ccxt over sockets.

Slower than most, some 20 s: three exchanges run in processes of their own, so that each can die.
"""

import asyncio
import contextlib
import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import SecretStr

from bot.clock import SystemClock
from bot.cycle import Engine
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.logs import stderr_log
from bot.records.cycle import CycleRecord
from bot.surroundings import Surroundings
from bot.venues.loopback import client
from bot.wiring import open_engine
from config.load import load_settings
from config.secrets import Credentials
from tests.e2e_scene import called, start

pytestmark = pytest.mark.timeout(240)

HOURS = 44 * 24
BASIS, PREMIUM, FUNDING, FAR_FUNDING = 0.0008, 0.004, 0.0001, 0.0004
PRICES = {"BTC": 60_000.0, "ETH": 2_500.0, "FET": 1.2, "TAO": 400.0, "WLD": 2.0, "NEAR": 5.0}
FET = "FET/USDT:USDT"
CONFIG = """
mode: live
autonomy: auto
state_dir: {folder}/state
venue: {{exchange: binanceusdm, account: hedge, urls_host: "{home}"}}
sources:
  - {{kind: account, name: bot, exchange: bybit, urls_host: "{far}", max_age_seconds: 60}}
caps: {{token_usd: 1500}}
hedge: {{same_token_elsewhere: true, monitor_every: 1s}}
ownership: {{reread_seconds: 0.1}}
controls: {{mark_max_age_seconds: 30, positions_max_age_seconds: 60, balance_max_age_seconds: 60}}
data: {{backfill_days: 15, venues: [{{exchange: bybit, urls_host: "{data}"}}]}}
"""


def write_market(folder: Path, *, far: bool) -> None:
    """Six tokens that move together; the far ones with a basis, a premium and dearer funding."""
    rng = np.random.default_rng(8)
    market = rng.normal(0, 0.004, HOURS)
    hours = pd.Timestamp("2025-01-01", tz="UTC") + pd.to_timedelta(np.arange(HOURS), unit="h")
    bars, payments = [], []
    for base, price in PRICES.items():
        own = rng.normal(0, 0.0005 if base == "BTC" else 0.004, HOURS)
        close = price * np.exp(np.cumsum(market + own))
        if far:
            close = close * (1 + PREMIUM + BASIS * (np.arange(HOURS) % 2))
        close = np.round(close, 6)
        opens = np.concatenate([close[:1], close[:-1]])
        columns = {
            "timestamp": hours,
            "symbol": f"{base}/USDT:USDT",
            "open": opens,
            "high": np.maximum(opens, close),
            "low": np.minimum(opens, close),
            "close": close,
            "volume": 2e7 / close,
        }
        bars.append(pd.DataFrame(columns))
        paid = {
            "timestamp": hours[8::8],
            "venue": "binance",
            "symbol": f"{base}/USDT:USDT",
            "rate": FAR_FUNDING if far else FUNDING,
            "interval_hours": 8,
        }
        payments.append(pd.DataFrame(paid))
    folder.mkdir()
    together = pd.concat(bars).sort_values(["timestamp", "symbol"], ignore_index=True)
    together.to_parquet(folder / "hourly.parquet")
    pd.concat(payments, ignore_index=True).to_parquet(folder / "funding.parquet")


@contextmanager
def venue(folder: Path, port: str = "0") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``perphedge venue`` in a process of its own, and its address."""
    process = start("venue", "--port", port, "--data", str(folder), "--json")
    try:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())["address"]
        yield process, address.removeprefix("http://")
    finally:
        process.kill()
        process.communicate()


async def trade(host: str, account: str, symbol: str, side: str, base: float) -> None:
    exchange = client(host, key=f"sandbox-{account}-key", secret=f"sandbox-{account}-secret")
    try:
        await exchange.create_order(symbol, "market", side, base)
    finally:
        await exchange.close()


async def held(host: str, account: str) -> dict[str, float]:
    """Signed base units by symbol, as the exchange says itself."""
    exchange = client(host, key=f"sandbox-{account}-key", secret=f"sandbox-{account}-secret")
    try:
        rows = await exchange.fetch_positions()
    finally:
        await exchange.close()
    return {r["symbol"]: r["contracts"] * (1 if r["side"] == "long" else -1) for r in rows}


@asynccontextmanager
async def engine(config: Path) -> AsyncIterator[Engine]:
    clock = SystemClock()
    keys = {
        name: Credentials(SecretStr(f"sandbox-{name}-key"), SecretStr(f"sandbox-{name}-secret"))
        for name in ("bot", "hedge")
    }
    around = Surroundings(clock, credentials=keys, live_account="hedge")
    async with open_engine(load_settings(config), around, stderr_log(clock, "error")) as running:
        yield running


async def until(running: Engine, status: str, cycles: int = 6) -> CycleRecord:
    """The first cycle that ends so."""
    for _ in range(cycles):
        record = await running.cycle()
        if record.status == status:
            return record
        await asyncio.sleep(0.2)
    raise AssertionError(f"{record.status}: {record.reason}")


@pytest.mark.long
async def test_a_bot_on_one_exchange_is_hedged_on_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_market(tmp_path / "home", far=False)
    write_market(tmp_path / "far", far=True)
    with contextlib.ExitStack() as stack:
        (_, home), (far_process, far), (data_process, data) = (
            stack.enter_context(venue(tmp_path / name)) for name in ("home", "far", "far")
        )
        config = tmp_path / "live.yaml"
        config.write_text(CONFIG.format(folder=tmp_path, home=home, far=far, data=data))
        await trade(far, "bot", FET, "buy", 4_000)

        async with engine(config) as running:
            first = await until(running, "hedged")
            (row,) = first.elsewhere
            assert (row["symbol"], row["home"]) == (f"{FET}@bybit", FET)
            assert row["basis_bps"] == pytest.approx(1e4 * PREMIUM, abs=1e4 * BASIS + 5)
            assert row["basis_volatility_daily_bps"] == pytest.approx(
                1e4 * BASIS * np.sqrt(24), rel=0.1
            )
            assert row["funding_difference_daily_bps"] == pytest.approx(
                3e4 * (FAR_FUNDING - FUNDING), rel=0.01
            )
            # The token over its cap is brought back in the token itself, on the other exchange.
            assert {b.scope for b in first.breaches_before} == {FET}
            assert first.breaches_after == ()
            hedges = await held(home, "hedge")
            assert hedges[FET] < 0
            assert await held(far, "bot") == {FET: 4_000.0}
            assert first.cap_use_after["token_usd"] <= 1
            assert first.volatility_after_daily_usd is not None
            assert first.volatility_unhedged_daily_usd is not None
            assert first.volatility_after_daily_usd < 0.5 * first.volatility_unhedged_daily_usd

            for name in ("bot", "hedge"):
                prefix = "PERPHEDGE_BOT" if name == "bot" else "PERPHEDGE"
                monkeypatch.setenv(f"{prefix}_API_KEY", f"sandbox-{name}-key")
                monkeypatch.setenv(f"{prefix}_API_SECRET", f"sandbox-{name}-secret")
            shown = await asyncio.to_thread(called, "check", "-c", str(config), "--json")
            assert shown.document["elsewhere"][0]["symbol"] == f"{FET}@bybit"
            assert shown.document["symbols"][0]["mapped"] == f"{FET}@bybit"

            data_process.kill()  # prices there are gone; the bot's account still answers
            data_process.wait()
            silent = await running.cycle()
            assert silent.status == "held"
            assert silent.reason.startswith("bybit: ")
            assert silent.bot_gross_usd is None
            assert [one["failing"] for one in silent.sources] == [False]
            assert silent.orders == ()

            port = data.partition(":")[2]
            stack.enter_context(venue(tmp_path / "far", port))
            back = await until(running, "no_hedge")
            assert back.elsewhere[0]["symbol"] == f"{FET}@bybit"
            assert back.bot_gross_usd == pytest.approx(first.bot_gross_usd, rel=0.01)

            far_process.kill()
            far_process.wait()
            gone = await running.cycle()
            assert gone.status == "held"
            assert gone.reason.startswith("source bot: ")
            assert [one["failing"] for one in gone.sources] == [True]
            assert gone.orders == ()
            assert await held(home, "hedge") == hedges  # nothing was closed for want of prices
    with JournalReader.open_reader(tmp_path / "state" / JOURNAL_NAME) as journal:
        placed = {order["symbol"] for c in journal.cycles() for order in c["orders"]}
        assert placed == {FET}
