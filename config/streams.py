"""Websockets of the exchange beside its REST interface (section ``streams``)."""

from typing import Annotated, Literal

from pydantic import Field

from config.fields import Note, Strict


class Streams(Strict):
    """News that come without being asked for. They hasten cycles; what counts is read by REST."""

    user: Literal["auto", "off"] = Field(
        default="auto",
        description="Orders, fills and positions of the hedge account, and of the bots' accounts "
        "that are read by key. `auto`: where the exchange tells them; in paper mode never.",
    )
    market: Literal["auto", "off"] = Field(
        default="auto",
        description="Mark prices and best bids and asks. `auto`: where the exchange tells them.",
    )
    mute_seconds: Annotated[float, Field(ge=2, le=300), Note(unit="seconds")] = Field(
        default=15.0,
        description="A stream that says nothing for so long while the exchange is at work is "
        "believed no more.",
    )
    wake_spacing_seconds: Annotated[float, Field(ge=0.1, le=3600), Note(unit="seconds")] = Field(
        default=2.0,
        description="Shortest time between the beginnings of two cycles, where news wake one.",
    )
    rest_quotes_seconds: Annotated[float, Field(ge=0, le=600), Note(unit="seconds")] = Field(
        default=30.0,
        description="Volumes and funding rates are read by REST so often while prices stream in.",
    )
