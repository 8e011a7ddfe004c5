"""In hedge mode a bot's trades on the other side do not explain why our hedge shrank."""

from decimal import Decimal
from typing import Any

import pytest

from bot.trading.attribution import HedgeClosedExternally
from bot.trading.orders import Fill, Side
from bot.trading.venue_closes import explaining
from bot.venues.ccxt_reading import read_fill
from tests.execute_scene import FET, NOW_MS

SHRUNK = HedgeClosedExternally(FET, "SHORT", Decimal(-1000), Decimal(-400))  # others bought 600


def bought(trade_id: str, quantity: int, side: str, at: int = 0) -> Fill:
    return Fill(
        trade_id, "v", "", FET, Side.BUY, Decimal(quantity), Decimal("0.5"), None, None, False,
        NOW_MS + at, position_side=side,
    )  # fmt: skip


def ids(*trades: Fill) -> list[str]:
    return [one.trade_id for one in explaining(SHRUNK, trades, lambda _trade_id: False)]


def test_only_trades_of_its_own_side_explain_a_close() -> None:
    # A bot opened longs of just that size, later than the close and in two other sizes.
    close, longs = bought("close", 600, "SHORT"), bought("longs", 600, "LONG", at=5)
    assert ids(close, longs) == ["close"]
    assert ids(longs) == [], "it moved another position"
    assert ids(bought("a", 250, "LONG", 1), bought("b", 600, "SHORT", 2)) == ["b"]
    assert ids(bought("a", 200, "SHORT", 1), bought("b", 400, "LONG", 2)) == []
    assert ids(bought("a", 200, "SHORT", 1), bought("b", 400, "SHORT", 2)) == ["a", "b"]


def test_where_the_venue_does_not_tell_the_side_any_may_be_it() -> None:
    assert ids(bought("untold", 600, "")) == ["untold"]


@pytest.mark.parametrize(
    ("info", "side"),
    [
        ({"positionSide": "SHORT"}, "SHORT"),
        ({"positionSide": "BOTH"}, ""),
        ({"posSide": "long"}, "LONG"),
        ({"posSide": "net"}, ""),
        ({}, ""),
    ],
)
def test_the_side_is_read_as_exchanges_name_it(info: dict[str, Any], side: str) -> None:
    raw = {
        "id": "1", "order": "2", "side": "buy", "timestamp": NOW_MS, "amount": "600",
        "price": "0.5", "info": info,
    }  # fmt: skip
    found = read_fill(raw, FET, Decimal(1))
    assert found.position_side == side
    plain = read_fill({**raw, "info": {}}, FET, Decimal(1))
    assert found == plain, "a booked fill is the same fill when it is read again"
