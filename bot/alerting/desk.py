"""Takes open alerts and proposals to the owner's services, beside the cycles.

A turn never waits for a service: it looks at what has come of earlier messages and starts new
ones. What was decided is kept in the journal, so that a restart forgets nothing; a crash between a
message and its record sends it twice rather than never.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from bot.alerting.board import Board, Notice
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


class Sends(Protocol):
    """One way to somebody, which may take its time."""

    def send(self, message: Message, weight: Weight) -> None:
        """Delivers it or raises, whatever."""
        ...


@dataclass(slots=True)
class _UnderWay:
    """A message that was handed to a service."""

    told: list[tuple[Subject, Notice]]
    started_ms: int
    sent: "Future[None]"
    late: bool = False


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
        links: Links = lambda _: (),
        timeout_ms: int = 15_000,
    ) -> None:
        self._rules = rules
        self._services = services
        self._journal = journal
        self._clock = clock
        self._log = log
        self._key = f"{PREFIX}{account}"
        self._subjects = subjects
        self._links = links
        self._timeout_ms = timeout_ms
        self._kept = journal.meta(self._key) or "[]"
        self._board = Board.of(rules, json.loads(self._kept))
        self._under_way: dict[str, _UnderWay] = {}

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
        try:
            # The journal may be waited for by those who trade.
            with self._journal.impatient():
                self._settle()
                self._board.follow(self._subjects(), self._clock.now_ms())
                if start:
                    self._start()
                self._keep()
        except JournalError:
            pass  # it ends the engine where it trades; the next turn tries again
        except Exception as error:  # noqa: BLE001 - a desk that ends tells nobody of anything
            self._log.error("defect", reason=f"alert desk: {type(error).__name__}")

    def _start(self) -> None:
        now_ms = self._clock.now_ms()
        escalations = {one.name for one in self._rules.routes if one.escalation}
        for route, told in self._board.due(now_ms).items():
            if route in self._under_way:
                continue
            message = message_of(told, escalated=route in escalations, links=self._links)
            service, weight = self._services[route], told[0][0].weight

            def work(
                service: Sends = service, message: Message = message, w: Weight = weight
            ) -> None:
                service.send(message, w)

            sent = in_thread(work, f"alert-{route}")
            self._under_way[route] = _UnderWay(told, now_ms, sent)

    def _settle(self) -> None:
        now_ms = self._clock.now_ms()
        for route, one in list(self._under_way.items()):
            if one.sent.done():
                del self._under_way[route]
                error = one.sent.exception()
                if error is None:
                    self._delivered(route, one, now_ms)
                elif not one.late:
                    self._failed(route, one, now_ms, _why(error))
            elif not one.late and now_ms - one.started_ms >= self._timeout_ms:
                one.late = True
                self._failed(route, one, now_ms, f"no answer in {self._timeout_ms / 1000:g} s")

    def _delivered(self, route: str, one: _UnderWay, now_ms: int) -> None:
        notices = [notice for _, notice in one.told]
        self._board.delivered(route, notices, now_ms)
        document = {
            "route": route,
            "alerts": [notice.key for notice in notices],
            "after_ms": now_ms - min(notice.due_ms or now_ms for notice in notices),
            "attempts": 1 + max(notice.failures for notice in notices),
        }
        self._journal.record_event("alert_sent", document)

    def _failed(self, route: str, one: _UnderWay, now_ms: int, reason: str) -> None:
        notices = [notice for _, notice in one.told]
        pause_ms = self._board.failed(route, notices, now_ms, reason)
        document = {
            "route": route,
            "alerts": [notice.key for notice in notices],
            "attempts": 1 + max(notice.failures for notice in notices),
            "reason": reason,
            "seconds": pause_ms / 1000,
        }
        self._log.warning("alert_not_sent", **document)
        self._journal.record_event("alert_not_sent", document)

    def _keep(self) -> None:
        text = json.dumps(self._board.document())
        if text != self._kept:
            self._journal.set_meta(self._key, text)
            self._kept = text


def _why(error: BaseException) -> str:
    """The name of what went wrong; its words may hold an address with a token in it."""
    return str(error) if type(error) is OSError else type(error).__name__
