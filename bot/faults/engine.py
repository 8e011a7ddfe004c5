"""The real engine with a cheap eye and a cheap strategy, since decisions are not what is tested.

Only ``look`` is replaced: it reads the world through the real monitor, but takes correlations from
one measurement that is made once. Planning, checks, journal, execution and reconciliation are the
parts that trade real money.
"""

import functools
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

import numpy as np

from bot.alerts import Alert, AlertChannel, LogChannel
from bot.controls.guard import Guard
from bot.cycle import Engine, EngineParts, Policy
from bot.faults.world import (
    ACCOUNT,
    BOT_SYMBOLS,
    HEDGE_SYMBOLS,
    START_MS,
    SYMBOLS,
    WALLET_USD,
    instrument,
)
from bot.halt import HaltSwitch
from bot.journal.journal import Journal
from bot.logs import Logger
from bot.measuring.agreement import AgreementRule
from bot.measuring.assessment import Assessment, Screen, assess
from bot.measuring.estimation import MarketModel
from bot.measuring.monitor import Ages, Monitor, Observation
from bot.measuring.universe import Universe
from bot.policy import execution_styles, plan_settings, pretrade_limits
from bot.ports import Clock, MarketData, PositionSource, Quote, Venue, VenueAccount
from bot.records.ending import Look
from bot.state_files import StateFolder
from bot.trading.execution import Executor
from bot.trading.styles import Style
from bot.venues.streams.desk import StreamDesk
from config.load import load_settings, profile_path
from config.settings import Settings
from risk.book import AccountState, Book, FloatArray, Owner, Position
from risk.crowding.report import FundingSeries
from risk.limits.caps import LimitBreach, RiskLimits
from risk.quick_init import quick_replace
from risk.returns import HOUR_MS, BarPanel
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.proposal import (
    CostEstimate,
    HedgeLeg,
    HedgeProposal,
    NoHedge,
    NoHedgeReason,
    RiskState,
)

T = TypeVar("T")

