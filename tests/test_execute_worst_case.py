"""What an opening may do to the caps when earlier orders turn out badly."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from bot.steps.carrying import cap_use_of
from bot.trading.execution import ExecutionReport
from bot.trading.orders import Side
from bot.trading.pretrade import OpenOrder
from bot.trading.styles import ExecutionStyles, Style
from bot.trading.worst_case import moved_otherwise, worst_cap
from bot.venues.sim.records import NewOrder, OrderType
from risk.errors import DataError
from strategies.state import risk_state
from tests.cycle_scene import open_scene
from tests.execute_scene import FET, TAO, leg, order, plan_of
from tests.styles_scene import POST_ONLY, Street, StyleStage, open_styles

BOT_USD = 1000.0
CAP_USD = 300.0
NEAR = "NEAR/USDT:USDT"
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


def test_of_two_sells_on_their_way_only_the_worse_one_may_fill() -> None:
    """The bot is long TAO and short FET; a sell of TAO is a cure, one of FET makes it worse."""

    def volatility(hedge_usd: Mapping[str, float]) -> Mapping[str, float]:
        tao, fet = 1000 + hedge_usd.get(TAO, 0.0), -500 + hedge_usd.get(FET, 0.0)
        near = hedge_usd.get(NEAR, 0.0)
        spread = tao**2 + fet**2 + near**2 + tao * fet + tao * near + fet * near
        return {"cae_usd": spread**0.5 / 1000}

    selling = [pending(Side.SELL, "1.25"), replace(pending(Side.SELL, "1000"), symbol=FET)]
    marks = {**MARKS, NEAR: 5.0}
    buying = order(symbol=NEAR, side=Side.BUY, quantity="40")
    assert worst_cap(buying, {}, [], marks, volatility) is None
    assert worst_cap(buying, {}, selling[:1], marks, volatility) is None
    assert worst_cap(buying, {}, selling, marks, volatility) is not None


def test_a_use_that_is_no_number_is_no_permission() -> None:
    assert worst_cap(order(), {}, [], MARKS, lambda _: {"net_usd": math.nan}) is not None


def _side(die: np.random.Generator) -> Side:
    return Side.BUY if die.random() < 0.5 else Side.SELL


@dataclass
class Drawn:
    """A book of some tokens at random, orders that wait in all but the last, and one more there.

    Attributes:
        limit_usd: of the net of all and of the correlation-adjusted exposure.
    """

    seed: int
    count: int
    limit_usd: float

    def __post_init__(self) -> None:
        die = np.random.default_rng(self.seed)
        self.names = [f"T{i}/USDT:USDT" for i in range(self.count + 1)]
        self.root = die.normal(size=(self.count + 1, self.count + 1))
        self.bot_usd = die.normal(scale=1000, size=self.count + 1)
        self.marks = dict.fromkeys(self.names, 1.0)
        amounts = die.integers(100, 1500, self.count).tolist()
        self.waiting = [
            OpenOrder(name, _side(die), "BOTH", Decimal(amount), False)
            for name, amount in zip(self.names, amounts, strict=False)
        ]
        self.asked = order(symbol=self.names[-1], side=_side(die), quantity="300")

    def use(self, hedge_usd: Mapping[str, float]) -> Mapping[str, float]:
        held = self.bot_usd + np.array([hedge_usd.get(name, 0.0) for name in self.names])
        volatility = float(np.linalg.norm(self.root @ held))
        return {"cae_usd": volatility / self.limit_usd, "net_usd": abs(sum(held)) / self.limit_usd}

    def worsens(self) -> bool:
        """By thinking of every mixture, in floats and with nothing of the engine's."""
        change = {self.asked.symbol: self.asked.side.sign * 300.0}
        for which in itertools.product((0, 1), repeat=self.count):
            filled = {
                one.symbol: one.side.sign * float(one.quantity) * fills
                for one, fills in zip(self.waiting, which, strict=True)
            }
            before, after = self.use(filled), self.use(filled | change)
            if any(after[cap] > max(1.0, before[cap]) * (1 + 1e-6) for cap in after):
                return True
        return False

    def told(self) -> str | None:
        return worst_cap(self.asked, {}, self.waiting, self.marks, self.use)


@pytest.mark.parametrize("count", [4, 6, 8])
@pytest.mark.parametrize("seed", range(12))
def test_up_to_eight_orders_may_fill_in_any_mixture(seed: int, count: int) -> None:
    drawn = Drawn(seed, count, limit_usd=1000.0 * count)
    assert (drawn.told() is not None) == drawn.worsens()


