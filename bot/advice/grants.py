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
        ahead_usd: what earlier grants of this bot, token and side had still to come then; so much
            growth is theirs, though they may be forgotten by the time it is seen.
    """

    bot: str
    entry_id: str
    symbol: str
    signed_usd: float
    until_ms: int
    held_base: Mapping[str, float] | None = None
    ahead_usd: float = 0.0

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
        pending = np.zeros(len(book.symbols))
        for key, i, left_usd in self._still_to_come(book, long=long):
            if key != but:
                pending[i] += left_usd
        return pending

    def ahead_usd(self, book: EntryBook, bot: str, index: int, *, long: bool) -> float:
        """What is still to come of one bot, token and side, USD, never negative."""
        token = book.token_of(index)
        return sum(
            abs(left_usd)
            for key, i, left_usd in self._still_to_come(book, long=long)
            if key[0] == bot and book.token_of(i) == token
        )

    def _still_to_come(self, book: EntryBook, *, long: bool) -> Iterator[tuple[Key, int, float]]:
        """Grants of one side that the book has a place for, the oldest first: USD signed."""
        grown: dict[tuple[str, int], float] = {}
        sign = 1 if long else -1
        for key, given in list(self._by_key.items()):
            i = book.index_of(given.bot, given.symbol)
            if i is None or (given.signed_usd > 0) != long:
                continue
            grant = given
            if grant.held_base is None:  # there was no book; what grows from now on is seen
                grant = replace(given, held_base=book.held_base(given.bot, i))
                self._by_key[key] = grant
            token = grant.bot, book.token_of(i)
            if token not in grown:
                grown[token] = max(sign * _grown_usd(book, i, grant) - grant.ahead_usd, 0.0)
            filled = min(grown[token], abs(grant.signed_usd))
            grown[token] -= filled
            yield key, i, grant.signed_usd - sign * filled

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
    """By how much the bot's position in the token has grown, at today's prices, USD signed.

    Where a contract that it held is gone, one that it did not hold is no growth: it may have gone
    from the one into the other, or be told by another name.
    """
    before = grant.held_base or {}
    held = book.held_by(grant.bot, index)
    moved = any(base and symbol not in held for symbol, base in before.items())
    return sum(
        (one.base - before.get(symbol, 0.0)) * one.price_usd
        for symbol, one in held.items()
        if symbol in before or not moved
    )
