"""Rows of markets that were not asked for are not read, and answers stay what they were."""

from typing import Any

import pytest

from bot.venues.ccxt_rows import read_only_wanted, wanted_rows
from bot.venues.clients import make_client

LISTED = {"AUSDT": {}, "BUSDT": {}, "C-USDT-SWAP": {}}


@pytest.mark.parametrize(
    ("row", "stays"),
    [
        ({"symbol": "AUSDT"}, True),
        ({"symbol": "BUSDT"}, False),
        ({"instId": "C-USDT-SWAP"}, False),
        ({"symbol": "new one"}, True),
        ({"symbol": 3, "name": "BUSDT"}, False),
        ({}, True),
        (["BUSDT"], True),
        (None, True),
    ],
)
def test_only_rows_of_another_listed_market_are_dropped(row: Any, stays: bool) -> None:
    assert wanted_rows([row], frozenset({"AUSDT"}), LISTED) == ([row] if stays else [])


def market(base: str) -> dict[str, Any]:
    symbol = f"{base}/USDT:USDT"
    return {
        "id": f"{base}USDT", "symbol": symbol, "base": base, "quote": "USDT", "settle": "USDT",
        "type": "swap", "swap": True, "spot": False, "contract": True, "linear": True,
        "contractSize": 1.0,
    }  # fmt: skip


async def test_the_answer_is_that_of_an_unchanged_client_and_nothing_else_is_read() -> None:
    bases = [f"T{n}" for n in range(40)]
    tickers = [{"symbol": f"{b}USDT", "lastPrice": "1", "quoteVolume": "5"} for b in bases]
    rates = [{"symbol": f"{b}USDT", "lastFundingRate": "0.0001", "time": 5} for b in bases]
    asked, answers, read = ["T3/USDT:USDT", "T7/USDT:USDT"], [], []
    for sparing in (False, True):
        exchange = make_client("binanceusdm")
        exchange.set_markets([market(base) for base in bases])
        if sparing:
            read_only_wanted(exchange)
        plain, seen = exchange.parse_ticker, []
        exchange.parse_ticker = lambda row, *rest, plain=plain, seen=seen: (
            seen.append(row["symbol"]) or plain(row, *rest)
        )
        answers.append(
            (exchange.parse_tickers(tickers, asked), exchange.parse_funding_rates(rates, asked))
        )
        read.append(len(seen))
        assert len(exchange.parse_tickers(tickers)) == 40, "all where all are asked for"
        await exchange.close()
    assert answers[0] == answers[1]
    assert list(answers[0][0]) == asked
    assert read == [40, 2]


@pytest.mark.parametrize(
    ("rows", "keys"),
    [
        ([["1.5", "20"], ["1.4", "7"]], ()),
        ([["1.5", "20", "0", "4"], [1.4, 7, 1, 2]], ()),
        ([{"px": "1.5", "sz": "20", "n": 3}], ("px", "sz", "n")),
        ([{"p": "1.5", "s": 20}], ("p", "s")),
        ([["1.5", None], ["1.4", "7"]], ()),
        ([["", "20"], ["1.4"]], ()),
        ([{"other": 1}], ("px", "sz")),
        ({"12": ["1.5", "20"]}, ()),
        ([], ()),
        (None, ()),
    ],
)
async def test_levels_of_a_book_have_the_price_and_amount_that_ccxt_reads(
    rows: Any, keys: tuple[str, ...]
) -> None:
    exchange = make_client("binanceusdm")
    plainly = _answer(exchange.parse_order_book_bids_asks, rows, keys)
    read_only_wanted(exchange)
    assert _answer(exchange.parse_order_book_bids_asks, rows, keys) == plainly
    await exchange.close()


def _answer(read: Any, rows: Any, keys: tuple[str, ...]) -> Any:
    try:
        return [level[:2] for level in read(rows, *keys)]
    except Exception as error:  # noqa: BLE001 - whatever ccxt makes of it is what is asked for
        return type(error)
