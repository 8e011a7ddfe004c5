"""Replays against cvxportfolio's back-test on the same made-up months: decisions a second, how that
goes with tokens and time, and the memory of a year.
"""

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import DisagreementError, Effort, Line, Pairs
from benchmarks.replay_market import (
    HISTORY_DAYS,
    START,
    write_book,
    write_config,
    write_market,
)
from benchmarks.replay_peer import PeerBacktest, PeerResult

TOKENS = 18
CURVE = (18, 50, 100, 200)
YEAR_DAYS = 365
_LEAST_EFFECT, _APART = 0.5, 0.1


@dataclass(frozen=True, slots=True)
class _Ours:
    """Of one replay.

    Attributes:
        seconds: with the engine's start and its backfill, as the peer's has its own.
        hours_s: of its hours alone.
    """

    seconds: float
    hours_s: float
    decisions: int
    effectiveness: float


class _Scene:
    """One market and what is replayed over it."""

    def __init__(self, folder: Path, tokens: int, hours: int) -> None:
        self.folder = folder
        self.tokens = tokens
        self.hours = hours
        self.start = START + pd.Timedelta(days=HISTORY_DAYS)
        days = HISTORY_DAYS + hours // 24 + 2
        write_market(folder, tokens, days)
        self._book = write_book(folder)

    def ours(self, *, plain: bool) -> _Ours:
        """The engine's own cycles, journal on."""
        from bot.replay.play import play
        from bot.replay.results import bot_gains_usd, hedge_gains_usd
        from bot.replay.stage import ReplayOptions, name_of, set_up
        from config.load import load_settings

        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        begin_ms = round(self.start.timestamp() * 1000)
        options = ReplayOptions(
            self.folder,
            begin_ms,
            begin_ms + self.hours * 3_600_000,
            out,
            book=self._book,
            signals=not plain,
        )
        config = write_config(self.folder, self.tokens, plain=plain)
        stage = set_up(load_settings(config), options)
        began = time.perf_counter()
        played = play(stage, name_of(stage, options))
        seconds = time.perf_counter() - began
        alone, hedges = bot_gains_usd(stage), hedge_gains_usd(played.equity_usd)
        share = 1.0 - float(np.var(alone + hedges) / np.var(alone))
        return _Ours(seconds, played.seconds, played.decisions, share)


def run(effort: Effort) -> Iterator[Line]:
    """The plain policy and the whole problem beside the peer, then tokens, then a year."""
    hours = effort.rounds(480, 48)
    with tempfile.TemporaryDirectory() as name:
        scene = _Scene(Path(name) / "market", TOKENS, hours)
        peer = PeerBacktest(scene.folder, scene.start, scene.hours)
        for plain in (True, False):
            yield _against(scene, peer, effort, plain=plain)
    if effort.quick:
        return
    yield _curve()
    yield _year()


def _against(scene: _Scene, peer: PeerBacktest, effort: Effort, *, plain: bool) -> Line:
    ours_s, theirs_s, rates, hour_rates, their_rates = [], [], [], [], []
    for attempt in range(-effort.warm_ups, effort.rounds(3, 1)):
        mine = scene.ours(plain=plain)
        began = time.perf_counter()
        theirs = peer.run()
        seconds = time.perf_counter() - began
        _require_both_hedge(mine, theirs, scene.hours)
        if attempt >= 0:
            ours_s.append(mine.seconds / mine.decisions)
            theirs_s.append(seconds / theirs.steps)
            rates.append(mine.decisions / mine.seconds)
            hour_rates.append(mine.decisions / mine.hours_s)
            their_rates.append(theirs.steps / seconds)
    policy = "variance, cost, gross" if plain else "the whole problem"
    return Pairs(tuple(ours_s), tuple(theirs_s)).line(
        "replay",
        f"one decision, {scene.tokens} tokens, hourly, journal on: {policy}",
        "cvxportfolio's single-period back-test: variance, cost, gross",
        "same universe, hours and book, shorts only; variance taken away within 0.1",
        {
            "decisions a second": round(float(np.median(rates)), 1),
            "without the start": round(float(np.median(hour_rates)), 1),
            "of the peer": round(float(np.median(their_rates)), 1),
            "variance taken away": round(mine.effectiveness, 3),
            "by the peer": round(theirs.effectiveness, 3),
        },
    )


def _require_both_hedge(mine: _Ours, theirs: PeerResult, hours: int) -> None:
    if mine.decisions != hours or not hours - 1 <= theirs.steps <= hours:
        raise DisagreementError(f"replay: {mine.decisions} and {theirs.steps} of {hours} decisions")
    effects = mine.effectiveness, theirs.effectiveness
    if min(effects) < _LEAST_EFFECT or abs(effects[0] - effects[1]) > _APART:
        raise DisagreementError(f"replay: {mine} and {theirs} do not hedge alike")


def _curve() -> Line:
    """Milliseconds a decision by tokens, the whole problem; against that of the fewest."""
    ms: dict[int, float] = {}
    for tokens in CURVE:
        with tempfile.TemporaryDirectory() as name:
            found = _Scene(Path(name) / "market", tokens, 72).ours(plain=False)
            ms[tokens] = 1e3 * found.hours_s / found.decisions
    few, many = CURVE[0], CURVE[-1]
    return Pairs((ms[many] / 1e3,), (ms[few] / 1e3,)).line(
        "replay",
        f"one decision, {many} tokens, hourly, journal on: the whole problem",
        f"the same of {few} tokens",
        "every hour is a decision",
        {f"ms a decision, {tokens} tokens": round(one, 1) for tokens, one in ms.items()}
        | {"power of tokens": round(float(np.log(ms[many] / ms[few]) / np.log(many / few)), 2)},
    )


def _year() -> Line:
    """A year in a process of its own, against its first month."""
    found = [_child(days) for days in (30, YEAR_DAYS)]
    month, year = found
    return Pairs((year["seconds"] / YEAR_DAYS,), (month["seconds"] / 30,)).line(
        "replay",
        f"one day of a year's replay, {TOKENS} tokens: the whole problem",
        "one day of a month's",
        "every hour is a decision",
        {
            "peak memory of a year, MB": round(year["peak_mb"]),
            "of a month, MB": round(month["peak_mb"]),
            "minutes for a year": round(year["seconds"] / 60, 1),
        },
    )


def _child(days: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.replay", str(days)]
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root)  # noqa: S603 - our own interpreter and module
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _measured(days: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        found = _Scene(Path(name) / "market", TOKENS, days * 24).ours(plain=False)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": found.hours_s, "decisions": found.decisions, "peak_mb": peak_mb}


if __name__ == "__main__":
    print(json.dumps(_measured(int(sys.argv[1]))))
