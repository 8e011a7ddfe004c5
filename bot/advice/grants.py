"""Entries that were allowed and that the book does not show yet, so that none is allowed twice.

Times are given; what is remembered is kept on disk where a file for it is given.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from risk.book import FloatArray
from strategies.entry_check import EntryBook

LONGEST = 1000
"""Grants kept at most; beyond it nothing more is granted."""

Key = tuple[str, str, str]
"""Bot, symbol and name of an entry."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One entry that was allowed.

    Attributes:
        bot, entry_id: whose, and which; asked for again it takes the place of the first.
        signed_usd: allowed, long positive.
        until_ms: forgotten afterwards, filled or not.
        held_base: what this bot held of the token by the book at that time, signed base units by
            symbol; None where there was no book.
    """

    bot: str
    entry_id: str
    symbol: str
    signed_usd: float
    until_ms: int
    held_base: Mapping[str, float] | None = None

    @property
    def key(self) -> Key:
        """By which it is asked for again."""
        return self.bot, self.symbol, self.entry_id


class GrantsKept(Protocol):
    """Where grants outlive the process, and others' are seen."""

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Nobody else reads or writes meanwhile."""
        ...

    def changed(self, now_ms: int) -> list[Grant] | None:
        """What stands there; None where it is what was read or written last."""
        ...

    def write(self, grants: list[Grant]) -> None:
        """Put these in place of what is there."""
        ...


class Grants:
    """What was allowed and may still come."""

    def __init__(self, lasts_ms: int, kept: GrantsKept | None = None) -> None:
        self._lasts_ms = lasts_ms
        self._kept = kept
        self._by_key: dict[Key, Grant] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    @contextlib.contextmanager
    def together(self, now_ms: int) -> Iterator[None]:
        """What is given and taken back inside is on disk at the end, or was never given.

        Raises:
            OSError: it cannot be read or written.
            DataError: what stands there is damaged.
        """
        if self._kept is None:
            self._forget(now_ms)
            yield
            return
        with self._kept.locked():
            found = self._kept.changed(now_ms)
            if found is not None:
                self._by_key = {grant.key: grant for grant in found}
            before = dict(self._by_key)
            try:
                self._forget(now_ms)
                yield
                if self._by_key != before:
                    self._kept.write(list(self._by_key.values()))
            except BaseException:
                self._by_key = before
                raise

    def pending_usd(self, book: EntryBook, *, long: bool, but: Key) -> FloatArray:
        """(N,) what is still to come of one side, USD signed, without the grant ``but``.

        Those of the other side may never come, so they make no room.

        What a bot's own position has grown by, in base units, since its oldest grant of a token
        and side was given counts as filled, the oldest grants first: a bot may have asked in the
        hedge venue's contract and be seen in its own exchange's, and the other way round.
        """
        grown: dict[tuple[str, int], float] = {}
        pending = np.zeros(len(book.symbols))
        for key, given in list(self._by_key.items()):  # the oldest first
            i = book.index_of(given.bot, given.symbol)
            if i is None or (given.signed_usd > 0) != long:
                continue
            grant = given
            if grant.held_base is None:  # there was no book; what grows from now on is seen
                grant = replace(given, held_base=book.held_base(given.bot, i))
                self._by_key[key] = grant
            sign = 1 if long else -1
            token = grant.bot, book.token_of(i)
            if token not in grown:
                grown[token] = max(sign * _grown_usd(book, i, grant), 0.0)
            filled = min(grown[token], abs(grant.signed_usd))
            grown[token] -= filled
            if key != but:
                pending[i] += grant.signed_usd - sign * filled
        return pending

    def give(self, grant: Grant) -> None:
        """Remember it in place of an earlier one with its name."""
        self._by_key.pop(grant.key, None)
        self._by_key[grant.key] = grant

    def take_back(self, key: Key) -> bool:
        """Forget it; False where there is none."""
        return self._by_key.pop(key, None) is not None

    def until_ms(self, now_ms: int) -> int:
        """When a grant given now ends."""
        return now_ms + self._lasts_ms

    def full_for(self, key: Key) -> bool:
        """As many as are kept, and none of them is this one."""
        return len(self._by_key) >= LONGEST and key not in self._by_key

    def _forget(self, now_ms: int) -> None:
        """What has ended; where our clock was set back, nothing outlasts a new grant."""
        longest_ms = self.until_ms(now_ms)
        self._by_key = {
            key: grant if grant.until_ms <= longest_ms else replace(grant, until_ms=longest_ms)
            for key, grant in self._by_key.items()
            if grant.until_ms > now_ms
        }


def _grown_usd(book: EntryBook, index: int, grant: Grant) -> float:
    """By how much the bot's position in the token has grown, at today's prices, USD signed."""
    before = grant.held_base or {}
    return sum(
        (held.base - before.get(symbol, 0.0)) * held.price_usd
        for symbol, held in book.held_by(grant.bot, index).items()
    )
