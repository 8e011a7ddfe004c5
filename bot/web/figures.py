"""Figures as pages show them: rounded for the eye, with the record's own digits beside. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from bot.report import words


def _data(value: object, text: str) -> Markup:
    """``<data value="…">``: what the record says, to the digit, and what is read."""
    return Markup('<data class="n" value="{}">{}</data>').format(_exact(value), text)


def _exact(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)


def usd(value: object) -> Markup:
    """``12,340.25``; the head of the column says USD."""
    found = words.number(value)
    if found is None:
        return Markup('<span class="n none">{}</span>').format(words.ABSENT)
    return _data(value, words.money(found).removesuffix(" USD"))


def signed(value: object) -> Markup:
    """With its sign: ``+1,200.00``."""
    found = words.number(value)
    if found is None or found <= 0:
        return usd(value)
    return _data(value, f"+{words.money(found).removesuffix(' USD')}")


def share(value: object, digits: int = 1) -> Markup:
    """``87.3 %`` of 0.873."""
    found = words.number(value)
    if found is None:
        return Markup('<span class="n none">{}</span>').format(words.ABSENT)
    return _data(value, words.percent(found, digits))


def decimal(value: object, digits: int = 2) -> Markup:
    """``1.25``."""
    found = words.number(value)
    if found is None:
        return Markup('<span class="n none">{}</span>').format(words.ABSENT)
    return _data(value, f"{found:,.{digits}f}".replace("-", words.MINUS))


def cap(value: object, name: str) -> Markup:
    """A figure in the unit of its cap."""
    found = words.number(value)
    if found is None:
        return Markup('<span class="n none">{}</span>').format(words.ABSENT)
    return _data(value, words.cap_value(name, found))


def clock(timestamp_ms: object) -> Markup:
    """``2026-01-31 12:00:00`` in UTC, for machines too."""
    stamp = words.number(timestamp_ms)
    if stamp is None:
        return Markup("{}").format(words.ABSENT)
    when = datetime.fromtimestamp(stamp / 1000, tz=UTC)
    iso = when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}">{}</time>').format(iso, when.strftime("%Y-%m-%d %H:%M:%S"))


def age(seconds: object) -> Markup:
    """``12 s ago``, which a script keeps true."""
    found = words.number(seconds)
    if found is None:
        return Markup('<span class="none">{}</span>').format("never")
    return Markup('<span class="age" data-age="{:.0f}">{}</span>').format(found, age_text(found))


def age_text(seconds: float) -> str:
    """``12 s ago``, ``3 min ago``, ``5 h ago``, ``2 d ago``."""
    size = max(0.0, seconds)
    for most, per, unit in ((120, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h")):
        if size < most:
            return f"{size / per:.0f} {unit} ago"
    return f"{size / 86_400:.0f} d ago"


FILTERS: Mapping[str, Any] = {
    "usd": usd,
    "signed": signed,
    "share": share,
    "decimal": decimal,
    "cap": cap,
    "clock": clock,
    "age": age,
    "base": words.base,
    "plain": words.plain,
    "cap_label": words.cap_label,
    "status_words": words.status_words,
}
