"""Proposals made by hand, and an engine's desk without the engine."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bot.approval import (
    Action,
    Asked,
    Decision,
    PendingProposal,
    ProposalState,
    ProposedLeg,
    decide,
)
from bot.approval.desk import ApprovalRule
from bot.approval.reading import newest
from bot.approval.tolerance import Tolerance
from bot.clock import SimulatedClock
from bot.halt import HaltSwitch
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.logs import open_log
from bot.records.cycle import CycleStatus
from bot.steps.approving import Approving
from strategies.proposal import CostEstimate, HedgeLeg, HedgeProposal, RiskState

NOW_MS = 1_750_000_000_000


def leg(base: str, trade_usd: float, hedge_usd: float = 0.0) -> ProposedLeg:
    """A trade of a hedge that stands at ``hedge_usd``."""
    target = hedge_usd + trade_usd
    grown = max(0.0, abs(target) - abs(hedge_usd)) if target * hedge_usd >= 0 else abs(target)
    return ProposedLeg(f"{base}/USDT:USDT", trade_usd, hedge_usd, target, grown)


def proposal(
    *legs: ProposedLeg,
    cost_usd: float = 10.0,
    calmer: bool = True,
    cures: tuple[str, ...] = (),
    proposal_id: str = "42-3fa9c1",
) -> PendingProposal:
    """A proposal of these trades."""
    return PendingProposal(
        proposal_id=proposal_id,
        cycle_id="20250615T150640-000042",
        account="paper-hedge",
        made_ms=NOW_MS,
        expires_ms=NOW_MS + 3_600_000,
        sentence="Sell.",
        legs=legs,
        trade_cost_usd=cost_usd,
        carry_usd_per_day=-1.0,
        volatility_before_daily_usd=500.0,
        volatility_after_daily_usd=200.0 if calmer else 800.0,
        cap_use_before={"net_usd": 1.4},
        cap_use_after={"net_usd": 0.7},
        cures=cures,
        leaves=(),
    )


def shown(**trades_usd: float) -> PendingProposal:
    """A proposal that opens these trades."""
    return proposal(*(leg(base, usd) for base, usd in trades_usd.items()))


class Crash(BaseException):
    """The process is gone."""


class Plug:
    """Pulls itself at the nth thing that reaches the disk, before or after it does."""

    def __init__(self) -> None:
        self.left: int | None = None  # things until then; two of each write
        self.pulled = False

    def __call__(self, write: Callable[..., Any]) -> Callable[..., Any]:
        """The write, with the plug in it."""

        def watched(*arguments: Any, **options: Any) -> Any:
            self.tick()
            done = write(*arguments, **options)
            self.tick()
            return done

        return watched

    def tick(self) -> None:
        """One step nearer."""
        if self.left is None:
            return
        self.left -= 1
        if self.left < 0:
            self.left, self.pulled = None, True
            raise Crash


def decision(*trades: tuple[str, float, float], calmer: bool = True) -> HedgeProposal:
    """What a strategy would answer: trades of hedges by base, in USD."""
    legs = tuple(
        HedgeLeg(f"{base}/USDT:USDT", held, held + usd, usd, 1.0) for base, usd, held in trades
    )

    def state(volatility_usd: float) -> RiskState:
        return RiskState(volatility_usd, 0.0, 0.0, {}, ())

    return HedgeProposal(
        strategy="by hand",
        timestamp_ms=NOW_MS,
        legs=legs,
        before=state(500.0),
        after=state(200.0 if calmer else 800.0),
        cost=CostEstimate(1.0, 1.0, 1.0, 0.0),
        shadow_prices={},
        slacks_usd={},
        objective_relaxed=0.0,
        objective_lots=0.0,
        solver_status="none",
        sentence="Trade.",
    )


@dataclass
class Sent:
    """What left: of which proposal (None: unasked), and when."""

    proposal_id: str | None
    decision: HedgeProposal
    at_ms: int


class Approvals:
    """The part of an engine that asks, on a real journal and real files, and nothing else of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SimulatedClock(NOW_MS)
        self.plug = Plug()
        self.sent: list[Sent] = []
        self.shown: dict[str, PendingProposal] = {}
        self.wants: HedgeProposal | None = None
        self.cycles = 0
        self._open()

    def _open(self) -> None:
        """A new process."""
        self.plug.left = None
        self.journal = Journal.open(self.folder / JOURNAL_NAME, self.clock, install_key=b"k" * 32)
        change: Any = self.plug(self.journal.record_change)
        self.journal.record_change = change  # type: ignore[method-assign]  # where it dies
        parts: Any = SimpleNamespace(
            journal=self.journal,
            clock=self.clock,
            venue=SimpleNamespace(account_name="paper-hedge"),
            halt=HaltSwitch(self.folder),
            log=open_log(None, self.clock, echo=None),
        )
        rule = ApprovalRule(
            3_600_000, Tolerance(0.1, 0.25, 0.25), asks_reductions=False, quiet_ms=600_000
        )
        self.approving = Approving(parts, rule)
        self.approving.start()

    def close(self) -> None:
        """The process ends."""
        self.journal.close()

    def again(self) -> None:
        """It is started anew."""
        self.close()
        self._open()

    @property
    def newest(self) -> PendingProposal | None:
        """The newest proposal, by the journal."""
        return newest(self.journal, "paper-hedge")

    def cycle(self) -> None:
        """What an engine does of it, in its order; a death leaves all as it is on the disk."""
        self.cycles += 1
        cycle_id = f"20250615T150640-{self.cycles:06d}"
        try:
            self._cycle(cycle_id)
        except Crash:
            self.again()
        if (found := self.newest) is not None:
            self.shown.setdefault(found.proposal_id, found)

    def _cycle(self, cycle_id: str) -> None:
        desk = self.approving.desk
        desk.take()
        if HaltSwitch(self.folder).reason is not None:
            self.approving.halted("enough")
            return
        if self.wants is None:
            self.approving.nothing_to_do("every cap holds")
            return
        if self.approving.why_not(self.wants, cycle_id, {}) is None:
            executing = desk.in_state(ProposalState.EXECUTING)
            self.plug.tick()
            name = None if executing is None else executing.proposal_id
            self.sent.append(Sent(name, self.wants, self.clock.now_ms()))
            self.plug.tick()
        record: Any = SimpleNamespace(
            cycle_id=cycle_id, status=CycleStatus.HEDGED, orders=("one",), reason="done"
        )
        self.approving.after(record)

    def say(self, action: Action, proposal_id: str) -> Decision:
        """Somebody decides, in a process of their own."""
        with JournalReader.open_reader(self.folder / JOURNAL_NAME) as reader:
            return decide(
                reader,
                self.folder,
                proposal_id,
                action,
                Asked("ana", "because"),
                now_ms=self.clock.now_ms(),
            )
