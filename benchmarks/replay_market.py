"""Recorded months of a made-up sector, and the settings of replays over it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

START = pd.Timestamp("2024-01-01", tz="UTC")
BENCHMARKS = ("BTC", "ETH")
HELD = 6
HELD_USD = 40_000.0
WALLET_USD = 60_000.0
HISTORY_DAYS = 60
_VOLUME_USD = 4e6  # of a token in an hour


def bases(tokens: int) -> list[str]:
    """Of the sector."""
    return [f"T{number:03d}" for number in range(tokens)]


def perpetual(base: str) -> str:
    """The unified symbol."""
    return f"{base}/USDT:USDT"


def write_market(folder: Path, tokens: int, days: int, seed: int = 11) -> Path:
    """Hourly bars on two factors, and funding every eight hours."""
    random = np.random.default_rng(seed)
    hours = days * 24
    market, sector = random.normal(0, 0.006, hours), random.normal(0, 0.006, hours)
    times = pd.date_range(START, periods=hours, freq="h")
    bars, paid = [], []
    for base in (*BENCHMARKS, *bases(tokens)):
        own = 0.001 if base in BENCHMARKS else 0.005
        loads = 0.0 if base in BENCHMARKS else random.uniform(0.6, 1.4)
        moved = market + loads * sector + random.normal(0, own, hours)
        close = (50_000.0 if base == "BTC" else 5.0) * np.exp(np.cumsum(moved - moved.mean()))
        opened = np.concatenate([close[:1], close[:-1]])
        bars.append(_bars(perpetual(base), times, opened, close))
        due = times[8::8]
        rates = random.normal(1e-4, 5e-5, len(due))
        paid.append(_payments(perpetual(base), due, rates))
    folder.mkdir(parents=True, exist_ok=True)
    pd.concat(bars).to_parquet(folder / "hourly.parquet")
    pd.concat(paid).to_parquet(folder / "funding.parquet")
    return folder


def _bars(symbol: str, times: Any, opened: Any, close: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "timestamp": times,
            "symbol": symbol,
            "open": opened,
            "high": np.maximum(opened, close) * 1.001,
            "low": np.minimum(opened, close) * 0.999,
            "close": close,
            "volume": _VOLUME_USD / close,
        }
    )


def _payments(symbol: str, times: Any, rates: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "timestamp": times,
            "venue": "binance",
            "symbol": symbol,
            "rate": rates,
            "interval_hours": 8.0,
        }
    )


def write_config(folder: Path, tokens: int, *, plain: bool) -> Path:
    """Caps as the demo has them; ``plain``: variance, linear cost, and a limit on gross alone."""
    sectors = folder / "sectors.yaml"
    listed = {base: f"group{k % 5}" for k, base in enumerate(bases(tokens))}
    crowd = {
        "title": "Made up",
        "subsectors": {f"group{k}": f"Group {k}" for k in range(5)},
        "tokens": listed,
    }
    sectors.write_text(yaml.safe_dump({"sectors": {"made": crowd}}), encoding="utf-8")
    none = dict.fromkeys(("net_usd", "sector_net_usd", "beta_net_usd", "cae_usd"))
    caps = none if plain else {"net_usd": 20_000, "sector_net_usd": 20_000, "beta_net_usd": 15_000}
    values = {
        "mode": "demo",
        "autonomy": "auto",
        "state_dir": str(folder / "state"),
        "venue": {
            "exchange": "binanceusdm",
            "account": "demo-hedge",
            "paper_wallet_usd": WALLET_USD,
        },
        "universe": {
            "sector": "made",
            "sectors_file": str(sectors),
            "benchmarks": [perpetual(one) for one in BENCHMARKS],
            "min_daily_volume_usd": 1_000_000,
        },
        "caps": caps | {"hedge_gross_equity_fraction": 1.0},
        "hedge": {"decide_every": "1h", "shorts_only": True},
        "data": {"backfill_days": HISTORY_DAYS},
    }
    path = folder / ("plain.yaml" if plain else "full.yaml")
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def write_book(folder: Path) -> Path:
    """Equal longs in the first tokens."""
    rows = [{"symbol": perpetual(base), "notional_usd": HELD_USD / HELD} for base in bases(HELD)]
    path = folder / "BOOK.json"
    path.write_text(pd.DataFrame(rows).to_json(orient="records"), encoding="utf-8")
    return path
