"""Decides what is told, by which route and when; it remembers what was told. Pure.

Of every route and every subject it keeps one notice. A notice is due at a time; it is told when
that has come and no quiet hours hold it. What cannot be delivered is due again after a pause that
doubles. Whoever acknowledges an alert, or whatever ends it, takes it off the list of open subjects,
and nothing of it is told any more. What was told is remembered for a while, so that trouble that
comes and goes does not tell people every time. What only somebody can end is told each time that
it comes up: they believe it over.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from bot.alerting.rules import Route, Rules
from bot.alerting.subjects import Subject

FIRST_PAUSE_MS = 5_000
LONGEST_PAUSE_MS = 300_000


@dataclass(frozen=True, slots=True)
class Notice:
    """One subject on one route.

    Attributes:
        since_ms: when the subject came up that this is about.
        due_ms: when it is to be told; None where it was, or the subject is over.
        told_ms: when it was told last, whatever it was about then.
        again: how often the subject has come up anew since it was told.
        failures: how often in a row it could not be delivered; ``reason``: why not, the last time.
    """

    key: str
    route: str
    since_ms: int
    due_ms: int | None
    told_ms: int | None = None
    again: int = 0
    failures: int = 0
    reason: str = ""


class Board:
    """The notices of one account."""

    def __init__(self, rules: Rules, notices: Iterable[Notice] = ()) -> None:
        self._rules = rules
        self._open: dict[str, Subject] = {}
        self._notices = {(one.key, one.route): one for one in notices}

    @classmethod
    def of(cls, rules: Rules, document: Sequence[Mapping[str, Any]]) -> "Board":
        """A board as it was; notices of routes that are gone are dropped."""
        names = {route.name for route in rules.routes}
        return cls(rules, (Notice(**one) for one in document if one["route"] in names))

    def document(self) -> list[dict[str, Any]]:
        """Plain JSON types."""
        return [asdict(one) for one in self._notices.values()]

    def follow(self, subjects: Iterable[Subject], now_ms: int) -> None:
        """These are open now, and no others."""
        self._open = {one.key: one for one in subjects}
        for route in self._rules.routes:
            for subject in self._open.values():
                if subject.weight.rank >= route.least.rank:
                    self._note(route, subject)
        for place, notice in list(self._notices.items()):
            if notice.key not in self._open:
                self._let_go(place, notice, now_ms)

    def _note(self, route: Route, subject: Subject) -> None:
        place = subject.key, route.name
        known = self._notices.get(place)
        first_ms = subject.since_ms + (self._rules.escalate_ms if route.escalation else 0)
        if known is None:
            self._notices[place] = Notice(subject.key, route.name, subject.since_ms, first_ms)
        elif known.since_ms != subject.since_ms:
            earliest_ms = first_ms
            if known.told_ms is not None and not subject.afresh:
                earliest_ms = max(first_ms, known.told_ms + self._rules.repeat_ms)
            self._notices[place] = replace(
                known, since_ms=subject.since_ms, due_ms=earliest_ms, again=known.again + 1
            )

    def _let_go(self, place: tuple[str, str], notice: Notice, now_ms: int) -> None:
        """What is over is told no more, and forgotten once it may be told anew."""
        if notice.told_ms is None or now_ms - notice.told_ms >= self._rules.repeat_ms:
            del self._notices[place]
        elif notice.due_ms is not None or notice.failures:
            self._notices[place] = replace(notice, due_ms=None, failures=0, reason="")

    def due(self, now_ms: int) -> dict[str, list[tuple[Subject, Notice]]]:
        """What is to be told now, by route, the weightiest first."""
        found: dict[str, list[tuple[Subject, Notice]]] = {}
        for notice in self._notices.values():
            subject = self._open.get(notice.key)
            if subject is None or notice.due_ms is None or notice.due_ms > now_ms:
                continue
            if not self._rules.hushed(subject.weight, now_ms):
                found.setdefault(notice.route, []).append((subject, notice))
        for one in found.values():
            one.sort(key=lambda item: (-item[0].weight.rank, item[0].since_ms, item[0].key))
        return found

    def delivered(self, route: str, told: Iterable[Notice], now_ms: int) -> None:
        """The route has taken these; escalations come again as long as nobody acknowledges."""
        escalates = any(one.escalation for one in self._rules.routes if one.name == route)
        next_ms = now_ms + self._rules.escalate_ms if escalates else None
        for notice in told:
            place = notice.key, route
            known = self._notices.get(place)
            if known is None:
                continue
            due_ms = next_ms
            if known.since_ms != notice.since_ms and not escalates:  # it came up anew meanwhile
                subject = self._open.get(notice.key)
                afresh = subject is not None and subject.afresh
                due_ms = known.due_ms if afresh else now_ms + self._rules.repeat_ms
            self._notices[place] = replace(
                known,
                told_ms=now_ms,
                due_ms=due_ms,
                again=max(0, known.again - notice.again),  # it may have been told twice
                failures=0,
                reason="",
            )

    def failed(self, route: str, told: Iterable[Notice], now_ms: int, reason: str) -> int:
        """The route has not taken these; how many milliseconds it is left alone."""
        longest_ms = 0
        for notice in told:
            place = notice.key, route
            known = self._notices.get(place)
            if known is None or known.due_ms is None:
                continue
            pause_ms = min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS << min(known.failures, 10))
            longest_ms = max(longest_ms, pause_ms)
            self._notices[place] = replace(
                known, due_ms=now_ms + pause_ms, failures=known.failures + 1, reason=reason
            )
        return longest_ms
