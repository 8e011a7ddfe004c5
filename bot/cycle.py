"""One cycle, from looking to a record of what was decided and done.

Whatever is missing, stale, contradictory or out of reach ends the cycle as held, with the reason:
nothing is traded on a guess.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from structlog.contextvars import bound_contextvars

from bot.assessment import Assessment, Screen, assess
from bot.errors import UnreachableError, VenueError
from bot.estimation import DAY_MS, MarketModel
from bot.execution import ExecutionContext, ExecutionReport, Executor
from bot.halt import HaltSwitch
from bot.journal import Journal
from bot.logs import Logger
from bot.monitor import Monitor, Observation
from bot.planner import PlanIdentity, PlanSettings, plan_orders
from bot.ports import Clock, Venue
from bot.reconcile import book_funding, recover, resolve_unresolved
from bot.records import CycleRecord, CycleStatus, iso_utc
from bot.summary import (
    correlation_record,
    crowding_record,
    exposure_record,
    fill_records,
    hedge_vector,
    leg_records,
    limits_record,
    order_records,
    proposal_record,
    shares,
    usd,
)
from bot.universe import Universe
from risk.errors import DataError, EstimationError, OptimizationError
from risk.instrument import Instrument
from strategies.base import HedgeStrategy
from strategies.inputs import HedgeChoices
from strategies.proposal import HedgeProposal, NoHedge, NoHedgeReason, RiskState
from strategies.state import risk_state

HOLDING_ERRORS = (DataError, EstimationError, OptimizationError, UnreachableError, VenueError)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the owner decided, as the cycle needs it.

    Attributes:
        executes: orders are sent; otherwise proposals are only written down.
        choices: caps and tuning for a hedge account of this equity, USD.
        universe: the sector and benchmarks among what the venue lists.
        screen: who may carry a hedge, among those.
        plan: how orders are cut and priced for an account of this equity, USD.
        decide_every_ms: time between decisions without a breach.
    """

    executes: bool
    choices: Callable[[float], HedgeChoices]
    universe: Callable[[Mapping[str, Instrument]], Universe]
    screen: Callable[[Universe], Screen]
    plan: Callable[[float], PlanSettings]
    decide_every_ms: int


