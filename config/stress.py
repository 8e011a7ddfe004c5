"""Stresses that the hedge account is put through (section ``stress``)."""

from typing import Annotated

from pydantic import Field

from config.fields import FRACTION, Note, Strict


class Stress(Strict):
    """What ``caps.stress_use`` is measured against, and what proposals tell of bad days."""

    sector_gap: Annotated[float, Field(ge=0, le=1), Note(unit=FRACTION)] = Field(
        default=0.3, description="Jump of every token of the sector at once, up and down."
    )
    benchmark_gap: Annotated[float, Field(ge=0, le=1), Note(unit=FRACTION)] = Field(
        default=0.1, description="Jump of the benchmarks at the same time."
    )
    worst_weeks: Annotated[int, Field(ge=0, le=10)] = Field(
        default=2,
        description="How many of the worst weeks of the sector in `data.backfill_days` to repeat, "
        "and as many of its best, which cost hedges most.",
    )
    squeeze_days: Annotated[float, Field(ge=0, le=14), Note(unit="days")] = Field(
        default=2.0, description="How long a squeeze of shorts lasts."
    )
    squeeze_deviations: Annotated[float, Field(ge=0, le=10)] = Field(
        default=2.0,
        description="How many of its standard deviations each token of the sector rises in it.",
    )
    squeeze_funding_daily: Annotated[float, Field(ge=0, le=0.5), Note(unit=FRACTION)] = Field(
        default=0.02, description="What shorts pay a day in it."
    )
    maintenance_margin_rate: Annotated[float, Field(ge=0, le=0.5), Note(unit=FRACTION)] = Field(
        default=0.05,
        description="Margin below which the exchange liquidates, as a share of each position.",
    )
