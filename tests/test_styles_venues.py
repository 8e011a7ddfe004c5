"""An order that rests, at six exchanges through their real clients: each has its own word for it.

The words are those of the exchanges' documents.
"""

import dataclasses

import pytest

from bot.trading.resting_price import WOULD_TAKE
from bot.venues.outcomes import MEANINGS, Meaning
from tests.execute_scene import order
from tests.venue_plays import PLAYS, SYMBOLS
from tests.venue_scene import CLIENT_ID, VENUES, playing

WORDS = {
    "binanceusdm": "timeInForce=GTX",
    "bybit": '"timeInForce":"PostOnly"',
    "okx": '"ordType":"post_only"',
    "hyperliquid": '"tif":"Alo"',
    "bitget": '"force":"post_only"',
    "gate": '"tif":"poc"',
}


@pytest.mark.parametrize("venue", VENUES)
async def test_post_only_reaches_the_wire_in_its_own_word(venue: str) -> None:
    plain = order(CLIENT_ID, symbol=SYMBOLS[venue], price="0.5")
    async with playing(venue, PLAYS[venue]) as (server, adapter):
        await adapter.place(dataclasses.replace(plain, time_in_force="GTX"))
        await adapter.place(plain)
    rests, takes = (body.replace(" ", "") for body in server.orders)
    assert WORDS[venue] in rests
    assert WORDS[venue] not in takes
    assert "IOC" in takes.upper()


def test_codes_that_price_anew_are_listed_as_rejections() -> None:
    """A code that leaves open whether the order was taken must not lead to another order."""
    known = {code: meaning for table in MEANINGS.values() for code, meaning in table.items()}
    assert {known.get(code) for code in WOULD_TAKE} == {Meaning.REJECTED}
