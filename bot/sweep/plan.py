"""A sweep as it was asked for, with every setting looked at before anything is played."""

from dataclasses import dataclass, replace
from pathlib import Path

from bot.errors import UsageError
from bot.feeds.recorded_files import BARS_FILE
from bot.replay.identity import contents, data_files, named_files
from bot.sweep.choices import Choice, axis_of, drawn, grid
from bot.sweep.runs import Bot, Run, settings_of
from bot.sweep.search import Objective, Sweep
from bot.sweep.windows import Part, Window, walk_forward
from config.load import profile_base
from config.yaml_file import read_yaml
from risk.errors import MissingDataError


@dataclass(frozen=True, slots=True)
class SweepOptions:
    """As typed; times UTC milliseconds, the end not among them."""

    data: Path
    settings: tuple[str, ...]
    random: int | None
    seed: int
    start_ms: int
    end_ms: int
    train_days: int | None
    test_days: int | None
    bot: Bot
    courses: int = 1


def planned(config: Path, options: SweepOptions, objective: Objective) -> Sweep:
    """The sweep.

    Raises:
        UsageError, ConfigError: an option, or a setting that is tried, cannot be used; one line.
        DataError: a file cannot be read.
        MissingDataError: there is no such data.
    """
    walk = _walk(options)
    if options.courses > 1 and options.bot.seed is None:
        raise UsageError(
            f"--courses {options.courses}: --book and --positions know one course; leave it out"
        )
    axes = [axis_of(text) for text in options.settings]
    paths = [axis.path for axis in axes]
    if twice := [path for path in paths if paths.count(path) > 1]:
        raise UsageError(f"--set {twice[0]}: is there twice")
    choices = grid(axes) if options.random is None else drawn(axes, options.random, options.seed)
    window = walk[0][0] if walk else Window(0, Part.WHOLE, options.start_ms, options.end_ms)
    if not (options.data / BARS_FILE).is_file():
        raise MissingDataError(f"{options.data}: no {BARS_FILE}")
    first = Run(
        choice=choices[0],
        window=window,
        config=read_yaml(config),
        base=profile_base(config).absolute(),
        data=options.data.absolute(),
        bot=_absolute(options.bot),
    )
    first = replace(first, rests_on=_rests_on(first, choices))
    return Sweep(first, choices, walk, objective, options.courses)


def _walk(options: SweepOptions) -> list[tuple[Window, Window]]:
    if options.train_days is None and options.test_days is None:
        if options.end_ms <= options.start_ms:
            raise UsageError("--from, --to: the end must lie after the start")
        return []
    if options.train_days is None or options.test_days is None:
        raise UsageError("--train and --test: name both or none")
    return walk_forward(options.start_ms, options.end_ms, options.train_days, options.test_days)


def _rests_on(first: Run, choices: list[Choice]) -> dict[str, str]:
    """Contents of every file that any run reads; a mistake in a choice shows here, not after an
    hour of replays."""
    files = [*data_files(first.data), first.bot.book, first.bot.positions]
    for choice in choices:
        files += named_files(settings_of(replace(first, choice=choice)))
    return contents(sorted({path for path in files if path is not None}))


def _absolute(bot: Bot) -> Bot:
    """Workers stand in folders of their own."""
    return replace(
        bot,
        book=None if bot.book is None else bot.book.absolute(),
        positions=None if bot.positions is None else bot.positions.absolute(),
    )
