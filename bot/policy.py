"""Settings as the cycle, the planner and the pre-trade checks take them."""

from collections.abc import Mapping
from decimal import Decimal

from bot.approval.desk import ApprovalRule
from bot.approval.tolerance import Tolerance
from bot.cycle import Policy
from bot.journal.journal import Journal
from bot.measuring.agreement import AgreementRule
from bot.measuring.assessment import Screen
from bot.measuring.past import PastSettings
from bot.measuring.universe import Universe, build_universe
from bot.steps.aftermath import Aftermath
from bot.trading.impact_refit import ImpactRefit
from bot.trading.planner import PlanSettings
from bot.trading.pretrade import PretradeLimits
from bot.trading.styles import ExecutionStyles, Style
from config.choices import choices
from config.errors import ConfigError
from config.ownership import OwnershipSettings
from config.sectors import Sector, load_sectors
from config.settings import Settings
from risk.instrument import Instrument
from strategies.impact_fit import ImpactPrior


def policy_of(settings: Settings) -> Policy:
    """The owner's decisions in the cycle's words.

    Raises:
        ConfigError: the sector is not in the sectors file.
    """
    bases = tuple(sector_of(settings).subsector_of)

    def universe(instruments: Mapping[str, Instrument]) -> Universe:
        return build_universe(
            bases,
            settings.universe.benchmarks,
            instruments,
            exclude=settings.universe.exclude,
        )

    def screen(found: Universe) -> Screen:
        return Screen(
            min_history_days=settings.universe.min_history_days,
            min_daily_volume_usd=settings.universe.min_daily_volume_usd,
            may_order=frozenset(s for s in found.symbols if settings.universe.may_order(s)),
        )

    return Policy(
        executes=settings.autonomy != "propose",
        choices=lambda equity_usd: choices(settings, equity_usd),
        universe=universe,
        screen=screen,
        plan=lambda equity_usd: plan_settings(settings, equity_usd),
        decide_every_ms=settings.hedge.decide_every_ms,
        past=_past_settings(settings),
        aftermath=_aftermath(settings.ownership),
        approval=_approval(settings) if settings.autonomy == "approve" else None,
    )


def _approval(settings: Settings) -> ApprovalRule:
    """Section ``approval``; what was rejected is asked again when a decision is due."""
    chosen = settings.approval
    return ApprovalRule(
        expires_ms=round(chosen.expires_minutes * 60_000),
        tolerance=Tolerance(chosen.leg_growth, chosen.cost_growth, chosen.volatility_growth),
        asks_reductions=chosen.reductions == "ask",
        quiet_ms=settings.hedge.decide_every_ms,
    )


def sector_of(settings: Settings) -> Sector:
    """The sector that is watched.

    Raises:
        ConfigError: it is not in the sectors file.
    """
    sectors = load_sectors(settings.universe.sectors_file)
    name = settings.universe.sector
    if name not in sectors:
        raise ConfigError(
            f"universe.sector: {name!r} — one of the sectors file: {', '.join(sorted(sectors))}"
        )
    return sectors[name]


def _aftermath(ownership: OwnershipSettings) -> Aftermath:
    """What follows when the exchange closes a hedge, of section ``ownership``."""
    return Aftermath(
        adl_pause_ms=_ms(ownership.pause_after_adl.total_seconds()),
        liquidation_pause_ms=_ms(ownership.pause_after_liquidation.total_seconds()),
        liquidation_halts=ownership.after_liquidation == "halt",
    )


def agreement_rule(settings: Settings, *, simulated: bool) -> AgreementRule:
    """When changes by others are believed; a simulated clock stands still within a cycle."""
    own = settings.ownership
    return AgreementRule(
        reads=own.agreeing_reads,
        change_share=own.change_share,
        pause_ms=0 if simulated else _ms(own.reread_seconds),
        doubt_usd=own.doubt_usd,
        stand_ms=0 if simulated else _ms(own.stand_seconds),
    )


