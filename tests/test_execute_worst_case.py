"""What an opening may do to the caps when earlier orders turn out badly."""

from collections.abc import Mapping
from decimal import Decimal

from bot.trading.orders import Side
from bot.trading.pretrade import OpenOrder
from bot.trading.worst_case import worst_cap
from tests.execute_scene import FET, TAO, order

BOT_USD = 1000.0
CAP_USD = 300.0
MARKS = {FET: 0.5, TAO: 400.0}


def net(hedge_usd: Mapping[str, float]) -> Mapping[str, float]:
    """The bot is long 1,000 USD, and 300 USD of both together are allowed."""
    return {"net_usd": abs(BOT_USD + sum(hedge_usd.values())) / CAP_USD}


def pending(side: Side, quantity: str) -> OpenOrder:
    return OpenOrder(TAO, side, "BOTH", Decimal(quantity), reduce_only=False)


def test_an_opening_that_brings_the_book_back_is_no_harm() -> None:
    assert worst_cap(order(quantity="2000"), {}, [], MARKS, net) is None


def test_an_opening_that_would_overshoot_if_another_order_filled_is() -> None:
    selling = pending(Side.SELL, "2.25")  # 900 USD on its way
    assert worst_cap(order(quantity="600"), {}, [selling], MARKS, net) is None
    why = worst_cap(order(quantity="1500"), {}, [selling], MARKS, net)
    assert why is not None
    assert why.startswith("net_usd at 2.17")


def test_beyond_the_cap_nothing_may_make_it_worse_but_better_is_allowed() -> None:
    own = {(FET, "BOTH"): Decimal(-4000)}  # 2,000 USD short: 1,000 too much
    assert worst_cap(order(quantity="10"), own, [], MARKS, net) is not None
    assert worst_cap(order(side=Side.BUY, quantity="10"), own, [], MARKS, net) is None


def test_buys_and_sells_on_their_way_do_not_make_up_for_each_other() -> None:
    both = [pending(Side.SELL, "2"), pending(Side.BUY, "2")]
    assert worst_cap(order(quantity="1900"), {}, both, MARKS, net) is not None
