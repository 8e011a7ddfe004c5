"""What engines are in the middle of when they die: styles of orders, recoveries, acts of others.

A scene is what is done before the life that is killed, the settings of all lives, and which of the
boundaries crossed in that life are died at: those that the scene is about.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.kill_stage import Story

AT_SENDS = ("running:net:place:after", "running:commit:sending:after")
NOT_SENT = "running:net:place:before"


def lives(story: Story, die: random.Random) -> None:
    """An engine hedges, and ends as it should."""
    story.engine(2)


def dies_sending(story: Story, die: random.Random) -> None:
    """An engine dies with an order sent that it has not heard of."""
    story.engine(2, (die.choice(AT_SENDS), die.randint(1, 2)))


def dies_sent(story: Story, die: random.Random) -> None:
    """An engine dies with an order at the exchange that it has not heard of."""
    story.engine(2, (AT_SENDS[0], die.randint(1, 2)))


def dies_unsent(story: Story, die: random.Random) -> None:
    """An engine dies with an order written down that never left."""
    story.engine(2, (NOT_SENT, die.randint(1, 2)))


def old_journal(story: Story, die: random.Random) -> None:
    """The state directory has the journal of an earlier version."""
    story.old_journal()


def halt(story: Story, die: random.Random) -> None:
    """The operator turns the kill switch on."""
    story.command("halt", "--reason", "a test")


def flatten(story: Story, die: random.Random) -> None:
    """The operator wants everything closed as well."""
    story.command("halt", "--flatten", "--reason", "a test")


def resume(story: Story, die: random.Random) -> None:
    """The operator lets the engine trade again."""
    story.command("resume", "--reason", "the test goes on")


def others_close(story: Story, die: random.Random) -> None:
    """Somebody closes half of a hedge, in the same account."""
    story.others_close()


def others_rest(story: Story, die: random.Random) -> None:
    """Somebody has an order in the book, in the same account."""
    story.others_rest()


Act = Callable[[Story, random.Random], None]


@dataclass(frozen=True)
class Scene:
    """Where an engine is when it dies.

    Attributes:
        before, after: acts before the life that is killed, and after it.
        settings: lines of the configuration beyond the usual.
        venue: what its section ``venue`` has beyond the usual.
        cycles: of that life, and of the last one.
        about: boundaries that hold one of these texts are died at.
    """

    before: tuple[Act, ...] = ()
    after: tuple[Act, ...] = ()
    settings: str = ""
    venue: str = "ownership: sub_account"
    cycles: int = 2
    about: tuple[str, ...] = ("",)

    def is_about(self, boundary: str) -> bool:
        """Engines die there in this scene."""
        return any(part in boundary for part in self.about)


_RESTS = """execution: {style: post_only, rest_seconds: 2, reprice_seconds: 0.5, poll_seconds: 0.2}
"""
_SLICES = """execution:
  {style: sliced, slice_depth_share: 0.001, max_slices: 3, slice_every_seconds: 1}
"""
_ORDERS = (
    "net:place",
    "commit:sending",
    "commit:outcome",
    "commit:fill",
    "row:fill",
    "order_costs",
)
_ANEW = ("net:place", "commit:sending")
_CANCELS = ("net:cancel", "cancel_", "net:find", "cancelled_own")

SCENES: Mapping[str, Scene] = {
    "first": Scene(about=("opening:", "running:")),
    "recovery": Scene(before=(dies_sending,), about=("recovery:", "file:lock")),
    "halted": Scene(
        before=(others_rest, dies_unsent, halt),
        after=(resume,),
        venue="ownership: shared",
        about=(*_CANCELS, "commit:control", "commit:halt", "file:", "round"),
    ),
    "resting": Scene(
        settings=_RESTS,
        about=(*_ORDERS, *_CANCELS, "dead-man", "dead_man", "stream:order", "stream:account"),
    ),
    "resting again": Scene(
        before=(others_rest, dies_sent),
        settings=_RESTS,
        venue="ownership: shared",
        about=("recovery:net:cancel", "recovery:net:find", "recovery:commit", "recovery:row"),
    ),
    "resting, halted": Scene(
        before=(dies_sent, halt),
        after=(resume,),
        settings=_RESTS,
        about=("net:cancel", "cancel_", "cancelled_own", "commit:outcome", "recovery:commit"),
    ),
    "sliced": Scene(settings=_SLICES, cycles=5, about=(*_ORDERS, "commit:cycle", "intent")),
    "sliced again": Scene(
        before=(dies_sending,),
        settings=_SLICES,
        cycles=5,
        about=("recovery:commit", "recovery:row", "running:net:place", "running:commit:sending"),
    ),
    "closed by others": Scene(
        before=(lives, others_close),
        about=("close", "external", "ownership", "net:fills", *_ANEW),
    ),
    "resumed": Scene(
        before=(lives, halt, lives, resume),
        about=("resum", "file:", "control", "still_halted"),
    ),
    "old journal": Scene(before=(old_journal,), about=("opening:",)),
    "flattened": Scene(
        before=(lives, flatten),
        after=(resume,),
        about=("flatten", "file:sync", "commit:control", "commit:fill", *_ANEW),
    ),
}
