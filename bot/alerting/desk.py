"""Takes open alerts and proposals to the owner's services, beside the cycles.

A turn never waits for a service: it looks at what has come of earlier messages and starts new
ones. What was decided is kept in the journal, so that a restart forgets nothing; a crash between a
message and its record sends it twice rather than never. Nothing of that keeps back what is known
without the journal: where it cannot be used, alerts leave all the same, and that is told too.
"""

import asyncio
import contextlib
import json
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from bot.alerting.apart import Sent, send_apart
from bot.alerting.board import Board, Notice
from bot.alerting.journal_trouble import JournalTrouble
from bot.alerting.message import Links, Message, message_of
from bot.alerting.rules import Rules
from bot.alerting.service import in_thread
from bot.alerting.subjects import Subject
from bot.errors import JournalError
from bot.journal.journal import Journal
from bot.logs import Logger
from bot.ports import Clock
from bot.records.event_kinds import Weight

TURN_EVERY_S = 1.0
_LOOK_EVERY_S = 0.02  # while the process ends and somebody may still be told
PREFIX = "alerting:"
_HUNG_TIMES = 4
"""After so many times the time that a message may take, its route goes on without it."""
_MOST_HUNG = 3
"""So many threads of one route may hang; with more it waits until one of them ends."""
_MOST_OWED = 200
Told = tuple[Subject, Notice]


class Sends(Protocol):
    """One way to somebody, which may take its time."""

    def send(self, message: Message, weight: Weight) -> None:
        """Delivers it or raises, whatever."""
        ...


@dataclass(slots=True)
class _UnderWay:
    """A message that was handed to a service."""

    told: list[Told]
    started_ms: int
    sent: "Future[Sent[Told]]"
    given_up: threading.Event = field(default_factory=threading.Event)

    @property
    def late(self) -> bool:
        """It was told as failed already."""
        return self.given_up.is_set()


