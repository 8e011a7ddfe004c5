"""A journal that cannot be used for a while: somebody has to be told without it. Pure."""

from bot.alerting.subjects import Subject
from bot.records.event_kinds import Weight

LASTS_MS = 10_000
"""What is over sooner, such as a lock while a backup is taken, is nobody's business."""
KEY = "alerting_journal:"


class JournalTrouble:
    """Since when it cannot be used, and why."""

    def __init__(self) -> None:
        self._since_ms: int | None = None
        self._why = ""

    def looked(self, why: str | None, now_ms: int) -> None:
        """A turn has ended: with what, one line, it could not be used; None where it could."""
        if why is None:
            self._since_ms = None
            return
        if self._since_ms is None or now_ms < self._since_ms:
            self._since_ms = now_ms
        self._why = why

    def subjects(self, now_ms: int) -> list[Subject]:
        """What to tell of it now."""
        since_ms = self._since_ms
        if since_ms is None or now_ms - since_ms < LASTS_MS:
            return []
        text = f"proposals and what was told cannot be kept or read: {self._why}"
        return [Subject(KEY, Weight.ALARM, since_ms, text)]
