"""The depth of the simulated book: the square-root law, memory, recovery."""

import math
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.trading.orders import Side
from bot.venues.sim.market import SymbolMarket
from bot.venues.sim.settings import DEFAULT_SETTINGS, ExchangeSettings
from tests.sim_scene import BTC, FET, INSTRUMENTS, VOLUMES, Scene


def book(scene: Scene, symbol: str, levels: int = 1000) -> tuple[list[Decimal], list[Decimal]]:
    """Prices and quantities of the asks."""
    asks = scene.exchange.depth(symbol, levels).asks
    return [p for p, _ in asks], [q for _, q in asks]


@pytest.mark.parametrize("symbol", [FET, BTC])
def test_depth_follows_the_square_root_law(symbol: str) -> None:
    scene = Scene()
    prices, quantities = book(scene, symbol)
    best = scene.prices[symbol] * 1.0001
    total = Decimal(0)
    for (price, quantity), beyond in zip(
        zip(prices, quantities, strict=True), prices[1:], strict=False
    ):
        total += quantity
        middle = (math.sqrt(float(price) / best - 1) + math.sqrt(float(beyond) / best - 1)) / 2
        law_usd = VOLUMES[symbol] * (middle**2 / 0.05) ** 2
        held_usd = float(total) * scene.prices[symbol]
        if law_usd > 2000:  # nearer levels are bent by tick and lot
            assert held_usd == pytest.approx(law_usd, rel=0.15)


def test_taking_moves_the_price_by_the_law() -> None:
    scene = Scene()
    account = scene.account(wallet="1000000")
    bought = scene.market(account, FET, Side.BUY, "100000")
    usd = float(bought.filled_quote_usd)
    mean_move = 2 / 3 * 0.05 * math.sqrt(usd / VOLUMES[FET])
    assert float(bought.average_price) / 1.0001 - 1 == pytest.approx(mean_move, rel=0.05)


def test_the_best_prices_are_those_of_the_quote() -> None:
    depth = Scene().exchange.depth(BTC, 1)
    assert depth.asks[0][0] == Decimal("50005.0")
    assert depth.bids[0][0] == Decimal("49995.0")


def test_what_was_taken_is_gone_and_comes_back() -> None:
    scene = Scene()
    before = sum(book(scene, FET)[1])
    scene.market(scene.account(), FET, Side.BUY, "20000")
    assert sum(book(scene, FET)[1]) == before - 20000
    scene.after(60_000)
    assert sum(book(scene, FET)[1]) == before - 10000
    scene.after(60_000)
    assert sum(book(scene, FET)[1]) == before - 5000
    scene.after(3_600_000)
    assert sum(book(scene, FET)[1]) == before


def test_bids_stay_while_asks_are_taken() -> None:
    scene = Scene()
    before = scene.exchange.depth(FET, 1000).bids
    scene.market(scene.account(), FET, Side.BUY, "20000")
    assert scene.exchange.depth(FET, 1000).bids == before


def test_a_market_without_volume_has_an_empty_book() -> None:
    scene = Scene()
    scene.update(daily_volume_usd=0.0)
    assert scene.exchange.depth(FET, 10).asks == ()


def test_depth_varies_with_the_seed_only_within_the_jitter() -> None:
    calm = sum(book(Scene(), FET)[1])
    jittery = ExchangeSettings(depth_jitter=0.2)
    totals = [sum(book(Scene(jittery, seed), FET)[1]) for seed in (1, 2, 3)]
    assert len(set(totals)) == 3
    assert totals[0] == sum(book(Scene(jittery, 1), FET)[1])
    assert all(Decimal("0.79") < total / calm < Decimal("1.21") for total in totals)


@settings(max_examples=60, deadline=None)
@given(
    price=st.floats(1e-5, 1e5),
    volume=st.floats(0, 1e10),
    sigma=st.floats(0.005, 0.5),
    taken=st.integers(0, 10**7),
    elapsed_ms=st.integers(0, 10**6),
)
@example(price=0.005, volume=4226381588.0, sigma=0.005859375, taken=1, elapsed_ms=0)
def test_levels_are_ordered_positive_and_never_more_than_the_law(
    price: float, volume: float, sigma: float, taken: int, elapsed_ms: int
) -> None:
    scene = Scene()
    market = SymbolMarket(INSTRUMENTS[0], DEFAULT_SETTINGS, 0)
    quote = scene.quote(
        FET,
        mark=price,
        bid=price,
        ask=price * 1.001,
        daily_volume_usd=volume,
        volatility_daily=sigma,
    )
    market.renew(quote, 0)
    for side in (Side.BUY, Side.SELL):
        untouched = list(market.street.levels(side, 0))
        market.street.take(side, Decimal(taken), 0)
        left = list(market.street.levels(side, elapsed_ms))
        sign = -side.sign
        assert all(sign * (b - a) > 0 for (a, _), (b, _) in pairwise(left))
        assert all(q > 0 and p > 0 and p % Decimal("0.0001") == 0 for p, q in left)
        total, all_of_it = sum(q for _, q in left), sum(q for _, q in untouched)
        assert total <= all_of_it
        if elapsed_ms == 0:
            assert total == max(0, all_of_it - taken)
