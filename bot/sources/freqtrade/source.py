"""Positions of a freqtrade bot, read over its REST interface.

freqtrade tells no time with its positions. They are as old as the last round of its loop at most,
so they count as of our reply while that loop runs, and as of its last round once it does not.
"""

import asyncio
from collections.abc import Collection

from bot.errors import UnreachableError
from bot.ports import Clock, SourceSnapshot
from bot.sources.freqtrade.client import FreqtradeClient
from bot.sources.freqtrade.facts import (
    BotFacts,
    read_count,
    read_facts,
    read_last_process_ms,
    read_whitelist,
)
from bot.sources.freqtrade.trades import Trade, positions_of, read_trades
from bot.sources.freqtrade.vanished import Vanished
from bot.sources.freqtrade.wallet import Wallet
from bot.sources.telling import Tell
from bot.steps.entry_blocks import EntryLocker
from bot.venues.streams.inbox import StreamInbox
from config.errors import ConfigError
from risk.errors import DataError


class FreqtradeSource:
    """One freqtrade bot.

    Attributes:
        facts: which bot answered last; None before the first answer.
        listed: what it may enter, or holds, by the last whole read.
        locks: keeps it from entering; None: not asked for.
        inbox: of its message stream, which every whole read reconciles; None: not listened to.
    """

    def __init__(
        self,
        name: str,
        client: FreqtradeClient,
        clock: Clock,
        max_age_ms: int,
        *,
        whitelist: bool = True,
        same_account: bool = False,
        tell: Tell = lambda _event, _facts: None,
    ) -> None:
        """Reads through ``client``.

        Args:
            whitelist: what it may enter counts as listed.
            same_account: its positions are read in the account of the hedges, and not here.
        """
        self.facts: BotFacts | None = None
        self.listed: frozenset[str] = frozenset()
        self.locks: EntryLocker | None = None
        self.inbox: StreamInbox | None = None
        self._name = name
        self._client = client
        self._clock = clock
        self._max_age_ms = max_age_ms
        self._whitelist = whitelist
        self._same_account = same_account
        self._tell = tell
        self._wallet = Wallet(name, client, clock, tell)
        self._vanished = Vanished(client)
        self._trades: tuple[Trade, ...] = ()

    @property
    def name(self) -> str:
        """As the config calls it."""
        return self._name

    @property
    def max_age_ms(self) -> int:
        """Longer since the end of the last round of its loop is stale."""
        return self._max_age_ms

    @property
    def described(self) -> str:
        """Who answered, in a few words; empty before the first answer."""
        facts = self.facts
        if facts is None:
            return ""
        how = "dry run" if facts.dry_run else "live"
        return f"freqtrade {facts.bot_name}, {how} on {facts.exchange}, {facts.state}"

    async def introduce(self) -> BotFacts:
        """Which bot answers.

        Raises:
            UnreachableError: it does not.
            DataError: the answer is not what it must be.
        """
        where = self._client.where("show_config")
        return read_facts(await self._client.get("show_config"), where)

    async def read(self) -> SourceSnapshot:
        """Its open trades, whole, or an error: nothing else is ever read as flat.

        Raises:
            UnreachableError: it does not answer, or not with what was asked for.
            DataError: an answer is not what it must be; the message names the field.
        """
        token = None if self.inbox is None else self.inbox.reconciling()
        facts = await self.introduce()
        self._refuse(facts)
        health = self._client.where("health")
        last_ms = read_last_process_ms(await self._client.get("health"), health)
        listed = await self._listed()
        now_ms = self._clock.now_ms()
        trades = await self._open_trades(facts)
        if self._same_account:  # what it holds is read there, and the hedges are in it
            await self._wallet.look(facts, None)
        else:
            if not facts.dry_run:  # in dry run there is no account in which it would still be
                await self._vanished.refuse(self._trades, trades, now_ms)
            await self._wallet.look(facts, {one.pair for one in trades})
            self._vanished.note(trades, self._wallet.held)
        self._introduced(facts)
        self._trades = trades
        self.listed = listed | {one.pair for one in trades}
        if token is not None and self.inbox is not None:
            self.inbox.reconciled(token)
        # A clock of the bot's machine that is ahead makes nothing younger.
        alive = now_ms - last_ms <= self._max_age_ms
        return SourceSnapshot(
            source=self._name,
            timestamp_ms=now_ms if alive else last_ms,
            positions=() if self._same_account else positions_of(trades),
            listed=self.listed,
            exchange=facts.exchange,
            account=self._wallet.account,
        )

    async def close(self) -> None:
        """Give back sockets."""
        await self._client.close()

    async def _listed(self) -> frozenset[str]:
        if not self._whitelist:
            return frozenset()
        where = self._client.where("whitelist")
        return read_whitelist(await self._client.get("whitelist"), where)

    async def _open_trades(self, facts: BotFacts) -> tuple[Trade, ...]:
        """Open trades, as many as it counts itself.

        It answers ``[]`` as well when something fails on its way to them. A trade that opens or
        closes between the two answers makes them differ once.

        Raises:
            DataError: they differ twice.
        """
        client, counted = self._client, -1
        for _ in range(2):
            trades = read_trades(await client.get("status"), client.where("status"))
            self._refuse_elsewhere(facts, trades)
            if not facts.runs:
                break  # a bot that is stopped does not count; what it told will soon be stale
            counted = read_count(await client.get("count"), client.where("count"))
            if counted == len(trades):
                return trades
        if facts.runs:
            raise DataError(
                f"{client.where('status')}: tells {len(trades)} open trades, but /count {counted}"
            )
        if not trades:
            raise UnreachableError(
                f"{client.where('status')}: tells no trades while the bot is {facts.state}, which "
                "is not taken for flat"
            )
        return trades

    def _refuse_elsewhere(self, facts: BotFacts, trades: Collection[Trade]) -> None:
        """A database that was begun on another exchange tells trades that nobody looks after.

        Raises:
            DataError: one of these is such a trade.
        """
        for one in trades:
            if one.exchange != facts.exchange:
                raise DataError(
                    f"{self._client.where('status')}: trade {one.trade_id} in {one.pair} is on "
                    f"{one.exchange}, but the bot trades on {facts.exchange}"
                )

    def _introduced(self, facts: BotFacts) -> None:
        before = self.facts
        self.facts = facts
        if before is None or before.state != facts.state:
            self._tell(
                "bot_state",
                {
                    "source": self._name,
                    "bot": facts.bot_name,
                    "state": facts.state,
                    "dry_run": facts.dry_run,
                    "exchange": facts.exchange,
                },
            )

    def _refuse(self, facts: BotFacts) -> None:
        """Positions in dry run and live ones, or of two exchanges, are not the same book.

        Raises:
            DataError: this bot is no source, or another one than at the last answer.
        """
        why = facts.unfit
        if not why and self._same_account and facts.dry_run:
            why = "same_account is set, but the bot runs dry: it holds nothing in any account"
        if not why and self.facts is not None and (other := facts.other_than(self.facts)):
            why = f"is another bot than before: {other}; restart perphedge if this is meant"
        if why:
            raise DataError(f"source {self._name}: freqtrade {why}")


async def require_futures(source: FreqtradeSource) -> None:
    """Refuse at the start a bot that can never be a source; one that is down may come later.

    Raises:
        ConfigError: it does not trade perpetuals.
    """
    try:
        async with asyncio.timeout(30):
            facts = await source.introduce()
    except (UnreachableError, DataError, TimeoutError):
        return  # each cycle reads anew, and is held with the reason
    if facts.unfit:
        raise ConfigError(f"source {source.name}: freqtrade {facts.unfit}")
