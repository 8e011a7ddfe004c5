"""Keeps freqtrade from entering what is over its cap, by locks of its own, if that is asked for.

Nothing else of freqtrade is ever changed. A lock ends by itself, so that one which nobody renews
holds nothing up; it is renewed by a longer one that takes its place, and taken away when the cap
holds again. Locks that others set are left alone: ours are told by the words they begin with.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from bot.errors import UnreachableError
from bot.measuring.universe import base_of
from bot.records.cycle import iso_utc
from bot.sources.fields import flag, mapping, rows, text, whole
from bot.sources.freqtrade.client import FreqtradeClient
from bot.sources.freqtrade.source import FreqtradeSource
from bot.sources.telling import Tell
from bot.steps.entry_blocks import Block
from risk.errors import DataError

Wanted = Mapping[tuple[str, str], str]
"""Reasons by pair and side."""

CLOCKS_MS: Final = 1_000
"""freqtrade writes a lock's end in whole seconds."""


@dataclass(frozen=True, slots=True)
class Lock:
    """One of our locks as freqtrade has it."""

    lock_id: int
    pair: str
    side: str
    end_ms: int

    @property
    def key(self) -> tuple[str, str]:
        """What it locks."""
        return self.pair, self.side


class EntryLocks:
    """The locks that we keep in one bot."""

    def __init__(
        self, client: FreqtradeClient, source: FreqtradeSource, margin_ms: int, tell: Tell
    ) -> None:
        """In the bot of ``source``.

        Args:
            margin_ms: how long a lock outlasts the next decision.
            tell: journals every lock.
        """
        self._client = client
        self._source = source
        self._margin_ms = margin_ms
        self._tell = tell
        self._mark = f"perphedge {source.name}:"
        self._none_left = False
        self._failed = ""  # why it did last time

    async def keep(self, blocks: Collection[Block], next_decision_ms: int) -> bool:
        """Lock what is to be blocked until after the next decision, and unlock what is not.

        That it fails is told and holds nothing: locks are of help, and caps do not rest on them.
        It is told once until it goes well again, or fails otherwise.
        """
        wanted, until_ms = self._wanted(blocks), next_decision_ms + self._margin_ms
        if not wanted and self._none_left:
            return True
        self._none_left = False
        try:
            held = read_locks(await self._client.get("locks"), self._where, self._mark)
            for key in sorted(wanted):
                of_key = [lock for lock in held if lock.key == key]
                await self._hold(key, wanted[key], of_key, until_ms)
            for lock in held:
                if lock.key not in wanted:
                    await self._remove(lock)
                    self._say("entry_unlocked", lock.key, "the cap holds again")
        except (UnreachableError, DataError) as error:
            reason, before = str(error), self._failed
            self._failed = reason
            if reason != before:
                self._tell("entry_locks_failed", {"source": self._source.name, "reason": reason})
            return False
        self._none_left, self._failed = not wanted, ""
        return True

    @property
    def _where(self) -> str:
        return self._client.where("locks")

    def _wanted(self, blocks: Collection[Block]) -> Wanted:
        """Of what the bot may enter; what it cannot enter needs no lock."""
        by_base = {(one.base, one.side): one.reason for one in blocks}
        return {
            (pair, side): reason
            for pair in self._source.listed
            for (base, side), reason in by_base.items()
            if base_of(pair) == base
        }

    async def _hold(
        self, key: tuple[str, str], reason: str, held: Collection[Lock], until_ms: int
    ) -> None:
        """One lock that lasts long enough, and no second one."""
        lasting = [lock for lock in held if lock.end_ms >= until_ms - CLOCKS_MS]
        kept = max(lasting, key=lambda lock: lock.end_ms, default=None)
        if kept is None:
            pair, side = key
            words = f"{self._mark} {reason}"
            asked = {"pair": pair, "side": side, "until": iso_utc(until_ms), "reason": words}
            await self._client.post("locks", [asked])
            self._say("entry_locked", key, reason, until=iso_utc(until_ms), renewed=bool(held))
        for lock in held:
            if lock is not kept:
                await self._remove(lock)

    async def _remove(self, lock: Lock) -> None:
        await self._client.delete(f"locks/{lock.lock_id}")

    def _say(self, event: str, key: tuple[str, str], reason: str, **more: object) -> None:
        pair, side = key
        facts = {"source": self._source.name, "pair": pair, "side": side, "reason": reason}
        self._tell(event, {**facts, **more})


def read_locks(document: object, where: str, mark: str) -> list[Lock]:
    """``GET /locks``: those that are active and whose reason begins with ``mark``.

    Raises:
        DataError: something is missing or cannot be.
    """
    found = []
    for i, row in enumerate(rows(mapping(document, where).get("locks"), f"{where}.locks")):
        at = f"{where}.locks[{i}]"
        reason = row.get("reason")
        if not flag(row, "active", at) or not str(reason or "").startswith(mark):
            continue
        found.append(
            Lock(
                lock_id=whole(row, "id", at),
                pair=text(row, "pair", at),
                side=text(row, "side", at),
                end_ms=whole(row, "lock_end_timestamp", at),
            )
        )
    return found
