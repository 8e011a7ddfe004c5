"""Series from outside the market, such as VIX, that tighten the caps (section ``macro``)."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from config.fields import FRACTION, FilePath, Name, Note, Strict, refuse

Column = Annotated[
    str, Field(min_length=1, max_length=80), Note("the name of a column, 1 to 80 characters")
]
Hours = Annotated[float, Field(gt=0, le=8784), Note(unit="hours")]
Threshold = Annotated[float | None, Note(unit="unit of the series", null="not watched")]
Url = Annotated[
    str,
    Field(pattern=r"^https?://[A-Za-z0-9.\[\]:-]+(/[!-~]*)?$", max_length=500),
    # It may carry the key of an interface.
    Note("an http or https address without a user name in it", private=True),
]
Factor = Annotated[float, Field(gt=0, le=1), Note(unit=FRACTION)]
WhenMissing = Literal["tighten", "ignore"]


class _Watched(Strict):
    """What series of every kind have in common."""

    name: Name = Field(description="Name of the series in records and signals.")
    time_column: Column = Field(description="Column of the time, ISO 8601 or seconds since 1970.")
    value_column: Column = Field(description="Column of the value.")
    above: Threshold = Field(default=None, description="Caps are tight while the value is above.")
    above_until: Threshold = Field(
        default=None, description="Once above, until the value is below this; null: `above` itself."
    )
    below: Threshold = Field(default=None, description="Caps are tight while the value is below.")
    below_until: Threshold = Field(
        default=None, description="Once below, until the value is above this; null: `below` itself."
    )
    values_in_a_row: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=1, description="How many values in a row it takes to begin and to end."
    )
    factor: Factor = Field(description="What the caps are multiplied by meanwhile.")
    max_age_hours: Hours = Field(
        default=96.0, description="The last value is stale when its time is longer ago."
    )
    known_after_hours: Annotated[float, Field(ge=0, le=8784), Note(unit="hours")] = Field(
        default=0.0, description="How long after its time a value is known: 24 for daily closes."
    )
    when_missing: WhenMissing = Field(
        default="tighten",
        description="A missing, stale or unreadable series: tighten the caps, or ignore it.",
    )

    @model_validator(mode="after")
    def _thresholds(self) -> "_Watched":
        if self.above is None and self.below is None:
            raise refuse("above, below or both: without a threshold nothing is watched")
        for name, enter, leave, sign in (
            ("above", self.above, self.above_until, 1.0),
            ("below", self.below, self.below_until, -1.0),
        ):
            if leave is not None and enter is None:
                raise refuse(f"{name}_until only together with {name}")
            if leave is not None and enter is not None and sign * (leave - enter) > 0:
                raise refuse(f"{name}_until on the calm side of {name}, or it would never last")
        return self


class CsvSeries(_Watched):
    """A CSV file with a header that somebody keeps up to date."""

    kind: Literal["csv"] = Field(description="What kind of series it is.")
    path: Annotated[FilePath, Note("the path of a file")] = Field(description="The CSV file.")


class JsonSeries(_Watched):
    """A JSON document read over HTTP; redirects are not followed."""

    kind: Literal["json"] = Field(description="What kind of series it is.")
    url: Url = Field(description="Address that answers a GET request with the document.")
    records_at: Annotated[
        str, Field(max_length=200), Note("keys joined by dots, such as data.points; or empty")
    ] = Field(
        default="",
        description="Where in the document the record or list of records is; a record is a "
        "mapping, or a list whose columns are named 0, 1, …",
    )
    read_every_minutes: Annotated[float, Field(ge=1, le=1440), Note(unit="minutes")] = Field(
        default=15.0, description="Time between requests."
    )
    timeout_seconds: Annotated[float, Field(ge=0.1, le=30), Note(unit="seconds")] = Field(
        default=5.0, description="Longest wait for the whole answer; the cycle waits for it."
    )


MacroSeries = Annotated[
    CsvSeries | JsonSeries,
    Field(discriminator="kind"),
    Note("a mapping with kind (csv or json), name, columns, thresholds and factor"),
]
