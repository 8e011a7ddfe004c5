"""All controls as data: number, names in the journal, effect, settings, and where they act."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Effect(StrEnum):
    """What a control does when it acts."""

    DENY = "N"
    HALT_SYMBOL = "H"
    HALT_ALL = "G"
    ALERT = "A"


@dataclass(frozen=True, slots=True)
class Control:
    """One control.

    Attributes:
        number: as docs/controls.md counts them.
        says: what holds, in one sentence.
        acts: effect by the name under which the journal has it.
        settings: keys of the section ``controls`` that it reads.
        enforced: where it acts, as module or module:name.
    """

    number: int
    says: str
    acts: Mapping[str, Effect]
    settings: tuple[str, ...] = ()
    enforced: str = "bot.trading.pretrade"

    @property
    def effects(self) -> str:
        """``N``, ``N, then G`` and so on."""
        return ", then ".join(dict.fromkeys(effect.value for effect in self.acts.values()))


N, H, G, A = Effect.DENY, Effect.HALT_SYMBOL, Effect.HALT_ALL, Effect.ALERT
_CHECKS = "bot.controls.order_checks"

TABLE: tuple[Control, ...] = (
    Control(1, "Live trading needs the flag and the account's typed name.", {"live_consent": N},
            (), "bot.wiring"),
    Control(2, "An order is no larger than an amount and a share of equity.",
            {"order_notional": N}, ("max_order_usd", "max_order_equity_fraction")),
    Control(3, "An order takes a share of the depth inside the collar at most.", {"depth": N},
            ("max_depth_fraction",)),
    Control(4, "The limit price is near the mark price, and the style is one that was chosen; "
            "never a market order.", {"collar": N, "style": N}, ("collar",)),
    Control(5, "Fills of a symbol are near the mark price at their send.", {"slippage": H},
            ("max_slippage", "slippage_window_seconds"), "bot.controls.review"),
    Control(6, "Orders keep to a rate and to a share of the exchange's limit; cancels are exempt.",
            {"message_rate": N, "message_storm": G},
            ("messages_per_second", "venue_limit_share", "message_denials"),
            "bot.controls.gate"),
    Control(7, "Orders of one side beyond the planned slices bring the rest down.",
            {"repeated": H}, ("max_repeats", "repeat_window_seconds", "repeat_progress"),
            f"{_CHECKS}:repeated"),
    Control(8, "The same symbol, side and size is not ordered again at once.", {"duplicate": N},
            ("duplicate_window_seconds",), f"{_CHECKS}:duplicate"),
    Control(9, "A symbol has one unresolved order at most.", {"unresolved": N}),
    Control(10, "Orders under way, or of unknown outcome, count at their worst.",
            {"worst_case": N}, (), "bot.trading.worst_case"),
    Control(11, "All hedges, and those in one symbol, stay within a share of equity.",
            {"symbol_gross": N, "hedge_gross": N},
            ("hedge_gross_equity_fraction", "symbol_hedge_equity_fraction")),
    Control(12, "A plan as a whole lowers risk, cures a breach or only closes, and turns no hedge "
            "round by more than a lot.", {"plan": N}, (), "bot.controls.plan"),
    Control(13, "Closes are reduce-only; in hedge mode the position side is named, and none opens "
            "beside the other.", {"closes": N}),
    Control(14, "Position mode, margin mode and leverage are as they were; the engine never "
            "changes them.", {"account_mode": H}, (), "bot.controls.modes"),
    Control(15, "Tick, lot and smallest sizes are fresh, exact and kept to.",
            {"filters_age": N, "filters": N, "smallest": N}, ("filters_max_age_seconds",),
            f"{_CHECKS}:filters_age"),
    Control(16, "Numbers are finite and positive.", {"numbers": N, "market": N}),
    Control(17, "Prices, positions and balance are fresh; a hold ends by itself and alerts when "
            "it lasts.", {"mark_age": N, "positions_age": N, "balance_age": N, "hold": A},
            ("mark_max_age_seconds", "positions_max_age_seconds", "balance_max_age_seconds",
             "hold_alert_seconds")),
    Control(18, "Last, mark and index price are near each other.", {"divergence": N},
            ("max_divergence",)),
    Control(19, "Enough margin stays free, and liquidation stays far away.",
            {"free_margin": N, "liquidation": N, "liquidation_near": A},
            ("min_free_margin", "min_liquidation_distance"), f"{_CHECKS}:liquidation"),
    Control(20, "Hedges grow in allowed symbols only.", {"allow_list": N}),
    Control(21, "Our orders never end the orders of others in the account.", {"self_trade": N},
            (), f"{_CHECKS}:self_trade"),
    Control(22, "The exchange's clock is near ours.", {"clock_offset": N, "clock_halt": G},
            ("max_clock_offset_ms", "halt_clock_offset_ms"), f"{_CHECKS}:clock_offset"),
    Control(23, "A day's cost and turnover stay within a share of equity.",
            {"turnover": N, "daily_cost": G, "daily_turnover": G},
            ("max_daily_cost_equity_fraction", "max_daily_turnover_equity_fraction"),
            "bot.controls.review"),
    Control(24, "A last counter of its own: the orders of an intent never exceed it.",
            {"last_gate": G}, (), "bot.controls.gate"),
    Control(25, "A trade is booked once; an order never fills more than it asked for.",
            {"fill_contradiction": H, "order_overfilled": H}, (), "bot.controls.review"),
    Control(26, "The exchange's position is ours and that of others together; wrong twice halts.",
            {"position": N, "position_mismatch": H}, (), "bot.controls.guard"),
    Control(27, "Fills are inside the collar and no worse than the limit.", {"fill_price": H},
            ("collar",), "bot.controls.review"),
    Control(28, "Fees, funding and forced closes are all known, and so is every kind of income.",
            {"unknown_income": A, "missing_fee": A, "fee_differs": A, "funding_incomplete": A,
             "liquidation_fee": A, "closed_by_others": A, "books_unchecked": A}, (),
            "bot.controls.books"),
    Control(29, "An alert reaches a channel in time; one that nobody acknowledges halts.",
            {"alert_undelivered": A, "unacknowledged": G},
            ("alert_timeout_seconds", "alert_unacknowledged_seconds", "alert_webhook_file"),
            "bot.controls.alerting"),
    Control(30, "The kill switch blocks the next order, works without the journal, and cancels "
            "our own orders.", {"kill_switch": G}, (), "bot.kill"),
    Control(31, "Open orders of ours that are too old are cancelled by their own ids; in an "
            "account of our own the exchange cancels them when it hears nothing any more.",
            {"watchdog": N, "dead_man": A}, ("order_max_age_seconds", "dead_man_seconds"),
            "bot.kill"),
    Control(32, "A halt outlives restarts; resuming is named and has a reason.",
            {"still_halted": G}, (), "bot.controls.state"),
    Control(33, "One engine for a state directory; a second one leaves.", {"second_engine": N},
            (), "bot.lock"),
    Control(34, "No order before orders, fills and positions are reconciled.",
            {"not_reconciled": N}, (), "bot.cycle"),
    Control(35, "A key that can withdraw or transfer, or is not bound to an address, is refused.",
            {"key_permissions": N}, (), "bot.controls.permissions"),
    Control(36, "Unknown settings are refused; raised limits and autonomy wait for a resume.",
            {"unknown_setting": N, "limits_raised": G}, (), "bot.controls.raised"),
    Control(37, "What cannot be journaled is not sent, and the engine stops.",
            {"journal_failed": G}, (), "bot.journal"),
    Control(38, "The self-test trips every control.", {"selftest": N}, (), "bot.selftest"),
)  # fmt: skip

FRESHNESS = 17
"""The control that only holds, and alerts when the hold lasts."""

BY_NAME: Mapping[str, tuple[Control, Effect]] = {
    name: (control, effect) for control in TABLE for name, effect in control.acts.items()
}
"""Control and effect by the journal's name."""


def number_of(name: str) -> int:
    """The control's number; 0 for what is none."""
    found = BY_NAME.get(name)
    return 0 if found is None else found[0].number
