"""What a start imports, and what is left for before the first cycle."""

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_HEAVY = (
    "clarabel",
    "cvxpy",
    "fastapi",
    "matplotlib",
    "pandas",
    "plotly",
    "scipy.signal",
    "scipy.sparse",
    "scipy.stats",
    "seaborn",
)
_RUN = f"""
import asyncio
import sys

import bot.cli.main
import bot.runner
import bot.wiring
import ccxt.async_support
from bot.cli.startup import load_for_cycles
from config.strategy import new_strategy
from strategies.registry import BUILT_IN

made = {{name: new_strategy(name) for name in BUILT_IN}}
print("start:", *[name for name in {_HEAVY} if name in sys.modules])

from tests.strategies_cases import free, two_tokens

asyncio.run(load_for_cycles())
before = set(sys.modules)
caps = free(net_usd=30_000.0, turnover_daily_usd=5_000.0)
assert made["minimum_risk"].decide(two_tokens(), caps).slacks_usd
print("decision:", *[name for name in {_HEAVY} if name in sys.modules.keys() - before])
"""


def test_the_general_solver_is_imported_after_the_start_and_before_a_decision_needs_it():
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", _RUN], check=False, capture_output=True, text=True, cwd=_ROOT
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "start:\ndecision:\n"
