"""Accounts behind ccxt that remember how REST read them last, to tell news from what is known."""

from bot.ports import VenueAccount
from bot.venues.ccxt_controlled import ControlledVenue
from bot.venues.ccxt_venue import CcxtVenue


class HedgeVenue(ControlledVenue):
    """The hedge account."""

    last_account: VenueAccount | None = None

    async def account(self) -> VenueAccount:
        """Positions and money now."""
        self.last_account = await super().account()
        return self.last_account


class SourceVenue(CcxtVenue):
    """A bot's account, which is only read."""

    last_account: VenueAccount | None = None

    async def account(self) -> VenueAccount:
        """Positions and money now."""
        self.last_account = await super().account()
        return self.last_account
