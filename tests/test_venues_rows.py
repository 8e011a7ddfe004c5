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
