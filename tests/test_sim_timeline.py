"""Histories found by their time are what a look at every record finds."""

import copy
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from bot.venues.sim.timeline import Timeline


@dataclass(frozen=True)
class Event:
    timestamp_ms: int


def timeline(times: list[int]) -> Timeline[Event]:
    line: Timeline[Event] = Timeline()
    for time_ms in times:
        line.append(Event(time_ms))
    return line


@given(times=st.lists(st.integers(0, 30)), start_ms=st.integers(-1, 31))
def test_nothing_of_a_time_or_later_is_passed_over(times: list[int], start_ms: int) -> None:
    line = timeline(times)
    found = [one for one in line.from_time(start_ms) if one.timestamp_ms >= start_ms]
    assert found == [Event(t) for t in times if t >= start_ms]
    assert list(line.from_time(None)) == list(line) == [Event(t) for t in times]


@given(times=st.lists(st.integers(0, 30)).map(sorted), start_ms=st.integers(-1, 31))
def test_of_an_ordered_history_nothing_older_is_looked_at(times: list[int], start_ms: int) -> None:
    assert all(one.timestamp_ms >= start_ms for one in timeline(times).from_time(start_ms))


def test_a_copy_grows_by_itself() -> None:
    line = timeline([1, 2])
    copied = copy.deepcopy(line)
    copied.append(Event(3))
    assert (len(line), list(copied.from_time(3))) == (2, [Event(3)])
