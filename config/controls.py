"""Checks that every order passes before it is sent (section ``controls``)."""

from typing import Annotated

from pydantic import Field

from config.fields import Note, SecretPath, Share, Strict

OrderUsd = Annotated[float, Field(ge=10, le=1e7), Note(unit="USD")]
Distance = Annotated[float, Field(gt=0, le=0.1), Note(unit="a fraction: 0.01 means 1 %")]
Least = Annotated[float, Field(ge=0, lt=1), Note(unit="0.3 means 30 %")]
Gross = Annotated[float, Field(gt=0, le=5), Note(unit="1.0 means 100 %")]
Seconds = Annotated[float, Field(gt=0, le=3600), Note(unit="seconds")]
DaySeconds = Annotated[float, Field(gt=0, le=86_400), Note(unit="seconds")]
Milliseconds = Annotated[int, Field(gt=0, le=60_000), Note(unit="milliseconds")]
Count = Annotated[int, Field(ge=1, le=1000)]
Equities = Annotated[float, Field(gt=0, le=20), Note(unit="1.0 means 100 % of equity")]


class Controls(Strict):
    """Controls around every order: they deny it, halt its symbol, halt everything, or alert.

    They stand behind the caps as a second, simpler line and know nothing of the strategy. Each
    of them is journaled when it acts; docs/controls.md lists them all.
    """

    max_order_usd: OrderUsd = Field(default=2000.0, description="Largest notional of one order.")
    max_order_equity_fraction: Share = Field(
        default=0.05, description="Largest notional of one order, as a share of equity."
    )
    max_depth_fraction: Share = Field(
        default=0.25,
        description="Largest share that one order takes of the depth inside the collar.",
    )
    collar: Distance = Field(
        default=0.01, description="Largest distance of an order's limit price from the mark price."
    )
    max_divergence: Distance = Field(
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
    hedge_gross_equity_fraction: Gross = Field(
        default=1.0, description="Largest gross of hedges after the order, in equities."
    )
    symbol_hedge_equity_fraction: Gross = Field(
        default=0.30, description="Largest hedge in one symbol after the order, in equities."
    )
    min_free_margin: Least = Field(
        default=0.30,
        description="Smallest share of equity that stays free of margin after the order.",
    )
    min_liquidation_distance: Least = Field(
        default=0.15,
        description="Smallest distance of the liquidation price from the mark price after the "
        "order, as a share of the mark price.",
    )
    filters_max_age_seconds: DaySeconds = Field(
        default=3600.0, description="Oldest tick, lot and smallest sizes to trade on."
    )
    max_slippage: Share = Field(
        default=0.005,
        description="Largest slippage against the mark price at the send, averaged over the fills "
        "of a symbol in `slippage_window_seconds`; more halts the symbol.",
    )
    slippage_window_seconds: Seconds = Field(
        default=600.0, description="How far back slippage is averaged."
    )
    messages_per_second: Count = Field(
        default=5,
        description="Most orders sent in a second; sending waits for its turn. Cancels are exempt.",
    )
    venue_limit_share: Share = Field(
        default=0.5, description="Largest share of the exchange's own limit that orders may use."
    )
    message_denials: Count = Field(
        default=3, description="Orders denied for their rate within a minute that halt everything."
    )
    max_repeats: Count = Field(
        default=3,
        description="Most orders of one side in `repeat_window_seconds` beyond the planned slices "
        "without progress; one more halts the symbol.",
    )
    repeat_window_seconds: Seconds = Field(
        default=60.0, description="How far back repeated orders are counted."
    )
    repeat_progress: Share = Field(
        default=0.2, description="By how much the rest to be traded must fall to count as progress."
    )
    duplicate_window_seconds: Seconds = Field(
        default=2.0, description="An order of the same symbol, side and size is denied so long."
    )
    max_clock_offset_ms: Milliseconds = Field(
        default=500, description="Largest difference of the exchange's clock; more denies orders."
    )
    halt_clock_offset_ms: Milliseconds = Field(
        default=1000, description="Difference of the exchange's clock that halts everything."
    )
    max_daily_cost_equity_fraction: Share = Field(
        default=0.005,
        description="Largest cost in 24 hours (fees, slippage, funding paid), in equities; more "
        "halts everything.",
    )
    max_daily_turnover_equity_fraction: Equities = Field(
        default=3.0, description="Largest turnover in 24 hours, in equities."
    )
    hold_alert_seconds: Seconds = Field(
        default=30.0, description="A hold for stale or missing data that lasts longer alerts."
    )
    alert_unacknowledged_seconds: Annotated[
        Seconds | None, Note(unit="seconds", null="alerts never halt")
    ] = Field(
        default=600.0,
        description="An alert that nobody acknowledges for so long halts everything.",
    )
    alert_timeout_seconds: Seconds = Field(
        default=5.0,
        description="So long an alert channel may take before the next one is used.",
    )
    alert_webhook_file: SecretPath = Field(
        default=None,
        description="File with the https address to which alerts are posted as JSON, mode 0600; "
        "PERPHEDGE_ALERT_WEBHOOK in the environment comes first.",
    )
    order_max_age_seconds: Seconds = Field(
        default=60.0, description="An open order of ours that is older is cancelled by its id."
    )
    dead_man_seconds: Annotated[
        float | None,
        Field(ge=10, le=120),
        Note(unit="seconds", null="the exchange is not asked to"),
    ] = Field(
        default=60.0,
        description="Where the account is the hedges' alone and the exchange has a dead-man "
        "switch, it cancels resting orders when it has heard nothing for so long.",
    )
