"""How a plan is worked, as its owner chose: at once, resting in the book, or in slices."""

from dataclasses import dataclass
from enum import StrEnum


class Style(StrEnum):
    """How the orders of a leg are sent."""

    IOC = "ioc"  # takes what the book offers inside its limit, at once
    POST_ONLY = "post_only"  # rests at the best price, and takes what is left at the end
    SLICED = "sliced"  # takes a part of the depth from time to time


@dataclass(frozen=True, slots=True)
class ExecutionStyles:
    """The owner's choice.

    Attributes:
        style: of plans; of sliced ones only the legs that are large against the depth.
        breach_style: of plans that cure a breach.
        rest_ms: how long a plan rests before what is left is taken.
        reprice_every_ms: least time between two orders of a leg that rest.
        max_reprices: most new orders of a leg because its price or place was lost.
        poll_ms: time between two looks at what rests.
        slice_depth_share: largest share of the depth inside the collar that a slice takes.
        max_slices: most slices of a leg.
        slice_every_ms: time between two slices.
        jitter: by how much of that time a slice may come earlier or later.
    """

    style: Style = Style.IOC
    breach_style: Style = Style.IOC
    rest_ms: int = 15_000
    reprice_every_ms: int = 2_000
    max_reprices: int = 5
    poll_ms: int = 1_000
    slice_depth_share: float = 0.05
    max_slices: int = 10
    slice_every_ms: int = 60_000
    jitter: float = 0.25

    def of_plan(self, *, breached: bool, closing: bool) -> Style:
        """The style of a plan; what an operator closes is closed at once."""
        if closing:
            return Style.IOC
        return self.breach_style if breached else self.style

    @property
    def times_in_force(self) -> frozenset[str]:
        """What may be sent."""
        rests = Style.POST_ONLY in (self.style, self.breach_style)
        return frozenset({"IOC", "GTX"} if rests else {"IOC"})
