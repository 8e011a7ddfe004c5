"""What an engine is made of: its owner's decisions, and its organs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bot.approval.desk import ApprovalRule
from bot.halt import HaltSwitch
from bot.journal.journal import Journal
from bot.logs import Logger
from bot.measuring.assessment import Screen
from bot.measuring.estimation import MarketModel
from bot.measuring.monitor import Monitor
from bot.measuring.past import PastSettings
from bot.measuring.universe import Universe
from bot.outlook.outlook import Outlook
from bot.ports import Clock, Venue
from bot.records.cycle import CycleRecord
from bot.records.ending import Look
from bot.steps.aftermath import Aftermath
from bot.steps.entry_blocks import EntryLocker
from bot.trading.execution import Executor
from bot.trading.impact_refit import ImpactRefit
from bot.trading.planner import PlanSettings
from bot.venues.streams.desk import StreamDesk
from risk.instrument import Instrument
from strategies.base import HedgeStrategy
from strategies.inputs import HedgeChoices


@dataclass(frozen=True, slots=True)
class Policy:
    """What the owner decided, as the cycle needs it.

    Attributes:
        executes: orders are sent; otherwise proposals are only written down.
        approval: what is sent waits for somebody's approval; None: nothing does.
        choices: caps and tuning for a hedge account of this equity, USD.
        universe: the sector and benchmarks among what the venue lists.
        screen: who may carry a hedge, among those.
        plan: how orders are cut and priced for an account of this equity, USD.
        decide_every_ms: time between decisions without a breach.
        past: what is asked of the past beside covariances.
        aftermath: what follows when the exchange closes a hedge.
    """

    executes: bool
    choices: Callable[[float], HedgeChoices]
    universe: Callable[[Mapping[str, Instrument]], Universe]
    screen: Callable[[Universe], Screen]
    plan: Callable[[float], PlanSettings]
    decide_every_ms: int
    past: PastSettings = field(default_factory=PastSettings)
    aftermath: Aftermath = field(default_factory=Aftermath)
    approval: ApprovalRule | None = None


class CycleWatch(Protocol):
    """Told when cycles begin and end."""

    def cycle_begins(self) -> None:
        """Before anything is asked."""
        ...

    def cycle_ended(self, record: CycleRecord) -> None:
        """After everything is done and told."""
        ...


@dataclass(frozen=True, slots=True)
class EngineParts:
    """The engine's organs.

    Attributes:
        streams: what is told without being asked; None: everything is asked for.
        publish: told of every good look; None: nobody is.
        publish_sources: told at every cycle how the sources are; None: nobody is.
        lockers: keep bots from entering what is over its cap.
        session: writes down what the cycles are told; None: nobody does.
    """

    monitor: Monitor
    model: MarketModel
    strategy: HedgeStrategy
    executor: Executor
    venue: Venue
    journal: Journal
    clock: Clock
    log: Logger
    halt: HaltSwitch
    outlook: Outlook = field(default_factory=Outlook)
    refit: ImpactRefit | None = None
    streams: StreamDesk | None = None
    publish: Callable[[Look], None] | None = None
    publish_sources: Callable[[Sequence[Mapping[str, Any]]], None] | None = None
    lockers: tuple[EntryLocker, ...] = ()
    session: CycleWatch | None = None


@dataclass(slots=True)
class Progress:
    """How far a cycle has come, for the record of one that does not get to its end."""

    record: CycleRecord
    trading: bool = False
