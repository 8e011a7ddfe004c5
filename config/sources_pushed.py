"""Positions that a bot pushes to our API (``kind: pushed``)."""

from typing import Annotated, Literal

from pydantic import Field

from config.fields import Name, Note, Strict
from config.venue import Exchange


class PushedSource(Strict):
    """A bot that sends its positions to the API by itself; see section `api`."""

    kind: Literal["pushed"] = Field(description="What kind of source it is.")
    name: Name = Field(
        description="Name of the source; the bot sends to /v1/positions/ and this name."
    )
    exchange: Exchange | None = Field(
        default=None,
        description="The exchange on which the bot trades, by ccxt's id; null: that of the hedges.",
    )
    max_age_seconds: Annotated[float, Field(ge=1, le=86_400), Note(unit="seconds")] = Field(
        default=60.0,
        description="Positions whose own timestamp is older mean that no cycle runs.",
    )