@pytest.mark.parametrize("limit_usd", [3_000.0, 10_000.0, 20_000.0, 40_000.0])
@pytest.mark.parametrize("seed", range(6))
def test_of_more_a_bound_allows_nothing_that_a_mixture_would_forbid(
    seed: int, limit_usd: float
) -> None:
    drawn = Drawn(seed, 10, limit_usd)
    told = drawn.told()
    assert told is not None or not drawn.worsens()
    if limit_usd == 40_000.0:
        assert told is None, "far from every cap it stops nobody"


def test_of_many_those_that_worsen_a_cap_fill_and_the_others_do_not() -> None:
    """Six sell and six buy: two and ten, which neither one side nor all but one amount to."""
    names = [f"T{i}/USDT:USDT" for i in range(12)]
    marks = {**MARKS, **dict.fromkeys(names, 1.0)}
    waiting = [
        OpenOrder(name, Side.SELL if i % 2 else Side.BUY, "BOTH", Decimal(10), False)
        for i, name in enumerate(names)
    ]

    def use(hedge_usd: Mapping[str, float]) -> Mapping[str, float]:
        """Of a stress in which half of the tokens rise, which is linear: 1 with all that worsen."""
        loss = sum((-1 if i in {0, 1, 4, 5, 8, 9} else 1) * hedge_usd.get(n, 0.0)
                   for i, n in enumerate(names))  # fmt: skip
        return {"stress_use": (loss - hedge_usd.get(FET, 0.0)) / 62}

    assert worst_cap(order(quantity="3"), {}, waiting, marks, use) is None
    why = worst_cap(order(quantity="10"), {}, waiting, marks, use)
    assert why is not None
    assert "stress_use at up to 1.05 of its cap if some of 12" in why


@pytest.mark.parametrize("filling", [[3], [0, 1, 2, 4, 5]])
def test_of_many_one_may_fill_alone_and_one_may_fail(filling: list[int]) -> None:
    names = [f"T{i}/USDT:USDT" for i in range(6)]
    marks = {**MARKS, **dict.fromkeys(names, 1.0)}
    waiting = [OpenOrder(name, Side.SELL, "BOTH", Decimal(10), False) for name in names]

    def use(hedge_usd: Mapping[str, float]) -> Mapping[str, float]:
        apart = sum(
            -hedge_usd.get(n, 0.0) * (1 if i in filling else -1) for i, n in enumerate(names)
        )
        return {"apart_usd": (apart - hedge_usd.get(FET, 0.0)) / (10 * len(filling) + 2)}

    assert worst_cap(order(quantity="10"), {}, waiting, marks, use) is not None
    assert worst_cap(order(quantity="3"), {}, waiting, marks, use) is None


def test_what_moved_is_what_the_account_holds_more_or_less_of_than_before() -> None:
    before = {(FET, "BOTH"): Decimal(5), (TAO, "LONG"): Decimal(1)}
    now = {(FET, "BOTH"): Decimal(-2), (TAO, "LONG"): Decimal(1), (TAO, "SHORT"): Decimal(3)}
    assert moved_otherwise(before, now, ()) == (
        OpenOrder(FET, Side.SELL, "BOTH", Decimal(7), reduce_only=False),
        OpenOrder(TAO, Side.BUY, "SHORT", Decimal(3), reduce_only=False),
    )
    assert moved_otherwise(before, now, {FET})[0].symbol == TAO
    assert moved_otherwise(before, before, ()) == ()


# Through the executor, on the simulated exchange

IOC = ExecutionStyles(style=Style.IOC, breach_style=Style.IOC)


def sent(stage: StyleStage) -> list[tuple[str, Side]]:
    return [(one.symbol, one.side) for one in stage.venue.placed]


def denials(report: ExecutionReport) -> list[tuple[str, str]]:
    return [(r.request.symbol, r.denied.control) for r in report.denials if r.denied]


def with_bot(bot_usd: float) -> dict[str, object]:
    """The same cap beside a bot of another size."""
    return {
        "cap_use": lambda usd: {"net_usd": abs(bot_usd + sum(usd.values())) / CAP_USD},
        "breached": True,
    }


def sends_again(stage: StyleStage, *, times: int) -> None:
    """A proxy copies the first order right after its account was read; all of them fill."""
    reads: list[str] = []

    def at(_street: Street, what: str) -> None:
        if stage.venue.placed:
            reads.append(what)
        if what == "account" and reads.count("account") == 2:
            first = stage.venue.placed[0]
            copy = NewOrder(FET, first.side, OrderType.MARKET, first.quantity * times)
            stage.venue.inner.exchange.place(stage.account, copy)

    stage.street.at = at


