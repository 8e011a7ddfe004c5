"""Trades that freqtrade tells no more: closed, or only forgotten.

A trade that was closed is still told by ``GET /trade/ID``, as no longer open. One that somebody
deleted is told nowhere, and neither is any trade of a database that the bot has left for a new one,
where the same number belongs to another trade. What such a trade held is still in the account.

The account is told by a balance that may be an hour old, so one without the position proves
something only where an earlier one had it, or where it is younger than the loss.
"""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Final

from bot.sources.fields import flag, mapping
from bot.sources.freqtrade.client import FreqtradeClient
from bot.sources.freqtrade.trades import Trade, TradeKey, held_of, read_key
from bot.sources.freqtrade.wallet import WALLET_MAX_AGE_MS, read_account_positions
from risk.errors import DataError

YOUNGER_AFTER_MS: Final = WALLET_MAX_AGE_MS + 60_000
"""A balance asked for so long after a loss was noticed was surely read after it."""
_NOTHING: Final = Decimal(0)
_NEARLY: Final = Decimal("0.99")
"""Of a position, for a balance to have shown it: both numbers are rounded."""


class Vanished:
    """Refuses trades of a live bot that were forgotten and not closed."""

    def __init__(self, client: FreqtradeClient) -> None:
        self._client = client
        self._shown: set[TradeKey] = set()
        self._unproven_ms: dict[TradeKey, int] = {}

    def note(self, trades: Collection[Trade], held: Mapping[str, Decimal]) -> None:
        """A balance told that the account holds ``held`` while ``trades`` were open."""
        total = held_of(trades)
        covered = {
            symbol
            for symbol, size in total.items()
            if (held.get(symbol, _NOTHING) - _NEARLY * size) * size >= 0
        }
        self._shown &= {one.key for one in trades}
        self._shown |= {one.key for one in trades if one.pair in covered}

    async def refuse(self, before: Collection[Trade], now: Collection[Trade], now_ms: int) -> None:
        """Look whether what is told no more has been closed.

        A trade is forgotten where the account still holds, in its direction, more than the trades
        that are told; how much more does not matter, for a part may have been closed by hand.

        Args:
            before, now: open trades of the last whole read, and of this one.
            now_ms: when this read began.

        Raises:
            DataError: there is such a trade, or no balance is young enough to tell; or an answer
                is not what it must be.
            UnreachableError: it cannot be asked.
        """
        told = {one.key for one in now}
        gone = [one for one in before if one.key not in told and one.base_quantity]
        lost = [one for one in gone if not await _was_closed(self._client, one)]
        if not lost:
            self._unproven_ms.clear()
            return
        where = self._client.where("balance")
        held = read_account_positions(await self._client.get("balance"), where)
        standing = held_of(now)
        for symbol, size in held_of(lost).items():
            left = held.get(symbol, _NOTHING)
            if (left - standing.get(symbol, _NOTHING)) * size > 0:
                self._shown |= {one.key for one in lost if one.pair == symbol}
                raise self._refusal(
                    lost,
                    symbol,
                    f"the account still holds {left}; restart perphedge if the bot has given it up",
                )
        self._refuse_unproven(lost, now_ms)
        self._unproven_ms.clear()

    def _refuse_unproven(self, lost: Collection[Trade], now_ms: int) -> None:
        # What a balance did show, and now does not, is gone.
        unseen = [one for one in lost if one.key not in self._shown]
        for one in unseen:
            self._unproven_ms.setdefault(one.key, now_ms)
        for one in unseen:
            if now_ms - self._unproven_ms[one.key] < YOUNGER_AFTER_MS:
                raise self._refusal(
                    lost,
                    one.pair,
                    "the balance may be an hour old and has never shown it; it is looked at "
                    "again, or restart perphedge if the position is gone",
                )

    def _refusal(self, lost: Collection[Trade], symbol: str, why: str) -> DataError:
        numbers = ", ".join(str(one.trade_id) for one in lost if one.pair == symbol)
        return DataError(
            f"{self._client.where('status')}: {symbol}: trade {numbers} is told no more and was "
            f"not closed, but {why}"
        )


async def _was_closed(client: FreqtradeClient, one: Trade) -> bool:
    path = f"trade/{one.trade_id}"
    document = await client.get_if_there(path)
    if document is None:
        return False
    row = mapping(document, client.where(path))
    return read_key(row, client.where(path)) == one.key and not flag(
        row, "is_open", client.where(path)
    )
