"""Who closes a hedge twice is not fought for it."""

from decimal import Decimal

from bot.steps.aftermath import Aftermath, resting
from bot.trading.ledger import ExternalClose
from tests.execute_scene import FET, NOW_MS, TAO

MINUTE_MS = 60_000
POLICY = Aftermath(adl_pause_ms=60 * MINUTE_MS)


def closed(minute: float, symbol: str = FET, kind: str = "others") -> ExternalClose:
    at_ms = NOW_MS + round(minute * MINUTE_MS)
    return ExternalClose(symbol, "BOTH", Decimal(10), at_ms, kind=kind)


def at(minute: float, *closes: ExternalClose) -> set[str]:
    return set(resting(POLICY, closes, NOW_MS + round(minute * MINUTE_MS)))


def test_a_hedge_that_others_close_once_is_opened_anew() -> None:
    assert at(1, closed(0)) == set()
    assert at(1, closed(0), closed(0.05)) == set(), "two trades of one close"


def test_a_hedge_that_others_close_again_is_left_alone_for_a_while() -> None:
    twice = closed(0), closed(5), closed(5.01), closed(3, TAO)
    assert at(6, *twice) == {FET}
    assert at(64, *twice) == {FET}
    assert at(66, *twice) == set()
    assert "time and again" in resting(POLICY, twice, NOW_MS + 6 * MINUTE_MS)[FET]


def test_closes_far_apart_are_each_their_own() -> None:
    assert at(91, closed(0), closed(90)) == set()
    assert at(91, closed(0, kind="settlement"), closed(5, kind="settlement")) == set()
