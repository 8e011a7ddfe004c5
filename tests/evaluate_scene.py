"""A small recorded market on two factors, as a folder and as the arrays of an evaluation."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from bot.evaluate.decisions import Decisions, decisions_of
from bot.evaluate.market import EvaluationMarket, evaluation_market
from bot.policy import sector_of
from config.load import load_settings, profile_path

BASES = ("BTC", "ETH", "SOL", "FET", "GRT", "ICP", "INJ", "NEAR", "TAO", "WLD")
START = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = 44


def symbol(base: str) -> str:
    return f"{base}/USDT:USDT"


def write_folder(folder: Path, *, days: int = DAYS, seed: int = 5, late: str | None = None) -> Path:
    """Hourly bars and 8-hourly funding; ``late`` is listed twelve days after the others."""
    random = np.random.default_rng(seed)
    hours = days * 24
    market = random.normal(0, 0.006, hours)
    sector = random.normal(0, 0.006, hours)
    times = pd.date_range(START, periods=hours, freq="h", tz="UTC")
    bars, payments = [], []
    for i, base in enumerate(BASES):
        own = 0.001 if base == "BTC" else 0.004
        returns = market * (1.0 + 0.05 * i) + sector * (i >= 3) + random.normal(0, own, hours)
        close = (50_000.0 if base == "BTC" else 5.0 + i) * np.exp(np.cumsum(returns))
        opened = np.concatenate([[close[0]], close[:-1]])
        frame = pd.DataFrame(
            {
                "timestamp": times,
                "symbol": symbol(base),
                "open": opened,
                "high": np.maximum(opened, close) * 1.001,
                "low": np.minimum(opened, close) * 0.999,
                "close": close,
                "volume": 2e6 / close,
            }
        )
        bars.append(frame.iloc[12 * 24 :] if base == late else frame)
        paid = times[8::8]
        payments.append(
            pd.DataFrame(
                {
                    "timestamp": paid,
                    "venue": "binance",
                    "symbol": symbol(base),
                    "rate": random.normal(1e-4, 1e-4, len(paid)),
                    "interval_hours": 8.0,
                }
            )
        )
    folder.mkdir(parents=True, exist_ok=True)
    pd.concat(bars).to_parquet(folder / "hourly.parquet")
    pd.concat(payments).to_parquet(folder / "funding.parquet")
    return folder


def market_of(
    folder: Path, *, complete: bool = True, symbols: tuple[str, ...] | None = None
) -> EvaluationMarket:
    settings = load_settings(profile_path("paper"))
    return evaluation_market(
        folder,
        settings,
        sector_of(settings),
        start_ms=None,
        end_ms=None,
        complete=complete,
        symbols=symbols,
    )


def decisions(folder: Path, **options: bool) -> Decisions:
    return decisions_of(market_of(folder, **options), hours=4)


def with_another_future(market: EvaluationMarket, row: int, seed: int) -> EvaluationMarket:
    """The same market up to and with ``row``, another one after it."""
    random = np.random.default_rng(seed)
    returns, close = market.log_return.copy(), market.close.copy()
    returns[row + 1 :] = random.normal(0, 0.05, returns[row + 1 :].shape)
    close[row + 1 :] = close[row] * np.exp(np.cumsum(returns[row + 1 :], axis=0))
    volume, rate = market.volume_usd.copy(), market.funding_rate.copy()
    volume[row + 1 :] *= random.uniform(0, 9, volume[row + 1 :].shape)
    rate[row + 1 :] = random.normal(0, 1e-3, rate[row + 1 :].shape)
    after_ms = int(market.time_ms[row])
    funding = {
        name: replace(
            one,
            rate=np.where(one.time_ms > after_ms, random.normal(0, 1e-3, len(one.rate)), one.rate),
        )
        for name, one in market.funding.items()
    }
    return replace(
        market,
        log_return=returns,
        close=close,
        volume_usd=volume,
        funding_rate=rate,
        funding=funding,
    )
