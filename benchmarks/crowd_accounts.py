"""Accounts at the crowded venue and what an engine there is configured with, without the venue."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr

from config.secrets import Credentials

IN_SECTOR = 60
BOT, HEDGER, NEWCOMER = "bot", "hedge", "newcomer"
_SUBSECTORS = 4


def token(number: int) -> str:
    """Base currency of one of the crowd."""
    return f"T{number:03d}"


def symbol(number: int) -> str:
    """Its perpetual."""
    return f"{token(number)}/USDT:USDT"


def credentials(name: str) -> Credentials:
    """Keys of an account that exists only on this venue."""
    return Credentials(SecretStr(f"{name}-key"), SecretStr(f"{name}-secret"))


def settings_values(host: str, folder: Path, hedger: str = HEDGER) -> dict[str, Any]:
    """A configuration for it, with the crowd's first tokens as the sector."""
    sectors = folder / "sectors.yaml"
    groups = {f"group{n}": f"Group {n}" for n in range(_SUBSECTORS)}
    tokens = {token(n): f"group{n % _SUBSECTORS}" for n in range(IN_SECTOR)}
    crowd = {"title": "Crowd", "subsectors": groups, "tokens": tokens}
    sectors.write_text(yaml.safe_dump({"sectors": {"crowd": crowd}}), encoding="utf-8")
    source = {"kind": "account", "name": BOT, "exchange": "binanceusdm", "urls_host": host}
    return {
        "mode": "demo",
        "autonomy": "auto",
        "state_dir": str(folder / "state"),
        "venue": {"exchange": "binanceusdm", "account": hedger, "urls_host": host},
        "sources": [source],
        "universe": {"sector": "crowd", "sectors_file": str(sectors)},
        "caps": {"net_usd": 1_000_000, "beta_net_usd": 1_000_000},
        "hedge": {"monitor_every": "10s"},
    }
