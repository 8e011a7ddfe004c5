"""Whether an account of which no position is told surely holds none.

hummingbot-api passes over a connector that fails and answers without it. So an account without rows
is flat only where its connector is there, tells its money, and none of that money is in use.
"""

from collections.abc import Collection
from decimal import Decimal
from typing import Final

from bot.sources.fields import Row, mapping, quantity, rows, signed, text
from bot.sources.hummingbot.client import HummingbotClient
from bot.sources.json_file import shown
from config.sources_hummingbot import Connector
from risk.errors import DataError

PATH: Final = "portfolio/state"
_ROUNDING: Final = Decimal("1e-6")
"""Fraction of a balance by which two of its figures may differ, since they went through floats."""


def read_connectors(document: object, where: str) -> frozenset[str]:
    """``GET /accounts/ACCOUNT/credentials``: connectors for which the account has keys.

    Raises:
        DataError: it is no list of names.
    """
    if not isinstance(document, list):
        raise DataError(f"{where}: {shown(document)}, must be a list")
    return frozenset(text({"name": one}, "name", f"{where}[{i}]") for i, one in enumerate(document))


class Money:
    """Asks for money, at each read, so that what hummingbot keeps of it is as new as the read.

    Where a connector fails while it is asked, hummingbot answers with what it last knew, without
    saying so. That is then the state at our last read, or of the last minutes at a start.
    """

    def __init__(
        self, client: HummingbotClient, connector: Connector, *, resting_orders: bool
    ) -> None:
        """``resting_orders``: margin in use is no sign of a position."""
        self._client = client
        self._connector = connector
        self._resting_orders = resting_orders

    async def look(self, accounts: Collection[str]) -> object:
        """What it tells of the money of these accounts, fresh where the exchange answers it.

        Raises:
            UnreachableError, DataError: as the client says.
        """
        return await self._client.post(
            PATH,
            {
                "account_names": sorted(accounts),
                "connector_names": [self._connector],
                "skip_gateway": True,
                "refresh": True,
            },
        )

    def require_idle(self, document: object, account: str) -> None:
        """Refuse unless the account tells its money and none is in use.

        Raises:
            DataError: nothing shows that it holds no position.
        """
        at = f"{self._client.where(PATH)}: {account} {self._connector}"
        told = _balances(document, account, self._connector, at)
        if not told:
            raise DataError(f"{at}: no positions and no money told, which is not taken for flat")
        for i, row in enumerate(told):
            token, used = _in_use(row, f"{at}[{i}]")
            if used and not self._resting_orders:
                raise DataError(
                    f"{at}: tells no position, but {used} {token} are in use; if that is margin "
                    "of resting orders, set resting_orders"
                )


def _balances(document: object, account: str, connector: str, at: str) -> list[Row]:
    state = mapping(document, at)
    if account not in state:
        raise DataError(f"{at}: the account is not told, which is not taken for flat")
    connectors = mapping(state[account], at)
    if connector not in connectors:
        raise DataError(f"{at}: the connector is not told, which is not taken for flat")
    return rows(connectors[connector], at)


def _in_use(row: Row, where: str) -> tuple[str, Decimal]:
    """The token, and how much of it cannot be taken out; 0 where it is only rounding."""
    token = text(row, "token", where)
    units = signed(row, "units", where)
    used = units - quantity(row, "available_units", where)
    return token, used if used > abs(units) * _ROUNDING else Decimal(0)