BAND_USD = 1500.0
"""The only cap: bot and hedges together may be worth this much, long or short."""
MIN_TRADE_USD = 20.0
_BARS = 72
_LIMITS = RiskLimits(net_usd=BAND_USD)
_UNIVERSE = Universe(sector=SYMBOLS[1:], benchmarks=SYMBOLS[:1], unlisted=())
_SCREEN = Screen(min_history_days=0.1, min_daily_volume_usd=0.0, may_order=frozenset(SYMBOLS))
_CHOICES = HedgeChoices(limits=_LIMITS)
_NO_HEDGE: FloatArray = np.zeros(0)
_NO_COST = CostEstimate(0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class BandStrategy:
    """Sells what the bot holds, in other symbols, whenever the sum leaves the band."""

    name: str = "band"

    def decide(self, facts: HedgeFacts, choices: HedgeChoices) -> HedgeProposal | NoHedge:
        """Back to a sum of nought, in equal parts over the symbols that may carry hedges."""
        bot_usd = float(facts.bot_usd.sum())
        net_usd = bot_usd + float(facts.hedge_usd.sum())
        state = risk_of(bot_usd, facts.hedge_usd)
        legs = self._legs(facts) if abs(net_usd) > BAND_USD * 0.8 else ()
        if not any(leg.trade_usd for leg in legs):
            return NoHedge(
                self.name, facts.timestamp_ms, NoHedgeReason.NOT_WORTH_IT, "inside", state
            )
        after = np.array([leg.target_usd for leg in legs])
        return HedgeProposal(
            strategy=self.name,
            timestamp_ms=facts.timestamp_ms,
            legs=legs,
            before=state,
            after=risk_of(bot_usd, after),
            cost=_NO_COST,
            shadow_prices={},
            slacks_usd={},
            objective_relaxed=0.0,
            objective_lots=0.0,
            solver_status="exact",
            sentence="Back into the band.",
        )

    @staticmethod
    def _legs(facts: HedgeFacts) -> tuple[HedgeLeg, ...]:
        carriers = [
            i for i, s in enumerate(facts.symbols) if facts.may_hedge[i] and s in HEDGE_SYMBOLS
        ]
        most_usd = 0.29 * facts.equity_usd
        each = min(max(0.0, float(facts.bot_usd.sum())) / max(1, len(carriers)), most_usd)
        legs = []
        for i, symbol in enumerate(facts.symbols):
            current = float(facts.hedge_usd[i])
            if symbol not in HEDGE_SYMBOLS and not current:
                continue
            target = -each if i in carriers else min(0.0, current)
            lot = float(facts.lot_usd[i])
            trade = round((target - current) / lot) * lot
            if abs(trade) < MIN_TRADE_USD:
                trade = 0.0
            legs.append(
                HedgeLeg(symbol, current, current + trade, trade, float(facts.price_usd[i]))
            )
        return tuple(legs)


def risk_of(bot_usd: float, hedge_usd: FloatArray) -> RiskState:
    """The one cap, measured."""
    net_usd = abs(bot_usd + float(hedge_usd.sum()))
    gross_usd = float(np.abs(hedge_usd).sum())
    breaches: tuple[LimitBreach, ...] = ()
    if net_usd > BAND_USD:
        breaches = (LimitBreach("net_usd", "", net_usd, BAND_USD, bot_alone=False, curable=True),)
    return RiskState(net_usd, net_usd, gross_usd, {"net_usd": net_usd / BAND_USD}, breaches)


class FaultEngine(Engine):
    """The engine; correlations come from a measurement made once."""

    @property
    def journal(self) -> Journal:
        """The engine's journal."""
        return self._parts.journal

    @property
    def watched(self) -> tuple[Venue, Guard, Journal, Clock, Logger]:
        """What the watch beside the cycles works on."""
        parts = self._parts
        return parts.venue, self.guard, parts.journal, parts.clock, parts.log

    @property
    def stopped_by(self) -> str:
        """What a control or somebody has halted; empty when nothing is."""
        guard = self._parts.executor.guard
        return guard.halted or next(iter(guard.halted_symbols.values()), "")

    @property
    def alerts(self) -> Sequence[Alert]:
        """What nobody has acknowledged."""
        return self._parts.executor.guard.alerts

    async def look(self) -> Look:
        """Read the world for real, and measure it cheaply."""
        parts = self._parts
        await parts.monitor.instruments()
        observation = await parts.monitor.observe(SYMBOLS)
        facts = facts_of(observation)
        bot_usd = float(facts.bot_usd.sum())
        return Look(
            observation,
            quick_replace(template(), facts=facts),
            _CHOICES,
            unhedged=risk_of(bot_usd, _NO_HEDGE),
            before=risk_of(bot_usd, facts.hedge_usd),
        )


def facts_of(observation: Observation) -> HedgeFacts:
    """What the band strategy needs of one look, in the order of the symbols that have a price."""
    quotes = observation.quotes
    symbols = tuple(s for s in SYMBOLS if s in quotes)
    book = observation.book
    price = np.array([quotes[s].mark for s in symbols])
    lots = [
        float(observation.instruments[s].lot) if s in observation.instruments else 1.0
        for s in symbols
    ]
    return quick_replace(
        _facts_without_book(symbols),
        timestamp_ms=book.timestamp_ms,
        bot_usd=book.notional_usd(symbols, Owner.BOT),
        hedge_usd=book.notional_usd(symbols, Owner.HEDGE),
        price_usd=price,
        lot_usd=np.array(lots) * price,
        equity_usd=book.hedge_account.equity_usd,
    )


@functools.cache
def _facts_without_book(symbols: tuple[str, ...]) -> HedgeFacts:
    """What hangs on nothing but which symbols have a price."""
    size = len(symbols)
    zeros = np.zeros(size)
    return replace(
        template().facts,
        symbols=symbols,
        covariance_daily=np.eye(size),
        beta_btc=zeros,
        min_trade_usd=zeros + 5.0,
        half_spread=zeros,
        taker_fee=zeros,
        funding_daily=zeros,
        funding_daily_se=zeros,
        adv_usd=zeros + 1e8,
        crowding=zeros,
        may_hedge=np.array([s in HEDGE_SYMBOLS for s in symbols]),
        in_sector=np.ones(size, dtype=bool),
        cluster=np.zeros(size, dtype=np.int64),
        initial_margin_rate=zeros + 0.2,
    )


@functools.cache
def template() -> Assessment:
    """One real measurement of a market of this world, the same in every process."""
    rng = np.random.default_rng(1)
    close = 100.0 * np.exp(np.cumsum(0.01 * rng.standard_normal((_BARS, len(SYMBOLS))), axis=0))
    open_ms = START_MS - START_MS % HOUR_MS - HOUR_MS * np.arange(_BARS, 0, -1, dtype=np.int64)
    panel = BarPanel(SYMBOLS, open_ms, close, np.full_like(close, 1e7))
    model = MarketModel(cast("MarketData", _OneMarket(panel)), backfill_days=3, shrinkage=0.2)
    view = _finished(model.refresh(SYMBOLS, START_MS))
    return assess(_first_look(), view, _UNIVERSE, _SCREEN, turnover_used_usd=0.0)


def _first_look() -> Observation:
    state = AccountState(ACCOUNT, 1e5, 1e5, 0.0, 0.0, START_MS)
    held = Position(BOT_SYMBOLS[0], Owner.BOT, "bot", 1000.0, 1.5, START_MS)
    quotes = {
        s: Quote(s, START_MS, 1.5, 1.5, 1.5, 1.499, 1.501, 1e8, 1e-4, 8.0, START_MS + 1)
        for s in SYMBOLS
    }
    account = VenueAccount(state, {}, {}, {}, frozenset())
    instruments = {s: instrument(s) for s in SYMBOLS}
    return Observation(
        Book(START_MS, (held,), state), quotes, instruments, account, {}, frozenset()
    )


class _OneMarket:
    """Bars of the template, and nothing else."""

    def __init__(self, panel: BarPanel) -> None:
        self._panel = panel

    async def bars(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> BarPanel:
        """All of them."""
        return self._panel

    async def funding(
        self, symbols: Sequence[str], start_ms: int, end_ms: int
    ) -> Mapping[str, FundingSeries]:
        """None."""
        return {}


def _finished(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("it waits for something")


@functools.cache
def settings(style: Style = Style.IOC) -> Settings:
    """The owner's settings: the paper profile, with its controls as they come.

    All plans are worked in ``style``; slices are small against these books, so that there are some.
    """
    found = load_settings(profile_path("paper"))
    chosen = {
        "style": style.value,
        "breach_style": style.value,
        "slice_depth_share": 1e-4,
        "slice_every_seconds": 5.0,
    }
    return found.model_copy(
        update={
            "execution": found.execution.model_copy(update=chosen),
            "venue": found.venue.model_copy(
                update={"account": ACCOUNT, "paper_wallet_usd": float(WALLET_USD)}
            ),
        }
    )


def policy() -> Policy:
    """Executes; plans as the settings say."""

    def unused(*_: object) -> Any:
        raise NotImplementedError

    return Policy(
        executes=True,
        choices=lambda _equity_usd: HedgeChoices(limits=_LIMITS),
        universe=unused,
        screen=unused,
        plan=lambda equity_usd: plan_settings(settings(), equity_usd),
        decide_every_ms=settings().hedge.decide_every_ms,
    )


@dataclass(frozen=True, slots=True)
class Doors:
    """The engine's ways to the world."""

    venue: Venue
    market: MarketData
    source: PositionSource
    clock: Clock
    log: Logger
    state: StateFolder
    pager: AlertChannel
    streams: StreamDesk | None = None


def build_engine(doors: Doors, journal: Journal, style: Style = Style.IOC) -> FaultEngine:
    """An engine as the wiring makes it, over these doors."""
    chosen = settings(style)
    controls, limits = chosen.controls, pretrade_limits(chosen)
    halt = HaltSwitch(doors.state)
    monitor = Monitor(
        venue=doors.venue,
        sources=[doors.source],
        market=doors.market,
        journal=journal,
        clock=doors.clock,
        ages=Ages(
            mark_ms=round(controls.mark_max_age_seconds * 1000),
            balance_ms=round(controls.balance_max_age_seconds * 1000),
        ),
        shared_account=False,
        agreement=AgreementRule(),
    )
    executor = Executor(
        venue=doors.venue,
        market=doors.market,
        journal=journal,
        clock=doors.clock,
        limits=limits,
        halted=lambda: halt.reason,
        styles=execution_styles(chosen),
        guard=Guard(
            journal,
            doors.clock,
            doors.venue.account_name,
            # Nobody is there to acknowledge.
            replace(limits, unacknowledged_ms=None),
            switch=halt,
            channels=(doors.pager, LogChannel(doors.log)),
        ),
    )
    parts = EngineParts(
        monitor=monitor,
        model=MarketModel(doors.market, backfill_days=3, shrinkage=0.2),
        strategy=BandStrategy(),
        executor=executor,
        venue=doors.venue,
        journal=journal,
        clock=doors.clock,
        log=doors.log,
        halt=halt,
        streams=doors.streams,
    )
    return FaultEngine(parts, policy())
