"""Reads all pages of positions, and believes them only where they fit together.

The server asks the exchange anew for each page, and finds its place by account, connector and pair:
long and short of one pair share that place, and where the pair it stands for is gone it begins
anew. So pages may repeat rows, leave some out, or go round for ever.
"""

from typing import Final

from bot.sources.hummingbot.client import HummingbotClient
from bot.sources.hummingbot.rows import Holding, Key, read_page
from config.sources_hummingbot import Connector
from risk.errors import DataError

PATH: Final = "trading/positions"
ROWS_A_PAGE: Final = 1000
"""The most that it gives, so that there is hardly ever a second page."""
_WALKS: Final = 3
_LONGEST_WALK: Final = 50


class Walk:
    """Asks for the positions of one connector."""

    def __init__(self, client: HummingbotClient, connector: Connector) -> None:
        self._client = client
        self._connector = connector

    async def all(self, accounts: frozenset[str]) -> tuple[Holding, ...]:
        """All rows of these accounts.

        Raises:
            UnreachableError: it does not answer.
            DataError: a page is not what it must be, or pages do not fit together.
        """
        for _ in range(_WALKS):
            found = await self._once(accounts)
            if found is not None:
                return found
        raise DataError(
            f"{self._client.where(PATH)}: pages do not fit together: positions move too fast, or "
            "it leaves some out"
        )

    async def _once(self, accounts: frozenset[str]) -> tuple[Holding, ...] | None:
        """None: the pages are not of one and the same book."""
        where = self._client.where(PATH)
        found: dict[Key, Holding] = {}
        totals: set[int] = set()
        cursors: set[str] = set()
        cursor: str | None = None
        while len(cursors) < _LONGEST_WALK:
            page = read_page(await self._ask(accounts, cursor), where, self._connector, accounts)
            totals.add(page.total)
            for one in page.holdings:
                if found.setdefault(one.key, one) != one:
                    return None
            cursor = page.next_cursor
            if cursor is None:
                return tuple(found.values()) if totals == {len(found)} else None
            if cursor in cursors:
                return None
            cursors.add(cursor)
        raise DataError(f"{where}: more than {_LONGEST_WALK} pages, which is no book of positions")

    async def _ask(self, accounts: frozenset[str], cursor: str | None) -> object:
        return await self._client.post(
            PATH,
            {
                "account_names": sorted(accounts),
                "connector_names": [self._connector],
                "limit": ROWS_A_PAGE,
                "cursor": cursor,
            },
        )
