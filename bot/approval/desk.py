"""The proposal of one account on its way: asked, decided, carried out once, or ended otherwise.

Every step is one transaction of the journal: the event, and the state that it leads to. Before the
first order leaves the proposal is EXECUTING there, and from EXECUTING nothing leads back. So
whatever ends the engine in between, an approval is carried out once or told as lost.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.approval.asking import Word, word_taken, words
from bot.approval.proposal import Action, PendingProposal, ProposalState
from bot.approval.reading import every_newest, newest, state_key
from bot.approval.tolerance import Tolerance
from bot.journal.journal import Journal
from bot.logs import Logger
from bot.ports import Clock
from bot.records.cycle import iso_utc
from bot.state_files import StateFolder

LOOK_EVERY_S = 0.25
CLOCK_BACK_MS = 60_000
"""A clock that was set back by more than this has made every deadline meaningless."""

_S = ProposalState
_HARMLESS = {
    (_S.APPROVED, Action.APPROVE),
    (_S.EXECUTING, Action.APPROVE),
    (_S.EXECUTED, Action.APPROVE),
    (_S.REJECTED, Action.REJECT),
}
"""What was decided so before."""


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """The owner's section ``approval``.

    Attributes:
        expires_ms: how long a proposal waits.
        asks_reductions: also what only makes hedges smaller waits.
        quiet_ms: for so long what was rejected is not asked again.
    """

    expires_ms: int
    tolerance: Tolerance
    asks_reductions: bool
    quiet_ms: int


class ApprovalDesk:
    """Keeps the newest proposal of an account, in memory as in the journal."""

    def __init__(
        self, journal: Journal, clock: Clock, folder: StateFolder, account: str, log: Logger
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._folder = folder
        self._log = log
        self._refused: set[Word] = set()
        self.account = account
        self.wake = asyncio.Event()
        """Set when somebody has decided; taking the words clears it."""
        self.current: PendingProposal | None = newest(journal, account)

    def in_state(self, *states: ProposalState) -> PendingProposal | None:
        """The newest proposal, where it is in one of these."""
        found = self.current
        return found if found is not None and found.state in states else None

    # What others do

    def take(self) -> None:
        """Ends what is over, and takes up what was decided since the last time.

        Raises:
            JournalError: it cannot be recorded.
        """
        self.wake.clear()
        if found := self.in_state(_S.EXECUTING):
            reason = f"it was cut short; the orders of cycle {found.cycle_id} tell what was sent"
            self.change("proposal_lost", _S.LOST, reason)
        self._expire()
        self._take_words()

    def _take_words(self) -> None:
        try:
            found = words(self._folder)
        except OSError as error:
            self._log.warning("decisions_unread", reason=str(error.strerror))
            return  # they wait on
        for word in found:
            self._take_up(word)
            try:
                word_taken(self._folder, word)
            except OSError as error:
                self._log.warning("decision_stays", reason=str(error.strerror))

    def _take_up(self, word: Word) -> None:
        asked, found = word.asked, self.current
        if asked is None:
            return self._refuse_word(word, "it names nobody or no reason")
        if found is None or found.proposal_id != word.proposal_id:
            return self._refuse_word(word, "it is not the newest proposal any more")
        if (found.state, word.action) in _HARMLESS:
            return None
        told = {"by": asked.by, "decided_ms": self._clock.now_ms()}
        if word.action is Action.REJECT and not found.state.final:
            return self.change("proposal_rejected", _S.REJECTED, asked.reason, **told)
        if found.state is _S.PENDING:
            return self.change("proposal_approved", _S.APPROVED, asked.reason, **told)
        return self._refuse_word(word, f"it is {found.state.value}")

    def _refuse_word(self, word: Word, reason: str) -> None:
        """Tells once of a word that comes too late, also where its file cannot be removed."""
        if word in self._refused:
            return
        self._refused.add(word)
        document = {
            "proposal_id": word.proposal_id,
            "said": word.action.value,
            "by": "" if word.asked is None else word.asked.by,
            "reason": reason,
        }
        self._journal.record_event("decision_refused", document)
        self._log.warning("decision_refused", **document)

    def _expire(self) -> None:
        found, now_ms = self.in_state(_S.PENDING, _S.APPROVED), self._clock.now_ms()
        if found is None or found.made_ms - CLOCK_BACK_MS <= now_ms < found.expires_ms:
            return
        reason = f"nobody decided until {iso_utc(found.expires_ms)}"
        if found.state is _S.APPROVED:
            reason = f"it was approved, and could not be carried out until then: {found.reason}"
        if now_ms < found.expires_ms:
            reason = "the clock was set back, so nobody knows for how long it has waited"
        self.change("proposal_expired", _S.EXPIRED, reason)

    async def watch(self) -> None:
        """Wakes the engine when somebody has decided, until cancelled."""
        seen: frozenset[Word] = frozenset()
        while True:
            try:
                now = frozenset(words(self._folder))
            except OSError:
                now = seen
            if now - seen:
                self.wake.set()
            seen = now
            await asyncio.sleep(LOOK_EVERY_S)

    # What the engine does

    def propose(self, proposal: PendingProposal) -> None:
        """People are asked; an earlier one must have ended."""
        assert self.in_state(_S.PENDING, _S.APPROVED, _S.EXECUTING) is None
        self.current = proposal
        told = ("expires_ms", "sentence", "trade_cost_usd", "carry_usd_per_day", "notional_usd")
        full = proposal.document()
        document = {name: full[name] for name in (*told, "opens_usd", "legs", "cures", "leaves")}
        self._record("proposal_pending", document, proposal.cycle_id)

    def begin(self, cycle_id: str) -> bool:
        """Marks the approved one as used, before anything of it is sent; whether it may be sent.

        A rejection that came meanwhile wins: whoever rejects looks at the journal after leaving
        the word, and here the word is looked for after writing to the journal, so that one of the
        two sees the other.
        """
        found = self.in_state(_S.APPROVED)
        assert found is not None
        self.change("proposal_executing", _S.EXECUTING, found.reason, cycle_id=cycle_id)
        self._take_words()
        return self.in_state(_S.EXECUTING) is not None

    def change(self, event: str, state: ProposalState, reason: str, **more: Any) -> None:
        """The newest proposal goes on to another state, durably when this returns.

        Raises:
            JournalError: it cannot be recorded.
        """
        assert self.current is not None
        assert not self.current.state.final
        before, self.current = self.current, self.current.now(state, reason=reason, **more)
        try:
            self._record(event, {"by": self.current.by, "reason": reason}, more.get("cycle_id"))
        except BaseException:
            self.current = before
            raise

    def _record(self, event: str, document: Mapping[str, Any], cycle_id: str | None) -> None:
        assert self.current is not None
        document = {"proposal_id": self.current.proposal_id, **document}
        key, state = state_key(self.account), self.current.document()
        self._journal.record_change(event, document, key, state, cycle_id=cycle_id)
        self._log.info(event, **document)


def retire(journal: Journal, reason: str, *, but: str | None = None) -> None:
    """Ends the open proposals of every account but that one: nobody will carry them out.

    Raises:
        JournalError: it cannot be recorded.
    """
    for one in every_newest(journal):
        if one.state.final or one.account == but:
            continue
        ended = one.now(_S.SUPERSEDED, reason=reason)
        document = {"proposal_id": one.proposal_id, "by": one.by, "reason": reason}
        key = state_key(one.account)
        journal.record_change("proposal_superseded", document, key, ended.document())
