"""How long the account may be shown as it was before a fill of ours, also by a wrong clock."""

from pathlib import Path

from bot.clock import SimulatedClock
from bot.journal.journal import Journal
from bot.measuring.lagging import POSITION_LAG_MS, PositionLag
from tests.execute_scene import ACCOUNT, FET, NOW_MS, acknowledged, fill, order, send

AHEAD_MS = 60_000


def booked(journal: Journal, number: int, at_ms: int) -> None:
    """A fill of ours, executed and booked then."""
    one = order(f"h1n{number}", intent_id=f"i{number}")
    send(journal, one)
    journal.record_outcome(acknowledged(one))
    done = fill(
        f"t{number}", client_id=one.client_id, venue_order_id=f"v-{one.client_id}", at=at_ms
    )
    with Journal.open(journal.path, SimulatedClock(at_ms), install_key=b"k" * 32) as later:
        later.record_fills(ACCOUNT, FET, [done], read_ms=at_ms)


def test_fills_from_a_clock_that_was_ahead_count_from_now_and_are_forgotten_in_the_end(
    tmp_path: Path,
) -> None:
    clock = SimulatedClock(NOW_MS)
    with Journal.open(tmp_path / "journal.sqlite", clock, install_key=b"k" * 32) as journal:
        lag = PositionLag(journal, clock, ACCOUNT)
        assert not lag.may_last(FET)
        for number in range(5):
            booked(journal, number, NOW_MS + AHEAD_MS + number)
        assert lag.may_last(FET)
        assert len(lag._set_back) == 5
        clock.advance_to(NOW_MS + POSITION_LAG_MS + 1)
        assert not lag.may_last(FET), "they were seen long enough ago"
        clock.advance_to(NOW_MS + AHEAD_MS + 5)
        assert not lag.may_last(FET), "nor do they count once more when their time has come"
        clock.advance_to(NOW_MS + AHEAD_MS + POSITION_LAG_MS + 5)
        assert not lag.may_last(FET)
        assert not lag._set_back
