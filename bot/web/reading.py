"""What pages show, out of the journal; nothing is reckoned that the journal does not say."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bot.alerts import alert_id
from bot.approval import ended, pending
from bot.controls.shown import halts_of
from bot.controls.state import recall_all
from bot.controls.table import TABLE
from bot.errors import UsageError
from bot.explain.gather import told_of
from bot.explain.story import headline, story_of
from bot.halt import HaltSwitch
from bot.journal.log_reads import FOREVER_MS, LogQuery
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.lock import lock_holder
from bot.records.choosing import kinds_asked, signal_weights_asked, statuses_asked
from bot.records.event_kinds import EVENTS
from bot.records.reading import records_asked
from bot.report import history
from bot.report.words import number
from bot.requests import ACKNOWLEDGE_NAME, RESUME_NAME, Asked, waiting, waiting_acknowledgements
from bot.sources.health_file import as_of, read_health

Document = Mapping[str, Any]
LOG_SHOWN = 100
_ENDS_SHOWN = 20
_FAR = 300
"""How many cycles back figures are looked for."""


@contextmanager
def opened(state_dir: Path) -> Iterator[JournalReader]:
    """The journal, to be read.

    Raises:
        UsageError: there is none yet.
        JournalError: it cannot be read.
    """
    path = state_dir / JOURNAL_NAME
    if not path.exists():
        raise UsageError("no engine has run in this state directory yet")
    with JournalReader.open_reader(path) as journal:
        yield journal


def shell(state_dir: Path) -> dict[str, Any]:
    """What stands on every page: whether an engine runs, and what is halted."""
    return {
        "running": lock_holder(state_dir),
        "halted": HaltSwitch(state_dir).reason,
    }


def now_page(journal: JournalReader, state_dir: Path, now_ms: int) -> dict[str, Any]:
    """Exposure, caps, positions, sources."""
    newest = journal.newest_cycle()
    known = _newest_with(journal, lambda one: history.with_figures([one]) is not None)
    return {
        "newest": newest,
        "newest_age_s": None if newest is None else _age_s(newest, now_ms),
        "known": known,
        "known_age_s": None if known is None else _age_s(known, now_ms),
        "standing": None if known is None else history.standing(known),
        "caps": [] if known is None else _caps(known),
        "legs": [] if known is None else _legs(known),
        "own": _own(journal),
        "sources": _sources(state_dir, newest, now_ms),
        "signals": _signals(known),
        "unresolved": [one.client_id for one in journal.unresolved_orders()],
        "cycles": journal.cycle_count(),
    }


def _age_s(document: Document, now_ms: int) -> float:
    return max(0.0, (now_ms - int(document["timestamp_ms"])) / 1000)


def _newest_with(
    journal: JournalReader, wanted: Callable[[Document], bool]
) -> dict[str, Any] | None:
    return next((one for one in journal.cycles_back(_FAR) if wanted(one)), None)


def _caps(known: Document) -> list[dict[str, Any]]:
    """Every cap that is set: its limit, and how much of it was used before and after the trades."""
    before, after = known.get("cap_use_before") or {}, known.get("cap_use_after") or {}
    limits = known.get("limits") or {}
    rows = []
    for name in sorted({*before, *after}):
        use = number(after.get(name, before.get(name)))
        rows.append(
            {
                "name": name,
                "limit": limits.get(name.partition(":")[0]),
                "before": before.get(name),
                "after": after.get(name),
                "use": use,
                "state": "unknown" if use is None else _cap_state(use),
            }
        )
    return sorted(rows, key=lambda row: -(row["use"] or 0.0))


def _cap_state(use: float) -> str:
    if use > 1 + 1e-9:
        return "over"
    return "near" if use >= 0.8 else "inside"


def _legs(known: Document) -> list[Document]:
    held = [leg for leg in known.get("legs") or () if leg["bot_usd"] or leg["hedge_after_usd"]]
    return sorted(held, key=lambda leg: -abs(leg["bot_usd"] + leg["hedge_after_usd"]))


def _own(journal: JournalReader) -> list[tuple[str, str, str]]:
    """Account, symbol and exact base units of every hedge that the journal has booked."""
    return [
        (account, symbol if side == "BOTH" else f"{symbol} {side}", str(quantity))
        for account in journal.accounts()
        for (symbol, side), quantity in sorted(journal.own_positions(account).items())
        if quantity
    ]


def _sources(state_dir: Path, newest: Document | None, now_ms: int) -> list[dict[str, Any]]:
    found = read_health(state_dir, now_ms)
    if found is None:
        found = [as_of(dict(one), now_ms) for one in (newest or {}).get("sources") or ()]
    return found


def _signals(known: Document | None) -> list[Document]:
    ranks = {"alarm": 0, "warning": 1, "note": 2}
    found = list((known or {}).get("signals") or ())
    return sorted(found, key=lambda one: ranks.get(one["severity"], 3))


def crowding_page(journal: JournalReader, now_ms: int) -> dict[str, Any]:
    """Crowding scores, and funding as of the last cycle that recorded it."""
    known = _newest_with(journal, lambda one: bool(one.get("crowding")))
    funded = _newest_with(journal, lambda one: bool(one.get("funding_annual")))
    scores = dict((known or {}).get("crowding") or {})
    rates = dict((funded or {}).get("funding_annual") or {})
    legs = {leg["symbol"]: leg for leg in (known or {}).get("legs") or ()}
    rows = [
        {
            "symbol": symbol,
            "score": scores.get(symbol),
            "rate": rates.get(symbol),
            "bot_usd": (legs.get(symbol) or {}).get("bot_usd") or None,
            "hedge_usd": (legs.get(symbol) or {}).get("hedge_after_usd") or None,
        }
        for symbol in {*scores, *rates}
    ]
    rows.sort(key=lambda row: (row["score"] is None, -(row["score"] or 0.0), row["symbol"]))
    return {
        "rows": rows,
        "known": known,
        "funded": funded,
        "known_age_s": None if known is None else _age_s(known, now_ms),
    }


def proposals_page(journal: JournalReader, state_dir: Path, now_ms: int) -> dict[str, Any]:
    """What waits, what became of earlier ones, and the last proposal of any cycle."""
    known = _newest_with(journal, lambda one: one.get("proposal") is not None)
    return {
        "waiting": [one.document() for one in pending(journal, state_dir, now_ms)],
        "ended": list(reversed(ended(journal, _ENDS_SHOWN))),
        "known": known,
        "now_ms": now_ms,
    }


def log_page(
    journal: JournalReader, *, event: str, symbol: str, severity: str, until_ms: int | None
) -> dict[str, Any]:
    """The newest records that meet the choice, newest first.

    Raises:
        UsageError: there is no such event or weight.
    """
    names = [event] if event else []
    query = LogQuery(
        until_ms=FOREVER_MS if until_ms is None else until_ms,
        kinds=kinds_asked(names, severity or None),
        statuses=() if symbol else statuses_asked(names, severity or None),
        signal_weights=signal_weights_asked(severity or None),
        symbol=symbol or None,
        limit=LOG_SHOWN,
    )
    records = list(reversed(records_asked(journal, query)[-LOG_SHOWN:]))
    return {
        "records": [_line(one) for one in records],
        "event": event,
        "symbol": symbol,
        "severity": severity,
        "kinds": ["cycle", *EVENTS],
        "older_ms": records[-1]["timestamp_ms"] if len(records) == LOG_SHOWN else None,
        "until_ms": until_ms,
    }


def _line(record: Document) -> dict[str, Any]:
    """A record as one line: what it is about, and its own words."""
    event = str(record.get("event", "cycle"))
    words = record.get("sentence") or record.get("reason") or record.get("text") or ""
    left = ("event", "timestamp", "timestamp_ms", "cycle_id", "client_id", "symbol", "reason")
    if not words and event != "cycle":
        plain = {
            name: value
            for name, value in record.items()
            if name not in left and isinstance(value, str | int | float) and value != ""
        }
        words = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in plain.items())[:300]
    kind = EVENTS.get(event)
    return {
        "timestamp_ms": record["timestamp_ms"],
        "event": event,
        "status": record.get("status") if event == "cycle" else None,
        "weight": record.get("severity") or (kind.weight.value if kind else "note"),
        "symbol": record.get("symbol") or "",
        "cycle_id": record.get("cycle_id"),
        "words": str(words),
    }


def explain_page(journal: JournalReader, cycle_id: str) -> dict[str, Any]:
    """One cycle in sentences.

    Raises:
        UsageError: there is none of this id.
    """
    told = told_of(journal, cycle_id)
    if told is None:
        raise UsageError(f"cycle {cycle_id}: there is none")
    return {
        "cycle": told.cycle,
        "headline": headline(told.cycle),
        "sections": story_of(told),
    }


def controls_page(journal: JournalReader, state_dir: Path) -> dict[str, Any]:
    """What is halted and by which control, open alerts, and requests that wait for the engine."""
    known = recall_all(journal)
    return {
        "everything": [
            (account, one.everything) for account, one in known.items() if one.everything
        ],
        "symbols": [
            (account, symbol, halt)
            for account, one in known.items()
            for symbol, halt in one.symbols.items()
        ],
        "alerts": [alert.document() for one in known.values() for alert in one.alerts.values()],
        "alert_ids": [alert_id(alert) for one in known.values() for alert in one.alerts.values()],
        "halt_ids": sorted(halts_of(journal, state_dir)),
        "controls": TABLE,
        "resume_waits": waiting(state_dir, RESUME_NAME),
        "ack_waits": _acknowledged_by(state_dir),
        "unread": "",
    }


def _acknowledged_by(state_dir: Path) -> Asked | None:
    """Who has acknowledged alerts, where the engine has not taken it up yet."""
    single = (one for one in waiting_acknowledgements(state_dir).values() if one is not None)
    return waiting(state_dir, ACKNOWLEDGE_NAME) or next(single, None)


def no_controls(why: str) -> dict[str, Any]:
    """The page of controls without a journal: the switch alone."""
    return {
        "everything": [],
        "symbols": [],
        "alerts": [],
        "alert_ids": [],
        "halt_ids": [],
        "controls": TABLE,
        "resume_waits": None,
        "ack_waits": None,
        "unread": why,
    }
