"""How hedges are decided (section ``hedge``)."""

from dataclasses import fields
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field

from config.fields import FRACTION, Duration, Listed, Note, Strict
from strategies.inputs import HedgeChoices
from strategies.registry import BUILT_IN, DEFAULT_STRATEGY

_DEFAULT: dict[str, Any] = {field.name: field.default for field in fields(HedgeChoices)}


class Hedge(Strict):
    """Tuning of the hedge strategy; the caps decide what must be hedged, this how and how much."""

    strategy: Annotated[
        str,
        Field(max_length=200),
        Note(
            f"one of: {', '.join(BUILT_IN)}; the name of an entry point; or package.module:Class "
            "of your own"
        ),
    ] = Field(
        default=DEFAULT_STRATEGY,
        description="Which strategy decides (docs/strategies.md tells of each). One of your own is "
        "code that runs with all rights of the engine.",
    )
    risk_aversion: Annotated[float, Field(ge=0, le=1000)] = Field(
        default=_DEFAULT["risk_aversion"],
        description="How much risk is worth against cost (λ); 0 only cures breaches, and as "
        "cheaply as possible.",
    )
    holding_days: Annotated[float, Field(ge=0.01, le=365), Note(unit="days")] = Field(
        default=_DEFAULT["holding_days"],
        description="How long a hedge is expected to be held, over which its cost is spread.",
    )
    horizon_days: Annotated[float, Field(ge=0.01, le=30), Note(unit="days")] = Field(
        default=_DEFAULT["horizon_days"], description="Over which risk and funding are counted (τ)."
    )
    shrinkage: Annotated[
        Annotated[float, Field(ge=0, le=0.9)] | None, Note(null="what suits the estimator")
    ] = Field(
        default=None,
        description="How far correlations are drawn towards a simpler pattern, 0 to not at all: "
        "to those that one common factor explains (0.4 by default), or for the estimator "
        "`mean_ewma` to their average (0.2 by default).",
    )
    decide_every: Annotated[Duration, Field(ge=timedelta(minutes=1), le=timedelta(days=7))] = Field(
        default=timedelta(hours=4),
        description="Time between decisions; a breach is decided at once.",
    )
    monitor_every: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(hours=1))] = (
        Field(
            default=timedelta(seconds=60), description="Time between looks at positions and caps."
        )
    )
    shorts_only: bool = Field(default=_DEFAULT["shorts_only"], description="Hedges are never long.")
    same_token_elsewhere: bool = Field(
        default=False,
        description="A token that bots hold on other exchanges only, measured by their own data, "
        "may carry a hedge too: it takes the bot's own bet away and leaves the basis. False leaves "
        "bots their bets and hedges in correlated tokens.",
    )
    impact: Annotated[float, Field(ge=0, le=10)] = Field(
        default=_DEFAULT["impact"],
        description="Constant of the square-root law of market impact; 0 leaves it out.",
    )
    estimation_uncertainty: Annotated[float, Field(ge=0, le=10)] = Field(
        default=_DEFAULT["estimation_uncertainty"],
        description="Penalty for uncertain volatilities (ρ); 0 leaves it out.",
    )
    carry_risk: Annotated[float, Field(ge=0, le=10)] = Field(
        default=_DEFAULT["carry_risk"],
        description="Penalty on the standard error of funding (κ_f); 0 leaves it out.",
    )
    carry_doubt: Annotated[float, Field(ge=0, le=10)] = Field(
        default=_DEFAULT["carry_doubt"],
        description="Funding counts when deciding by what it exceeds so many of its standard "
        "errors; 0: as it is.",
    )
    carry_received: Annotated[float, Field(ge=0, le=1)] = Field(
        default=_DEFAULT["carry_received"],
        description="How much of that counts where a hedge receives it: 1 all, 0 none, so that no "
        "hedge is held for its funding. What a hedge pays counts in full.",
    )
    crowding_charge: Annotated[float, Field(ge=0, le=10)] = Field(
        default=_DEFAULT["crowding_charge"],
        description="Charge for shorts in crowded shorts (κ); 0 leaves it out.",
    )
    beta_uncertainty: Annotated[float, Field(ge=0, le=5)] = Field(
        default=_DEFAULT["beta_uncertainty"],
        description="Standard errors of beta that `caps.beta_net_usd` reckons with (κ_β); 0 takes "
        "beta as exact.",
    )
    cushion: Annotated[float, Field(ge=0, le=0.5), Note(unit=FRACTION)] = Field(
        default=_DEFAULT["cushion"],
        description="How far inside its cap a trade ends, as a share of the cap, so that the next "
        "move of prices is not a breach again. Without a breach it is no reason to trade.",
    )
    tail_aversion: Annotated[float, Field(ge=0, le=100)] = Field(
        default=_DEFAULT["tail_aversion"],
        description="USD that it is worth, over the horizon, to lose a USD less on the worst "
        "days (expected shortfall); 0 leaves the tail to the variance.",
    )
    tail_confidence: Annotated[float, Field(ge=0.5, le=0.99)] = Field(
        default=_DEFAULT["tail_confidence"],
        description="Which days are the worst: 0.95 means one in twenty.",
    )
    worst_windows_days: Annotated[
        tuple[Annotated[float, Field(ge=1, le=365)], ...],
        Listed,
        Field(max_length=4),
        Note("a list of numbers of days"),
    ] = Field(
        default=(),
        description="Half-lives of further covariances; what counts as risk is the largest that "
        "any of them sees.",
    )
    most_legs: Annotated[Annotated[int, Field(ge=0, le=50)] | None, Note(null="any number")] = (
        Field(
            default=_DEFAULT["most_legs"], description="Most symbols in which a hedge may be open."
        )
    )

    @property
    def decide_every_ms(self) -> int:
        """``decide_every`` in milliseconds."""
        return round(self.decide_every.total_seconds() * 1000)

    @property
    def monitor_every_ms(self) -> int:
        """``monitor_every`` in milliseconds."""
        return round(self.monitor_every.total_seconds() * 1000)
