"""What is ours, what is not, and what follows when others change it (section ``ownership``)."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from config.fields import FRACTION, Duration, Note, Strict

AfterLiquidation = Literal["halt", "reduce"]


class OwnershipSettings(Strict):
    """When changes by others are believed, and what follows when the exchange closes a hedge.

    Our hedges are known by the client ids of their orders and by our own journal; everything else
    is somebody else's.
    """

    agreeing_reads: Annotated[int, Field(ge=1, le=5)] = Field(
        default=2,
        description="How many reads in a row must agree before a change of other people's "
        "positions is acted upon; 1 believes every read.",
    )
    change_share: Annotated[float, Field(ge=0, lt=1), Note(unit=FRACTION)] = Field(
        default=0.2,
        description="A change up to this share of a position is believed at once. A position that "
        "is new, gone or turned round never is.",
    )
    reread_seconds: Annotated[float, Field(ge=0, le=60), Note(unit="seconds")] = Field(
        default=1.0, description="Time between two such reads."
    )
    doubt_usd: Annotated[float, Field(ge=0, le=10_000), Note(unit="USD")] = Field(
        default=25.0,
        description="Positions on which no reads agree hold every decision, unless all that is in "
        "doubt comes to this at most: then each counts as the largest that was told.",
    )
    stand_seconds: Annotated[float, Field(ge=0, le=600), Note(unit="seconds")] = Field(
        default=2.0,
        description="A positions file that is read twice agrees with itself. What changed in it is "
        "believed once it was written anew, or has stood for so long by its own timestamp.",
    )
    pause_after_adl: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(days=30))] = (
        Field(
            default=timedelta(hours=1),
            description="No hedge grows in a symbol for so long after the exchange deleveraged it, "
            "or after others closed it twice within that time.",
        )
    )
    after_liquidation: AfterLiquidation = Field(
        default="halt",
        description="After a hedge was liquidated: `halt` sends nothing more in its symbol until "
        "somebody resumes; `reduce` lets hedges there shrink only, for `pause_after_liquidation`.",
    )
    pause_after_liquidation: Annotated[
        Duration, Field(ge=timedelta(seconds=1), le=timedelta(days=30))
    ] = Field(
        default=timedelta(days=1),
        description="No hedge grows in a symbol for so long after it was liquidated.",
    )
