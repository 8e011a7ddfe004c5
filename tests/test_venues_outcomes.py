"""Every kind of outcome, of every exchange, over a socket through its real client.

Some 90 servers and clients are started, which takes a while on a busy machine.
"""

import dataclasses
import json
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from bot.trading.orders import (
    Acknowledged,
    NotAccepted,
    OrderOutcome,
    OrderRequest,
    OrderState,
    Rejected,
    Side,
    UnknownOutcome,
)
from bot.venues.ccxt_venue import CcxtVenue
from tests.execute_scene import order
from tests.venue_plays import PLAYS, SYMBOLS
from tests.venue_scene import (
    CLIENT_ID,
    KEY,
    PASSPHRASE,
    PRIVATE,
    SECRET,
    VENUES,
    Handler,
    Server,
    cut_in_the_body,
    hang_up,
    impatient,
    on_wire,
    playing,
    said,
    silence,
    text,
)

pytestmark = pytest.mark.parametrize("venue", VENUES)
FOUND = Acknowledged(CLIENT_ID, "42", OrderState.CANCELED, Decimal(400), Decimal("0.5001"))


def the_order(venue: str, **change: Any) -> OrderRequest:
    plain = order(CLIENT_ID, symbol=SYMBOLS[venue], price="0.5")
    return dataclasses.replace(plain, **change)


async def outcome_of(
    server: Server, adapter: CcxtVenue, venue: str, handler: Handler
) -> OrderOutcome:
    """What the adapter makes of one send, which is one send and shows no secret."""
    server.order, before = handler, len(server.orders)
    outcome = await adapter.place(the_order(venue))
    assert len(server.orders) == before + 1, "sent once"
    for secret in (KEY, SECRET, PASSPHRASE, PRIVATE, PRIVATE[2:], "signature", "http:"):
        assert secret not in repr(outcome)
    return outcome


async def test_a_taken_order_has_its_id_its_fills_and_base_units(venue: str) -> None:
    async with playing(venue, PLAYS[venue]) as (server, adapter):
        outcome = await outcome_of(server, adapter, venue, said(PLAYS[venue].taken))
        assert isinstance(outcome, Acknowledged)
        assert (outcome.client_id, outcome.venue_order_id) == (CLIENT_ID, "42")
        assert outcome.filled_quantity == 400, "contracts times contract size"
        assert outcome.state in (OrderState.CANCELED, OrderState.EXPIRED)
        sent = server.orders[0]
        assert on_wire(venue) in sent


async def test_what_is_refused_by_a_listed_code_is_rejected(venue: str) -> None:
    async with playing(venue, PLAYS[venue]) as (server, adapter):
        for document, status, code in PLAYS[venue].refusals:
            outcome = await outcome_of(server, adapter, venue, said(document, status))
            assert isinstance(outcome, Rejected), (code, outcome)
            assert (outcome.client_id, outcome.code) == (CLIENT_ID, code)
            assert outcome.reason


async def test_what_comes_too_fast_or_too_late_is_not_accepted(venue: str) -> None:
    async with playing(venue, PLAYS[venue]) as (server, adapter):
        for document, status, code in PLAYS[venue].slow:
            outcome = await outcome_of(server, adapter, venue, said(document, status))
            assert isinstance(outcome, NotAccepted), (code, outcome)
            assert outcome.code == code
        for status in (418, 429):
            outcome = await outcome_of(server, adapter, venue, text("<html>busy</html>", status))
            assert isinstance(outcome, NotAccepted)
            assert outcome.code == str(status)


async def test_a_used_id_proves_that_the_order_is_there(venue: str) -> None:
    used = PLAYS[venue].exists
    if used is None:
        pytest.skip("this exchange has no code for it that is known")
    async with playing(venue, PLAYS[venue]) as (server, adapter):
        outcome = await outcome_of(server, adapter, venue, said(*used))
        assert isinstance(outcome, Acknowledged)
        assert outcome.filled_quantity == 400
        server.answers[PLAYS[venue].find_path] = said(*PLAYS[venue].absent)
        outcome = await outcome_of(server, adapter, venue, said(*used))
        assert isinstance(outcome, UnknownOutcome), "there, and not to be found: nobody knows"


async def test_the_exchanges_own_words_that_prove_nothing_are_unknown(venue: str) -> None:
    async with playing(venue, PLAYS[venue]) as (server, adapter):
        for document, status in PLAYS[venue].unknown:
            outcome = await outcome_of(server, adapter, venue, said(document, status))
            assert isinstance(outcome, UnknownOutcome), (document, outcome)


