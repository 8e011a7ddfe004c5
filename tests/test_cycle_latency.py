"""A cycle's record tells how long its phases took."""

from bot.clock import SimulatedClock
from bot.report.pace import pace_rows
from bot.steps.laps import Laps


def test_time_belongs_to_the_phase_that_ends() -> None:
    clock = SimulatedClock(1_000)
    laps = Laps(clock)
    clock.advance_to(1_030)
    laps.done("looking")
    clock.advance_to(1_100)
    laps.done("trading")
    clock.advance_to(1_105)
    assert laps.told() == {"looking": 30, "trading": 70, "total": 105}


class _SetBack:
    """A clock that an hour is taken from in the middle."""

    def __init__(self) -> None:
        self.times = [5_000, 5_010, 1_000, 1_020]

    def now_ms(self) -> int:
        return self.times.pop(0)

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)


def test_a_clock_set_back_makes_no_time_negative() -> None:
    laps = Laps(_SetBack())
    laps.done("looking")
    laps.done("deciding")
    assert laps.told() == {"looking": 10, "deciding": 0, "total": 10}


def test_the_report_tells_the_median_and_the_slowest() -> None:
    documents = [{"latency_ms": {"looking": n, "total": 10 * n}} for n in range(1, 101)]
    assert pace_rows([*documents, {"latency_ms": {}}, {}]) == [
        ("reading and measuring", "100", "50", "95", "100"),
        ("the whole cycle", "100", "500", "950", "1,000"),
    ]


def test_a_clock_that_stands_still_tells_no_pace() -> None:
    assert pace_rows([{"latency_ms": {"looking": 0, "total": 0}}]) == []
