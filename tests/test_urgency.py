"""When a breach cannot wait for the next decision."""

from bot.urgency import Means, is_urgent, left_over
from risk.limits.caps import LimitBreach
from strategies.proposal import NoHedge, NoHedgeReason, RiskState


def breach(value: float, cap: str = "cae_usd", scope: str = "") -> LimitBreach:
    return LimitBreach(cap, scope, value, 30_000.0, bot_alone=True, curable=True)


def decided(*breaches: LimitBreach) -> NoHedge:
    state = RiskState(900.0, 37_800.0, 0.0, {}, breaches)
    return NoHedge("minimum_risk", 0, NoHedgeReason.INFEASIBLE, "", state)


def test_a_breach_is_urgent_until_a_decision_has_left_it():
    assert is_urgent([breach(37_800)], {})
    assert not is_urgent([breach(37_800)], left_over(decided(breach(37_800))))
    assert not is_urgent([], {})


def test_what_was_left_is_urgent_again_once_it_is_a_hundredth_worse():
    left = left_over(decided(breach(37_800)))
    assert not is_urgent([breach(38_100)], left)
    assert is_urgent([breach(38_200)], left)
    assert not is_urgent([breach(31_000)], left)


def test_another_cap_or_another_scope_is_news():
    left = left_over(decided(breach(37_800)))
    assert is_urgent([breach(37_800), breach(31_000, "net_usd")], left)
    assert is_urgent([breach(37_800, "token_usd", "FET/USDT:USDT")], left)


def test_a_decision_without_a_state_leaves_nothing():
    assert left_over(NoHedge("minimum_risk", 0, NoHedgeReason.FLAT, "", None)) == {}


def test_what_shrank_to_less_than_half_is_looked_at_anew():
    """It was left under other circumstances: a wrong price, an empty account."""
    left = left_over(decided(breach(80_000)))
    assert not is_urgent([breach(41_000)], left)
    assert is_urgent([breach(39_000)], left)


def test_more_money_or_another_symbol_is_more_to_hedge_with():
    before = Means(1_000.0, frozenset({"NEAR/USDT:USDT"}))
    assert not Means(1_050.0, before.carriers).more_than(before)
    assert Means(1_200.0, before.carriers).more_than(before)
    assert not Means(900.0, frozenset()).more_than(before)
    assert Means(900.0, frozenset({"TAO/USDT:USDT"})).more_than(before)


def test_a_bot_that_turns_round_is_another_situation_although_as_much_is_over_the_cap() -> None:
    """Short 10,000 USD cannot be cured by shorts; long 10,000 USD, the same distance, can."""
    carriers = frozenset({"NEAR/USDT:USDT"})
    short = Means(1_000.0, carriers, {"FET/USDT:USDT": -10_000.0, "TAO/USDT:USDT": 0.0})
    assert Means(1_000.0, carriers, {"FET/USDT:USDT": 10_000.0}).more_than(short)
    assert Means(1_000.0, carriers, {"TAO/USDT:USDT": -10_000.0}).more_than(short)
    assert not Means(1_000.0, carriers, {"FET/USDT:USDT": -8_000.0}).more_than(short)
    assert not Means(1_000.0, carriers, dict(short.bot_usd)).more_than(short)
