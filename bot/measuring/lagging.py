"""Whether the account may still be shown as it was before a fill of ours."""

from bot.journal.journal import Journal
from bot.ports import Clock

POSITION_LAG_MS = 10_000
"""So long after a fill of ours its position may still be shown as it was before."""


class PositionLag:
    """Of one account. A fill counts from when it was executed, at the latest when it was booked.

    Where both are still to come, because our clock was set back since, it counts from now.
    """

    def __init__(self, journal: Journal, clock: Clock, account: str) -> None:
        self._journal = journal
        self._clock = clock
        self._account = account
        self._set_back: dict[tuple[str, int], int] = {}  # when it was seen, by symbol and booking

    def may_last(self, symbol: str) -> bool:
        """Whether a fill of the symbol is so new: however often that is read, it agrees."""
        now_ms = self._clock.now_ms()
        self._forget(now_ms - POSITION_LAG_MS)
        times = self._journal.fill_times(self._account, symbol, now_ms - POSITION_LAG_MS)
        begins = [min(at_ms, booked_ms) for at_ms, booked_ms in times]
        latest_ms = max((self._begin(symbol, one, now_ms) for one in begins), default=None)
        return latest_ms is not None and now_ms - latest_ms <= POSITION_LAG_MS

    def is_older(self, symbol: str, at_ms: int) -> bool:
        """Whether what the exchange did then was before a fill of ours that may not show yet."""
        since_ms = self._clock.now_ms() - POSITION_LAG_MS
        times = self._journal.fill_times(self._account, symbol, since_ms)
        return any(at_ms < executed_ms for executed_ms, _ in times)

    def _forget(self, before_ms: int) -> None:
        """Fills that are old by our clock as well, which count no more either way."""
        if self._set_back:
            self._set_back = {
                key: seen_ms for key, seen_ms in self._set_back.items() if key[1] >= before_ms
            }

    def _begin(self, symbol: str, at_ms: int, now_ms: int) -> int:
        key = symbol, at_ms
        if at_ms <= now_ms:
            return self._set_back.get(key, at_ms)
        seen_ms = self._set_back.setdefault(key, now_ms)
        if seen_ms > now_ms:  # and back once more
            seen_ms = self._set_back[key] = now_ms
        return seen_ms
