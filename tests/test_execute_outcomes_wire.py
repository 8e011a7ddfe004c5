"""What replies to an order mean, from a server that makes all kinds of trouble."""

from decimal import Decimal
from typing import Any

import pytest

from bot.clock import SystemClock
from bot.errors import PerphedgeError, SafetyError, UnreachableError, VenueError
from bot.trading.orders import Acknowledged, NotAccepted, OrderState, Rejected, UnknownOutcome
from bot.venues.ccxt_venue import CcxtVenue
from bot.venues.loopback import client
from tests.execute_scene import FET, order
from tests.outcome_scene import (
    KEY,
    ORDER,
    SECRET,
    Handler,
    cut_in_the_body,
    hang_up,
    impatient,
    order_reply,
    outcome_of,
    running,
    said,
    silence,
    text_reply,
)


@pytest.mark.parametrize(
    ("change", "state", "filled"),
    [
        ({}, OrderState.FILLED, 1000),
        ({"status": "EXPIRED", "executedQty": "400"}, OrderState.EXPIRED, 400),
        ({"status": "EXPIRED", "executedQty": "0", "avgPrice": "0"}, OrderState.EXPIRED, 0),
        ({"status": "EXPIRED_IN_MATCH", "executedQty": "0"}, OrderState.EXPIRED, 0),
        ({"status": "CANCELED", "executedQty": "1"}, OrderState.CANCELED, 1),
        ({"status": "NEW", "executedQty": "0"}, OrderState.LIVE, 0),
        ({"status": "PARTIALLY_FILLED", "executedQty": "7"}, OrderState.PARTIAL, 7),
    ],
)
async def test_an_order_that_came_back(
    change: dict[str, Any], state: OrderState, filled: int
) -> None:
    outcome = await outcome_of(said(order_reply(**change)))
    assert isinstance(outcome, Acknowledged)
    assert (outcome.venue_order_id, outcome.state) == ("42", state)
    assert outcome.filled_quantity == filled


@pytest.mark.parametrize(
    "on_post",
    [
        said(order_reply(orderId=None)),
        said(order_reply(clientOrderId="somebody-elses")),
        said(order_reply(status="SOMETHING_NEW")),
        said(order_reply(status=None)),
        said([]),
        said({}),
        text_reply("<html>Welcome</html>"),
        text_reply('{"orderId": 42, "sym', kind="application/json"),
        text_reply("", 200, "application/json"),
        text_reply("null", 200, "application/json"),
        text_reply("<html>Forbidden</html>", 403),
        text_reply("<html>Bad gateway</html>", 502),
        said({"code": -1007, "msg": "Timeout; execution status unknown."}, 408),
        said({"code": -1006, "msg": "Unexpected response."}, 503),
        said({"code": -1008, "msg": "Overloaded."}, 503),
        said({"code": -31337, "msg": "Unheard of."}, 400),
        hang_up,
        cut_in_the_body,
        silence,
    ],
)
async def test_what_proves_nothing_is_unknown(on_post: Handler) -> None:
    assert isinstance(await outcome_of(on_post), UnknownOutcome)


@pytest.mark.parametrize(
    ("document", "status", "kind"),
    [
        ({"code": -2019, "msg": "Margin is insufficient."}, 400, Rejected),
        # ccxt finds these by their words alone and drops the code from its own text
        ({"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}, 401, Rejected),
        (
            {"code": -2010, "msg": "Account has insufficient balance for requested action."},
            400,
            Rejected,
        ),
        ({"code": -4014, "msg": "Price not increased by tick size. PRICE_FILTER"}, 400, Rejected),
        ({"code": -1021, "msg": "Timestamp outside of the recvWindow."}, 400, NotAccepted),
        ({"code": -1003, "msg": "Too many requests."}, 429, NotAccepted),
        ({"code": -1003, "msg": "Banned until 1750000000000."}, 418, NotAccepted),
    ],
)
async def test_refusals_over_the_wire(document: Any, status: int, kind: type[Any]) -> None:
    outcome = await outcome_of(said(document, status))
    assert isinstance(outcome, kind)
    assert outcome.code == str(document["code"])


async def test_a_duplicate_id_proves_that_the_order_exists() -> None:
    duplicate = said({"code": -4116, "msg": "ClientOrderId is duplicated."}, 400)
    found = await outcome_of(duplicate, said(order_reply(status="EXPIRED", executedQty="3")))
    assert isinstance(found, Acknowledged)
    assert (found.state, found.filled_quantity) == (OrderState.EXPIRED, Decimal(3))
    lost = await outcome_of(duplicate)
    assert isinstance(lost, UnknownOutcome)


async def test_asking_for_an_order() -> None:
    async with running() as (server, venue):
        assert await venue.find(FET, ORDER.client_id) is None
        server.on_get = said(order_reply())
        assert isinstance(await venue.find(FET, ORDER.client_id), Acknowledged)
        for trouble in (
            said({"code": -1001, "msg": "Internal error."}, 500),
            said({"code": -1121, "msg": "Invalid symbol."}, 400),
            text_reply("Not found", 404),
            hang_up,
            silence,
        ):
            if trouble is silence:
                await impatient(venue)
            server.on_get = trouble
            assert isinstance(await venue.find(FET, ORDER.client_id), UnknownOutcome)


async def test_what_would_be_rounded_or_is_not_listed_is_never_sent() -> None:
    async with running() as (server, venue):
        for wrong in (
            order(quantity="1000.5"),
            order(price="0.49995"),
            order(quantity="0.2"),
            order(symbol="NEW/USDT:USDT"),
        ):
            outcome = await venue.place(wrong)
            assert isinstance(outcome, Rejected)
            assert outcome.code == "not-sent"
        assert server.posts == []


async def test_reads_fail_in_one_line_without_leaks() -> None:
    async with running() as (_, venue):
        with pytest.raises(UnreachableError, match="binanceusdm does not answer") as caught:
            await venue.account()
        _assert_no_leak(caught.value)
    exchange = client("127.0.0.1:9", key=KEY, secret=SECRET)
    exchange.timeout_on_exit = 0
    venue = CcxtVenue(exchange, "hedge", SystemClock())
    with pytest.raises(UnreachableError) as caught:
        await venue.account()
    _assert_no_leak(caught.value)
    outcome = await venue.place(ORDER)
    assert isinstance(outcome, Rejected), "without markets nothing was sent"
    await venue.close()


async def test_a_refused_read_names_the_code() -> None:
    async with running() as (server, venue):
        words = "Invalid API-key, IP, or permissions for action, request ip: 10.1.2.3"
        server.elsewhere = said({"code": -2015, "msg": words}, 401)
        with pytest.raises(VenueError, match="code -2015: Invalid API-key") as caught:
            await venue.account()
        assert "10.1.2.3" not in str(caught.value)
        _assert_no_leak(caught.value)


def _assert_no_leak(error: PerphedgeError) -> None:
    assert "\n" not in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None
    for leak in (KEY, SECRET, "signature", "http://", "127.0.0.1"):
        assert leak not in str(error)


async def test_a_client_that_would_repeat_or_print_is_refused() -> None:
    for change in (
        {"options": {"maxRetriesOnFailure": 3}},
        {"options": {"order": {"maxRetriesOnFailure": 1}}},
        {"verbose": True},
    ):
        exchange = client("127.0.0.1:9")
        exchange.options.update(change.get("options", {}))
        exchange.verbose = change.get("verbose", False)
        with pytest.raises(SafetyError):
            CcxtVenue(exchange, "hedge", SystemClock())
