"""Answers as plain JSON values."""

import math
from dataclasses import asdict
from typing import Any

from bot.advice.desk import EntryAnswer, EntryDesk
from bot.records.cycle import iso_utc
from bot.sources.pushed import PushedFiles
from risk.errors import DataError


def entry_out(answer: EntryAnswer) -> dict[str, Any]:
    """An answer to an entry check."""
    advice = answer.advice
    return {
        "verdict": answer.verdict.value,
        "allowed_usd": answer.allowed_usd,
        "reason": answer.reason,
        "measured": advice is not None,
        "book_timestamp": None if answer.book_ms is None else iso_utc(answer.book_ms),
        "book_age_seconds": _seconds(answer.age_ms),
        "granted_until": None
        if answer.granted_until_ms is None
        else iso_utc(answer.granted_until_ms),
        "caps": [] if advice is None else [_finite(asdict(one)) for one in advice.caps],
        "before": None if advice is None else asdict(advice.before),
        "asked": None if advice is None else asdict(advice.asked),
        "after": None if advice is None else asdict(advice.after),
        "correlated": [] if advice is None else [asdict(one) for one in advice.correlated],
        "crowding": None if advice is None else advice.crowding,
        "crowded": advice is not None and advice.crowded,
        "notes": [] if advice is None else list(advice.notes),
    }


def health_out(
    entries: EntryDesk,
    pushed: PushedFiles,
    sources: list[dict[str, Any]] | None,
    now_ms: int,
) -> dict[str, Any]:
    """How old everything is; ``sources`` None where no engine has told of them."""
    try:
        book_ms, problem = entries.book_ms(), None
    except DataError as error:
        book_ms, problem = None, str(error)
    return {
        "book_timestamp": None if book_ms is None else iso_utc(book_ms),
        "book_age_seconds": None if book_ms is None else (now_ms - book_ms) / 1000,
        "book_problem": problem,
        "pending_entries": entries.pending,
        "pushed": [_source(name, pushed.last_ms(name), now_ms) for name in pushed.sources],
        "sources": sources,
    }


def _source(name: str, last_ms: int | None, now_ms: int) -> dict[str, Any]:
    if last_ms is None:
        return {"name": name, "timestamp": None, "age_seconds": None}
    return {"name": name, "timestamp": iso_utc(last_ms), "age_seconds": (now_ms - last_ms) / 1000}


def _seconds(age_ms: int | None) -> float | None:
    return None if age_ms is None else age_ms / 1000


def _finite(document: dict[str, Any]) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in document.items()
    }
