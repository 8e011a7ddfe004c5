"""Turnover of a day, against the sum over all fills by hand, whatever the order of events."""

import random
from decimal import Decimal
from pathlib import Path

import pytest

from bot.clock import SimulatedClock
from bot.controls.fills import DAY_MS, FillReview
from bot.journal.journal import Journal
from bot.trading.pretrade import PretradeLimits
from tests.execute_scene import ACCOUNT, FET, NOW_MS, acknowledged, fill, order, send

HOUR_MS = 3_600_000


@pytest.mark.parametrize("seed", range(2))
def test_it_is_the_sum_over_the_window_at_every_moment(seed: int, tmp_path: Path) -> None:
    die = random.Random(seed)
    clock = SimulatedClock(NOW_MS)
    traded: list[tuple[int, Decimal]] = []
    resumed_ms, changes, last = 0, 0, Decimal(-1)
    with Journal.open(tmp_path / "journal.sqlite", clock) as journal:
        review = FillReview(journal, clock, ACCOUNT, PretradeLimits)
        for step in range(50):
            clock.advance_to(clock.now_ms() + die.choice((0, 1, HOUR_MS, 7 * HOUR_MS)))
            now_ms = clock.now_ms()
            if die.random() < 0.4:
                _trade(journal, f"h{step}", now_ms - die.choice((0, 5_000)), traded)
            if die.random() < 0.1:
                resumed_ms = now_ms - die.choice((0, HOUR_MS))
            start_ms = max(now_ms - DAY_MS, resumed_ms)
            by_hand = sum((usd for at_ms, usd in traded if at_ms >= start_ms), Decimal(0))
            assert review.turnover_usd(resumed_ms) == by_hand
            assert review.turnover_usd(resumed_ms) == by_hand, "asked again, the same"
            changes += by_hand != last
            last = by_hand
    assert changes > 12


def _trade(journal: Journal, name: str, at_ms: int, traded: list[tuple[int, Decimal]]) -> None:
    request = order(name, intent_id=f"i-{name}")
    send(journal, request)
    journal.record_outcome(acknowledged(request))
    done = fill(f"t-{name}", client_id=name, venue_order_id=f"v-{name}", at=at_ms)
    assert journal.record_fills(ACCOUNT, FET, [done], read_ms=at_ms)
    traded.append((at_ms, done.quantity * done.price))
