"""Real engines that die by SIGKILL around an approval: it is carried out once, or told as lost.

Each engine is a process with the command line's own ``main`` on an exchange in another process.
It takes half a minute: every story is an engine that asks, one that dies, and one that goes on.
"""

from collections.abc import Iterator

import pytest

from bot.approval import ProposalState, pending
from bot.approval.reading import every_newest
from bot.clock import SystemClock
from bot.journal.reader import JOURNAL_NAME, JournalReader
from tests.kill_oracle import ExchangeSide, ask, judge
from tests.kill_stage import Stage, Story, kill_stage

DEATHS = {
    "before it is marked as used": ("running:commit:proposal_executing:before", "done"),
    "after it is marked as used": ("running:commit:proposal_executing:after", "lost"),
    "with an order out": ("running:net:place:after", "lost"),
    "before its end is in the journal": ("running:commit:proposal_executed:before", "lost"),
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with kill_stage(tmp_path_factory.mktemp("approval"), len(DEATHS)) as one:
        yield one


def asking(stage: Stage, number: int) -> Story:
    """An engine that has proposed, and an approval that it has not seen yet."""
    story = stage.story(number, venue="ownership: sub_account")
    config = story.folder / "live.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("autonomy: auto", "autonomy: approve"), encoding="utf-8")
    assert story.engine(1).code == 0, story.said
    assert not exchange_side(story).orders
    with reader(story) as journal:
        (waiting,) = pending(journal, story.state, SystemClock().now_ms())
    assert story.command("approve", waiting.proposal_id, "--by", "ana").code == 0, story.said
    return story


def reader(story: Story) -> JournalReader:
    return JournalReader.open_reader(story.state / JOURNAL_NAME)


def exchange_side(story: Story) -> ExchangeSide:
    return story.stage.loop.run_until_complete(ask(story))


@pytest.mark.long
@pytest.mark.parametrize("number", range(len(DEATHS)), ids=list(DEATHS))
def test_an_approval_outlives_its_engine_or_is_told_as_lost(stage: Stage, number: int) -> None:
    (boundary, end) = list(DEATHS.values())[number]
    story = asking(stage, number)
    assert story.engine(2, (boundary, 1)).code < 0, f"{boundary} was not crossed: {story.said}"
    sent = len(exchange_side(story).orders)
    assert story.engine(2).code == 0, story.said
    seen = exchange_side(story)
    with reader(story) as journal:
        kinds = [event.kind for event in journal.events()]
        used = [e.cycle_id for e in journal.events(kind="proposal_executing")]
        left = [journal.order(e.client_id or "") for e in journal.events(kind="order_sending")]
        cycles = {row.request.intent_id.partition(":")[0] for row in left if row is not None}
        (last,) = every_newest(journal)
    assert len(used) == 1
    assert cycles <= set(used), "nothing was sent but by the one approval"
    if end == "done":
        assert sent == 0
        assert seen.orders
        assert kinds.count("proposal_executed") == 1
        assert "proposal_lost" not in kinds
    else:
        assert len(seen.orders) == sent, "what was lost is not sent by itself"
        assert kinds.count("proposal_lost") == 1
        assert last.state in (ProposalState.PENDING, ProposalState.LOST)
    assert judge(story, seen) == []
