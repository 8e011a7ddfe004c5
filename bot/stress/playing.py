"""Plays episodes with and without hedges, one after another, each in a folder of its own."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from bot.errors import UsageError
from bot.feeds.array_tape import ArrayTape
from bot.feeds.remarks import Tell, nobody
from bot.feeds.tape import DAY_MS
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.replay.identity import contents, data_files, named_files
from bot.replay.play import play
from bot.replay.results import document_of
from bot.replay.stage import LEAST_HISTORY_DAYS, ReplayOptions, name_of, sector_of, staged
from bot.replay.troubles import TROUBLES
from bot.stress.episodes import Episode, episodes_of
from config.settings import Settings
from risk.returns import utc

TOKENS = 6
BOOK_NAME = "BOOK.json"
TABLE_NAME = "stress.json"
OnEpisode = Callable[[Episode, float], None]


@dataclass(frozen=True, slots=True)
class StressOptions:
    """What was asked for.

    Attributes:
        data, out: folders of recorded data, and for the results.
        start_ms, end_ms: hours that may be played; None: as far as the data reach.
        count: episodes of each kind.
        book: signed notionals that are bought at an episode's first hour and kept; None: equal
            longs in the most traded tokens of the sector and the one that it happens to.
        gross_usd: of those.
    """

    data: Path
    out: Path
    start_ms: int | None = None
    end_ms: int | None = None
    count: int = 3
    book: Path | None = None
    gross_usd: float = 40_000.0


def found_episodes(settings: Settings, tape: ArrayTape, options: StressOptions) -> list[Episode]:
    """What the data hold within the hours asked for.

    Raises:
        UsageError: those are too few, or before there is history.
    """
    earliest_ms = tape.start_ms + LEAST_HISTORY_DAYS * DAY_MS
    start_ms = earliest_ms if options.start_ms is None else options.start_ms
    if start_ms < earliest_ms:
        raise UsageError(
            f"--from {utc(start_ms)}: {options.data} begins {utc(tape.start_ms)}; "
            f"{LEAST_HISTORY_DAYS} days of history come first"
        )
    last_ms = tape.end_ms
    assert last_ms is not None, "recorded data end"
    end_ms = last_ms if options.end_ms is None else min(options.end_ms, last_ms)
    return episodes_of(tape, sector_of(settings, tape), start_ms, end_ms, options.count)


def chosen(episodes: Sequence[Episode], names: Sequence[str]) -> list[Episode]:
    """Those with these names, or all without any.

    Raises:
        UsageError: nothing has such a name.
    """
    known = {one.name: one for one in episodes}
    for name in names:
        if name not in known:
            raise UsageError(
                f"--episode {name}: not in these data; one of {', '.join(known) or 'none'}"
            )
    return [known[name] for name in dict.fromkeys(names)] if names else list(episodes)


def play_episodes(
    settings: Settings,
    tape: ArrayTape,
    episodes: Sequence[Episode],
    options: StressOptions,
    on_hour: OnEpisode = lambda _episode, _share: None,
    *,
    tell: Tell = nobody,
) -> list[dict[str, Any]]:
    """The table: a row for each episode. ``stress.json`` in the folder has them too, with the rows
    of earlier calls. What is made up stands beside the same hours without it, which are played too.

    An episode that the folder holds whole already is only summed up again.

    Raises:
        PerphedgeError: as a replay.
        UsageError: the folder holds stresses of other settings, data or books.
        OSError: the folder cannot be written.
    """
    table = _Table(options.out / TABLE_NAME, _digest(settings, options))
    played = dict[str, dict[str, Any]]()
    for one in with_untroubled(episodes):
        row = _played(settings, tape, one, options, on_hour, tell=tell)
        calm = None if one.within is None else played[one.within.name]
        played[one.name] = row | _beside(row, calm)
        if one in episodes:
            table.put(played[one.name])
    return [played[one.name] for one in episodes]


def with_untroubled(episodes: Sequence[Episode]) -> list[Episode]:
    """These, each once, and before what is made up the same hours without it."""
    found: dict[str, Episode] = {}
    for one in episodes:
        if one.within is not None:
            found.setdefault(one.within.name, one.within)
        found.setdefault(one.name, one)
    return list(found.values())


def _beside(row: dict[str, Any], calm: dict[str, Any] | None) -> dict[str, Any]:
    """What came of the same hours with hedges and without the trouble; None: nothing is made up."""
    if calm is None:
        return {"untroubled_pnl_usd": None, "untroubled_drawdown_usd": None, "trouble_usd": None}
    return {
        "untroubled_pnl_usd": calm["hedged_pnl_usd"],
        "untroubled_drawdown_usd": calm["hedged_drawdown_usd"],
        "trouble_usd": row["hedged_pnl_usd"] - calm["hedged_pnl_usd"],
    }


class _Table:
    """The file of rows; each is in it as soon as it is known."""

    def __init__(self, path: Path, digest: str) -> None:
        self._path = path
        self._digest = digest
        self._rows = self._read()

    def put(self, row: dict[str, Any]) -> None:
        """In place of an earlier one of the same episode."""
        self._rows[row["episode"]] = row
        document = {"of": self._digest, "episodes": list(self._rows.values())}
        text = json.dumps(document, allow_nan=False, indent=2)
        self._path.write_text(text + "\n", encoding="utf-8")

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            if found["of"] == self._digest:
                return {row["episode"]: row for row in found["episodes"]}
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError):
            pass
        raise UsageError(
            f"--out {self._path.parent}: holds stresses of other data, settings or positions; name "
            "another folder"
        )


def _digest(settings: Settings, options: StressOptions) -> str:
    told = sha256(settings.model_dump_json(exclude={"state_dir"}).encode())
    book = b"" if options.book is None else options.book.read_bytes()
    files = contents([*data_files(options.data), *named_files(settings)])
    told.update(repr((list(files.values()), options.gross_usd, book)).encode())
    return told.hexdigest()


def _played(
    settings: Settings,
    tape: ArrayTape,
    episode: Episode,
    options: StressOptions,
    on_hour: OnEpisode,
    *,
    tell: Tell,
) -> dict[str, Any]:
    folder = options.out / episode.name
    folder.mkdir(parents=True, exist_ok=True)
    book = options.book or _equal_longs(settings, tape, episode, options, folder)
    asked = ReplayOptions(options.data, episode.start_ms, episode.end_ms, folder, book=book)
    if episode.trouble is not None:
        trouble = TROUBLES[episode.trouble]
        asked = replace(asked, trouble=trouble, struck_ms=episode.struck_ms)
    stage = staged(settings, asked, tape, lambda line: tell(f"{episode.name}: {line}"))
    hours = len(stage.hours_ms) - 1
    played = play(
        stage, name_of(stage, asked), lambda hour, _record: on_hour(episode, (hour + 1) / hours)
    )
    with JournalReader.open_reader(folder / JOURNAL_NAME) as journal:
        found = document_of(stage, played, journal, settings.venue.paper_wallet_usd)
    return _row(episode, found)


def _row(episode: Episode, found: dict[str, Any]) -> dict[str, Any]:
    alone, hedged = found["unhedged"], found["hedged"]
    return episode.document() | {
        "hours": found["hours"],
        "bot_gross_usd": found["bot_gross_usd"],
        "unhedged_pnl_usd": alone["pnl_usd"],
        "hedged_pnl_usd": hedged["pnl_usd"],
        "unhedged_drawdown_usd": alone["max_drawdown_usd"],
        "hedged_drawdown_usd": hedged["max_drawdown_usd"],
        "drawdown_avoided": _share(alone["max_drawdown_usd"], hedged["max_drawdown_usd"]),
        "fees_usd": found["fees_usd"],
        "slippage_usd": found["slippage_usd"],
        "funding_usd": found["funding_usd"],
        "breach_hours_alone": found["breach_hours"]["alone"],
        "breach_hours_left": found["breach_hours"]["left"],
        "statuses": found["statuses"],
    }


def _share(alone_usd: float, hedged_usd: float) -> float | None:
    return 1.0 - hedged_usd / alone_usd if alone_usd > 0 else None


def _equal_longs(
    settings: Settings, tape: ArrayTape, episode: Episode, options: StressOptions, folder: Path
) -> Path:
    """The most traded of the sector in the day before, and the token that it happens to."""
    symbols = sector_of(settings, tape)
    start_ms = episode.start_ms
    panel = tape.panel(symbols, start_ms - DAY_MS, start_ms, start_ms)
    traded = np.nan_to_num(panel.quote_volume_usd).sum(axis=0)
    traded[np.isnan(panel.close[-1])] = -1.0
    order = [symbols[k] for k in np.argsort(-traded, kind="stable") if traded[k] > 0]
    first = [] if episode.symbol is None or episode.symbol not in order else [episode.symbol]
    held = [*first, *(one for one in order if one not in first)][:TOKENS]
    if not held:
        raise UsageError(f"{options.data}: {utc(start_ms)}: no token of the sector is traded then")
    rows = [{"symbol": one, "notional_usd": options.gross_usd / len(held)} for one in held]
    path = folder / BOOK_NAME
    path.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return path
