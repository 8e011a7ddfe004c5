"""Checks that every order passes before it is sent (section ``controls``)."""

from typing import Annotated

from pydantic import Field

from config.fields import Note, Share, Strict

Seconds = Annotated[float, Field(gt=0, le=3600), Note(unit="seconds")]


class Controls(Strict):
    """Pre-trade controls: an order that fails one of them is denied, and the denial is journaled.

    They stand behind the caps as a second, simpler line and know nothing of the strategy.
    """

    max_order_usd: Annotated[float, Field(ge=10, le=1e7), Note(unit="USD")] = Field(
        default=2000.0, description="Largest notional of one order."
    )
    max_order_equity_fraction: Share = Field(
        default=0.05, description="Largest notional of one order, as a share of equity."
    )
    max_depth_fraction: Share = Field(
        default=0.25,
        description="Largest share that one order takes of the depth inside the collar.",
    )
    collar: Annotated[float, Field(gt=0, le=0.1), Note(unit="a fraction: 0.01 means 1 %")] = Field(
        default=0.01, description="Largest distance of an order's limit price from the mark price."
    )
    max_divergence: Annotated[
        float, Field(gt=0, le=0.1), Note(unit="a fraction: 0.01 means 1 %")
    ] = Field(
        default=0.01,
        description="Largest difference between last, mark and index price of a symbol.",
    )
    mark_max_age_seconds: Seconds = Field(default=3.0, description="Oldest mark price to trade on.")
    positions_max_age_seconds: Seconds = Field(
        default=5.0, description="Oldest positions of the hedge account to trade on."
    )
    balance_max_age_seconds: Seconds = Field(
        default=30.0, description="Oldest balance to trade on."
    )
    hedge_gross_equity_fraction: Annotated[
        float, Field(gt=0, le=5), Note(unit="1.0 means 100 %")
    ] = Field(default=1.0, description="Largest gross of hedges after the order, in equities.")
    symbol_hedge_equity_fraction: Annotated[
        float, Field(gt=0, le=5), Note(unit="1.0 means 100 %")
    ] = Field(default=0.30, description="Largest hedge in one symbol after the order, in equities.")
    min_free_margin: Annotated[float, Field(ge=0, lt=1), Note(unit="0.3 means 30 %")] = Field(
        default=0.30,
        description="Smallest share of equity that stays free of margin after the order.",
    )
