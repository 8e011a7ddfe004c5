"""Recorded folders made by hand, and ``perphedge risk`` over them in this process."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bot.cli.main import main

BASES = ("BTC", "ETH", "FET", "NEAR", "RENDER", "TAO", "WLD")
BTC, ETH, FET, NEAR, RENDER, TAO, WLD = (f"{base}/USDT:USDT" for base in BASES)
FIRST = pd.Timestamp("2025-01-01", tz="UTC")
DAYS = 70
AT = "2025-03-12T00:00:00Z"
BOOK = {FET: 12_000, WLD: 9_000, RENDER: -4_000}


def hourly(days: int = DAYS, seed: int = 3) -> pd.DataFrame:
    """Prices on one common factor, without gaps."""
    rng = np.random.default_rng(seed)
    bars = days * 24
    factor = rng.standard_normal(bars)
    parts = []
    for k, base in enumerate(BASES):
        size = 0.004 if k < 2 else 0.009
        steps = size * (0.8 * factor + 0.6 * rng.standard_normal(bars))
        close = np.round(50 * np.exp(np.cumsum(steps)), 4)
        open_ = np.concatenate([close[:1], close[:-1]])
        parts.append(
            pd.DataFrame(
                {
                    "timestamp": FIRST + pd.to_timedelta(np.arange(bars), unit="h"),
                    "symbol": f"{base}/USDT:USDT",
                    "open": open_,
                    "high": np.maximum(open_, close) * 1.001,
                    "low": np.minimum(open_, close) * 0.999,
                    "close": close,
                    "volume": rng.uniform(1e5, 2e5, bars),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def funding(days: int = DAYS) -> pd.DataFrame:
    """Payments each 8 hours; NEAR's turn hourly after the first 30 days."""
    rng = np.random.default_rng(4)
    parts = []
    for base in BASES:
        hours = np.arange(8, days * 24 + 1, 8)
        step = np.full(len(hours), 8)
        if base == "NEAR":
            late = np.arange(30 * 24 + 1, days * 24 + 1)
            hours = np.concatenate([hours[hours <= 30 * 24], late])
            step = np.where(hours <= 30 * 24, 8, 1)
        parts.append(
            pd.DataFrame(
                {
                    "timestamp": FIRST + pd.to_timedelta(hours, unit="h"),
                    "venue": "binance",
                    "symbol": f"{base}/USDT:USDT",
                    "rate": np.round(rng.normal(0.0001, 0.0002, len(hours)), 8),
                    "interval_hours": step,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def write(folder: Path, bars: pd.DataFrame | None = None) -> Path:
    """A recorded folder."""
    folder.mkdir(exist_ok=True)
    (hourly() if bars is None else bars).to_parquet(folder / "hourly.parquet", index=False)
    funding().to_parquet(folder / "funding.parquet", index=False)
    return folder


@dataclass(frozen=True)
class Outcome:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Its JSON."""
        found: dict[str, Any] = json.loads(self.out)
        return found


Run = Callable[..., Outcome]


def runner(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """``run(data, book, *more)`` calls ``perphedge risk`` at the usual time."""

    def run(data: Path, book: dict[str, float] | None = None, *more: str) -> Outcome:
        rows = [
            {"symbol": s, "notional_usd": usd}
            for s, usd in (BOOK if book is None else book).items()
        ]
        file = folder / "book.json"
        file.write_text(json.dumps(rows), encoding="utf-8")
        arguments: Sequence[str] = ("risk", "--data", str(data), "--book", str(file), *more)
        if "--at" not in more:
            arguments = (*arguments, "--at", AT)
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        said = capsys.readouterr()
        return Outcome(int(str(left.value.code or 0)), said.out, said.err)

    return run