@dataclass(frozen=True, slots=True)
class EngineParts:
    """The engine's organs."""

    monitor: Monitor
    model: MarketModel
    strategy: HedgeStrategy
    executor: Executor
    venue: Venue
    journal: Journal
    clock: Clock
    log: Logger
    halt: HaltSwitch


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found: everything a decision rests on.

    Attributes:
        unhedged: risk of the bot alone.
        before: risk of bot and hedges as they stand.
    """

    observation: Observation
    assessment: Assessment
    choices: HedgeChoices
    unhedged: RiskState
    before: RiskState


class Engine:
    """Runs cycles; the decisions are made here, the work is done by the parts."""

    def __init__(self, parts: EngineParts, policy: Policy) -> None:
        self._parts = parts
        self._policy = policy
        self._decided_ms: int | None = None

    async def start(self) -> None:
        """Recover; nothing is traded before this has returned.

        Raises:
            UnreachableError, VenueError, DataError: the venue cannot be read completely.
        """
        parts = self._parts
        recovery = await recover(parts.journal, parts.venue, parts.clock)
        parts.log.info(
            "recovered",
            epoch=parts.journal.epoch,
            ready=recovery.ready,
            own_hedges={symbol: str(q) for (symbol, _), q in recovery.attribution.own.items()},
            interrupted=len(recovery.interrupted),
            unresolved=len(recovery.resolution.unresolved),
        )

    async def look(self) -> Look:
        """Read the world and measure it; changes nothing.

        Raises:
            DataError, EstimationError: something is missing, stale or contradictory.
            UnreachableError, VenueError: something does not answer.
        """
        parts, policy = self._parts, self._policy
        universe = policy.universe(await parts.monitor.instruments())
        if not universe.benchmarks:
            raise DataError("the venue lists none of universe.benchmarks, and BTC is needed")
        observation = await parts.monitor.observe(universe.symbols)
        wanted = {*universe.symbols, *observation.book.symbols()}
        view = await parts.model.refresh(wanted, parts.clock.now_ms())
        account = observation.account.state
        used = parts.journal.turnover_usd(parts.clock.now_ms() - DAY_MS, account.name)
        assessment = assess(
            observation, view, universe, policy.screen(universe), turnover_used_usd=float(used)
        )
        facts, choices = assessment.facts, policy.choices(account.equity_usd)
        return Look(
            observation,
            assessment,
            choices,
            unhedged=risk_state(facts, choices, np.zeros(len(facts.symbols))),
            before=risk_state(facts, choices, facts.hedge_usd),
        )

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
        seen = _described(self._blank(), look)
        if not propose:
            return _ended(seen, look, CycleStatus.NO_HEDGE, "looked only")
        decision = self.decide(look)
        if isinstance(decision, NoHedge):
            return _ended(seen, look, CycleStatus.NO_HEDGE, decision.detail)
        return _ended(seen, look, CycleStatus.PROPOSED, decision.sentence, decision)

    async def cycle(self) -> CycleRecord:
        """One whole cycle; its record is journaled and logged before it is returned.

        Raises:
            JournalError: the journal failed; the engine must stop.
        """
        parts = self._parts
        blank = self._blank()
        # Every event on the way, of whatever part, carries the cycle's id.
        with bound_contextvars(cycle_id=blank.cycle_id):
            try:
                record = await self._run(blank)
            except HOLDING_ERRORS as error:
                record = replace(blank, reason=str(error))
            parts.journal.record_cycle(record)
            self._tell(record)
        return record

    def _blank(self) -> CycleRecord:
        now_ms = self._parts.clock.now_ms()
        return CycleRecord(
            cycle_id=_cycle_id(now_ms, self._parts.journal.cycle_count()),
            timestamp=iso_utc(now_ms),
            timestamp_ms=now_ms,
            status=CycleStatus.HELD,
            reason="",
        )

    async def _run(self, blank: CycleRecord) -> CycleRecord:
        parts = self._parts
        if parts.journal.unresolved_orders(parts.venue.account_name):
            await resolve_unresolved(parts.journal, parts.venue, parts.clock)
        await book_funding(parts.journal, parts.venue, parts.clock)
        look = await self.look()
        seen = _described(blank, look)
        halted = parts.halt.reason
        if halted is not None:
            return _ended(seen, look, CycleStatus.HALTED, f"halted: {halted}")
        waiting = self._not_due(look)
        if waiting is not None:
            return _ended(seen, look, CycleStatus.NO_HEDGE, waiting)
        decision = self.decide(look)
        self._decided_ms = parts.clock.now_ms()
        if isinstance(decision, NoHedge):
            failed = decision.reason is NoHedgeReason.SOLVER_FAILED
            status = CycleStatus.HELD if failed else CycleStatus.NO_HEDGE
            return _ended(seen, look, status, decision.detail)
        if not self._policy.executes:
            return _ended(seen, look, CycleStatus.PROPOSED, decision.sentence, decision)
        return await self._carry_out(seen, look, decision)

    def _not_due(self, look: Look) -> str | None:
        """Why no decision is made now; None when one is due or a cap is exceeded."""
        if self._decided_ms is None or look.before.breaches:
            return None
        next_ms = self._decided_ms + self._policy.decide_every_ms
        if self._parts.clock.now_ms() >= next_ms:
            return None
        return f"every cap holds; the next decision is due at {iso_utc(next_ms)}"

    async def _carry_out(
        self, seen: CycleRecord, look: Look, proposal: HedgeProposal
    ) -> CycleRecord:
        parts, observation = self._parts, look.observation
        account = observation.account
        plan = plan_orders(
            proposal,
            observation.instruments,
            observation.quotes,
            observation.own,
            identity=PlanIdentity(
                parts.venue.account_name, seen.cycle_id, parts.journal.install_key
            ),
            settings=replace(
                self._policy.plan(account.state.equity_usd), hedge_mode=account.hedge_mode
            ),
        )
        for skipped in plan.skipped:
            self._parts.log.warning("leg_skipped", symbol=skipped.symbol, reason=skipped.reason)
        facts = look.assessment.facts
        context = ExecutionContext(
            cycle_id=seen.cycle_id,
            instruments=observation.instruments,
            quotes=observation.quotes,
            account=account,
            allowed=frozenset(
                s for s, may in zip(facts.symbols, facts.may_hedge, strict=True) if may
            ),
            limits_hash=_hash_of(look.choices.limits),
            inputs={"sentence": proposal.sentence},
        )
        report = await parts.executor.execute(plan, context)
        return self._executed(seen, look, proposal, report)

    def _executed(
        self, seen: CycleRecord, look: Look, proposal: HedgeProposal, report: ExecutionReport
    ) -> CycleRecord:
        facts = look.assessment.facts
        marks = dict(zip(facts.symbols, facts.price_usd.tolist(), strict=True))
        own = self._parts.journal.own_positions(self._parts.venue.account_name)
        hedge_usd = hedge_vector(facts, own, marks)
        after = risk_state(facts, look.choices, hedge_usd)
        status, reason = _outcome(report, proposal)
        record = _ended(seen, look, status, reason, proposal, after=after)
        return replace(
            record,
            legs=leg_records(facts, proposal, hedge_usd),
            orders=order_records(report.results),
            fills=fill_records(report.fills),
        )

    def _tell(self, record: CycleRecord) -> None:
        log = self._parts.log
        say = log.info if record.status is not CycleStatus.HELD else log.warning
        say("cycle", **_headline(record))


def _described(blank: CycleRecord, look: Look) -> CycleRecord:
    assessment, before = look.assessment, look.before
    return replace(
        blank,
        bot_gross_usd=usd(np.abs(assessment.facts.bot_usd).sum()),
        equity_usd=usd(look.observation.account.state.equity_usd),
        volatility_unhedged_daily_usd=usd(look.unhedged.volatility_daily_usd),
        volatility_before_daily_usd=usd(before.volatility_daily_usd),
        cae_before_usd=usd(before.cae_usd),
        cap_use_before=shares(before.cap_use),
        limits=limits_record(look.choices.limits),
        breaches_before=before.breaches,
        exposure=exposure_record(assessment),
        crowding=crowding_record(assessment),
        excluded=dict(assessment.excluded),
        correlation=correlation_record(assessment),
    )


def _ended(
    seen: CycleRecord,
    look: Look,
    status: CycleStatus,
    reason: str,
    proposal: HedgeProposal | None = None,
    *,
    after: RiskState | None = None,
) -> CycleRecord:
    """The record with its end; without trades the book afterwards is the book before."""
    state = after or look.before
    facts = look.assessment.facts
    return replace(
        seen,
        status=status,
        reason=reason,
        hedge_gross_usd=usd(state.hedge_gross_usd),
        volatility_after_daily_usd=usd(state.volatility_daily_usd),
        cae_after_usd=usd(state.cae_usd),
        cap_use_after=shares(state.cap_use),
        breaches_after=state.breaches,
        legs=leg_records(facts, proposal, facts.hedge_usd),
        proposal=None if proposal is None else proposal_record(proposal),
    )


def _outcome(report: ExecutionReport, proposal: HedgeProposal) -> tuple[CycleStatus, str]:
    if report.fills:
        open_ends = [r.detail for r in report.results if r.detail]
        tail = f" Not all of it was done: {open_ends[0]}." if open_ends else ""
        return CycleStatus.HEDGED, proposal.sentence + tail
    if report.results and len(report.denials) == len(report.results):
        return CycleStatus.DENIED, f"denied: {report.denials[0].detail}"
    if report.stopped:
        return CycleStatus.HELD, f"stopped: {report.stopped}"
    details = [r.detail for r in report.results if r.detail]
    return CycleStatus.HELD, details[0] if details else "no order was filled"


def _headline(record: CycleRecord) -> dict[str, Any]:
    """What the log says of a cycle; the whole document is in the journal under its id."""
    return {
        "status": record.status.value,
        "reason": record.reason,
        "bot_gross_usd": record.bot_gross_usd,
        "hedge_gross_usd": record.hedge_gross_usd,
        "volatility_unhedged_daily_usd": record.volatility_unhedged_daily_usd,
        "volatility_before_daily_usd": record.volatility_before_daily_usd,
        "volatility_after_daily_usd": record.volatility_after_daily_usd,
        "cae_before_usd": record.cae_before_usd,
        "cae_after_usd": record.cae_after_usd,
        "breaches_before": [b.cap for b in record.breaches_before],
        "breaches_after": [b.cap for b in record.breaches_after],
        "orders": len(record.orders),
        "fills": len(record.fills),
    }


def _cycle_id(now_ms: int, count: int) -> str:
    moment = datetime.fromtimestamp(now_ms / 1000, tz=UTC)
    return f"{moment:%Y%m%dT%H%M%S}-{count + 1:06d}"


def _hash_of(limits: object) -> str:
    return hashlib.sha256(repr(limits).encode()).hexdigest()[:16]
