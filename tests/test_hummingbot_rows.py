"""Rows of hummingbot's positions: directions, symbols, and everything that is refused."""

from decimal import Decimal
from typing import Any

import pytest

from bot.ports import ReportedPosition
from bot.sources.hummingbot.rows import read_page, reported
from bot.sources.hummingbot.symbols import unified_symbol
from config.sources_hummingbot import Connector
from risk.errors import DataError
from tests.hummingbot_scene import CONNECTOR, MASTER, SECOND, row


def page(*told: dict[str, Any], **pagination: Any) -> dict[str, Any]:
    about = {"limit": 1000, "has_more": False, "next_cursor": None, "total_count": len(told)}
    return {"data": list(told), "pagination": about | pagination}


def exact(one: dict[str, Any]) -> dict[str, Any]:
    """As it is parsed, with numbers as they are written."""
    return {k: Decimal(repr(v)) if isinstance(v, float) else v for k, v in one.items()}


def positions(*told: dict[str, Any]) -> tuple[ReportedPosition, ...]:
    document = page(*(exact(one) for one in told))
    found = read_page(document, "page", CONNECTOR, frozenset({MASTER, SECOND}))
    return reported(found.holdings, "page")


@pytest.mark.parametrize(
    ("side", "amount", "base"),
    [
        ("LONG", 4.0, "4.0"),
        ("SHORT", 4.0, "-4.0"),
        ("SHORT", -4.0, "-4.0"),
        ("BOTH", 4.0, "4.0"),
        ("BOTH", -4.0, "-4.0"),
    ],
)
def test_the_direction(side: str, amount: float, base: str) -> None:
    (one,) = positions(row("FET-USDT", side, amount))
    assert (one.base_quantity, one.position_side) == (Decimal(base), side)
    assert (one.entry_price, one.leverage, one.unrealised_pnl_usd) == (2.0, 5.0, -1.5)


def test_both_sides_of_one_pair() -> None:
    told = positions(row("FET-USDT", "LONG", 5.0), row("FET-USDT", "SHORT", -2.0))
    assert [(p.position_side, p.base_quantity) for p in told] == [
        ("LONG", Decimal("5.0")),
        ("SHORT", Decimal("-2.0")),
    ]


def test_the_same_pair_of_two_accounts_is_two_positions() -> None:
    told = positions(
        row("FET-USDT", "LONG", 5.0), row("FET-USDT", "LONG", 2.0, account_name=SECOND)
    )
    assert [(p.holder, p.base_quantity) for p in told] == [
        (MASTER, Decimal("5.0")),
        (SECOND, Decimal("2.0")),
    ]


def test_numbers_that_are_not_told() -> None:
    (one,) = positions(
        row("FET-USDT", "LONG", 5.0, entry_price=None, leverage=None, unrealized_pnl=None)
    )
    assert (one.entry_price, one.leverage, one.unrealised_pnl_usd) == (None, None, None)
    assert positions(row("FET-USDT", "LONG", 0.0)) == ()


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ([{}], r"page\.data\[0\]\.account_name: missing, and nothing may be guessed"),
        ([row("FET-USDT", "LONG", None)], r"data\[0\]\.amount: null, and nothing may be guessed"),
        ([row("FET-USDT", "LONG", "4")], r"data\[0\]\.amount: '4', must be a number"),
        ([row("FET-USDT", "LONG", -4)], r"amount: -4, but side is LONG: one of them is wrong"),
        ([row("FET-USDT", "UNKNOWN", 4)], r"side: 'UNKNOWN', must be one of LONG, SHORT, BOTH"),
        ([row("FET-USDT", "long", 4)], r"side: 'long', must be one of"),
        ([row("FETUSDT", "LONG", 4)], r"trading_pair: 'FETUSDT', must be a linear perpetual"),
        ([row("FET-USD", "LONG", 4)], r"linear perpetual of binance_perpetual: BASE-USDT or"),
        ([row("FET-USDT", "LONG", 4, account_name="other")], r"'other', which was not asked for"),
        ([row("FET-USDT", "LONG", 4, connector_name="binance")], r"'binance', which was not asked"),
        ([row("FET-USDT", "LONG", 4)] * 2, r"FET/USDT:USDT LONG: stands twice on one page"),
        (
            [row("FET-USDT", "BOTH", 4), row("FET-USDT", "SHORT", 4)],
            r"FET/USDT:USDT: told as BOTH and as SHORT",
        ),
    ],
)
def test_rows_that_are_refused(told: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(DataError, match=words):
        positions(*told)


@pytest.mark.parametrize(
    ("pagination", "words"),
    [
        ({"has_more": None}, "has_more: null"),
        ({"has_more": True}, "next_cursor: null"),
        ({"next_cursor": "x"}, "next_cursor: 'x', but has_more is false"),
        ({"total_count": None}, "total_count: null"),
        ({"total_count": -1}, "total_count: -1, must be a number, at least 0"),
    ],
)
def test_pages_that_are_refused(pagination: dict[str, Any], words: str) -> None:
    document = page(exact(row("FET-USDT", "LONG", 4)), **pagination)
    with pytest.raises(DataError, match=words):
        read_page(document, "page", CONNECTOR, frozenset({MASTER}))


@pytest.mark.parametrize(
    ("connector", "pair", "symbol"),
    [
        ("binance_perpetual", "SOL-USDT", "SOL/USDT:USDT"),
        ("binance_perpetual", "SOL-USDC", "SOL/USDC:USDC"),
        ("binance_perpetual", "1000PEPE-USDT", "1000PEPE/USDT:USDT"),
        ("gate_io_perpetual", "SOL-USDT", "SOL/USDT:USDT"),
        ("hyperliquid_perpetual", "SOL-USD", "SOL/USDC:USDC"),
        ("hyperliquid_perpetual", "SOL-USDC", "SOL/USDC:USDC"),
        ("hyperliquid_perpetual", "kPEPE-USD", "KPEPE/USDC:USDC"),
    ],
)
def test_symbols(connector: Connector, pair: str, symbol: str) -> None:
    assert unified_symbol(connector, pair, "pair") == symbol


@pytest.mark.parametrize(
    ("connector", "pair"),
    [
        ("hyperliquid_perpetual", "XYZ:TSLA-USD"),
        ("hyperliquid_perpetual", "SOL-USDT"),
        ("gate_io_perpetual", "BTC-USD"),
        ("binance_perpetual", "BTC-USDT-240628"),
        ("binance_perpetual", "-USDT"),
        ("binance_perpetual", "B C-USDT"),
    ],
)
def test_pairs_that_are_no_linear_perpetuals(connector: Connector, pair: str) -> None:
    with pytest.raises(DataError, match="pair: "):
        unified_symbol(connector, pair, "pair")
