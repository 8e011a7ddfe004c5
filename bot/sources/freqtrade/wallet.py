"""What a freqtrade bot tells of its account: its money, and what is held beside its trades.

Nothing that it tells is a position of the bot; those are its trades.
"""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Final

from bot.errors import UnreachableError
from bot.ports import Clock, SourceAccount
from bot.sources.fields import (
    Row,
    flag,
    mapping,
    optional_number,
    pair,
    quantity,
    rows,
    text,
)
from bot.sources.freqtrade.client import FreqtradeClient
from bot.sources.freqtrade.facts import BotFacts
from bot.sources.json_file import shown
from bot.sources.telling import Tell
from risk.errors import DataError

MONEY_EVERY_MS: Final = 60_000
WALLET_MAX_AGE_MS: Final = 3_600_000
"""Live, freqtrade asks the exchange for balances after its own orders and once an hour."""
_USD: Final = frozenset({"USDT", "USDC", "USD", "FDUSD", "BUSD", "USDE"})
_NOTHING: Final = Decimal(0)


class Wallet:
    """Asked now and then.

    Attributes:
        account: the bot's money as it was told last; None where it is not known.
        held: what its account held by the last balance; nothing in dry run.
    """

    def __init__(self, name: str, client: FreqtradeClient, clock: Clock, tell: Tell) -> None:
        """``name`` is the source's; ``tell`` hears of what nobody asked for."""
        self.account: SourceAccount | None = None
        self.held: Mapping[str, Decimal] = {}
        self._name = name
        self._client = client
        self._clock = clock
        self._tell = tell
        self._asked_ms: int | None = None
        self._foreign: Mapping[str, str] = {}

    async def look(self, facts: BotFacts, own: Collection[str] | None) -> None:
        """Now and then: the bot's money, and what its account holds beside its ``own`` symbols;
        None: nothing is said of that.

        It is of help and nothing rests on it, so that it fails is no failure of the book.
        """
        now_ms = self._clock.now_ms()
        if self._asked_ms is not None and 0 <= now_ms - self._asked_ms < MONEY_EVERY_MS:
            return
        self._asked_ms, self.account = now_ms, None
        where = self._client.where("balance")
        try:
            document = await self._client.get("balance")
            # In dry run it is reckoned at the moment; live, nobody knows when it was read.
            as_of_ms = now_ms if facts.dry_run else now_ms - WALLET_MAX_AGE_MS
            account = read_account(document, where, facts.stake_currency, as_of_ms)
            unasked = facts.dry_run or own is None
            held = {} if unasked else read_account_positions(document, where)
        except (UnreachableError, DataError) as error:
            self._tell("bot_money_unknown", {"source": self._name, "reason": str(error)})
            return
        if facts.stake_currency in _USD:
            self.account = account
        self.held = held
        self._note_foreign(foreign_positions(held, own or ()))

    def _note_foreign(self, found: Mapping[str, Decimal]) -> None:
        """Positions in the bot's account that are none of its trades: told, once each time."""
        foreign = {symbol: str(size) for symbol, size in sorted(found.items())}
        if foreign != self._foreign:
            self._foreign = foreign
            self._tell("bot_account_holds_more", {"source": self._name, "base_units": foreign})


def read_account(document: object, where: str, stake: str, read_ms: int) -> SourceAccount:
    """``GET /balance``: the money of the account, in its stake currency.

    Raises:
        DataError: something is missing or cannot be.
    """
    row = mapping(document, where)
    if text(row, "stake", where) != stake:
        raise DataError(f"{where}.stake: {shown(row['stake'])}, but show_config says {stake}")
    found = {one["currency"]: one for one in _currencies(row, where) if not one["is_position"]}
    money = found.get(stake)
    return SourceAccount(
        timestamp_ms=read_ms,
        equity_usd=optional_number(row, "total", where),
        free_usd=None if money is None else optional_number(money, "free", where),
        used_margin_usd=None if money is None else optional_number(money, "used", where),
    )


def read_account_positions(document: object, where: str) -> Mapping[str, Decimal]:
    """``GET /balance``: what the account holds, signed base units by pair, whosever it is.

    Raises:
        DataError: something is missing or cannot be.
    """
    held: dict[str, Decimal] = {}
    for i, row in enumerate(_currencies(mapping(document, where), where)):
        if not row["is_position"]:
            continue
        at = f"{where}.currencies[{i}]"
        side = text(row, "side", at)
        if side not in ("long", "short"):
            raise DataError(f"{at}.side: {shown(side)}, must be long or short")
        size = quantity(row, "position", at)
        symbol = pair(row, "currency", at)
        held[symbol] = held.get(symbol, _NOTHING) + (size if side == "long" else -size)
    return held


def foreign_positions(held: Mapping[str, Decimal], own: Collection[str]) -> Mapping[str, Decimal]:
    """What the account holds in pairs in which the bot has no trade."""
    return {symbol: size for symbol, size in held.items() if size and symbol not in own}


def _currencies(row: Row, where: str) -> list[Row]:
    found = rows(row.get("currencies"), f"{where}.currencies")
    for i, one in enumerate(found):
        text(one, "currency", f"{where}.currencies[{i}]")
        flag(one, "is_position", f"{where}.currencies[{i}]")
    return found
