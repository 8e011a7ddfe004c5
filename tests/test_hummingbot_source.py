"""Accounts read through hummingbot-api: pages, and which silence is flat."""

from typing import Any

import pytest

from risk.errors import DataError
from tests.hummingbot_scene import (
    BOOK,
    CONNECTOR,
    FET,
    MASTER,
    NOW_MS,
    SECOND,
    FakeHummingbot,
    balance,
    held,
    opened,
    row,
    two_accounts,
)


async def test_a_whole_read() -> None:
    server = two_accounts()
    async with opened(server) as source:
        snapshot = await source.read()
        assert held(snapshot) == BOOK
        assert (snapshot.exchange, snapshot.timestamp_ms) == ("binanceusdm", NOW_MS)
        assert source.described == f"hummingbot-api 1.0.1, {CONNECTOR} of {MASTER}, {SECOND}"
    assert server.questions == [
        {
            "account_names": [MASTER, SECOND],
            "connector_names": [CONNECTOR],
            "limit": 1000,
            "cursor": None,
        }
    ]
    # Reading is all that is ever asked for.
    assert {one.split(" ")[1].split("/")[0] for one in server.asked} == {
        "",
        "accounts",
        "trading",
        "portfolio",
    }


# Pages


@pytest.mark.parametrize("rows_a_page", [1, 2, 3, 5])
async def test_pages_are_put_together(rows_a_page: int) -> None:
    server = two_accounts()
    server.largest_page = rows_a_page
    async with opened(server) as source:
        assert held(await source.read()) == BOOK


@pytest.mark.parametrize("rows_a_page", [2, 3])
async def test_both_sides_of_a_pair_may_be_repeated_by_pages(rows_a_page: int) -> None:
    server = FakeHummingbot()
    pairs = [row(f"T{i}-USDT", side, 5.0) for i in range(3) for side in ("LONG", "SHORT")]
    server.holds(MASTER, *pairs)
    server.largest_page = rows_a_page
    async with opened(server, accounts=(MASTER,)) as source:
        assert len(held(await source.read())) == 6


async def test_a_page_that_comes_back_for_ever_is_refused() -> None:
    server = FakeHummingbot()
    # One row a page stops at the first of two rows that share their place.
    server.holds(MASTER, row("FET-USDT", "LONG", 5.0), row("FET-USDT", "SHORT", 5.0))
    server.held[MASTER, CONNECTOR].append(row("SOL-USDT", "LONG", 1.0))
    server.largest_page = 1
    async with opened(server, accounts=(MASTER,)) as source:
        with pytest.raises(DataError, match="pages do not fit together"):
            await source.read()
    assert len(server.questions) < 20


async def test_a_book_that_moves_between_pages_is_read_anew() -> None:
    server = two_accounts()
    server.largest_page, pages = 1, []

    def close_one_after_the_first_page() -> None:
        pages.append(1)
        if len(pages) == 2:
            server.holds(MASTER, row("TAO-USDT", "SHORT", -2.5))

    server.before_page = close_one_after_the_first_page
    async with opened(server) as source:
        assert held(await source.read()) == {k: v for k, v in BOOK.items() if k[1] != FET}


async def test_a_book_that_never_stands_still_is_refused() -> None:
    server = two_accounts()
    server.largest_page = 2

    def grow() -> None:
        number = len(server.held[SECOND, CONNECTOR])
        server.held[SECOND, CONNECTOR].append(
            row(f"T{number}-USDT", "LONG", 1.0, account_name=SECOND)
        )

    server.before_page = grow
    async with opened(server) as source:
        with pytest.raises(DataError, match="pages do not fit together"):
            await source.read()


# Accounts without rows


async def test_an_account_with_idle_money_is_flat() -> None:
    server = two_accounts()
    server.holds(SECOND)
    async with opened(server) as source:
        assert held(await source.read()) == {k: v for k, v in BOOK.items() if k[0] == MASTER}
        server.holds(MASTER)
        assert (await source.read()).positions == ()


async def test_a_connector_that_is_skipped_is_not_flat() -> None:
    server = two_accounts()
    async with opened(server) as source:
        server.known_money = dict(server.money)
        server.skipped = {(SECOND, CONNECTOR)}
        with pytest.raises(DataError, match=r"second .*: tells no position, but 500\.0 USDT"):
            await source.read()
        server.skipped = set()
        assert held(await source.read()) == BOOK
        server.skipped = {(SECOND, CONNECTOR)}
        # What the server last knew is shown again, though the position is closed by now.
        server.money[SECOND, CONNECTOR] = [balance(1000.0, 1000.0)]
        for _ in range(2):
            with pytest.raises(DataError, match="money as it was beside positions, which is old"):
                await source.read()
        server.skipped = set()
        assert held(await source.read()) == BOOK


