"""One run of a sweep: a replay of one choice in one window, wherever it is played."""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bot.replay.holdings import RandomBot
from bot.replay.identity import VERSION, changed, contents
from bot.sweep.choices import Choice, applied
from bot.sweep.windows import Window
from config.errors import ConfigError
from risk.errors import DataError, EstimationError, OptimizationError, PerphedgeError

_ITS_OWN = (ConfigError, DataError, EstimationError, OptimizationError)
"""Errors that follow from choice, window and data, wherever the run is played."""

Row = dict[str, Any]
"""What is known of a run, with dots in its names: ``hedged.pnl_usd``."""

NO_FIGURES = frozenset({"key", "error", "lost", "window", "part", "start_ms", "end_ms", "bot_seed"})
"""What names a row, beside the settings that were tried."""


@dataclass(frozen=True, slots=True)
class Bot:
    """What the bot does, as ``perphedge replay`` is told it."""

    book: Path | None
    positions: Path | None
    random: RandomBot = field(default_factory=RandomBot)
    capital_usd: float | None = None

    @property
    def seed(self) -> int | None:
        """Of its random bets; None where it makes none."""
        return self.random.seed if self.book is None and self.positions is None else None


@dataclass(frozen=True, slots=True)
class Run:
    """Everything a worker must know.

    Attributes:
        config: the configuration's keys, before the choice.
        base: folder from which its relative paths count.
        data: folder of recorded data, the same for every worker.
        rests_on: contents of the files that it reads, and the program's version, as ``contents``
            tells them: old results are not taken for new ones, nor those of a worker that has
            others.
    """

    choice: Choice
    window: Window
    config: Mapping[str, Any]
    base: Path
    data: Path
    bot: Bot
    rests_on: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Names the run: the same key, the same result."""
        told = {
            "choice": dict(self.choice),
            "window": [self.window.start_ms, self.window.end_ms],
            "config": self.config,
            "data": str(self.data),
            "bot": {name: str(value) for name, value in asdict(self.bot).items()},
            "rests_on": dict(self.rests_on),
        }
        text = json.dumps(told, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:24]


def played(run: Run) -> Row:
    """The row of a run; ``error`` in it where it could not be played, which is a result as well.

    It is none, and the run is lost, where the reason lies with this machine: a full disk, another
    version of the program, other files.
    """
    try:
        here = contents(Path(name) for name in run.rests_on if name != VERSION)
        if run.rests_on and (other := changed(run.rests_on, here)):
            return failed(run, f"this worker has other contents: {', '.join(other)}", lost=True)
        return {**failed(run, None), **_flat(_document(run))}
    except PerphedgeError as error:
        return failed(run, " ".join(str(error).split()), lost=not isinstance(error, _ITS_OWN))


def failed(run: Run, why: str | None, *, lost: bool = False) -> Row:
    """The row of a run without figures; ``lost``: nothing is known of it yet."""
    row: Row = {
        "key": run.key,
        **window_of(run.window),
        "bot_seed": run.bot.seed,
        **dict(run.choice),
    }
    return {**row, "error": why, "lost": lost}


def settings_of(run: Run) -> Any:
    """The run's settings.

    Raises:
        ConfigError: the choice does not fit.
    """
    from config.load import settings_from

    return settings_from(applied(run.config, run.choice), where="sweep", base=run.base)


def _document(run: Run) -> Mapping[str, Any]:
    from bot.journal.reader import JOURNAL_NAME, JournalReader
    from bot.replay.play import play
    from bot.replay.results import document_of
    from bot.replay.stage import ReplayOptions, name_of, set_up

    settings = settings_of(run)
    with tempfile.TemporaryDirectory(prefix="perphedge-sweep-") as folder:
        options = ReplayOptions(
            data=run.data,
            start_ms=run.window.start_ms,
            end_ms=run.window.end_ms,
            out=Path(folder),
            book=run.bot.book,
            positions=run.bot.positions,
            random=run.bot.random,
            signals=False,  # they decide nothing, and nobody reads them here
        )
        stage = set_up(settings, options)
        done = play(stage, name_of(stage, options))
        capital_usd = run.bot.capital_usd or settings.venue.paper_wallet_usd
        with JournalReader.open_reader(Path(folder) / JOURNAL_NAME) as journal:
            return document_of(stage, done, journal, capital_usd)


def window_of(window: Window) -> Row:
    """What a row says of its window."""
    return {
        "window": window.number,
        "part": window.part.value,
        "start_ms": window.start_ms,
        "end_ms": window.end_ms,
    }


def _flat(document: Mapping[str, Any], before: str = "") -> Row:
    """Numbers alone, sections by dots; of breaches those of any cap, not of each."""
    row: Row = {}
    for name, value in document.items():
        if name == "breaches":
            continue
        if isinstance(value, Mapping):
            row |= _flat(value, f"{before}{name}.")
        elif value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            row[before + name] = value
    return row