TROUBLE = {
    "html on 200": text("<html>Welcome</html>"),
    "html said to be json": text("<html>Welcome</html>", kind="application/json"),
    "nothing on 200": text("", kind="application/json"),
    "null on 200": text("null", kind="application/json"),
    "a list on 200": said([]),
    "nothing in it": said({}),
    "truncated": text('{"code": "0", "data": [{"ordId": "42", "cl', kind="application/json"),
    "brackets only": text("[" * 100_000, kind="application/json"),
    "forbidden": text("<html>Forbidden</html>", 403),
    "bad gateway": text("<html>Bad gateway</html>", 502),
    "unavailable": text("<html>Later</html>", 503),
    "reset in the body": cut_in_the_body,
    "hung up": hang_up,
}


async def test_trouble_on_the_way_is_unknown(venue: str) -> None:
    async with playing(venue, PLAYS[venue]) as (server, adapter):
        for name, handler in TROUBLE.items():
            outcome = await outcome_of(server, adapter, venue, handler)
            assert isinstance(outcome, UnknownOutcome), (name, outcome)


async def test_a_send_without_an_answer_is_unknown(venue: str) -> None:
    async with playing(venue, PLAYS[venue]) as (server, adapter):
        await impatient(adapter)
        outcome = await outcome_of(server, adapter, venue, silence)
        assert isinstance(outcome, UnknownOutcome)


async def test_a_redirect_carries_no_order_to_another_address(venue: str) -> None:
    async with playing(venue, PLAYS[venue]) as (server, adapter):
        for status in (301, 302, 307, 308):
            moved = text("", status, Location="/elsewhere")
            outcome = await outcome_of(server, adapter, venue, moved)
            assert isinstance(outcome, UnknownOutcome)
        assert not any("/elsewhere" in one for one in server.asked)


async def test_an_order_is_found_by_our_id_or_said_not_to_be(venue: str) -> None:
    play, symbol = PLAYS[venue], SYMBOLS[venue]
    async with playing(venue, play) as (server, adapter):
        found = await adapter.find(symbol, CLIENT_ID)
        assert isinstance(found, Acknowledged)
        assert (found.venue_order_id, found.filled_quantity) == ("42", Decimal(400))
        assert found.state in (OrderState.CANCELED, OrderState.EXPIRED)
        if venue != "hyperliquid":  # which does not tell it with the order
            assert found.average_price == Decimal("0.5001")
        server.answers[play.find_path] = said(*play.absent)
        assert await adapter.find(symbol, CLIENT_ID) is None
        for name in ("html on 200", "truncated", "nothing in it", "forbidden", "hung up"):
            server.answers[play.find_path] = TROUBLE[name]
            assert isinstance(await adapter.find(symbol, CLIENT_ID), UnknownOutcome), name
        assert server.orders == [], "asking sends nothing"


async def test_when_the_exchange_wants_to_be_left_alone_nothing_is_sent(venue: str) -> None:
    async with playing(venue, PLAYS[venue]) as (server, adapter):
        busy = text("<html>busy</html>", 429, Retry_After="30")
        outcome = await outcome_of(server, adapter, venue, busy)
        assert isinstance(outcome, NotAccepted)
        assert "30 s" in outcome.reason
        again = await adapter.place(the_order(venue))
        assert isinstance(again, NotAccepted)
        assert again.code == "backing-off"
        assert len(server.orders) == 1


async def test_quantities_reach_the_exchange_in_its_own_unit(venue: str) -> None:
    async with playing(venue, PLAYS[venue]) as (server, adapter):
        await adapter.place(the_order(venue, side=Side.BUY, reduce_only=True))
        sent = server.orders[0]
        wanted = {
            "binanceusdm": ("quantity=1000&", "price=0.5&", "timeInForce=IOC", "reduceOnly=true"),
            "bybit": ('"qty":"1000"', '"price":"0.5"', '"timeInForce":"IOC"', '"reduceOnly":true'),
            "okx": ('"sz":"100"', '"px":"0.5"', '"ordType":"ioc"', '"reduceOnly":true'),
            "hyperliquid": ('"s":"1000"', '"p":"0.5"', '"tif":"Ioc"', '"r":true', '"b":true'),
            "bitget": ('"size":"1000"', '"price":"0.5"', '"force":"IOC"', '"reduceOnly":"YES"'),
            "gate": ('"size":100', '"price":"0.5"', '"tif":"ioc"', '"reduce_only":true'),
        }[venue]
        for part in wanted:
            assert part in sent, sent