class AlertDesk:
    """The alerts of one account on their way."""

    def __init__(
        self,
        rules: Rules,
        services: Mapping[str, Sends],
        journal: Journal,
        clock: Clock,
        log: Logger,
        *,
        account: str,
        subjects: Callable[[], Sequence[Subject]],
        waiting: Callable[[], Sequence[Subject]] = lambda: (),
        links: Links = lambda _: (),
        timeout_ms: int = 15_000,
    ) -> None:
        """A desk that remembers what an earlier one has told.

        Args:
            subjects: what is known in memory; never fails.
            waiting: what has to be read from the disk, and may fail to be.
        """
        self._rules = rules
        self._services = services
        self._journal = journal
        self._clock = clock
        self._log = log
        self._key = f"{PREFIX}{account}"
        self._subjects = subjects
        self._waiting = waiting
        self._links = links
        self._timeout_ms = timeout_ms
        self._kept = journal.meta(self._key) or "[]"
        self._board = Board.of(rules, json.loads(self._kept))
        self._under_way: dict[str, _UnderWay] = {}
        self._hung: dict[str, list[_UnderWay]] = {one: [] for one in services}
        self._read: Sequence[Subject] = ()
        self._owed: deque[tuple[str, dict[str, Any]]] = deque(maxlen=_MOST_OWED)
        self._trouble = JournalTrouble()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Turns until the block ends; then what is new is told, within the time of one message."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._last_turn()

    async def _run(self) -> None:
        while True:
            self.turn()
            await asyncio.sleep(TURN_EVERY_S)

    async def _last_turn(self) -> None:
        self.turn()
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._timeout_ms / 1000
        while self._under_way and loop.time() < until_s:
            await asyncio.sleep(_LOOK_EVERY_S)
            self.turn(start=False)

    def turn(self, *, start: bool = True) -> None:
        """Looks at what came of earlier messages, and starts new ones; never raises."""
        steps = [self._settle, self._look, self._start, self._keep]
        if not start:
            steps.remove(self._start)
        # The journal may be waited for by those who trade.
        with self._journal.impatient():
            failed = [why for step in steps if (why := self._why_not(step)) is not None]
        self._trouble.looked(failed[0] if failed else None, self._clock.now_ms())

    def _why_not(self, step: Callable[[], None]) -> str | None:
        """Takes a step; one that fails keeps no other back, and is taken again next turn."""
        try:
            step()
        except (JournalError, OSError) as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - a desk that ends tells nobody of anything
            self._log.error("defect", reason=f"alert desk: {type(error).__name__}")
            return f"a defect ({type(error).__name__})"
        return None

    def _look(self) -> None:
        """What is open now; of what cannot be read, as it was when it could be."""
        now_ms = self._clock.now_ms()
        try:
            self._read = self._waiting()
        finally:
            known = [*self._subjects(), *self._read, *self._trouble.subjects(now_ms)]
            self._board.follow(known, now_ms)

    def _start(self) -> None:
        now_ms = self._clock.now_ms()
        for route, told in self._board.due(now_ms).items():
            if route not in self._under_way and len(self._hung[route]) < _MOST_HUNG:
                self._under_way[route] = self._handed(route, told, now_ms)

    def _handed(self, route: str, told: list[Told], now_ms: int) -> _UnderWay:
        service, given_up = self._services[route], threading.Event()
        escalated = any(one.escalation for one in self._rules.routes if one.name == route)
        attempt = max(notice.failures for _, notice in told)

        def send(part: Sequence[Told]) -> None:
            message = message_of(part, escalated=escalated, links=self._links)
            service.send(message, part[0][0].weight)

        def work() -> Sent[Told]:
            return send_apart(told, send, attempt=attempt, goes_on=lambda: not given_up.is_set())

        return _UnderWay(told, now_ms, in_thread(work, f"alert-{route}"), given_up)

    def _settle(self) -> None:
        now_ms = self._clock.now_ms()
        for route, hung in self._hung.items():
            for one in [one for one in hung if one.sent.done()]:
                hung.remove(one)
                self._ended(route, one, now_ms)
        for route, one in list(self._under_way.items()):
            spent_ms = now_ms - one.started_ms
            if one.sent.done():
                del self._under_way[route]
                self._ended(route, one, now_ms)
            elif not one.late and spent_ms >= self._timeout_ms:
                one.given_up.set()
                self._failed(route, one.told, now_ms, f"no answer in {self._timeout_ms / 1000:g} s")
            elif spent_ms >= _HUNG_TIMES * self._timeout_ms:
                self._hung[route].append(self._under_way.pop(route))

    def _ended(self, route: str, one: _UnderWay, now_ms: int) -> None:
        """A thread is over; what it sent late counts as sent."""
        error = one.sent.exception()
        taken: Sequence[Told] = ()
        if error is None:
            taken, error = one.sent.result().taken, one.sent.result().error
        if taken:
            self._delivered(route, taken, now_ms)
        rest = [told for told in one.told if told not in taken]
        if rest and error is not None and not one.late:
            self._failed(route, rest, now_ms, _why(error))

    def _delivered(self, route: str, told: Sequence[Told], now_ms: int) -> None:
        notices = [notice for _, notice in told]
        self._board.delivered(route, notices, now_ms)
        document = {
            "route": route,
            "alerts": [notice.key for notice in notices],
            "after_ms": now_ms - min(notice.due_ms or now_ms for notice in notices),
            "attempts": 1 + max(notice.failures for notice in notices),
        }
        self._owed.append(("alert_sent", document))

    def _failed(self, route: str, told: Sequence[Told], now_ms: int, reason: str) -> None:
        notices = [notice for _, notice in told]
        pause_ms = self._board.failed(route, notices, now_ms, reason)
        document = {
            "route": route,
            "alerts": [notice.key for notice in notices],
            "attempts": 1 + max(notice.failures for notice in notices),
            "reason": reason,
            "seconds": pause_ms / 1000,
        }
        self._log.warning("alert_not_sent", **document)
        self._owed.append(("alert_not_sent", document))

    def _keep(self) -> None:
        """Writes down what has happened; where that fails, with the next turn."""
        while self._owed:
            self._journal.record_event(*self._owed[0])
            self._owed.popleft()
        text = json.dumps(self._board.document())
        if text != self._kept:
            self._journal.set_meta(self._key, text)
            self._kept = text


def _why(error: BaseException) -> str:
    """The name of what went wrong; its words may hold an address with a token in it."""
    return str(error) if type(error) is OSError else type(error).__name__
