"""What is told, by which route and when: hand cases, and properties over courses of events."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerting.board import LONGEST_PAUSE_MS, Board
from bot.alerting.rules import QuietHours, Route, Rules
from bot.alerting.subjects import Subject, subject_of_alert
from bot.alerts import Alert
from bot.records.event_kinds import Weight

MINUTE = 60_000
HOUR = 60 * MINUTE
NOON = round(datetime(2026, 1, 15, 12, tzinfo=UTC).timestamp() * 1000)
PHONE = Route("phone")
BOSS = Route("boss", Weight.ALARM, escalation=True)
NIGHT = QuietHours(time(22), time(7), ZoneInfo("UTC"))
RULES = Rules([PHONE, BOSS], repeat_ms=HOUR, escalate_ms=5 * MINUTE, quiet=NIGHT)


def subject(key: str = "a", weight: Weight = Weight.ALARM, since_ms: int = NOON) -> Subject:
    return Subject(key, weight, since_ms, f"trouble {key}", "abc123")


def told(board: Board, now_ms: int) -> dict[str, list[str]]:
    """What is due, taken by every route at once."""
    found = board.due(now_ms)
    for route, items in found.items():
        board.delivered(route, [notice for _, notice in items], now_ms)
    return {route: [one.key for one, _ in items] for route, items in found.items()}


def test_an_alert_is_told_once_and_escalated_until_somebody_acknowledges() -> None:
    board = Board(RULES)
    board.follow([subject()], NOON)
    assert told(board, NOON) == {"phone": ["a"]}
    assert told(board, NOON + 5 * MINUTE - 1) == {}
    assert told(board, NOON + 5 * MINUTE) == {"boss": ["a"]}
    assert told(board, NOON + 10 * MINUTE - 1) == {}
    assert told(board, NOON + 10 * MINUTE) == {"boss": ["a"]}
    board.follow([], NOON + 11 * MINUTE)  # acknowledged
    assert told(board, NOON + 15 * MINUTE) == {}


def test_routes_are_told_of_what_is_weighty_enough_the_weightiest_first() -> None:
    board = Board(Rules([Route("all", Weight.NOTE), Route("few", Weight.ALARM)]))
    subjects = [subject(str(weight), weight) for weight in Weight]
    board.follow(subjects, NOON)
    assert told(board, NOON) == {"all": ["alarm", "warning", "note"], "few": ["alarm"]}


def test_trouble_that_comes_and_goes_is_told_once_an_hour_with_its_count() -> None:
    board = Board(RULES)
    board.follow([subject(since_ms=NOON)], NOON)
    assert told(board, NOON) == {"phone": ["a"]}
    for minute in (1, 2, 3):
        board.follow([], NOON + minute * MINUTE)
        board.follow([subject(since_ms=NOON + minute * MINUTE)], NOON + minute * MINUTE)
    assert "phone" not in board.due(NOON + HOUR - 1)
    [(_, notice)] = board.due(NOON + HOUR)["phone"]
    assert notice.again == 3
    assert told(board, NOON + HOUR)["phone"] == ["a"]
    assert "phone" not in board.due(NOON + 24 * HOUR)


def test_what_somebody_has_ended_is_told_at_once_when_it_is_there_again() -> None:
    board = Board(RULES)
    trip = replace(subject(), afresh=True)
    board.follow([trip], NOON)
    assert told(board, NOON) == {"phone": ["a"]}
    board.follow([], NOON + MINUTE)  # resumed
    again = replace(trip, since_ms=NOON + 2 * MINUTE)
    board.follow([again], NOON + 2 * MINUTE)
    assert told(board, NOON + 2 * MINUTE) == {"phone": ["a"]}
    assert told(board, NOON + 3 * MINUTE) == {}, "and once"
    # The same while a message about the one before is still under way.
    newest = replace(trip, since_ms=NOON + 4 * MINUTE)
    board.follow([newest], NOON + 4 * MINUTE)
    [(_, sent)] = board.due(NOON + 4 * MINUTE)["phone"]
    newer = replace(trip, since_ms=NOON + 5 * MINUTE)
    board.follow([newer], NOON + 5 * MINUTE)
    board.delivered("phone", [sent], NOON + 5 * MINUTE)
    assert told(board, NOON + 5 * MINUTE)["phone"] == ["a"]


def test_halts_are_news_each_time_and_what_comes_and_goes_is_not() -> None:
    halt = Alert("daily_cost:", 23, "daily_cost", "", "a day's cost is over", NOON)
    near = Alert("liquidation_near:FET", 0, "liquidation_near", "FET", "5 %", NOON, clears=True)
    fee = Alert("missing_fee:FET", 28, "missing_fee", "FET", "no fee", NOON)
    assert [subject_of_alert(one).afresh for one in (halt, near, fee)] == [True, False, False]


def test_what_comes_back_after_the_hour_is_told_at_once() -> None:
    board = Board(RULES)
    board.follow([subject()], NOON)
    told(board, NOON)
    board.follow([], NOON + MINUTE)
    board.follow([], NOON + HOUR)
    board.follow([subject(since_ms=NOON + HOUR)], NOON + HOUR)
    [(_, notice)] = board.due(NOON + HOUR)["phone"]
    assert notice.again == 0


@pytest.mark.parametrize(
    ("at", "zone", "hushed"),
    [
        ("2026-01-15T21:59:59", "UTC", False),
        ("2026-01-15T22:00:00", "UTC", True),
        ("2026-01-16T06:59:59", "UTC", True),
        ("2026-01-16T07:00:00", "UTC", False),
        ("2026-01-15T21:00:00", "Europe/Berlin", True),  # 22:00 there in winter
        ("2026-07-15T20:00:00", "Europe/Berlin", True),  # 22:00 there in summer
        ("2026-07-15T19:59:59", "Europe/Berlin", False),
        ("2026-01-15T12:00:00", "Asia/Tokyo", False),  # 21:00 there
        ("2026-01-15T13:00:00", "Asia/Tokyo", True),
    ],
)
def test_quiet_hours_are_those_of_the_owner_s_clock(at: str, zone: str, hushed: bool) -> None:
    now_ms = round(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp() * 1000)
    quiet = QuietHours(time(22), time(7), ZoneInfo(zone))
    assert quiet.hush(Weight.WARNING, now_ms) is hushed
    assert not quiet.hush(Weight.ALARM, now_ms)


def test_what_waits_for_the_morning_is_told_then_and_an_alarm_at_once() -> None:
    night_ms = NOON + 11 * HOUR
    board = Board(RULES)
    both = [subject("a", since_ms=night_ms), subject("w", Weight.WARNING, night_ms)]
    board.follow(both, night_ms)
    assert told(board, night_ms) == {"phone": ["a"]}
    assert "phone" not in told(board, NOON + 19 * HOUR - 1)
    assert told(board, NOON + 19 * HOUR)["phone"] == ["w"]


def test_what_ended_before_the_morning_is_never_told() -> None:
    night_ms = NOON + 11 * HOUR
    board = Board(RULES)
    board.follow([subject("w", Weight.WARNING, night_ms)], night_ms)
    board.follow([], night_ms + MINUTE)
    assert told(board, NOON + 19 * HOUR) == {}
    assert board.document() == []


def test_a_route_that_fails_is_tried_again_after_pauses_that_double() -> None:
    board, now_ms, pauses = Board(Rules([PHONE])), NOON, []
    board.follow([subject()], NOON)
    for _ in range(9):
        items = board.due(now_ms)["phone"]
        pause_ms = board.failed("phone", [notice for _, notice in items], now_ms, "down")
        assert not board.due(now_ms + pause_ms - 1)
        pauses.append(pause_ms)
        now_ms += pause_ms
    assert pauses[:4] == [5_000, 10_000, 20_000, 40_000]
    assert pauses[-1] == LONGEST_PAUSE_MS
    assert board.document()[0]["failures"] == 9
    assert told(board, now_ms) == {"phone": ["a"]}
    assert (board.document()[0]["failures"], board.document()[0]["reason"]) == (0, "")


def test_what_came_up_anew_while_the_first_was_under_way_is_told_later() -> None:
    board = Board(Rules([PHONE], repeat_ms=HOUR))
    board.follow([subject()], NOON)
    [(_, sent)] = board.due(NOON)["phone"]
    board.follow([], NOON + 1)
    board.follow([subject(since_ms=NOON + 2)], NOON + 2)
    board.delivered("phone", [sent], NOON + 3)
    later = board.due(NOON + 3 + HOUR)
    assert [one.since_ms for one, _ in later.get("phone", [])] == [NOON + 2]
    assert not board.due(NOON + 3)


def test_a_route_that_was_removed_from_the_config_is_forgotten() -> None:
    board = Board(RULES)
    board.follow([subject()], NOON)
    again = Board.of(Rules([BOSS]), board.document())
    assert {one["route"] for one in again.document()} == {"boss"}


# Courses of events: minutes pass, trouble comes and goes, a route works or does not.

KEYS = {"halt": Weight.ALARM, "fee": Weight.WARNING, "word": Weight.NOTE}


@dataclass
class Course:
    """A board that lives through events, and what was told in it."""

    restarts: bool
    board: Board = field(default_factory=lambda: Board(RULES_OF_COURSE))
    now_ms: int = NOON
    open: dict[str, Subject] = field(default_factory=dict)
    told: list[tuple[str, str, int, int]] = field(default_factory=list)

    def step(self, minutes: int, key: str, rises: bool, works: bool) -> None:
        self.now_ms += minutes * MINUTE
        if not rises:
            self.open.pop(key, None)
        elif key not in self.open:
            self.open[key] = subject(key, KEYS[key], self.now_ms)
        if self.restarts:
            document = json.loads(json.dumps(self.board.document()))
            self.board = Board.of(RULES_OF_COURSE, document)
        self.board.follow(self.open.values(), self.now_ms)
        for route, items in self.board.due(self.now_ms).items():
            notices = [notice for _, notice in items]
            if not works:
                self.board.failed(route, notices, self.now_ms, "down")
                continue
            self.board.delivered(route, notices, self.now_ms)
            self.told += [(route, one.key, one.since_ms, self.now_ms) for one, _ in items]


RULES_OF_COURSE = Rules(
    [Route("all", Weight.NOTE), Route("phone"), BOSS],
    repeat_ms=30 * MINUTE,
    escalate_ms=5 * MINUTE,
    quiet=QuietHours(time(13), time(14, 30), ZoneInfo("UTC")),
)
STEPS = st.lists(
    st.tuples(
        st.integers(0, 40), st.sampled_from(sorted(KEYS)), st.booleans(), st.sampled_from([1, 1, 0])
    ),
    max_size=40,
)


def lived(steps: Sequence[tuple[int, str, bool, int]], *, restarts: bool = False) -> Course:
    course = Course(restarts)
    for minutes, key, rises, works in steps:
        course.step(minutes, key, rises, bool(works))
    return course


@given(STEPS)
def test_a_restart_at_any_point_changes_nothing(steps: list[tuple[int, str, bool, int]]) -> None:
    one, other = lived(steps), lived(steps, restarts=True)
    assert one.told == other.told
    assert one.board.document() == other.board.document()


@given(STEPS)
def test_nothing_is_told_in_quiet_hours_twice_or_too_early(
    steps: list[tuple[int, str, bool, int]],
) -> None:
    last: dict[tuple[str, str], int] = {}
    least = {"all": Weight.NOTE, "phone": Weight.WARNING, "boss": Weight.ALARM}
    for route, key, since_ms, now_ms in lived(steps).told:
        weight = KEYS[key]
        assert weight.rank >= least[route].rank
        at = datetime.fromtimestamp(now_ms / 1000, UTC).time()
        assert weight is Weight.ALARM or not time(13) <= at < time(14, 30)
        spacing_ms = 5 * MINUTE if route == "boss" else 30 * MINUTE
        before_ms = last.get((route, key))
        assert before_ms is None or now_ms - before_ms >= spacing_ms
        assert route != "boss" or now_ms - since_ms >= 5 * MINUTE
        last[route, key] = now_ms


@given(STEPS)
def test_whatever_stays_open_is_told_once_the_route_works_again(
    steps: list[tuple[int, str, bool, int]],
) -> None:
    course = lived(steps)
    course.step(0, "halt", True, works=False)
    # Longest pause, quiet hours and the time between repeats are over by then.
    course.step(24 * 60 + 1, "halt", True, works=True)
    known = {(route, key, since_ms) for route, key, since_ms, _ in course.told}
    for key, one in course.open.items():
        routes = {"all"} | ({"phone"} if key != "word" else set())
        routes |= {"boss"} if key == "halt" else set()
        if not hushed(course.now_ms, one.weight):
            assert {(route, key, one.since_ms) for route in routes} <= known


def hushed(now_ms: int, weight: Weight) -> bool:
    assert RULES_OF_COURSE.quiet is not None
    return RULES_OF_COURSE.quiet.hush(weight, now_ms)
