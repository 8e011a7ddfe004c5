"""Whether an account of which no position is told surely holds none.

hummingbot-api passes over a connector that fails and answers without it. So an account without rows
is flat only where its connector is there and tells its money, and that money is neither in use nor
what it was beside positions.
"""

import contextlib
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Final

from bot.sources.fields import mapping, quantity, rows, signed, text
from bot.sources.hummingbot.client import HummingbotClient
from bot.sources.json_file import shown
from config.sources_hummingbot import Connector
from risk.errors import DataError

PATH: Final = "portfolio/state"
Balances = Mapping[str, tuple[Decimal, Decimal]]
"""By token: how much there is, and how much is not in use."""

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
        self._beside_positions: dict[str, Balances] = {}

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

    def remember(self, document: object, account: str) -> None:
        """What it tells beside positions of this account; nothing where it is not what it must be,
        since those positions do not rest on it."""
        self._beside_positions.pop(account, None)
        with contextlib.suppress(DataError):
            self._beside_positions[account] = self._balances(document, account)

    def forget(self, account: str) -> None:
        """It surely holds nothing now."""
        self._beside_positions.pop(account, None)

    def require_idle(self, document: object, account: str) -> None:
        """Refuse unless the account tells its money, which is not in use.

        No position is ever closed without a change of money, so money that is what it was beside
        positions is what hummingbot remembers.

        Raises:
            DataError: nothing shows that it holds no position.
        """
        at = self._at(account)
        told = self._balances(document, account)
        if not told:
            raise DataError(f"{at}: no positions and no money told, which is not taken for flat")
        if told == self._beside_positions.get(account):
            raise DataError(
                f"{at}: tells no position, but money as it was beside positions, which is old"
            )
        for token, (units, free) in sorted(told.items()):
            used = units - free
            if used > abs(units) * _ROUNDING and not self._resting_orders:
                raise DataError(
                    f"{at}: tells no position, but {used} {token} are in use; if that is margin "
                    "of resting orders, set resting_orders"
                )

    def _balances(self, document: object, account: str) -> Balances:
        at = self._at(account)
        state = mapping(document, at)
        if account not in state:
            raise DataError(f"{at}: the account is not told, which is not taken for flat")
        connectors = mapping(state[account], at)
        if self._connector not in connectors:
            raise DataError(f"{at}: the connector is not told, which is not taken for flat")
        found: dict[str, tuple[Decimal, Decimal]] = {}
        for i, row in enumerate(rows(connectors[self._connector], at)):
            token = text(row, "token", f"{at}[{i}]")
            if token in found:
                raise DataError(f"{at}[{i}].token: {shown(token)} stands twice")
            units = signed(row, "units", f"{at}[{i}]")
            found[token] = units, quantity(row, "available_units", f"{at}[{i}]")
        return found

    def _at(self, account: str) -> str:
        return f"{self._client.where(PATH)}: {account} {self._connector}"
