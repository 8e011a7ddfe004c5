"""A monitor with bots, a market and an account that hold and say what they are told to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.clock import SimulatedClock
from bot.journal.journal import Journal
from bot.measuring.agreement import AgreementRule
from bot.measuring.monitor import Ages, Monitor, Observation
from bot.ports import Quote, ReportedPosition, SourceSnapshot, VenueAccount
from risk.instrument import Instrument
from tests.execute_scene import (
    ACCOUNT,
    BTC,
    FET,
    INSTRUMENTS,
    NOW_MS,
    QUOTES,
    ScriptedVenue,
    acknowledged,
    fill,
    order,
    send,
)

Quantities = Mapping[tuple[str, str], str]


@dataclass
class Source:
    """A bot that holds what it is told to."""

    clock: SimulatedClock
    held: tuple[ReportedPosition, ...] = ()
    name: str = "bot-a"
    max_age_ms: int = 5_000
    age_ms: int = 0
    listed: frozenset[str] = frozenset()

    async def read(self) -> SourceSnapshot:
        then = self.clock.now_ms() - self.age_ms
        return SourceSnapshot(self.name, then, self.held, self.listed)

    async def close(self) -> None:
        pass


class Market:
    """Quotes of now for what is listed, some of them changed."""

    def __init__(self, clock: SimulatedClock) -> None:
        self.clock = clock
        self.listed: dict[str, Instrument] = dict(INSTRUMENTS)
        self.changed: dict[str, dict[str, Any] | None] = {}
        self.asked: list[Sequence[str]] = []
        self.instruments_read = 0

    async def instruments(self) -> Mapping[str, Instrument]:
        self.instruments_read += 1
        return dict(self.listed)

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        self.asked.append(tuple(symbols))
        found = {}
        for symbol in symbols:
            change = self.changed.get(symbol, {})
            if change is not None:
                base = replace(QUOTES[symbol], timestamp_ms=self.clock.now_ms())
                found[symbol] = replace(base, **change)
        return found


class Scene:
    def __init__(self, journal: Journal, clock: SimulatedClock) -> None:
        self.journal, self.clock = journal, clock
        self.venue = ScriptedVenue(clock)
        self.market = Market(clock)
        self.sources: list[Source] = []
        self.shared = self.exclusive = self.legs_apart = False
        self.account_change: dict[str, Any] = {}
        self.agreement: AgreementRule | None = None
        self.venue_tells: list[dict[str, str]] = []  # one after another, with each read
        self._monitor: Monitor | None = None

    async def look(self, candidates: Sequence[str] = (BTC,)) -> Observation:
        if self._monitor is None:
            scene = self

            class Account(ScriptedVenue):
                async def account(self) -> VenueAccount:
                    if scene.venue_tells:
                        scene.venue_holds(**scene.venue_tells.pop(0))
                    return replace(await super().account(), **scene.account_change)

            venue = Account(self.clock, held=self.venue.held, trades=self.venue.trades)
            self._monitor = Monitor(
                venue=venue,
                sources=self.sources,
                market=self.market,  # type: ignore[arg-type]  # the half of it that is asked
                journal=self.journal,
                clock=self.clock,
                ages=Ages(mark_ms=3_000, balance_ms=30_000),
                shared_account=self.shared,
                exclusive=self.exclusive,
                legs_apart=self.legs_apart,
                agreement=self.agreement,
            )
        return await self._monitor.observe(candidates)

    def fill(
        self,
        quantity: str,
        *,
        symbol: str = FET,
        side: str = "BOTH",
        n: int = 1,
        at: int = NOW_MS - 60_000,
    ) -> None:
        """A hedge of ours by the journal: sold, for a negative quantity."""
        from bot.trading.orders import Side

        amount = Decimal(quantity)
        way = Side.BUY if amount > 0 else Side.SELL
        size = str(abs(amount))
        one = order(
            f"h1{n}",
            symbol=symbol,
            side=way,
            quantity=size,
            position_side=side,
            intent_id=f"i{n}",
        )
        send(self.journal, one)
        done = acknowledged(one)
        self.journal.record_outcome(done)
        booked = fill(
            f"t{n}",
            side=way,
            quantity=size,
            client_id=one.client_id,
            venue_order_id=done.venue_order_id,
            symbol=symbol,
            at=at,
        )
        self.journal.record_fills(ACCOUNT, symbol, [booked], read_ms=self.clock.now_ms())

    def venue_holds(self, **held: str) -> None:
        """``FET='-100'`` or, in hedge mode, ``FET_SHORT='-100'``."""
        self.venue.held.clear()
        for name, quantity in held.items():
            base, _, side = name.partition("_")
            self.venue.held[f"{base}/USDT:USDT", side or "BOTH"] = Decimal(quantity)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    clock = SimulatedClock(NOW_MS)
    with Journal.open(tmp_path / "journal.sqlite", clock) as journal:
        yield Scene(journal, clock)


def rows(seen: Observation) -> dict[tuple[str, str, str, str], float]:
    return {
        (p.owner.value, p.source, p.symbol, p.position_side): p.base_quantity
        for p in seen.book.positions
    }