def _past_settings(settings: Settings) -> PastSettings:
    """Section ``stress``, and the windows of section ``hedge``.

    ``hedge.shrinkage`` is of the estimator that hedges go by; the windows have their own.
    """
    stress = settings.stress
    return PastSettings(
        sector_gap=stress.sector_gap,
        benchmark_gap=stress.benchmark_gap,
        worst_weeks=stress.worst_weeks,
        squeeze_days=stress.squeeze_days,
        squeeze_deviations=stress.squeeze_deviations,
        squeeze_funding_daily=stress.squeeze_funding_daily,
        maintenance_margin_rate=stress.maintenance_margin_rate,
        shared=settings.venue.shared_account,
        windows_days=settings.hedge.worst_windows_days,
    )


def pretrade_limits(settings: Settings) -> PretradeLimits:
    """Section ``controls``."""
    controls = settings.controls
    return PretradeLimits(
        max_order_usd=controls.max_order_usd,
        max_order_equity_fraction=controls.max_order_equity_fraction,
        collar=controls.collar,
        max_divergence=controls.max_divergence,
        mark_max_age_ms=round(controls.mark_max_age_seconds * 1000),
        positions_max_age_ms=round(controls.positions_max_age_seconds * 1000),
        balance_max_age_ms=round(controls.balance_max_age_seconds * 1000),
        hedge_gross_equity_fraction=controls.hedge_gross_equity_fraction,
        symbol_equity_fraction=controls.symbol_hedge_equity_fraction,
        depth_fraction=controls.max_depth_fraction,
        min_free_margin=controls.min_free_margin,
        min_liquidation_distance=controls.min_liquidation_distance,
        instruments_max_age_ms=_ms(controls.filters_max_age_seconds),
        max_slippage=controls.max_slippage,
        slippage_window_ms=_ms(controls.slippage_window_seconds),
        messages_per_second=controls.messages_per_second,
        venue_limit_share=controls.venue_limit_share,
        message_denials=controls.message_denials,
        max_repeats=controls.max_repeats,
        repeat_window_ms=_ms(controls.repeat_window_seconds),
        repeat_progress=controls.repeat_progress,
        duplicate_window_ms=_ms(controls.duplicate_window_seconds),
        max_clock_offset_ms=controls.max_clock_offset_ms,
        halt_clock_offset_ms=controls.halt_clock_offset_ms,
        max_daily_cost=controls.max_daily_cost_equity_fraction,
        max_daily_turnover=controls.max_daily_turnover_equity_fraction,
        hold_alert_ms=_ms(controls.hold_alert_seconds),
        unacknowledged_ms=None
        if controls.alert_unacknowledged_seconds is None
        else _ms(controls.alert_unacknowledged_seconds),
        alert_timeout_s=controls.alert_timeout_seconds,
        order_max_age_ms=_ms(controls.order_max_age_seconds),
        dead_man_ms=_dead_man_ms(settings),
        styles=execution_styles(settings).times_in_force,
    )


def impact_refit(settings: Settings, journal: Journal) -> ImpactRefit | None:
    """Section ``costs``; None where own fills are not asked."""
    chosen = settings.costs
    if chosen.refit_impact == "off":
        return None
    prior = ImpactPrior(chosen.prior_impact, chosen.prior_worth_fills)
    return ImpactRefit(journal, prior, used=chosen.refit_impact == "use")


def execution_styles(settings: Settings) -> ExecutionStyles:
    """Section ``execution``."""
    chosen = settings.execution
    return ExecutionStyles(
        style=Style(chosen.style),
        breach_style=Style(chosen.breach_style),
        rest_ms=_ms(chosen.rest_seconds),
        reprice_every_ms=_ms(chosen.reprice_seconds),
        max_reprices=chosen.max_reprices,
        poll_ms=_ms(chosen.poll_seconds),
        slice_depth_share=chosen.slice_depth_share,
        max_slices=chosen.max_slices,
        slice_every_ms=_ms(chosen.slice_every_seconds),
        jitter=chosen.slice_jitter,
    )


def _dead_man_ms(settings: Settings) -> int | None:
    """Only where nobody else trades in the account: it would take the orders of others."""
    seconds = settings.controls.dead_man_seconds
    return None if seconds is None or settings.venue.shared_account else _ms(seconds)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def plan_settings(settings: Settings, equity_usd: float) -> PlanSettings:
    """Orders small enough for the pre-trade checks at this equity, USD."""
    return PlanSettings(
        max_order_usd=pretrade_limits(settings).order_cap_usd(equity_usd),
        collar=Decimal(str(settings.controls.collar)),
    )
