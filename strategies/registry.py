"""The strategies that come with perphedge, by the names that the config knows them by."""

from collections.abc import Mapping
from types import MappingProxyType

DEFAULT_STRATEGY = "minimum_risk"

BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "none": "strategies.none:NoHedging",
        "pair": "strategies.pair:pair",
        "beta": "strategies.beta:beta",
        "basket": "strategies.basket:basket",
        "sample": "strategies.plain_qp:sample",
        "ledoit_wolf": "strategies.plain_qp:ledoit_wolf",
        "minimum_risk": "strategies.minimum_risk:MinimumRisk",
    }
)
"""Module and what to call in it for a new strategy; told as text, for importing the solver takes
longer than reading a config."""
