"""One cycle, from looking to a record of what was decided and done.

Whatever is missing, stale, contradictory or out of reach ends the cycle as held, with the reason:
nothing is traded on a guess. A defect of the engine itself holds the cycle as well, and when it
shows in the middle of trading it trips the kill switch: what has been sent is in the journal, and
somebody has to look before more is. Only a journal that fails stops the engine.
"""

import asyncio
from collections.abc import Sequence

from structlog.contextvars import bound_contextvars

from bot.approval.desk import ApprovalDesk
from bot.controls.asking import VenueQuestions
from bot.controls.facts import Denied
from bot.controls.flatten import all_closed, flattening, left_open
from bot.controls.guard import Guard
from bot.controls.plan import check_plan
from bot.controls.table import number_of
from bot.errors import JournalError
from bot.lock import when_free
from bot.measuring.hedge_account import ClosedHedge
from bot.measuring.past import Past
from bot.ports import PositionSource, Venue
from bot.records.cycle import CycleRecord, CycleStatus, iso_utc
from bot.records.ending import Look, cycle_id, described, ended, headline, quantities
from bot.records.news import News
from bot.session.clocks import hearing
from bot.steps.aftermath import answer
from bot.steps.approving import approving
from bot.steps.carrying import carry_out
from bot.steps.catching_up import catch_up, start_up
from bot.steps.conflicts import require_room
from bot.steps.continuing import continuation, rest_usd
from bot.steps.interrupted import cut_short, defective
from bot.steps.laps import Laps
from bot.steps.locking import Locking
from bot.steps.looking import look_at
from bot.steps.parts import EngineParts, Policy, Progress
from bot.trading.reconcile import book_funding
from bot.urgency import LeftOver, Means, is_urgent, left_over
from bot.venues.streams.desk import StreamDesk
from risk.errors import PerphedgeError
from risk.quick_init import quick_replace
from risk.returns import HOUR_MS
from strategies.proposal import HedgeProposal, NoHedge, NoHedgeReason

__all__ = ["Engine", "EngineParts", "Policy"]


