"""Entries that were allowed and that the book does not show yet, so that none is allowed twice.

Pure but for what it remembers; times are given.
"""

from dataclasses import dataclass

import numpy as np

from bot.elsewhere import parted
from risk.book import FloatArray
from strategies.entry_check import EntryBook

LONGEST = 1000
"""Grants kept at most; beyond it nothing more is granted."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One entry that was allowed.

    Attributes:
        bot, entry_id: whose, and which; asked for again it takes the place of the first.
        signed_usd: allowed, long positive.
        held_usd: what the bots held of the token by the book at that time, USD signed.
        until_ms: forgotten afterwards, filled or not.
    """

    bot: str
    entry_id: str
    symbol: str
    signed_usd: float
    held_usd: float
    until_ms: int


class Grants:
    """What was allowed and may still come."""

    def __init__(self, lasts_ms: int) -> None:
        self._lasts_ms = lasts_ms
        self._by_key: dict[tuple[str, str, str], Grant] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def pending_usd(
        self, book: EntryBook, now_ms: int, *, long: bool, but: tuple[str, str, str]
    ) -> FloatArray:
        """(N,) what is still to come of one side, USD signed, without the grant ``but``.

        Those of the other side may never come, so they make no room.

        What the bots' position has grown by since the oldest grant of a token and side was given
        counts as filled, the oldest grants first: a bot may have asked in the hedge venue's
        contract and be seen in its own exchange's, and the other way round.
        """
        self._forget(now_ms)
        grown: dict[int, float] = {}
        pending = np.zeros(len(book.symbols))
        for key, grant in self._by_key.items():  # the oldest first
            symbol = grant.symbol if grant.symbol in book.symbols else parted(grant.symbol)[0]
            if symbol not in book.symbols or (grant.signed_usd > 0) != long:
                continue
            i, sign = book.symbols.index(symbol), (1 if long else -1)
            token = i if book.token is None else int(book.token[i])
            if token not in grown:
                grown[token] = max(sign * (book.held_usd(i) - grant.held_usd), 0.0)
            filled = min(grown[token], abs(grant.signed_usd))
            grown[token] -= filled
            if key != but:
                pending[i] += grant.signed_usd - sign * filled
        return pending

    def give(self, grant: Grant) -> None:
        """Remember it in place of an earlier one with its name."""
        key = grant.bot, grant.symbol, grant.entry_id
        self._by_key.pop(key, None)
        self._by_key[key] = grant

    def take_back(self, key: tuple[str, str, str]) -> bool:
        """Forget it; False where there is none."""
        return self._by_key.pop(key, None) is not None

    def until_ms(self, now_ms: int) -> int:
        """When a grant given now ends."""
        return now_ms + self._lasts_ms

    def full(self, now_ms: int) -> bool:
        """As many as are kept."""
        self._forget(now_ms)
        return len(self._by_key) >= LONGEST

    def _forget(self, now_ms: int) -> None:
        ended = [key for key, grant in self._by_key.items() if grant.until_ms <= now_ms]
        for key in ended:
            del self._by_key[key]
