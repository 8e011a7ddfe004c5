"""The monitor: whose a position is, in which account, and when it says that it cannot know."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.clock import SimulatedClock
from bot.errors import UnreachableError
from bot.journal.journal import Journal
from bot.measuring.monitor import INSTRUMENTS_MAX_AGE_MS, Ages, Monitor, Observation
from bot.ports import Quote, ReportedPosition, SourceSnapshot, VenueAccount
from bot.trading.orders import UnknownOutcome
from risk.book import Owner
from risk.errors import DataError, MissingDataError, StaleDataError
from risk.instrument import Instrument
from tests.execute_scene import (
    ACCOUNT,
    BTC,
    FET,
    INSTRUMENTS,
    NOW_MS,
    QUOTES,
    TAO,
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
        self._monitor: Monitor | None = None

    async def look(self, candidates: Sequence[str] = (BTC,)) -> Observation:
        if self._monitor is None:
            scene = self

            class Account(ScriptedVenue):
                async def account(self) -> VenueAccount:
                    return replace(await super().account(), **scene.account_change)

            venue = Account(self.clock, held=self.venue.held)
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


async def test_a_dedicated_account_holds_our_hedges(scene: Scene) -> None:
    scene.fill("-100")
    scene.venue_holds(FET="-100")
    scene.sources.append(Source(scene.clock, (ReportedPosition(TAO, Decimal(2)),)))
    seen = await scene.look()
    assert rows(seen) == {
        ("hedge", ACCOUNT, FET, "BOTH"): -100,
        ("bot", "bot-a", TAO, "BOTH"): 2,
    }
    assert seen.own == {(FET, "BOTH"): Decimal(-100)}
    assert seen.book.notional_usd((FET, TAO), Owner.HEDGE).tolist() == [-50.0, 0.0]
    assert seen.book.timestamp_ms == NOW_MS
    assert (seen.external, seen.bot_listed) == ({}, frozenset())


async def test_more_of_the_same_is_somebody_elses(scene: Scene) -> None:
    scene.fill("-100")
    scene.venue_holds(FET="-130", TAO="3")
    seen = await scene.look()
    external = f"external:{ACCOUNT}"
    assert rows(seen) == {
        ("hedge", ACCOUNT, FET, "BOTH"): -100,
        ("bot", external, FET, "BOTH"): -30,
        ("bot", external, TAO, "BOTH"): 3,
    }
    assert seen.external == {(FET, "BOTH"): Decimal(-30), (TAO, "BOTH"): Decimal(3)}


async def test_in_a_shared_account_the_rest_is_the_bots(scene: Scene) -> None:
    scene.shared = True
    scene.fill("-100")
    scene.venue_holds(FET="-100", TAO="3")
    scene.account_change = {"open_order_symbols": frozenset({BTC})}
    scene.sources.append(Source(scene.clock, listed=frozenset({"WLD/USDT:USDT"})))
    seen = await scene.look()
    assert rows(seen) == {
        ("hedge", ACCOUNT, FET, "BOTH"): -100,
        ("bot", ACCOUNT, TAO, "BOTH"): 3,
    }
    assert seen.bot_listed == {BTC, "WLD/USDT:USDT"}


async def test_in_a_sub_account_whatever_is_not_ours_holds_the_cycle(scene: Scene) -> None:
    scene.exclusive = True
    scene.fill("-100")
    scene.venue_holds(FET="-100")
    await scene.look()
    scene.venue_holds(FET="-130")
    line = f"FET/USDT:USDT: -30 in the hedge sub-account {ACCOUNT} is not ours; close it, or set"
    with pytest.raises(DataError, match=f"^{line} venue.ownership to shared$"):
        await scene.look()
    scene.venue_holds(FET="-100")
    scene.account_change = {"open_order_client_ids": frozenset({"web_1"})}
    with pytest.raises(DataError, match=r"^order web_1 is open in the hedge sub-account"):
        await scene.look()
    scene.account_change = {"open_order_client_ids": frozenset({"h11"})}  # of ours, just ended
    assert rows(await scene.look()) == {("hedge", ACCOUNT, FET, "BOTH"): -100}


async def test_in_hedge_mode_a_bots_orders_do_not_meet_ours(scene: Scene) -> None:
    scene.shared = scene.legs_apart = True
    scene.venue_holds(TAO_LONG="3")
    scene.account_change = {"hedge_mode": True, "open_order_symbols": frozenset({BTC})}
    seen = await scene.look()
    assert rows(seen) == {("bot", ACCOUNT, TAO, "LONG"): 3}
    assert seen.bot_listed == frozenset()


async def test_rows_of_hedge_mode_are_told_apart_by_their_side(scene: Scene) -> None:
    scene.shared = True
    scene.fill("-100", side="SHORT")
    scene.venue_holds(FET_LONG="250", FET_SHORT="-140")
    prices = {(FET, "LONG"): 0.2, (FET, "SHORT"): 1.4}
    scene.account_change = {"hedge_mode": True, "liquidation_price": prices}
    seen = await scene.look()
    assert rows(seen) == {
        ("hedge", ACCOUNT, FET, "SHORT"): -100,
        ("bot", ACCOUNT, FET, "LONG"): 250,
        ("bot", ACCOUNT, FET, "SHORT"): -40,
    }
    assert {(p.position_side, p.liquidation_price) for p in seen.book.positions} == {
        ("LONG", 0.2),
        ("SHORT", 1.4),
    }
    assert {p.leverage for p in seen.book.positions} == {20.0}
    assert seen.book.notional_usd((FET,)).tolist() == [pytest.approx(55.0)]


async def test_a_hedge_closed_by_others_needs_two_reads_that_agree(scene: Scene) -> None:
    scene.fill("-100")
    scene.venue_holds(FET="-60")
    with pytest.raises(DataError, match=r"a hedge of -100 but the account holds -60; waiting"):
        await scene.look()
    scene.venue_holds(FET="-50")
    with pytest.raises(DataError, match="holds -50; waiting for a second read"):
        await scene.look()
    assert scene.journal.external_closes(ACCOUNT) == []
    seen = await scene.look()
    assert rows(seen) == {("hedge", ACCOUNT, FET, "BOTH"): -50}
    assert [c.change.venue_quantity for c in seen.closed_externally] == [Decimal(-50)]
    assert scene.journal.own_positions(ACCOUNT) == {(FET, "BOTH"): Decimal(-50)}
    assert (await scene.look()).closed_externally == ()


async def test_a_fill_that_the_account_does_not_show_yet_is_no_close_by_others(
    scene: Scene,
) -> None:
    scene.fill("-100", at=NOW_MS)
    scene.venue_holds()  # however often it is read: positions lag behind fills
    for _ in range(3):
        with pytest.raises(DataError, match="waiting for a second read"):
            await scene.look()
    assert scene.journal.external_closes(ACCOUNT) == []
    scene.venue_holds(FET="-100")
    assert rows(await scene.look()) == {("hedge", ACCOUNT, FET, "BOTH"): -100}


async def test_a_hedge_that_was_turned_round_leaves_the_rest_to_others(scene: Scene) -> None:
    scene.fill("-100")
    scene.venue_holds(FET="30")
    with pytest.raises(DataError, match="waiting for a second read"):
        await scene.look()
    assert rows(await scene.look()) == {("bot", f"external:{ACCOUNT}", FET, "BOTH"): 30}
    assert scene.journal.own_positions(ACCOUNT) == {}


async def test_a_disagreement_that_goes_away_is_forgotten(scene: Scene) -> None:
    scene.fill("-100")
    scene.venue_holds(FET="-60")
    with pytest.raises(DataError):
        await scene.look()
    scene.venue_holds(FET="-100")
    await scene.look()
    scene.venue_holds(FET="-60")
    with pytest.raises(DataError, match="waiting for a second read"):
        await scene.look()


async def test_an_unresolved_order_is_waited_for_however_often_it_is_read(scene: Scene) -> None:
    scene.fill("-100")
    closing = order("h1close", side=order().side.BUY, quantity="40", intent_id="i9")
    send(scene.journal, closing)
    scene.journal.record_outcome(UnknownOutcome("h1close", "no reply"))
    scene.venue_holds(FET="-60")
    for _ in range(3):
        with pytest.raises(DataError, match=r"FET/USDT:USDT: an order of ours is not resolved"):
            await scene.look()
    assert scene.journal.external_closes(ACCOUNT) == []


async def test_an_unresolved_order_may_be_what_the_account_holds_more(scene: Scene) -> None:
    """It is in the book either way; until it is known whose it is, nothing is sent there."""
    send(scene.journal, order("h1open", quantity="40"))
    scene.journal.record_outcome(UnknownOutcome("h1open", "no reply"))
    scene.venue_holds(FET="-40")
    seen = await scene.look()
    assert seen.book.notional_usd((FET,)).tolist() == [-20.0]
    assert scene.journal.own_positions(ACCOUNT) == {}


@pytest.mark.parametrize(
    ("change", "kind", "line"),
    [
        (None, MissingDataError, "FET/USDT:USDT: held, but the venue has no price for it"),
        (
            {"timestamp_ms": NOW_MS - 3_001},
            StaleDataError,
            "FET/USDT:USDT: mark price: 3 s old, at most 3 s is accepted",
        ),
        (
            {"timestamp_ms": NOW_MS + 60_001},
            DataError,
            "FET/USDT:USDT: mark price: its timestamp lies 60 s in the future",
        ),
        ({"mark": float("nan")}, DataError, "FET/USDT:USDT: mark price nan, must be above 0"),
        ({"mark": 0.0}, DataError, "FET/USDT:USDT: mark price 0.0, must be above 0"),
    ],
)
@pytest.mark.parametrize("holder", ["hedge", "external", "source"])
async def test_what_is_held_needs_a_price(
    scene: Scene, change: dict[str, Any] | None, kind: type[Exception], line: str, holder: str
) -> None:
    if holder == "source":
        scene.sources.append(Source(scene.clock, (ReportedPosition(FET, Decimal(2)),)))
    else:
        scene.venue_holds(FET="-100")
        if holder == "hedge":
            scene.fill("-100")
    scene.market.changed[FET] = change
    with pytest.raises(kind) as caught:
        await scene.look()
    assert str(caught.value) == line


async def test_candidates_without_a_usable_price_are_left_out(scene: Scene) -> None:
    scene.market.changed = {TAO: None, BTC: {"timestamp_ms": NOW_MS - 3_001}}
    seen = await scene.look((FET, TAO, BTC, "NEW/USDT:USDT"))
    assert set(seen.quotes) == {FET}


async def test_what_a_source_holds_must_be_listed_and_may_have_been_listed_since(
    scene: Scene,
) -> None:
    scene.sources.append(Source(scene.clock, (ReportedPosition(TAO, Decimal(2)),)))
    del scene.market.listed[TAO]
    with pytest.raises(
        DataError, match=r"^source bot-a: holds TAO/USDT:USDT, but the venue lists no such"
    ):
        await scene.look()
    scene.market.listed[TAO] = INSTRUMENTS[TAO]
    assert rows(await scene.look()) == {("bot", "bot-a", TAO, "BOTH"): 2}


@pytest.mark.parametrize(
    ("age_ms", "line"),
    [
        (5_001, "source bot-a: 5 s old, at most 5 s is accepted"),
        (3_600_000, "source bot-a: 3600 s old, at most 5 s is accepted"),
        (-60_001, "source bot-a: its timestamp lies 60 s in the future"),
    ],
)
async def test_a_source_has_its_own_age(scene: Scene, age_ms: int, line: str) -> None:
    scene.sources.append(Source(scene.clock, age_ms=age_ms))
    with pytest.raises(DataError) as caught:
        await scene.look()
    assert str(caught.value) == line


async def test_one_source_of_two_that_fails_is_no_half_of_the_book(scene: Scene) -> None:
    class Silent(Source):
        async def read(self) -> SourceSnapshot:
            raise UnreachableError("source bot-b: no reply")

    held = (ReportedPosition(TAO, Decimal(2)),)
    scene.sources += [Source(scene.clock, held), Silent(scene.clock, name="bot-b")]
    with pytest.raises(UnreachableError, match="bot-b"):
        await scene.look()


async def test_two_bots_in_one_symbol_add_up(scene: Scene) -> None:
    scene.sources += [
        Source(scene.clock, (ReportedPosition(TAO, Decimal(2)),)),
        Source(scene.clock, (ReportedPosition(TAO, Decimal("-0.5")),), name="bot-b"),
    ]
    seen = await scene.look()
    assert seen.book.notional_usd((TAO,), Owner.BOT).tolist() == [600.0]
    assert len(seen.book.positions) == 2


async def test_instruments_are_read_again_after_an_hour(scene: Scene) -> None:
    await scene.look()
    scene.clock.advance_to(NOW_MS + INSTRUMENTS_MAX_AGE_MS)
    await scene.look()
    assert scene.market.instruments_read == 1
    scene.clock.advance_to(NOW_MS + INSTRUMENTS_MAX_AGE_MS + 1)
    await scene.look()
    assert scene.market.instruments_read == 2


async def test_the_book_cannot_be_changed(scene: Scene) -> None:
    scene.fill("-100")
    scene.venue_holds(FET="-100")
    seen = await scene.look()
    with pytest.raises(AttributeError):
        seen.book.positions[0].base_quantity = 0.0  # type: ignore[misc]  # that is the point