@pytest.mark.parametrize(("times", "stopped"), [(1, False), (3, True)])
async def test_what_moves_in_a_symbol_done_with_counts_for_the_next(
    tmp_path: Path, times: int, stopped: bool
) -> None:
    """FET is sold and compared; while TAO is worked FET is sold again, behind our back."""
    legs = leg(FET, Decimal(0), Decimal(-1000), 0.5), leg(TAO, Decimal(0), Decimal(-9), 400.0)
    async with open_styles(tmp_path, IOC) as stage:
        sends_again(stage, times=times)
        report = await stage.run(plan_of(*legs), **with_bot(4_350.0))
        assert sent(stage)[:2] == [(FET, Side.SELL), (TAO, Side.SELL)]
        assert denials(report) == ([(TAO, "worst_case")] if stopped else [])


@pytest.mark.parametrize("styles", [IOC, POST_ONLY])
@pytest.mark.parametrize("blocked", [False, True])
async def test_an_opening_waits_for_the_close_that_makes_room_for_it(
    tmp_path: Path, styles: ExecutionStyles, blocked: bool
) -> None:
    """Over-hedged by 1,000 USD: FET is bought back and TAO sold, unless FET cannot be bought."""
    async with open_styles(tmp_path, styles) as stage:
        await stage.run(plan_of(leg(FET, Decimal(0), Decimal(-4000), 0.5), cycle_id="c0"), "c0")
        assert stage.own == {(FET, "BOTH"): Decimal(-4000)}
        stage.venue.placed.clear()
        if blocked:
            stage.venue.self_trade_safe = False
            theirs = NewOrder(FET, Side.SELL, OrderType.LIMIT, Decimal(1000), Decimal("0.52"))
            stage.venue.inner.exchange.place(stage.account, replace(theirs, client_id="theirs"))
        legs = leg(FET, Decimal(-4000), Decimal(2600), 0.5), leg(TAO, Decimal(0), Decimal(-1), 400)
        plan = plan_of(*legs, own=stage.own, cycle_id="c1", quotes=stage.street.all_quotes())
        report = await stage.run(plan, cap_use=net, breached=True)
        if blocked:
            assert sent(stage) == []
            assert denials(report) == [(FET, "self_trade"), (TAO, "worst_case")]
        else:
            assert stage.own == {(FET, "BOTH"): Decimal(-1400), (TAO, "BOTH"): Decimal(-1)}


async def test_what_the_look_did_not_measure_is_not_taken_for_nothing(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        cap_use = cap_use_of(await scene.engine.look())
        assert cap_use({FET: 0.0, "NEW/USDT:USDT": 0.0}) == cap_use({})
        with pytest.raises(DataError, match="NEW/USDT:USDT moved during the plan"):
            cap_use({"NEW/USDT:USDT": 1.0})


async def test_a_plan_ends_when_something_moves_that_nobody_measured(tmp_path: Path) -> None:
    legs = leg(FET, Decimal(0), Decimal(-1000), 0.5), leg(TAO, Decimal(0), Decimal(-9), 400.0)

    def measured(usd: Mapping[str, float]) -> Mapping[str, float]:
        if usd.keys() - {FET}:
            raise DataError("TAO/USDT:USDT moved during the plan, which was made without it")
        return {"net_usd": 0.0}

    async with open_styles(tmp_path, IOC) as stage:
        sends_again(stage, times=1)
        report = await stage.run(plan_of(*legs), cap_use=measured)
        assert sent(stage) == [(FET, Side.SELL), (TAO, Side.SELL)], "TAO is of two orders"
        assert "made without it" in report.stopped


async def test_caps_are_measured_as_the_risk_of_the_book_measures_them(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        look = await scene.engine.look()
        facts = look.assessment.facts
        hedge_usd = np.linspace(-300, 300, len(facts.symbols))
        by_symbol = dict(zip(facts.symbols, hedge_usd.tolist(), strict=True))
        use = cap_use_of(look)(by_symbol)
        assert use
        assert use == risk_state(facts, look.choices, hedge_usd).cap_use


def test_what_was_held_before_is_asked_only_where_a_cap_would_be_exceeded() -> None:
    """Two measures of every mixture would keep the event loop twice as long."""
    asked: list[float] = []

    def counting(hedge_usd: Mapping[str, float]) -> Mapping[str, float]:
        asked.append(sum(hedge_usd.values()))
        return net(hedge_usd)

    selling = [replace(pending(Side.SELL, "0.5"), symbol=FET), pending(Side.SELL, "0.5")]
    own = {(FET, "BOTH"): Decimal(-1600)}  # 200 USD net long: inside, whatever fills of them
    assert worst_cap(order(side=Side.SELL, quantity="400"), own, [], MARKS, counting) is None
    assert len(asked) == 1
    asked.clear()
    assert worst_cap(order(side=Side.SELL, quantity="1300"), own, selling, MARKS, counting)
    assert len(asked) == 3 + 1 + 1
