"""How orders are worked (section ``execution``)."""

from typing import Annotated, Literal

from pydantic import Field

from config.fields import Note, Share, Strict

StyleName = Literal["ioc", "post_only", "sliced"]


class Execution(Strict):
    """How the orders of a plan are worked. Every style keeps to all controls.

    `ioc` takes what the book offers inside the collar, at once. `post_only` rests at the best
    price of its own side, follows it under new orders, and takes what is left when its time is up.
    `sliced` takes hedges that are large against the depth in parts, over several cycles; what is
    small it takes at once. docs/execution.md tells what they cost.
    """

    style: StyleName = Field(default="ioc", description="Of plans that cure no breach.")
    breach_style: StyleName = Field(
        default="ioc", description="Of plans that cure a breach, and cannot wait for long."
    )
    rest_seconds: Annotated[float, Field(ge=1, le=24), Note(unit="seconds")] = Field(
        default=15.0,
        description="`post_only`: how long a plan rests, all its symbols side by side, before "
        "what is left is taken.",
    )
    reprice_seconds: Annotated[float, Field(ge=0.5, le=20), Note(unit="seconds")] = Field(
        default=2.0,
        description="`post_only`: least time between two orders of a symbol that rest.",
    )
    max_reprices: Annotated[int, Field(ge=0, le=20)] = Field(
        default=5,
        description="`post_only`: most new orders of a symbol for a lost place at the best price.",
    )
    poll_seconds: Annotated[float, Field(ge=0.2, le=5), Note(unit="seconds")] = Field(
        default=1.0, description="`post_only`: time between two looks at what rests."
    )
    slice_depth_share: Share = Field(
        default=0.05,
        description="`sliced`: largest share that one slice takes of the depth inside the collar; "
        "a hedge within it is not sliced.",
    )
    max_slices: Annotated[int, Field(ge=2, le=100)] = Field(
        default=10, description="`sliced`: most slices of one hedge."
    )
    slice_every_seconds: Annotated[float, Field(ge=1, le=3600), Note(unit="seconds")] = Field(
        default=60.0,
        description="`sliced`: time between two slices; they leave with the cycles, so not more "
        "often than `hedge.monitor_every`.",
    )
    slice_jitter: Annotated[float, Field(ge=0, le=0.9), Note(unit="a fraction of that time")] = (
        Field(default=0.25, description="`sliced`: by how much a slice may come earlier or later.")
    )
