"""The depth that a replay tells is that of the whole book of the simulated exchange."""

import pytest

from bot.replay.market import depth_within
from bot.trading.orders import Side
from tests.sim_scene import BTC, FET, Scene


@pytest.mark.parametrize(("symbol", "bought"), [(FET, "1000"), (BTC, "1")])
@pytest.mark.parametrize("within", [0.0, 1e-4, 0.002, 0.02, 10.0])
def test_depth_is_the_notional_of_the_levels_inside(
    symbol: str, bought: str, within: float
) -> None:
    scene = Scene()
    scene.market(scene.account(wallet="1000000"), symbol, Side.BUY, bought)
    exchange = scene.exchange
    book = exchange.depth(symbol, 500)
    middle = float(book.bids[0][0] + book.asks[0][0]) / 2
    expected = {
        side: sum(float(p * q) for p, q in levels if abs(float(p) - middle) <= within * middle)
        for side, levels in ((Side.BUY, book.asks), (Side.SELL, book.bids))
    }
    found = depth_within(
        exchange.offered(symbol, Side.BUY), exchange.offered(symbol, Side.SELL), within
    )
    assert found == expected


def test_an_empty_side_has_no_depth() -> None:
    nothing = {Side.BUY: 0.0, Side.SELL: 0.0}
    asks = Scene().exchange.depth(FET, 5).asks
    assert depth_within([], asks, 0.1) == depth_within(asks, [], 0.1) == nothing
