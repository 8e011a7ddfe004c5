"""How proposals wait for people (section ``approval``, with ``autonomy: approve``)."""

from typing import Annotated, Literal

from pydantic import Field

from config.fields import FRACTION, Note, Strict

LinkUrl = Annotated[
    str,
    Field(
        pattern=r"^(https://[A-Za-z0-9][A-Za-z0-9.-]{0,252}|http://(127\.0\.0\.1|localhost))"
        r"(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~/-]{0,200})?$"
    ),
]


class Approval(Strict):
    """What an approval permits, and how long it can be given.

    An approval is for what was shown. The engine looks anew before it sends anything: what has
    become smaller goes out, what has become larger than this does not.
    """

    expires_minutes: Annotated[float, Field(ge=1, le=1_440), Note(unit="minutes")] = Field(
        default=60.0,
        description="For so long a proposal can be approved, and what was approved be carried out.",
    )
    leg_growth: Annotated[float, Field(ge=0, le=1), Note(unit=FRACTION)] = Field(
        default=0.1,
        description="So much larger than approved may a trade have become when it is carried out, "
        "in USD; a symbol or side that was not approved never is.",
    )
    cost_growth: Annotated[float, Field(ge=0, le=10), Note(unit=FRACTION)] = Field(
        default=0.25,
        description="So much more than approved may trading cost in all by then; and by such a "
        "share of it, or of the funding shown if that is more, may funding have risen a day.",
    )
    volatility_growth: Annotated[float, Field(ge=0, le=10), Note(unit=FRACTION)] = Field(
        default=0.25,
        description="So much higher than shown may the daily volatility of bot and hedges together "
        "be after the trades by then.",
    )
    reductions: Literal["auto", "ask"] = Field(
        default="auto",
        description="`auto`: trades that only make hedges smaller go out without asking, for "
        "instance when the bot has closed, if they do not raise the daily volatility of bot and "
        "hedges together or bring a cap back. `ask`: they wait as all others do.",
    )
    link_url: Annotated[
        LinkUrl | None,
        Note(
            "an address such as https://hedge.example:8844 (http:// only of this machine)",
            null="no links",
        ),
    ] = Field(
        default=None,
        description="Where the dashboard is reached: one of `web.allowed_origins`, or an address "
        "of this machine. Alerts of proposals then carry signed links that approve or reject "
        "without a login; opening one asks once more.",
    )