async def test_a_connector_that_never_answered_is_not_flat() -> None:
    server = two_accounts()
    server.skipped = {(SECOND, CONNECTOR)}
    async with opened(server) as source:
        with pytest.raises(DataError, match="second binance_perpetual: the account is not told"):
            await source.read()
        server.known_money[SECOND, "gate_io_perpetual"] = [balance(1.0, 1.0)]
        with pytest.raises(DataError, match="the account is not told"):
            await source.read()
        server.known_money[SECOND, CONNECTOR] = []
        with pytest.raises(DataError, match="no positions and no money told"):
            await source.read()


async def test_a_connector_that_fails_between_two_answers_is_not_flat() -> None:
    server = two_accounts()
    server.holds(SECOND)
    asked = []

    def fail_at_the_second_question() -> None:
        asked.append(1)
        if len(asked) == 2:
            server.skipped = {(MASTER, CONNECTOR)}

    server.before_page = fail_at_the_second_question
    server.known_money = dict(server.money)
    async with opened(server) as source:
        with pytest.raises(DataError, match=f"{MASTER} .*: tells no position, but"):
            await source.read()


async def test_a_connector_that_comes_and_goes_is_not_flat() -> None:
    server = two_accounts()
    asked = []

    def now_one_and_now_the_other() -> None:
        asked.append(1)
        server.skipped = {((MASTER, SECOND)[len(asked) % 2], CONNECTOR)}
        server.money = {key: [balance(1000.0 + len(asked), 500.0)] for key in server.held}
        server.known_money = server.money

    server.before_page = now_one_and_now_the_other
    async with opened(server, resting_orders=True) as source:
        with pytest.raises(DataError, match="now tells positions and now none"):
            await source.read()


async def test_margin_of_resting_orders_is_no_position_where_that_is_said() -> None:
    server = two_accounts()
    server.holds(SECOND)
    server.money[SECOND, CONNECTOR] = [balance(1000.0, 700.0)]
    async with opened(server) as source:
        with pytest.raises(DataError, match="set resting_orders"):
            await source.read()
    async with opened(server, resting_orders=True) as source:
        assert {holder for holder, _, _ in held(await source.read())} == {MASTER}


async def test_money_as_it_was_beside_positions_is_old_though_orders_rest() -> None:
    server = two_accounts()
    async with opened(server, resting_orders=True) as source:
        assert held(await source.read()) == BOOK
        server.skipped = {(SECOND, CONNECTOR)}
        for _ in range(2):
            with pytest.raises(DataError, match="money as it was beside positions, which is old"):
                await source.read()
        server.skipped = set()
        # Closed, with orders that use as much as the position did, less its fees.
        server.holds(SECOND)
        server.money[SECOND, CONNECTOR] = [balance(999.5, 499.5)]
        for _ in range(2):
            assert {holder for holder, _, _ in held(await source.read())} == {MASTER}


async def test_positions_that_are_told_do_not_rest_on_money() -> None:
    server = two_accounts()
    server.money = {}
    async with opened(server) as source:
        assert held(await source.read()) == BOOK


@pytest.mark.parametrize(
    "told",
    [
        balance(1000.0, 1000.0) | {"available_units": None},
        {"token": "USDT", "units": 1000.0},
        balance(1000.0, 1000.0) | {"units": "1000"},
        balance(1000.0, 1000.0) | {"token": ""},
        {},
        None,
    ],
)
async def test_money_that_is_not_told_shows_nothing(told: Any) -> None:
    server = two_accounts()
    server.holds(SECOND)
    server.money[SECOND, CONNECTOR] = [told]
    async with opened(server) as source:
        with pytest.raises(DataError, match="portfolio/state: second"):
            await source.read()


async def test_floats_of_one_balance_may_differ_by_rounding() -> None:
    server = two_accounts()
    server.holds(SECOND)
    server.money[SECOND, CONNECTOR] = [balance(1000.0, 999.9999999), balance(0.3, 0.3, "BNB")]
    async with opened(server) as source:
        assert len(held(await source.read())) == 2


async def test_an_account_without_keys_for_the_connector_is_refused() -> None:
    server = two_accounts()
    server.credentials[SECOND] = ["binance"]
    async with opened(server) as source:
        with pytest.raises(DataError, match="binance_perpetual is not there"):
            await source.read()
