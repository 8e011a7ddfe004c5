"""A pull from the exchange of a config: which symbols, through which client."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.clock import SystemClock
from bot.data.pull import Puller, Wanted
from bot.data.store import Stored
from bot.errors import UsageError
from bot.feeds.live import LiveFeed
from bot.feeds.live_bars import Progress
from bot.feeds.recorded import funding_venue
from bot.feeds.remarks import Tell
from bot.logs import stderr_log
from bot.measuring.universe import build_universe
from bot.policy import sector_of
from bot.ports import Clock
from bot.surroundings import Surroundings, open_client
from config.settings import Settings
from risk.instrument import Instrument
from risk.returns import HOUR_MS, utc


@dataclass(frozen=True, slots=True)
class PullOptions:
    """What was asked for.

    Attributes:
        folder: of recorded data.
        symbols: as unified symbols or bases; None: the sector and its benchmarks.
        start_ms, end_ms: of hours, UTC; None: until now.
    """

    folder: Path
    symbols: tuple[str, ...] | None
    start_ms: int
    end_ms: int | None


async def pulled(
    settings: Settings,
    options: PullOptions,
    tell: Tell,
    on_progress: Callable[[Progress], None] | None = None,
    clock: Clock | None = None,
) -> Stored:
    """Fetch it from the exchange that the hedges are on; without a key.

    Args:
        clock: what the exchange's own time is held to be; the system's, if None.

    Raises:
        UsageError: a symbol is not listed, the span is empty, or the folder cannot be written to.
        UnreachableError, VenueError, DataError: as ``Puller.pull``.
    """
    around = Surroundings(clock or SystemClock(), simulated=clock is not None)
    now_ms = around.clock.now_ms()
    end_ms = min(now_ms if options.end_ms is None else options.end_ms, now_ms)
    end_ms = end_ms // HOUR_MS * HOUR_MS
    if end_ms <= options.start_ms:
        raise UsageError(f"--from {utc(options.start_ms)}: must lie before {utc(end_ms)}")
    client, log = open_client(settings, around, None), stderr_log(around.clock, "warning")
    feed = LiveFeed(client, around.clock, log)
    try:
        instruments = await feed.instruments()
        wanted = Wanted(
            _chosen(settings, instruments, options.symbols),
            options.start_ms,
            end_ms,
            options.folder,
            funding_venue(settings.venue.exchange),
        )
        return await Puller(client, around.clock, log, tell, on_progress).pull(wanted, instruments)
    finally:
        await feed.close()


def _chosen(
    settings: Settings, instruments: Mapping[str, Instrument], symbols: tuple[str, ...] | None
) -> list[str]:
    if symbols is None:
        universe = settings.universe
        found = build_universe(
            sector_of(settings).subsector_of,
            universe.benchmarks,
            instruments,
            exclude=universe.exclude,
        )
        return [*found.benchmarks, *found.sector]
    chosen = []
    for name in symbols:
        listed = [s for s in (name, f"{name}/USDT:USDT", f"{name}/USDC:USDC") if s in instruments]
        if not listed:
            raise UsageError(f"--symbols {name}: {settings.venue.exchange} lists no such perpetual")
        chosen.append(listed[0])
    return chosen
