"""Holds a decision until somebody has approved it (``autonomy: approve``)."""

from collections.abc import Mapping

from bot.approval.desk import ApprovalDesk, ApprovalRule, retire
from bot.approval.drafting import draft
from bot.approval.proposal import PendingProposal, ProposalState
from bot.approval.tolerance import exceeds, is_rest_of, only_reduces
from bot.records.cycle import CycleRecord, CycleStatus, iso_utc
from bot.steps.parts import EngineParts
from bot.trading.programs import Programs
from strategies.proposal import HedgeProposal

_S = ProposalState
_NOT_DONE = (CycleStatus.DENIED, CycleStatus.HALTED, CycleStatus.HELD)


def approving(parts: EngineParts, rule: ApprovalRule | None) -> "Approving | None":
    """None where nothing waits for approval."""
    return None if rule is None else Approving(parts, rule)


class Approving:
    """What of an engine's decisions may be carried out, and what waits."""

    def __init__(self, parts: EngineParts, rule: ApprovalRule) -> None:
        journal, account = parts.journal, parts.venue.account_name
        self.desk = ApprovalDesk(journal, parts.clock, parts.halt.folder, account, parts.log)
        self._journal = journal
        self._clock = parts.clock
        self._rule = rule

    def start(self) -> None:
        """Ends what an earlier engine left that nobody will carry out."""
        retire(self._journal, "hedges are held in another account now", but=self.desk.account)

    @property
    def approved(self) -> bool:
        """Somebody has approved, and the engine should look whether it still holds."""
        return self.desk.in_state(_S.APPROVED) is not None

    def why_not(
        self, decision: HedgeProposal, cycle_id: str, under_way_usd: Mapping[str, float]
    ) -> str | None:
        """Why the decision waits; None: it may be carried out now, once.

        Args:
            under_way_usd: what of earlier decisions still goes out in slices, signed by symbol.

        Raises:
            JournalError: it cannot be recorded.
        """
        now_ms = self._clock.now_ms()
        fresh = draft(
            decision,
            cycle_id=cycle_id,
            account=self.desk.account,
            now_ms=now_ms,
            expires_ms=now_ms + self._rule.expires_ms,
        )
        if not self._rule.asks_reductions and only_reduces(fresh):
            self._drop("hedges only become smaller now, which needs no approval")
            return None
        if self._slices_hold() and is_rest_of(fresh, under_way_usd, self._rule.tolerance):
            return None
        if approved := self.desk.in_state(_S.APPROVED):
            return self._carry_out(approved, fresh)
        if waiting := self.desk.in_state(_S.PENDING):
            grown = exceeds(waiting, fresh, self._rule.tolerance)
            if grown is None:
                return _waits(waiting)
            self._drop(grown)
        if (quiet := self._rejected(fresh)) is not None:
            return quiet
        self.desk.propose(fresh)
        return _waits(fresh)

    def _carry_out(self, approved: PendingProposal, fresh: PendingProposal) -> str | None:
        """The recheck: by present data it must still be what was approved."""
        if self._clock.now_ms() >= approved.expires_ms:  # the look itself took that long
            grown: str | None = f"it expired at {iso_utc(approved.expires_ms)}"
        else:
            grown = exceeds(approved, fresh, self._rule.tolerance)
        if grown is None:
            if self.desk.begin(fresh.cycle_id):
                return None
            return f"proposal {approved.proposal_id} was rejected just now"
        self.desk.change("proposal_refused", _S.REFUSED, grown)
        self.desk.propose(fresh)
        return f"proposal {approved.proposal_id} was approved, but {grown}; {_waits(fresh)}"

    def _rejected(self, fresh: PendingProposal) -> str | None:
        """Somebody said no to this a short while ago."""
        said = self.desk.in_state(_S.REJECTED)
        if said is None or said.decided_ms is None:
            return None
        until_ms = said.decided_ms + self._rule.quiet_ms
        if not said.decided_ms <= self._clock.now_ms() < until_ms:
            return None
        if exceeds(said, fresh, self._rule.tolerance) is not None:
            return None
        return (
            f"{said.by} rejected proposal {said.proposal_id}, which was no smaller than this; "
            f"asked again from {iso_utc(until_ms)} on"
        )

    def end_slices(self, programs: Programs) -> bool:
        """Ends what is still to be traded in slices without an approval that holds; whether any.

        An approval covers its slices until it expires. Slices that close need none where
        reductions need none.
        """
        if self._slices_hold():
            return False
        over = [
            symbol
            for symbol, program in programs.active.items()
            if self._rule.asks_reductions or not program.reduce_only
        ]
        for symbol in over:
            programs.end(symbol, "what was approved has expired")
        return bool(over)

    def _slices_hold(self) -> bool:
        """What was approved last is being carried out, and its time is not over."""
        done = self.desk.in_state(_S.EXECUTED)
        return done is not None and self._clock.now_ms() < done.expires_ms

    def nothing_to_do(self, why: str) -> None:
        """The book asks for no trade any more."""
        self._drop(why)

    def halted(self, why: str) -> bool:
        """Trading is halted; whether an approval came to nothing by that."""
        approved = self.approved
        if approved:
            self.desk.change("proposal_refused", _S.REFUSED, f"halted: {why}")
        return approved

    def after(self, record: CycleRecord) -> bool:
        """The cycle has ended; whether something that was approved was not carried out in it."""
        if self.desk.in_state(_S.EXECUTING) is None:
            return False
        if record.status in _NOT_DONE and not record.orders:
            self.desk.change("proposal_refused", _S.REFUSED, record.reason)
            return True
        cycle_id = record.cycle_id
        self.desk.change("proposal_executed", _S.EXECUTED, record.reason, cycle_id=cycle_id)
        return False

    def _drop(self, why: str) -> None:
        if self.desk.in_state(_S.APPROVED) is not None:
            self.desk.change("proposal_refused", _S.REFUSED, why)
        elif self.desk.in_state(_S.PENDING) is not None:
            self.desk.change("proposal_superseded", _S.SUPERSEDED, why)


def _waits(proposal: PendingProposal) -> str:
    until = iso_utc(proposal.expires_ms)
    return f"proposal {proposal.proposal_id} waits for approval until {until}"
