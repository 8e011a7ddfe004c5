"""What commands do before their work: quick imports, the config, the progress of a backfill."""

import asyncio
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import UsageError

if TYPE_CHECKING:
    from bot.feeds.live_bars import Progress
    from config.settings import Settings


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import inside it.

    Importing makes millions of objects that live as long as the process. The collector would walk
    over all of them again and again, here and in every cycle; so it waits, then leaves them alone.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


_OF_CYCLES = (
    "pandas",
    "scipy.cluster.hierarchy",
    "scipy.signal",
    "scipy.spatial.distance",
    "strategies.elastic",
)
"""What cycles import where they need it: none of it is needed to recover."""


async def load_for_cycles() -> None:
    """Import what cycles need, in a thread: the kill file and streams are minded meanwhile.

    To be awaited before the first cycle. A cycle that met one of these while the thread is at it
    would stand still until it is through, and packages that import each other may not be imported
    by two threads at once: one of them can meet a module that is half made.
    """
    await asyncio.to_thread(_load, _OF_CYCLES)


def _load(names: tuple[str, ...]) -> None:
    with quick_imports():
        for name in names:
            import_module(name)


def command_name() -> str:
    """How this command was called, so that what is printed can be typed: path or name alone."""
    called = Path(sys.argv[0])
    if called.name != "perphedge" or not called.is_absolute():
        return sys.argv[0] if called.name == "perphedge" else "perphedge"
    here = Path.cwd()
    return str(called.relative_to(here)) if called.is_relative_to(here) else "perphedge"


def engine_settings(path: Path) -> "Settings":
    """The settings of an engine that is not the demo's.

    Raises:
        ConfigError, UsageError: they cannot be used, or describe the demo.
    """
    from config.load import load_settings

    settings = load_settings(path)
    if settings.mode == "demo":
        raise UsageError(f"{path}: mode: demo is played by perphedge demo alone; use paper or live")
    return settings


def backfill_bar() -> "Callable[[Progress], None] | None":
    """One bar on stderr for the history of all symbols, on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        return None
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bars

    bars = Bars(
        TextColumn("reading history"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} hours, {task.description}"),
        console=Console(stderr=True),
        transient=True,
    )
    task = bars.add_task("", total=None)
    tally = BackfillTally()

    def show(progress: "Progress") -> None:
        tally.add(progress)
        bars.start()
        bars.update(task, completed=tally.done, total=tally.total, description=progress.symbol)
        if tally.done >= tally.total:
            bars.stop()

    return show


class BackfillTally:
    """Adds up the progress of many symbols."""

    def __init__(self) -> None:
        self._newest: dict[str, Progress] = {}

    def add(self, progress: "Progress") -> None:
        """Take in how far one symbol has come."""
        self._newest[progress.symbol] = progress

    @property
    def done(self) -> int:
        """Hours that are read."""
        return sum(one.done_hours for one in self._newest.values())

    @property
    def total(self) -> int:
        """Hours of all symbols that were begun."""
        return sum(one.total_hours for one in self._newest.values())
