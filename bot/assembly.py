"""Assembles an engine's organs from settings and the doors that they look through."""

from collections.abc import Mapping
from typing import Any

from bot.advice.publisher import BookPublisher
from bot.alerts import alert_channels
from bot.controls.guard import Guard
from bot.cycle import EngineParts
from bot.doors import Doors
from bot.halt import HaltSwitch
from bot.journal.journal import Journal
from bot.logs import Logger
from bot.measuring.estimation import MarketModel
from bot.measuring.monitor import Ages, Monitor
from bot.measuring.ownership import EXCLUSIVE, LEGS_APART
from bot.outlook.outlook import outlook_of
from bot.policy import agreement_rule, execution_styles, impact_refit, pretrade_limits
from bot.sources.health import SourcesHealth
from bot.sources.health_file import HealthFile
from bot.sources.translating import Translator
from bot.surroundings import Surroundings
from bot.trading.execution import Executor, OrderObserver
from config.aliases import load_aliases
from config.settings import Settings
from config.strategy import new_strategy
from config.webhook import find_webhook
from strategies.base import estimator_of

_TROUBLE = ("order_denied", "order_rejected", "order_unknown")


def engine_parts(
    settings: Settings, around: Surroundings, journal: Journal, doors: Doors, log: Logger
) -> EngineParts:
    """The organs, all on one journal and one clock."""
    controls = settings.controls
    market, venue = doors.market, doors.venue
    monitor = Monitor(
        venue=venue,
        sources=doors.sources,
        market=market,
        journal=journal,
        clock=around.clock,
        ages=Ages(
            mark_ms=round(controls.mark_max_age_seconds * 1000),
            balance_ms=round(controls.balance_max_age_seconds * 1000),
        ),
        shared_account=settings.venue.shared_account,
        translator=Translator(
            load_aliases(settings.universe.aliases_file),
            leave_out=settings.universe.unmapped == "leave_out",
            same_token_elsewhere=settings.hedge.same_token_elsewhere,
        ),
        other_venues=doors.other_venues,
        agreement=agreement_rule(settings, simulated=around.stands_still),
        exclusive=settings.venue.ownership == EXCLUSIVE,
        legs_apart=settings.venue.ownership == LEGS_APART,
        health=SourcesHealth(doors.sources, journal, around.clock, log),
    )
    strategy = new_strategy(settings.hedge.strategy)
    halt = HaltSwitch(settings.state_dir)
    executor = Executor(
        venue=venue,
        market=market,
        journal=journal,
        clock=around.clock,
        limits=pretrade_limits(settings),
        observe=_order_log(log),
        halted=lambda: halt.reason,
        styles=execution_styles(settings),
        guard=Guard(
            journal,
            around.clock,
            venue.account_name,
            pretrade_limits(settings),
            switch=halt,
            channels=alert_channels(
                log,
                settings.state_dir,
                None if around.simulated else find_webhook(controls),
            ),
            venue_per_second=getattr(venue, "messages_per_second", None),
        ),
    )
    return EngineParts(
        monitor=monitor,
        model=MarketModel(
            market,
            backfill_days=settings.data.backfill_days,
            shrinkage=settings.hedge.shrinkage,
            estimator=estimator_of(strategy),
        ),
        strategy=strategy,
        executor=executor,
        venue=venue,
        journal=journal,
        clock=around.clock,
        log=log,
        halt=halt,
        outlook=outlook_of(settings, around.clock, journal, signals=around.signals),
        refit=impact_refit(settings, journal),
        streams=doors.streams,
        # In simulated time nobody asks between two cycles.
        publish=None
        if around.simulated
        else BookPublisher(settings.state_dir, log, journal).publish,
        publish_sources=None if around.simulated else HealthFile(settings.state_dir, log).write,
        lockers=doors.lockers,
        session=around.recorder,
    )


def _order_log(log: Logger) -> OrderObserver:
    def tell(event: str, facts: Mapping[str, Any]) -> None:
        say = log.warning if event in _TROUBLE or facts.get("detail") else log.info
        say(event, **facts)

    return tell
