"""Trades that freqtrade tells no more: closed, or only forgotten.

A trade that was closed is still told by ``GET /trade/ID``, as no longer open. One that somebody
deleted is told nowhere, and neither is any trade of a database that the bot has left for a new one,
where the same number belongs to another trade. What such a trade held is still in the account.
"""

from collections.abc import Collection
from decimal import Decimal
from typing import Final

from bot.sources.fields import flag, mapping
from bot.sources.freqtrade.client import FreqtradeClient
from bot.sources.freqtrade.trades import Trade, held_of, read_key
from bot.sources.freqtrade.wallet import read_account_positions
from risk.errors import DataError

_NOTHING: Final = Decimal(0)


async def refuse_vanished(
    client: FreqtradeClient, before: Collection[Trade], now: Collection[Trade]
) -> None:
    """Refuse trades of a live bot that were forgotten and not closed.

    One is forgotten where the account still holds, in its direction, more than the trades that are
    told; how much more does not matter, for a part may have been closed by hand.

    Args:
        before, now: open trades of the last whole read, and of this one.

    Raises:
        DataError: there is such a trade, or an answer is not what it must be.
        UnreachableError: it cannot be asked.
    """
    told = {one.key for one in now}
    gone = [one for one in before if one.key not in told and one.base_quantity]
    lost = [one for one in gone if not await _was_closed(client, one)]
    if not lost:
        return
    held = read_account_positions(await client.get("balance"), client.where("balance"))
    standing = held_of(now)
    for symbol, size in held_of(lost).items():
        left = held.get(symbol, _NOTHING)
        if (left - standing.get(symbol, _NOTHING)) * size > 0:
            numbers = ", ".join(str(one.trade_id) for one in lost if one.pair == symbol)
            raise DataError(
                f"{client.where('status')}: {symbol}: trade {numbers} is told no more and was not "
                f"closed, but the account still holds {left}; restart perphedge if the bot has "
                "given it up"
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
