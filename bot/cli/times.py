"""Times as they are typed after an option."""

from datetime import UTC, datetime, timedelta

from bot.errors import UsageError


def hour_ms(option: str, text: str | None, *, whole_day: bool) -> int | None:
    """A full hour, UTC milliseconds, from a time or a day: its beginning, or with ``whole_day`` its
    end. Without a zone it is UTC.

    Raises:
        UsageError: it is none; names ``option`` and what was typed.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option} {text}: must be a day like 2025-06-01 or a time like 2025-06-01T12:00:00Z"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if whole_day and len(text) == len("2025-06-01"):
        moment += timedelta(days=1)
    if moment.minute or moment.second or moment.microsecond:
        raise UsageError(f"{option} {text}: must be a full hour, like the bars")
    return round(moment.timestamp() * 1000)
