"""Positions of hummingbot's accounts on one exchange, read through hummingbot-api.

The server asks the exchange while we wait, so positions are of the moment before we asked.
"""

from collections.abc import Collection
from typing import Final

from bot.errors import UnreachableError
from bot.ports import Clock, SourceSnapshot
from bot.sources.fields import mapping, text
from bot.sources.hummingbot.client import HummingbotClient
from bot.sources.hummingbot.rows import Holding, reported
from bot.sources.hummingbot.silent import Money, read_connectors
from bot.sources.hummingbot.walk import PATH, Walk
from config.sources_hummingbot import EXCHANGES, Connector
from risk.errors import DataError

_READS: Final = 3


class HummingbotSource:
    """Accounts that trade through one connector."""

    def __init__(
        self,
        name: str,
        client: HummingbotClient,
        clock: Clock,
        max_age_ms: int,
        *,
        connector: Connector,
        accounts: Collection[str],
        resting_orders: bool = False,
    ) -> None:
        """Reads through ``client``.

        Args:
            accounts: each is expected to answer.
            resting_orders: margin in use is no sign of a position that is not told.
        """
        self._name = name
        self._client = client
        self._clock = clock
        self._max_age_ms = max_age_ms
        self._connector = connector
        self._accounts = frozenset(accounts)
        self._walk = Walk(client, connector)
        self._money = Money(client, connector, resting_orders=resting_orders)
        self._version = ""

    @property
    def name(self) -> str:
        """As the config calls it."""
        return self._name

    @property
    def max_age_ms(self) -> int:
        """Older than this is stale."""
        return self._max_age_ms

    @property
    def described(self) -> str:
        """Who answers, in a few words."""
        who = " ".join(["hummingbot-api", self._version]).strip()
        return f"{who}, {self._connector} of {', '.join(sorted(self._accounts))}"

    async def read(self) -> SourceSnapshot:
        """Positions of all its accounts, whole, or an error: nothing else is ever read as flat.

        Raises:
            UnreachableError: it does not answer, or not with what was asked for.
            DataError: an answer is not what it must be, or is partial.
        """
        await self._introduce()
        for account in sorted(self._accounts):
            await self._require_connector(account)
        taken_ms, holdings = await self._whole()
        return SourceSnapshot(
            source=self._name,
            timestamp_ms=taken_ms,
            positions=reported(holdings, self._client.where(PATH)),
            exchange=EXCHANGES[self._connector],
        )

    async def close(self) -> None:
        """Give back sockets."""
        await self._client.close()

    async def _whole(self) -> tuple[int, tuple[Holding, ...]]:
        """All rows, and when they were asked for. An account without any must stay so, with no
        money in use between the two answers.

        Raises:
            DataError: an account now tells rows and now none.
        """
        idle: frozenset[str] = frozenset()
        for _ in range(_READS):
            taken_ms = self._clock.now_ms()
            holdings = await self._walk.all(self._accounts)
            telling = {one.account for one in holdings}
            silent = self._accounts - telling
            if silent and silent <= idle:
                for account in silent:
                    self._money.forget(account)
                return taken_ms, holdings
            await self._look_at_money(telling, silent)
            if not silent:
                return taken_ms, holdings
            idle = silent
        raise DataError(
            f"{self._client.where(PATH)}: {', '.join(sorted(silent))}: now tells positions and "
            "now none, which is not taken for flat"
        )

    async def _look_at_money(self, telling: Collection[str], silent: Collection[str]) -> None:
        """Positions that are told do not rest on it; that there are none does.

        Raises:
            UnreachableError, DataError: nothing shows that an account holds no position.
        """
        try:
            money = await self._money.look(self._accounts)
        except (UnreachableError, DataError):
            if silent:
                raise
            money = None
        for account in sorted(silent):
            self._money.require_idle(money, account)
        for account in telling:
            self._money.remember(money, account)

    async def _require_connector(self, account: str) -> None:
        path = f"accounts/{account}/credentials"
        where = self._client.where(path)
        if self._connector not in read_connectors(await self._client.get(path), where):
            raise DataError(
                f"{where}: {self._connector} is not there, though the config expects it"
            )

    async def _introduce(self) -> None:
        """Which version answers; told by it and good for words alone."""
        if self._version:
            return
        try:
            facts = mapping(await self._client.get(""), self._client.where(""))
            self._version = text(facts, "version", self._client.where(""))
        except (UnreachableError, DataError):
            return  # what rests on its answers asks it itself
