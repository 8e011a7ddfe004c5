"""What bots send and get, as the OpenAPI document shows it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from config.fields import Name, Strict

PERPETUAL = r"^[^\s/:,a-z\x00-\x1f]{1,24}/[A-Z]{3,5}:[A-Z]{3,5}(@[a-z0-9]{2,24})?$"
MOST_USD = 1e9

Perpetual = Annotated[
    str,
    Field(
        pattern=PERPETUAL,
        max_length=64,
        description="A linear perpetual as ccxt writes it.",
        examples=["FET/USDT:USDT"],
    ),
]
EntryId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_.:-]{0,64}$",
        description="Of one entry: asked about again, the answer takes the place of the first. "
        "Empty: of this bot, symbol and side; an addition then takes the place of the entry.",
    ),
]
Side = Literal["long", "short"]


class EntryIn(Strict):
    """An entry that a bot wants to make."""

    bot: Name
    symbol: Perpetual
    side: Side
    notional_usd: Annotated[
        float, Field(gt=0, le=MOST_USD, description="Size times price, not margin; USD.")
    ]
    entry_id: EntryId = ""
    leverage: (
        Annotated[float, Field(gt=0, le=1000, description="Of the entry: what it takes of margin.")]
        | None
    ) = None


class CancelIn(Strict):
    """An entry that was allowed and is not made."""

    bot: Name
    symbol: Perpetual
    side: Side
    entry_id: EntryId = ""


class Out(BaseModel):
    """Base of what is answered."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class CapOut(Out):
    """What the entry does to one cap; values in the cap's unit, null where infinite."""

    cap: str
    scope: str
    limit: float
    value_before: float | None
    value_asked: float | None
    value_allowed: float | None
    allowed_usd: float
    binding: bool


class ExposureOut(Out):
    """The book in four figures, USD."""

    bot_gross_usd: float
    net_usd: float
    beta_net_usd: float
    cae_usd: float


class CorrelatedOut(Out):
    """An open position that moves with the entry."""

    symbol: str
    notional_usd: float = Field(description="Signed; bots' and hedges' together.")
    bot_usd: float = Field(description="Of it, what bots hold or were allowed to add.")
    hedge_usd: float = Field(description="Of it, what perphedge holds as a hedge.")
    correlation: float
    adds: bool


class EntryOut(Out):
    """The answer to an entry check."""

    verdict: Literal["allowed", "reduced", "refused"]
    allowed_usd: float
    reason: str
    measured: bool = Field(description="False where the policy answered, for want of figures.")
    book_timestamp: str | None = Field(description="Time of the book that was judged against.")
    book_age_seconds: float | None
    granted_until: str | None = Field(description="What was allowed counts until then.")
    caps: list[CapOut]
    before: ExposureOut | None
    asked: ExposureOut | None
    after: ExposureOut | None
    correlated: list[CorrelatedOut]
    crowding: float | None = Field(description="Score of funding around it; above 0: longs pay.")
    crowded: bool
    notes: list[str] = Field(description="What could not be counted, and why.")


class CancelOut(Out):
    """Whether there was such an entry."""

    taken_back: bool


class PushedOut(Out):
    """What was taken."""

    source: str
    timestamp: str
    positions: int


class AliveOut(Out):
    """The server is there."""

    alive: Literal[True] = True


class SourceOut(Out):
    """One source that is pushed."""

    name: str
    timestamp: str | None
    age_seconds: float | None


class HealthOfSourceOut(Out):
    """A source of positions as the engine's last cycle found it; ``age_seconds`` is as of now."""

    name: str
    failing: bool
    failing_since: str | None
    last_good: str | None
    as_of: str | None
    age_seconds: float | None
    max_age_seconds: float
    last_error: str
    last_error_time: str | None


class HealthOut(Out):
    """How old everything is."""

    book_timestamp: str | None
    book_age_seconds: float | None
    book_problem: str | None
    pending_entries: int
    pushed: list[SourceOut]
    sources: list[HealthOfSourceOut] | None


class ErrorOut(Out):
    """What was wrong: the field, its value, and what is allowed."""

    error: str


class PositionIn(Strict):
    """One open position."""

    symbol: Perpetual
    side: Side
    base: Annotated[float, Field(ge=0, le=1e15, description="Base units, without a sign.")]
    entry_price: Annotated[float, Field(gt=0, le=1e15)] | None = None
    leverage: Annotated[float, Field(gt=0, le=1e15)] | None = None


class PositionsIn(Strict):
    """Everything that a bot holds; an empty list when it is flat."""

    timestamp: Annotated[
        str,
        Field(
            pattern=r"^2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
            r"(Z|[+-][0-9]{2}:[0-9]{2})$",
            description="When it was true, with a time zone.",
            examples=["2026-01-31T12:00:00Z"],
        ),
    ]
    positions: Annotated[tuple[PositionIn, ...], Field(max_length=2000)]
