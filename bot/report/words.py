"""Numbers, names and times of a cycle as people read them; no markup, no colour."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

ABSENT = "–"
MINUS = "−"

STATUS_WORDS: Mapping[str, str] = {
    "hedged": "hedged",
    "proposed": "proposed",
    "no_hedge": "no hedge needed",
    "held": "held",
    "denied": "denied",
    "halted": "halted",
}


@dataclass(frozen=True, slots=True)
class CapWords:
    """How a cap is spoken of; ``unit`` is ``usd`` or ``share``."""

    label: str
    unit: str


CAPS: Mapping[str, CapWords] = {
    "token_usd": CapWords("any one token", "usd"),
    "hedge_gross_usd": CapWords("hedge gross", "usd"),
    "net_usd": CapWords("net exposure", "usd"),
    "sector_net_usd": CapWords("sector net", "usd"),
    "cluster_net_usd": CapWords("cluster net", "usd"),
    "cluster_gross_usd": CapWords("cluster hedge gross", "usd"),
    "beta_net_usd": CapWords("net in BTC terms", "usd"),
    "cae_usd": CapWords("correlation-adjusted exposure", "usd"),
    "turnover_daily_usd": CapWords("turnover in 24 h", "usd"),
    "adv_share": CapWords("share of daily volume", "share"),
    "margin_use": CapWords("margin used", "share"),
    "bot_margin_share": CapWords("bot's free margin taken", "share"),
    "stress_use": CapWords("equity taken by a stress", "share"),
}


def number(value: object) -> float | None:
    """A finite number, or None for everything that is not one (missing, NaN, infinite, text)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def exact(value: object) -> Decimal | None:
    """A finite decimal from its text, or None."""
    if not isinstance(value, str):
        return None
    try:
        parsed = Decimal(value)
    except InvalidOperation:
        return None
    return parsed if parsed.is_finite() else None


def _grouped(value: float, digits: int) -> str:
    text = f"{abs(value):,.{digits}f}"
    nothing = all(character in "0.," for character in text)
    return f"{MINUS}{text}" if value < 0 and not nothing else text


def amount(value: float | None) -> str:
    """USD without the unit: whole from 100 up, cents below, more digits for small prices."""
    if value is None:
        return ABSENT
    size = abs(value)
    if size >= 99.995 or size == 0:
        return _grouped(value, 0)
    if size >= 0.995:
        return _grouped(value, 2)
    return _grouped(value, min(8, 2 - math.floor(math.log10(size)))).rstrip("0").rstrip(".") or "0"


def usd(value: float | None) -> str:
    """``12,340 USD``; a dash where there is no figure."""
    return ABSENT if value is None else f"{amount(value)} USD"


def money(value: float | None) -> str:
    """USD to the cent, for costs: ``1,234.50 USD``."""
    return ABSENT if value is None else f"{_grouped(value, 2)} USD"


def signed(value: float | None) -> str:
    """USD without the unit and with its sign, ``+1,200``: for positions and trades."""
    if value is None:
        return ABSENT
    text = _grouped(value, 0) if abs(value) >= 9.995 else amount(value)
    return f"+{text}" if value > 0 else text


def price(value: float | None) -> str:
    """Six significant digits, at least two decimals: ``84,210.50``, ``0.6123``."""
    if value is None:
        return ABSENT
    if value == 0:
        return "0.00"
    digits = min(12, max(2, 5 - math.floor(math.log10(abs(value)))))
    whole, _, decimals = _grouped(value, digits).partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def short_amount(value: float | None) -> str:
    """At most seven characters, for narrow terminal columns: ``12,340``, ``1.23m``."""
    if value is None:
        return ABSENT
    size = abs(value)
    for unit, scale in (("bn", 1e9), ("m", 1e6)):
        if size >= scale * 0.99995:
            return f"{_grouped(value / scale, 1 if size >= scale * 100 else 2)}{unit}"
    return _grouped(value, 0) if size >= 10 or size == 0 else _grouped(value, 1)


def percent(share: float | None, digits: int = 0) -> str:
    """``87 %`` for 0.87."""
    return ABSENT if share is None else f"{_grouped(100 * share, digits)} %"


def plain(value: object) -> str:
    """Text with every control character replaced, so that no name can steer a terminal."""
    return "".join(c if c.isprintable() else "�" for c in str(value))


def base(symbol: str) -> str:
    """``FET`` of ``FET/USDT:USDT``, ``FET@bybit`` of ``FET/USDT:USDT@bybit``; any other shape
    stays whole."""
    whole = plain(symbol)
    head, found, rest = whole.partition("/USDT:USDT")
    return head + rest if found and head and rest[:1] in ("", "@") else whole


def cap_label(cap: str) -> str:
    """Name of a cap in words; an unknown one is named as it is written."""
    words = CAPS.get(cap)
    return words.label if words else plain(cap)


def cap_value(cap: str, value: float | None) -> str:
    """A figure in the unit of its cap."""
    words = CAPS.get(cap)
    if words is not None and words.unit == "share":
        return percent(value, 1)
    return usd(value)


def status_words(status: object) -> str:
    """Status in words."""
    return STATUS_WORDS.get(str(status), plain(status))


def moment(document: Mapping[str, Any]) -> datetime | None:
    """When the cycle ran, UTC; None where the document does not say."""
    stamp = number(document.get("timestamp_ms"))
    if stamp is None:
        return None
    try:
        return datetime.fromtimestamp(stamp / 1000, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return None


def clock_text(document: Mapping[str, Any], pattern: str = "%Y-%m-%d %H:%M") -> str:
    """Time of the cycle, UTC, to the minute."""
    when = moment(document)
    return ABSENT if when is None else when.strftime(pattern)


def breach_sentence(breach: Mapping[str, Any]) -> str:
    """``net exposure 21,300 USD over its cap of 20,000 USD (106 %), by the bot alone``."""
    cap = str(breach.get("cap", ""))
    scope = str(breach.get("scope") or "")
    value, limit = number(breach.get("value")), number(breach.get("limit"))
    use = value / limit if value is not None and limit else None
    where = f" of {base(scope)}" if scope else ""
    share = f" ({percent(use)})" if use is not None else ""
    text = f"{cap_label(cap)}{where} {cap_value(cap, value)} over {cap_value(cap, limit)}{share}"
    if breach.get("bot_alone"):
        text += ", by the bot alone"
    if breach.get("curable") is False:
        text += ", which no allowed hedge can lower"
    return text


def kilo(value: float | None) -> str:
    """Five characters and a sign at most, for narrow columns: ``850``, ``73.6k``, ``1.2m``."""
    if value is None:
        return ABSENT
    size = abs(value)
    for unit, scale in (("b", 1e9), ("m", 1e6), ("k", 1e3)):
        if size >= scale * 0.9995:
            return f"{_grouped(value / scale, 0 if size >= scale * 99.95 else 1)}{unit}"
    return _grouped(value, 0)
