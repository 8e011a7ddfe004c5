"""Asks the exchange what the account of the hedges received and paid."""

from bot.clock import SystemClock
from bot.controls.books import Income, whole_income
from bot.surroundings import Surroundings, hedge_credentials, open_client
from bot.venues.ccxt_controlled import ControlledVenue
from config.settings import Settings


async def ask_income(settings: Settings, since_ms: int) -> list[Income]:
    """Every change of the wallet since then, oldest first; nothing but that is asked.

    Raises:
        ConfigError: the account's key is missing or unusable.
        UnreachableError, VenueError, DataError: the exchange does not tell it completely.
    """
    around = Surroundings(SystemClock())
    client = open_client(settings, around, hedge_credentials(settings, around))
    venue = ControlledVenue(client, settings.venue.account, around.clock)
    try:
        await venue.account()  # so that markets are known by their names here
        return await whole_income(venue, since_ms)
    finally:
        await venue.close()
