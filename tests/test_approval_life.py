"""Whatever is asked, decided and cut short: never without an approval, and never twice."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.approval import Action, ProposalState
from bot.approval.desk import retire
from bot.approval.drafting import draft
from bot.approval.tolerance import Tolerance, exceeds, only_reduces
from bot.errors import HaltedError, SafetyError, UsageError
from tests.approval_scene import NOW_MS, Approvals, decision

SELL = decision(("FET", -1000.0, 0.0), ("TAO", -500.0, 0.0))
WANTS = [
    None,
    SELL,
    decision(("FET", -1050.0, 0.0), ("TAO", -400.0, 0.0)),
    decision(("FET", -1500.0, 0.0)),
    decision(("WLD", -800.0, 0.0), ("FET", 300.0, -1000.0)),
    decision(("FET", 700.0, -1000.0)),
    decision(("FET", 700.0, -1000.0), calmer=False),
]
OPS = st.one_of(
    st.tuples(st.just("wants"), st.integers(0, len(WANTS) - 1)),
    st.tuples(st.just("cycle"), st.just(0)),
    st.tuples(st.just("cycle"), st.just(0)),
    st.tuples(st.sampled_from(["approve", "approve", "reject"]), st.integers(0, 2)),
    st.tuples(st.just("turns"), st.integers(0, len(WANTS) - 1)),
    st.tuples(st.just("minutes"), st.sampled_from([1, 9, 59, 61])),
    st.tuples(st.just("dies"), st.integers(0, 9)),
    st.tuples(st.just("starts"), st.just(0)),
    st.tuples(st.sampled_from(["halt", "resume"]), st.just(0)),
)


class People:
    """Whoever decides, and what they were told."""

    def __init__(self, engine: Approvals) -> None:
        self.engine = engine
        self.approved: set[str] = set()
        self.rejected: dict[str, int] = {}  # how much had been sent when it was said

    def say(self, action: Action, back: int) -> None:
        known = list(self.engine.shown)[::-1]
        if back >= len(known):
            return
        name = known[back]
        try:
            self.engine.say(action, name)
        except (SafetyError, HaltedError):
            return
        if action is Action.APPROVE:
            self.approved.add(name)
        else:
            self.rejected.setdefault(name, len(self.engine.sent))


def play(engine: Approvals, people: People, ops: list[tuple[str, int]]) -> None:
    for what, number in ops:
        if what == "wants":
            engine.wants = WANTS[number]
        elif what == "cycle":
            engine.cycle()
        elif what in ("approve", "reject"):
            people.say(Action(what), number)
        elif what == "turns":  # somebody approves, and the book is another one by then
            people.say(Action.APPROVE, 0)
            engine.wants = WANTS[number]
            engine.cycle()
        elif what == "minutes":
            engine.clock.advance_to(engine.clock.now_ms() + number * 60_000)
        elif what == "dies":
            engine.plug.left = number
        elif what == "starts":
            engine.again()
        elif what == "halt":
            (engine.folder / "HALT").write_text("enough\n")
        else:
            (engine.folder / "HALT").unlink(missing_ok=True)


def judge(engine: Approvals, people: People) -> None:
    used: set[str] = set()
    for number, sent in enumerate(engine.sent):
        now = draft(
            sent.decision, cycle_id="x-1", account="a", now_ms=sent.at_ms, expires_ms=sent.at_ms
        )
        if sent.proposal_id is None:
            assert only_reduces(now)
            continue
        shown = engine.shown[sent.proposal_id]
        assert sent.proposal_id in people.approved
        assert sent.proposal_id not in used, "twice"
        used.add(sent.proposal_id)
        assert people.rejected.get(sent.proposal_id, len(engine.sent)) > number, "after a no"
        assert sent.at_ms < shown.expires_ms
        assert exceeds(shown, now, Tolerance(0.1, 0.25, 0.25)) is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(OPS, min_size=5, max_size=30))
def test_never_without_an_approval_and_never_twice(ops: list[tuple[str, int]]) -> None:
    with TemporaryDirectory() as folder:
        engine = Approvals(Path(folder))
        people = People(engine)
        try:
            engine.wants = SELL
            engine.cycle()
            play(engine, people, ops)
            judge(engine, people)
        finally:
            engine.close()


@pytest.mark.parametrize("step", range(10))
def test_a_death_at_every_step_of_an_approval(tmp_path: Path, step: int) -> None:
    engine = Approvals(tmp_path)
    people = People(engine)
    engine.wants = SELL
    engine.cycle()
    people.say(Action.APPROVE, 0)
    (name,) = people.approved
    engine.plug.left = step
    engine.cycle()
    assert engine.plug.pulled == (step < 8)
    for _ in range(3):
        engine.cycle()
    judge(engine, people)
    ends = [e.kind for e in engine.journal.events() if e.document.get("proposal_id") == name][-1]
    times = sum(sent.proposal_id == name for sent in engine.sent)
    if step <= 2:  # before it was marked as used: the approval holds for the next start
        assert (times, ends) == (1, "proposal_executed")
    elif step in (3, 4):  # marked, and nothing had left
        assert (times, ends) == (0, "proposal_lost")
    elif step in (5, 6):
        assert (times, ends) == (1, "proposal_lost")
    else:
        assert (times, ends) == (1, "proposal_executed")
    with pytest.raises(UsageError, match="there is none"):
        engine.say(Action.APPROVE, "7-abcdef")
    engine.close()


def test_a_no_that_comes_while_it_begins_wins_or_is_told_that_it_is_late(tmp_path: Path) -> None:
    engine = Approvals(tmp_path)
    engine.wants = SELL
    engine.cycle()
    (name,) = engine.shown
    engine.say(Action.APPROVE, name)
    write = engine.journal.record_change

    def meanwhile(kind: str, *arguments: object, **options: object) -> None:
        if kind == "proposal_executing":
            engine.say(Action.REJECT, name)
        write(kind, *arguments, **options)  # type: ignore[arg-type]  # as it came

    engine.journal.record_change = meanwhile  # type: ignore[method-assign]  # between two steps
    engine.cycle()
    assert not engine.sent
    found = engine.newest
    assert found is not None
    assert found.state is ProposalState.REJECTED
    engine.close()


def test_once_it_has_begun_a_no_is_told_that_it_is_late(tmp_path: Path) -> None:
    engine = Approvals(tmp_path)
    engine.wants = SELL
    engine.cycle()
    (name,) = engine.shown
    engine.say(Action.APPROVE, name)
    write = engine.journal.record_change

    def meanwhile(kind: str, *arguments: object, **options: object) -> None:
        if kind == "proposal_executed":
            with pytest.raises(SafetyError, match="is being carried out; halt stops what is left"):
                engine.say(Action.REJECT, name)
        write(kind, *arguments, **options)  # type: ignore[arg-type]  # as it came

    engine.journal.record_change = meanwhile  # type: ignore[method-assign]  # between two steps
    engine.cycle()
    assert [one.proposal_id for one in engine.sent] == [name]
    engine.close()


def test_a_clock_that_was_set_back_ends_what_waits(tmp_path: Path) -> None:
    engine = Approvals(tmp_path)
    engine.wants = SELL
    engine.cycle()
    engine.close()
    engine.clock = type(engine.clock)(NOW_MS - 3_600_000)
    engine._open()
    engine.cycle()
    (ended,) = engine.journal.events(kind="proposal_expired")
    assert str(ended.document["reason"]).startswith("the clock was set back")
    engine.close()


def test_an_engine_that_does_not_ask_ends_what_waits(tmp_path: Path) -> None:
    engine = Approvals(tmp_path)
    engine.wants = SELL
    engine.cycle()
    retire(engine.journal, "the engine runs with autonomy auto now")
    found = engine.newest
    assert found is not None
    assert (found.state, found.reason) == (
        ProposalState.SUPERSEDED,
        "the engine runs with autonomy auto now",
    )
    engine.close()
