"""A small folder of recorded data that is good, and how to write and spoil it."""

from pathlib import Path

import numpy as np
import pandas as pd

FET, TAO = "FET/USDT:USDT", "TAO/USDT:USDT"
T0 = pd.Timestamp("2025-01-01", tz="UTC")
START = T0.value // 1_000_000
Frame = pd.DataFrame


def hourly(hours: int = 96) -> Frame:
    """FET from the first hour on, TAO from hour 30 on; prices walk on ticks."""
    random = np.random.default_rng(5)
    parts = []
    for symbol, price, first, places in ((FET, 1.3, 0, 4), (TAO, 400.0, 30, 2)):
        close = np.round(price * np.exp(np.cumsum(random.normal(0, 0.01, hours))), places)
        open_ = np.concatenate([close[:1], close[:-1]])
        part = Frame(
            {
                "timestamp": T0 + pd.to_timedelta(np.arange(hours), unit="h"),
                "symbol": symbol,
                "open": open_,
                "high": np.round(np.maximum(open_, close) * 1.01, places),
                "low": np.round(np.minimum(open_, close) * 0.99, places),
                "close": close,
                "volume": random.uniform(1e4, 1e6, hours),
            }
        )
        parts.append(part.iloc[first:])
    return pd.concat(parts).sort_values(["timestamp", "symbol"], ignore_index=True)


def payments(venue: str, symbol: str, hours: list[int], interval: int, rate: float) -> Frame:
    return Frame(
        {
            "timestamp": T0 + pd.to_timedelta(hours, unit="h"),
            "venue": venue,
            "symbol": symbol,
            "rate": rate,
            "interval_hours": interval,
        }
    )


def funding() -> Frame:
    return payments("binance", FET, list(range(8, 97, 8)), 8, 0.0002)


def instruments() -> Frame:
    return Frame(
        {
            "symbol": [FET],
            "tick": [0.001],
            "lot": [10.0],
            "min_notional": [7.5],
            "maker_fee": [0.0],
            "taker_fee": [0.0004],
            "funding_interval_hours": [4],
            "listed_at": [pd.Timestamp("2024-05-01", tz="UTC")],
        }
    )


def interest() -> Frame:
    return Frame(
        {"timestamp": [T0, T0 + pd.Timedelta(hours=1)], "symbol": FET, "open_interest": [5.0, 6.0]}
    )


def write(folder: Path, **frames: Frame) -> Path:
    folder.mkdir(exist_ok=True)
    for name, frame in {"hourly": hourly(), "funding": funding(), **frames}.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    return folder


def changed(frame: Frame, column: str, value: object, row: int = 40) -> Frame:
    frame = frame.copy()
    frame[column] = frame[column].astype(object)
    frame.loc[row, column] = value
    return frame.infer_objects()


def jumped() -> Frame:
    """FET counted by the thousand from hour 50 on."""
    frame = hourly()
    rows = (frame.symbol == FET) & (frame.timestamp >= T0 + pd.Timedelta(hours=50))
    frame.loc[rows, ["open", "high", "low", "close"]] *= 1000.0
    return frame