async def test_our_order_says_that_it_gives_way_where_the_exchange_takes_that(venue: str) -> None:
    wanted = {
        "binanceusdm": "selfTradePreventionMode=EXPIRE_TAKER",
        "bybit": '"smpType":"CancelTaker"',
        "okx": '"stpMode":"cancel_taker"',
        "bitget": '"stpMode":"cancel_taker"',
    }
    async with playing(venue, PLAYS[venue]) as (server, adapter):
        assert adapter.self_trade_safe == (venue in wanted)
        await adapter.place(the_order(venue))
        sent = server.orders[0]
        assert wanted.get(venue, "") in sent, sent
        if venue not in wanted:
            assert "stp" not in sent.lower()


async def test_where_long_and_short_are_held_apart_the_order_names_its_side(venue: str) -> None:
    """Opening a short by a sell, then closing a part of it by a buy."""
    wanted = {
        "binanceusdm": (("side=SELL&", "positionSide=SHORT"), ("side=BUY&", "positionSide=SHORT")),
        "bybit": (
            ('"side":"Sell"', '"positionIdx":2', '"reduceOnly":false'),
            ('"side":"Buy"', '"positionIdx":2'),
        ),
        "okx": (('"side":"sell"', '"posSide":"short"'), ('"side":"buy"', '"posSide":"short"')),
        "bitget": (
            ('"side":"sell"', '"tradeSide":"Open"'),
            # bitget's side is that of the position which is closed
            ('"side":"sell"', '"tradeSide":"Close"'),
        ),
        "gate": (
            ('"size":-100', '"reduce_only":false'),
            ('"size":100', '"reduce_only":true'),
        ),
    }
    async with playing(venue, PLAYS[venue]) as (server, adapter):
        opening = the_order(venue, position_side="SHORT")
        closing = the_order(venue, side=Side.BUY, position_side="SHORT", reduce_only=True)
        if venue == "hyperliquid":
            outcome = await adapter.place(opening)
            assert isinstance(outcome, Rejected)
            assert outcome.code == "not-sent"
            assert server.orders == []
            return
        for request, parts in zip((opening, closing), wanted[venue], strict=True):
            await adapter.place(request)
            for part in parts:
                assert part in server.orders[-1], server.orders[-1]
            if venue == "binanceusdm":
                assert "reduceOnly" not in server.orders[-1], "it takes none beside the side"


async def test_half_a_contract_or_a_foreign_id_is_never_sent(venue: str) -> None:
    async with playing(venue, PLAYS[venue]) as (server, adapter):
        wrong = [
            the_order(venue, quantity=Decimal("1000.5")),
            the_order(venue, symbol="NO/USDT:USDT"),
        ]
        wrong.append(the_order(venue, client_id="h1 with spaces and much too long for an exchange"))
        for request in wrong:
            outcome = await adapter.place(request)
            if venue == "binanceusdm" and request is wrong[2]:
                continue
            assert isinstance(outcome, Rejected), outcome
            assert outcome.code == "not-sent"
        assert server.orders == []


async def test_nothing_but_the_order_is_sent(venue: str) -> None:
    """No builder's fee, no referrer, no mode: of all that changes something only the order."""
    async with playing(venue, PLAYS[venue]) as (server, adapter):
        await adapter.place(the_order(venue))
        await adapter.find(SYMBOLS[venue], CLIENT_ID)
        changing = [one for one in server.asked if not one.startswith(("GET ", "info "))]
        assert changing == [PLAYS[venue].order_path]
        if venue == "hyperliquid":
            action = json.loads(server.orders[0])["action"]
            assert action["type"] == "order"
            assert "builder" not in action


async def test_a_client_told_to_repeat_sends_once_all_the_same(venue: str) -> None:
    """Refused at the start; and where somebody sets it later, the second send never leaves."""
    async with playing(venue, PLAYS[venue]) as (server, adapter):
        adapter._exchange.options["maxRetriesOnFailure"] = 3

        async def broken(_request: web.BaseRequest, _body: str) -> web.StreamResponse:
            return web.Response(status=503, text="<html>Later</html>", content_type="text/html")

        outcome = await outcome_of(server, adapter, venue, broken)
        assert isinstance(outcome, UnknownOutcome)
