"""What is learnt from own fills about costs (section ``costs``)."""

from typing import Annotated, Literal

from pydantic import Field

from config.fields import Note, Strict


class Costs(Strict):
    """What own fills say of the cost of trading, and whether decisions heed it.

    What every order cost, and was expected to, is always journaled.
    """

    refit_impact: Annotated[
        Literal["off", "propose", "use"],
        Note("one of: off, propose (it is journaled), use (decisions reckon with it)"),
    ] = Field(
        default="propose",
        description="The constant of the square-root law, estimated from own fills, in place of "
        "`hedge.impact`.",
    )
    prior_impact: Annotated[float, Field(gt=0, le=10)] = Field(
        default=1.0, description="What the constant is believed to be before any own fill."
    )
    prior_worth_fills: Annotated[float, Field(gt=0, le=1e6), Note(unit="fills")] = Field(
        default=100.0, description="How many own orders that belief weighs as much as."
    )