class Engine:
    """Runs cycles; the decisions are made here, the work is done by the parts."""

    def __init__(self, parts: EngineParts, policy: Policy) -> None:
        self._parts = parts
        self._policy = policy
        self._past = Past(policy.past)
        self._decided_ms: int | None = None
        self._left: LeftOver = {}
        self._means: Means | None = None
        self._correlated_bar: int | None = None
        self._looked: Look | None = None
        self._cut_short: frozenset[str] = frozenset()  # cycles of earlier engines, never recorded
        self._lately: frozenset[str] = frozenset()  # held at the end of the last measured cycle
        self._laps = Laps(parts.clock)
        self._decides = False  # in this cycle
        self._locking = Locking(parts.lockers, parts.clock, policy.decide_every_ms)
        self._reconciled = False
        self._questions = VenueQuestions(parts.venue, parts.executor.guard, parts.clock)
        self._news = News(parts.journal, parts.log)
        self._approving = approving(parts, policy.approval)
        parts.monitor.when_closed(self._answer)

    @property
    def venue(self) -> Venue:
        """The account that holds the hedges."""
        return self._parts.venue

    @property
    def guard(self) -> Guard:
        """The controls that remember."""
        return self._parts.executor.guard

    @property
    def sources(self) -> Sequence[PositionSource]:
        """Where bots are read."""
        return self._parts.monitor.sources

    @property
    def streams(self) -> StreamDesk | None:
        """What is told without being asked."""
        return self._parts.streams

    @property
    def approvals(self) -> ApprovalDesk | None:
        """Where people's decisions arrive; None where nothing waits for any."""
        return None if self._approving is None else self._approving.desk

    async def start(self) -> None:
        """Recover; nothing is traded before this has returned.

        Raises:
            UnreachableError, VenueError, DataError: the venue cannot be read completely.
        """
        parts = self._parts
        recovery = await start_up(parts)
        self._cut_short = parts.journal.cycles_with_intents()
        for last in parts.journal.cycles(limit=1):
            parts.monitor.health.recall(last.get("sources", ()))
            self._lately = frozenset(str(leg["symbol"]) for leg in last.get("legs", ()))
        self._reconciled = True
        if self._approving is not None:
            self._approving.start()
            parts.executor.programs.end_all("a start asks for approval anew")
        parts.log.info(
            "recovered",
            epoch=parts.journal.epoch,
            ready=recovery.ready,
            own_hedges=quantities(recovery.attribution.own),
            interrupted=len(recovery.interrupted),
            unresolved=len(recovery.resolution.unresolved),
            problems=list(recovery.resolution.problems),
        )

    async def require_room(self) -> None:
        """Refuses where bots leave nothing to hedge with; tells what of ours is in their symbols.

        Raises:
            SafetyError: as the reason says.
        """
        await require_room(self._parts, self._policy)

    async def look(self) -> Look:
        """Read the world and measure it; changes nothing.

        Raises:
            DataError, EstimationError: something is missing, stale or contradictory.
            UnreachableError, VenueError: something does not answer.
        """
        return await look_at(self._parts, self._policy, self._past, self._lately)

    def decide(self, look: Look) -> HedgeProposal | NoHedge:
        """What the strategy says to it."""
        return self._parts.strategy.decide(look.assessment.facts, look.choices)

    async def rehearse(self, *, propose: bool) -> CycleRecord:
        """What a cycle would see and, if asked, propose; nothing is journaled or sent.

        Raises:
            DataError, EstimationError, OptimizationError, UnreachableError, VenueError: as
                ``look`` and ``decide``.
        """
        look = await self.look()
        seen = described(self._blank(), look)
        if not propose:
            return ended(seen, look, CycleStatus.NO_HEDGE, "looked only")
        decision = self.decide(look)
        if isinstance(decision, NoHedge):
            return ended(seen, look, CycleStatus.NO_HEDGE, decision.detail)
        return ended(seen, look, CycleStatus.PROPOSED, decision.sentence, decision)

    async def cycle(self) -> CycleRecord:
        """One whole cycle; its record is journaled and logged before it is returned.

        Raises:
            JournalError: the journal failed; the engine must stop.
        """
        session = self._parts.session
        if session is None:
            return await self._streamed()
        session.cycle_begins()
        with hearing():
            record = await self._streamed()
        session.cycle_ended(record)
        return record

    async def _streamed(self) -> CycleRecord:
        """A cycle whose streams know that REST is asked now."""
        streams = self.streams
        if streams is None:
            return await self._recorded()
        streams.cycle_begins()
        try:
            record = await self._recorded()
        except BaseException:  # told on; streams must know that REST was not asked
            streams.cycle_broke_off()
            raise
        streams.cycle_ended(record)
        return record

    async def _recorded(self) -> CycleRecord:
        await self._journal_free()
        blank = self._blank()
        self._looked, self._decides = None, False
        self._laps = Laps(self._parts.clock)
        # Every event on the way, of whatever part, carries the cycle's id.
        with bound_contextvars(cycle_id=blank.cycle_id):
            try:
                record = await self._guarded(Progress(blank))
                record = quick_replace(
                    record,
                    sources=self._parts.monitor.health.documents(),
                    latency_ms=self._laps.told(),
                )
                self._parts.journal.record_cycle(record)
            except JournalError as error:
                self._parts.log.error("journal_failed", reason=str(error))
                raise
            if self._parts.publish_sources is not None:
                self._parts.publish_sources(record.sources)
            if record.hedge_gross_usd is not None:
                self._lately = frozenset(leg.symbol for leg in record.legs)
            self._tell(record)
            self._approval_ends(record)
            await self.guard.tell()
            await self._locking.after(record, self._looked, decided=self._decides)
        return record

    async def _journal_free(self) -> None:
        """Waits for a program that keeps the journal locked.

        Raises:
            JournalError: for too long; the engine must stop.
        """
        try:
            await when_free(self._parts.journal, self._parts.clock)
        except JournalError as error:
            self._parts.log.error("journal_failed", reason=str(error))
            raise

    async def _guarded(self, progress: Progress) -> CycleRecord:
        """The record of the cycle, whatever happens in it.

        Raises:
            JournalError: nothing can be relied on any more.
        """
        journal = self._parts.journal
        try:
            return await self._run(progress)
        except JournalError:
            raise
        except PerphedgeError as error:
            self.guard.held(str(error))
            return cut_short(progress, self.guard, journal, str(error))
        except asyncio.CancelledError:
            reason = "the engine was told to stop in this cycle"
            record = cut_short(progress, self.guard, journal, reason)
            journal.record_cycle(record)
            self._tell(record)
            raise
        except Exception as error:  # noqa: BLE001 - a defect must be told, and must not trade on
            return defective(progress, self._parts, error)

    def _answer(self, closed: Sequence[ClosedHedge]) -> None:
        """Others closed hedges: tell, and decide at once, since what is missing cannot wait."""
        answer(closed, self.guard, self._policy.aftermath)
        self._decided_ms = None

    def _approval_ends(self, record: CycleRecord) -> None:
        """What was approved is used up, whatever became of it."""
        try:
            if self._approving is not None and self._approving.after(record):
                self._decided_ms = None
        except JournalError as error:
            self._parts.log.error("journal_failed", reason=str(error))
            raise

    def _blank(self) -> CycleRecord:
        now_ms = self._parts.clock.now_ms()
        count = self._parts.journal.cycle_count()
        named_ms = now_ms
        while (name := cycle_id(named_ms, count)) in self._cut_short:
            named_ms += 1000  # an engine that died within this second has used the name
        return CycleRecord(
            cycle_id=name,
            timestamp=iso_utc(now_ms),
            timestamp_ms=now_ms,
            status=CycleStatus.HELD,
            reason="",
        )

    async def _run(self, progress: Progress) -> CycleRecord:
        parts = self._parts
        guard = self.guard
        guard.take_requests()
        if self._approving is not None:
            self._approving.desk.take()
        await self._questions.ask()
        await catch_up(parts)
        self._laps.done("catching_up")
        look = self._looked = await self.look()
        self._laps.done("looking")
        guard.look(
            look.observation.account, {s: q.mark for s, q in look.observation.quotes.items()}
        )
        self._news.others(look.observation)
        correlated = self._first_of_bar(progress.record)
        seen = described(progress.record, look, correlated=correlated, lately=self._lately)
        progress.record = seen
        self._news.conflicts(seen, look)
        self._news.unmapped(seen)
        self._news.signals(seen, look, parts.outlook.board.problems)
        parts.outlook.remember()
        if parts.publish is not None:
            parts.publish(look)
        # After the look: on paper, payments fall due when prices are read.
        await book_funding(parts.journal, parts.venue, parts.clock)
        self._laps.done("recording")
        halted = guard.halted
        if halted is not None:
            return await self._while_halted(progress, look, halted)
        approved = self._approving is not None and self._approving.approved
        waiting = None if approved else self._not_due(look)
        if waiting is not None:
            return await self._go_on(progress, look, waiting)
        decision = self.decide(look)
        self._laps.done("deciding")
        if isinstance(decision, NoHedge):
            if decision.reason is NoHedgeReason.SOLVER_FAILED:
                return ended(seen, look, CycleStatus.HELD, decision.detail)
            self._decided(look, decision)
            parts.executor.programs.end_all("a new decision wants no trade")
            if self._approving is not None:
                self._approving.nothing_to_do(decision.detail)
            return ended(seen, look, CycleStatus.NO_HEDGE, decision.detail)
        self._decided(look, decision)
        waits = self._why_not_sent(decision, seen, look)
        if waits is not None:
            return ended(seen, look, CycleStatus.PROPOSED, waits, decision)
        return await self._unless_denied(progress, look, decision)

    def _why_not_sent(self, decision: HedgeProposal, seen: CycleRecord, look: Look) -> str | None:
        """Why a decision is only written down; None where it may be carried out."""
        if not self._policy.executes:
            return decision.sentence
        if self._approving is None:
            return None
        programs = self._parts.executor.programs
        under_way = rest_usd(look, programs.to_trade())
        waits = self._approving.why_not(decision, seen.cycle_id, under_way)
        if waits is not None:  # what an earlier one left to trade is not what is wanted now
            programs.end_all("a newer decision waits for approval")
        return waits

    async def _while_halted(self, progress: Progress, look: Look, halted: str) -> CycleRecord:
        """Nothing is sent, unless an operator wants every hedge closed."""
        if self._approving is not None and self._approving.halted(halted):
            self._decided_ms = None
        reason = f"halted: {halted}"
        proposal = flattening(look) if self.guard.flattens else None
        if proposal is None:
            parts = self._parts
            if self.guard.flattens and (left := left_open(look)):
                reason += f"; {left}"
            unresolved = parts.journal.unresolved_orders(parts.venue.account_name)
            if all_closed(look) and not unresolved:
                self.guard.flattened()  # nothing can be closed, and nothing may still fill
            return ended(progress.record, look, CycleStatus.HALTED, reason)
        progress.trading = True
        return await self._carry_out(progress.record, look, proposal, closing=True)

    async def _go_on(self, progress: Progress, look: Look, waiting: str) -> CycleRecord:
        """No decision is due: slices of an earlier one go out, if they are still good."""
        programs, seen = self._parts.executor.programs, progress.record
        if self._approving is not None and self._approving.end_slices(programs):
            self._decided_ms = None  # what is left of it is asked for anew
        proposal = continuation(look, programs.to_trade()) if self._policy.executes else None
        if proposal is None:
            return ended(seen, look, CycleStatus.NO_HEDGE, waiting)
        denied = self._denied(look, proposal)
        if denied is not None:
            programs.end_all(f"denied: {denied.reason}")
            self._decided_ms = None
            return ended(seen, look, CycleStatus.NO_HEDGE, f"{denied.reason}; no slice goes out")
        progress.trading = True
        return await self._carry_out(seen, look, proposal, continuing=True)

    async def _unless_denied(
        self, progress: Progress, look: Look, decision: HedgeProposal
    ) -> CycleRecord:
        """Carries a proposal out, if the controls of whole plans let it pass."""
        denied, seen = self._denied(look, decision), progress.record
        if denied is None:
            progress.trading = True
            return await self._carry_out(seen, look, decision)
        self._parts.journal.record_event(
            "plan_denied",
            {
                "control": denied.control,
                "number": number_of(denied.control),
                "reason": denied.reason,
            },
            cycle_id=seen.cycle_id,
        )
        self._decided_ms = None
        return ended(seen, look, CycleStatus.DENIED, f"denied: {denied.reason}", decision)

    def _denied(self, look: Look, proposal: HedgeProposal) -> Denied | None:
        """Why nothing of the proposal is carried out."""
        if not self._reconciled:
            return Denied("not_reconciled", "the account is not reconciled yet")
        facts = look.assessment.facts
        return check_plan(proposal, dict(zip(facts.symbols, facts.lot_usd.tolist(), strict=True)))

    def _first_of_bar(self, record: CycleRecord) -> bool:
        """Correlations change with the bars and are most of a record: once a bar is enough."""
        before, self._correlated_bar = self._correlated_bar, record.timestamp_ms // HOUR_MS
        return self._correlated_bar != before

    def _decided(self, look: Look, decision: HedgeProposal | NoHedge) -> None:
        """Remember when, what it leaves over its cap, and what it had to hedge with."""
        self._decides = True
        self._decided_ms, self._left = self._parts.clock.now_ms(), left_over(decision)
        self._means = Means.of(look.assessment.facts)

    def _not_due(self, look: Look) -> str | None:
        """Why no decision is made now; None when one is due or a breach cannot wait."""
        breaches = look.before.breaches
        if self._decided_ms is None or is_urgent(breaches, self._left):
            return None
        if breaches and self._means and Means.of(look.assessment.facts).more_than(self._means):
            return None
        next_ms = self._decided_ms + self._policy.decide_every_ms
        # A clock that was set back must not postpone it.
        if not self._decided_ms <= self._parts.clock.now_ms() < next_ms:
            return None
        over = ", ".join(dict.fromkeys(breach.cap for breach in breaches))
        state = (
            f"{over} as near its cap as the last decision left it" if over else "every cap holds"
        )
        return f"{state}; the next decision is due at {iso_utc(next_ms)}"

    async def _carry_out(
        self,
        seen: CycleRecord,
        look: Look,
        proposal: HedgeProposal,
        *,
        closing: bool = False,
        continuing: bool = False,
    ) -> CycleRecord:
        record, report = await carry_out(
            self._parts, self._policy, seen, look, proposal, closing=closing, continuing=continuing
        )
        self._laps.done("trading")
        given_up = self._parts.executor.programs.take_unfinished()
        if report.stopped or report.denials or report.unknown or given_up:
            self._decided_ms = None  # it was not all carried out; the next cycle decides anew
        return record

    def _tell(self, record: CycleRecord) -> None:
        log = self._parts.log
        quiet = record.status in (CycleStatus.HEDGED, CycleStatus.PROPOSED, CycleStatus.NO_HEDGE)
        say = log.info if quiet else log.warning
        say("cycle", **headline(record))
