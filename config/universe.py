"""Which tokens are looked at and which may carry a hedge (section ``universe``)."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, field_validator

from config.fields import Duration, FilePath, Listed, Name, Note, Strict, Symbol, Token, refuse


class Universe(Strict):
    """The sector, its benchmarks, and filters on what may be shorted."""

    sector: Name = Field(default="ai", description="A sector of the sectors file.")
    benchmarks: Annotated[
        tuple[Symbol, ...],
        Listed,
        Field(min_length=1, max_length=5),
        Note("a list of 1 to 5 perpetuals, such as [BTC/USDT:USDT, ETH/USDT:USDT], BTC first"),
    ] = Field(
        default=("BTC/USDT:USDT", "ETH/USDT:USDT"),
        description="Market factors, which may carry hedges too. The first is BTC, in which "
        "beta and correlation-adjusted exposure are counted.",
    )
    min_daily_volume_usd: Annotated[float, Field(ge=0, le=1e12), Note(unit="USD")] = Field(
        default=1_000_000.0,
        description="Tokens that trade less a day are left out of statistics and hedges.",
    )
    min_history_days: Annotated[int, Field(ge=1, le=365), Note(unit="days")] = Field(
        default=14, description="Tokens with fewer days of bars carry no hedge."
    )
    listing_news: Annotated[Duration, Field(ge=timedelta(hours=1), le=timedelta(days=90))] = Field(
        default=timedelta(days=7),
        description="How long a new listing or a delisting in the sector is shown as a signal.",
    )
    exclude: Annotated[
        tuple[Token, ...],
        Listed,
        Note("a list of tokens or perpetuals, such as [FET, WLD/USDT:USDT]"),
    ] = Field(default=(), description="Never used, neither measured as sector nor hedged in.")
    allow: Annotated[
        Annotated[tuple[Token, ...], Field(min_length=1)] | None,
        Listed,
        Note(
            "a list of tokens or perpetuals, such as [FET, BTC/USDT:USDT]",
            null="every token of the sector and every benchmark",
        ),
    ] = Field(default=None, description="The only tokens in which orders may be placed.")
    sectors_file: Annotated[
        FilePath | None,
        Note("the path of a sectors file", null="the sectors that come with perphedge"),
    ] = Field(default=None, description="Own sectors in place of the packaged ones.")
    aliases_file: Annotated[
        FilePath | None,
        Note("the path of an aliases file", null="the aliases that come with perphedge"),
    ] = Field(
        default=None,
        description="Own renames, multipliers and names in place of the packaged ones.",
    )

    unmapped: Literal["hold", "leave_out"] = Field(
        default="hold",
        description="What a bot holds that has no contract of the same token at the hedges' "
        "exchange: `hold`, no cycle runs; `leave_out`, it is told and counts in no figure or cap.",
    )

    other_venues: Literal["own_data", "map"] = Field(
        default="own_data",
        description="A bot on another exchange than the hedges': `own_data`, its positions keep "
        "that exchange's prices, bars and funding, read without a key, so that the basis and the "
        "difference in funding are measured (exchanges that perphedge cannot read, contracts that "
        "they do not list, and everything beside a simulated exchange that section `data.venues` "
        "does not name, are mapped); `map`, each counts as the hedges' exchange's own contract of "
        "the same token.",
    )

    @field_validator("benchmarks", "exclude", "allow")
    @classmethod
    def _no_repetition(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        seen: set[str] = set()
        for item in value or ():
            if item in seen:
                raise refuse(f"each only once, {item} is repeated")
            seen.add(item)
        return value

    @field_validator("benchmarks")
    @classmethod
    def _bitcoin_first(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value[0].partition("/")[0] != "BTC":
            raise refuse(
                f"BTC first, such as BTC/USDT:USDT: beta and exposure are counted in it, "
                f"not in {value[0]}"
            )
        return value

    def may_order(self, symbol: str) -> bool:
        """The allow-list and the exclusions let orders in this symbol through."""
        names = {symbol, symbol.partition("/")[0]}
        if names & set(self.exclude):
            return False
        return self.allow is None or bool(names & set(self.allow))
