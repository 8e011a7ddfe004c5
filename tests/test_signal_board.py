"""The board of signals: streaming as replaying, after restarts too; listings; rules that fail."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from bot.measuring.estimation import MarketModel, MarketView
from bot.measuring.universe import Universe
from bot.outlook.signal_board import SignalBoard
from bot.outlook.signal_states import COSTLY_BARS
from bot.outlook.signal_values import (
    SPIKE_BARS,
    SPIKE_WINDOWS,
    Bars,
    FundingMemory,
    funding_at,
    spike_at,
)
from risk.book import AccountState, Book, FloatArray, Owner, Position
from risk.errors import DataError
from risk.returns import HOUR_MS, BarPanel
from risk.signals.concentration import SpikeWindow, correlation_spike
from risk.signals.episodes import Severity, Signal, SignalKind
from tests.panel_market import BTC, ETH, FET, NEAR, START_MS, SYMBOLS, TAO, WLD, PanelMarket
from tests.panel_market import payments as flat_payments

UNIVERSE = Universe(sector=(FET, NEAR, TAO, WLD), benchmarks=(BTC, ETH), unlisted=())
HOURS = 60 * 24
MORE = 26


def eventful(hours: int, seed: int = 4) -> FloatArray:
    """(hours, 6) prices: TAO follows FET, WLD leaves NEAR, and all fall together near the end."""
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((hours, 1))
    own = rng.standard_normal((hours, len(SYMBOLS)))
    loading = np.full((hours, len(SYMBOLS)), 0.6)
    loading[-10 * 24 :, SYMBOLS.index(WLD)] = -0.5
    loading[:, [SYMBOLS.index(s) for s in (FET, TAO)]] = 0.95
    loading[-4 * 24 :, :5] = 0.97
    returns = 0.005 * (loading * common + np.sqrt(1 - loading**2) * own)
    returns[-4 * 24 :] *= 3
    return np.asarray(100 * np.exp(np.cumsum(returns, axis=0)))


def market(close: FloatArray) -> PanelMarket:
    """With volume that has a spike and funding that runs away near the end."""
    found = PanelMarket(close)
    rng = np.random.default_rng(1)
    found.volume = found.volume * np.exp(0.3 * rng.standard_normal(found.volume.shape))
    found.volume[HOURS - 1 :: 10, SYMBOLS.index(FET)] *= 50
    for symbol in SYMBOLS:
        series = flat_payments(symbol, 1e-4, len(close))
        rate = 1e-4 + 3e-5 * rng.standard_normal(len(series.rate))
        if symbol in (FET, TAO):
            rate[series.time_ms > START_MS + (HOURS - 72) * HOUR_MS] += 9e-4
        found.payments[symbol] = replace(series, rate=rate)
    return found


def book(now_ms: int, **usd: float) -> Book:
    positions = tuple(
        Position(f"{base}/USDT:USDT", Owner.BOT, "test", value, 1.0, now_ms)
        for base, value in usd.items()
    )
    return Book(now_ms, positions, AccountState("hedge", 6e4, 6e4, 0.0, 0.0, now_ms))


def engine(source: PanelMarket) -> MarketModel:
    return MarketModel(source, backfill_days=60, shrinkage=0.2)


async def looks(model: MarketModel, hours: Sequence[int]) -> list[MarketView]:
    return [await model.refresh(SYMBOLS, START_MS + h * HOUR_MS) for h in hours]


def told(board: SignalBoard, view: MarketView) -> tuple[Signal, ...]:
    held = book(START_MS, FET=5000.0, TAO=4000.0, NEAR=3000.0, WLD=-2000.0)
    board.advance(view, UNIVERSE, held.symbols())
    return board.signals(held)


def same(one: Sequence[Signal], other: Sequence[Signal], since_ms: int = 0) -> None:
    """Values may differ in the last digits, as sums are taken in another order; what has been up
    since before ``since_ms`` may have begun whenever."""

    def plain(signals: Sequence[Signal]) -> list[Signal]:
        return [replace(s, value=0.0, since_ms=max(s.since_ms, since_ms)) for s in signals]

    assert plain(one) == plain(other)
    assert [s.value for s in one] == pytest.approx([s.value for s in other], rel=1e-9)


async def test_bar_after_bar_is_the_same_as_a_replay_and_as_a_restart() -> None:
    source = market(eventful(HOURS + MORE))
    streaming, streamed_model = SignalBoard(), engine(source)
    kinds: set[SignalKind] = set()
    for hour in range(HOURS, HOURS + MORE + 1):
        (view,) = await looks(streamed_model, [hour])
        streamed = told(streaming, view)
        kinds |= {s.kind for s in streamed}
        if hour in (HOURS, HOURS + MORE):
            # The restart has fewer bars: it fetches the last 60 days, and the first has been on.
            (restarted,) = await looks(engine(source), [hour])
            reach_ms = int(restarted.panel.open_ms[0]) + 400 * HOUR_MS
            same(streamed, told(SignalBoard(), restarted), since_ms=reach_ms)
        assert streaming.problems == {}
    assert MORE > COSTLY_BARS
    expected = {
        SignalKind.DUPLICATE_EXPOSURE,
        SignalKind.HIGH_CORRELATION,
        SignalKind.DECOUPLING,
        SignalKind.REGIME_CHANGE,
        SignalKind.VOLUME_SPIKE,
        SignalKind.FUNDING_SPIKE,
    }
    assert expected <= kinds, expected - kinds


async def test_looking_again_within_the_hour_changes_nothing() -> None:
    model, board = engine(market(eventful(HOURS))), SignalBoard()
    (view,) = await looks(model, [HOURS])
    first = told(board, view)
    again = await model.refresh(SYMBOLS, START_MS + HOURS * HOUR_MS + 59 * 60_000)
    assert told(board, again) == first


async def test_the_book_is_taken_as_it_is_now() -> None:
    board = SignalBoard()
    (view,) = await looks(engine(market(eventful(HOURS))), [HOURS])
    told(board, view)
    both = board.signals(book(START_MS, FET=5000.0, TAO=4000.0))
    assert SignalKind.DUPLICATE_EXPOSURE in {s.kind for s in both}
    opposite = board.signals(book(START_MS, FET=5000.0, TAO=-4000.0))
    assert SignalKind.DUPLICATE_EXPOSURE not in {s.kind for s in opposite}


@pytest.mark.long
async def test_a_late_bar_or_another_universe_starts_a_replay() -> None:
    source = market(eventful(HOURS))
    late = source.closes[HOURS - 2].copy()
    source.closes[HOURS - 2, SYMBOLS.index(NEAR)] = np.nan
    model, board = engine(source), SignalBoard()
    (view,) = await looks(model, [HOURS - 1])
    told(board, view)
    source.closes[HOURS - 2] = late
    (mended,) = await looks(model, [HOURS])
    assert mended.revision > view.revision
    same(told(board, mended), told(SignalBoard(), mended))
    fewer = Universe(sector=(FET, NEAR, TAO), benchmarks=(BTC,), unlisted=())
    board.advance(mended, fewer, {FET})
    assert not {s.kind for s in board.signals(book(START_MS, FET=1.0))} & {SignalKind.DELISTING}


@pytest.mark.long
async def test_a_rule_that_fails_is_told_and_made_whole_later() -> None:
    source = market(eventful(HOURS + 2))
    model, board = engine(source), SignalBoard()
    (view,) = await looks(model, [HOURS])
    told(board, view)
    source.volume[HOURS, SYMBOLS.index(FET)] = -1.0
    (bad,) = await looks(model, [HOURS + 1])
    kinds = {s.kind for s in told(board, bad)}
    assert "a volume is negative" in board.problems["volume"]
    assert board.unknown["volume"].startswith("failed: ")
    assert SignalKind.VOLUME_SPIKE not in kinds
    assert SignalKind.DUPLICATE_EXPOSURE in kinds, "the other rules go on"
    source.volume[HOURS, SYMBOLS.index(FET)] = 1e6
    (whole,) = await looks(engine(source), [HOURS + 2])
    same(told(board, whole), told(SignalBoard(), whole))
    assert board.problems == {}


async def test_too_little_history_signals_nothing_and_says_so() -> None:
    board = SignalBoard()
    (view,) = await looks(engine(market(eventful(HOURS))), [5 * 24])
    assert told(board, view) == ()
    assert board.problems == {}
    assert {r: why for r, why in board.unknown.items() if r not in {"funding", "listings"}} == {
        "pairs": "not enough history: has 120 of 361 bars",
        "breadth": "not enough history: has 120 of 135 bars",
        "volume": "not enough history: has 120 of 337 bars",
        "spike": "not enough history: has 120 of 553 bars",
        "regime": "not enough history: has 120 of 889 bars",
        "absorption": "not enough history: has 120 of 840 bars",
    }
    assert "no token has funding" in board.unknown["funding"]


@pytest.mark.parametrize(
    ("rule", "hours"),
    [("breadth", 135), ("volume", 337), ("pairs", 361), ("spike", 553), ("regime", 889)],
)
async def test_a_rule_speaks_from_the_bar_that_it_says_it_needs(rule: str, hours: int) -> None:
    before, after = await looks(engine(market(eventful(HOURS))), [hours - 1, hours])
    board = SignalBoard()
    told(board, before)
    assert board.unknown[rule] == f"not enough history: has {hours - 1} of {hours} bars"
    told(board, after)
    assert rule not in board.unknown


async def test_one_token_without_history_is_named_and_the_others_are_watched() -> None:
    source = market(eventful(HOURS))
    source.closes[:-400, SYMBOLS.index(WLD)] = np.nan
    source.volume[:-400, SYMBOLS.index(WLD)] = np.nan
    board = SignalBoard()
    (view,) = await looks(engine(source), [HOURS])
    kinds = {s.kind for s in told(board, view)}
    assert SignalKind.DUPLICATE_EXPOSURE in kinds
    assert board.unknown["regime"] == "not enough history of some: WLD has 400 of 889 bars"
    assert not {"pairs", "volume", "spike", "absorption", "breadth"} & board.unknown.keys()


async def test_without_a_sector_or_bitcoin_the_rules_that_need_them_say_so() -> None:
    (view,) = await looks(engine(market(eventful(HOURS))), [HOURS])
    board = SignalBoard()
    board.advance(view, Universe((FET,), (BTC,), ()), ())
    assert board.unknown["breadth"] == (
        "needs 3 tokens of the sector that can be measured, there are 1"
    )
    assert "needs 2 tokens of the sector" in board.unknown["absorption"]
    assert "needs 2 tokens of the sector" in board.unknown["spike"]
    board.advance(view, Universe((FET, NEAR), (), ()), ())
    assert "needs the first benchmark" in board.unknown["spike"]


async def test_of_a_large_universe_only_what_is_held_is_watched_in_pairs() -> None:
    symbols = ("BTC/USDT:USDT", *(f"T{i:02d}/USDT:USDT" for i in range(31)))
    rng = np.random.default_rng(3)
    returns = 0.01 * (rng.standard_normal((480, 1)) + 0.2 * rng.standard_normal((480, 32)))
    source = PanelMarket(100 * np.exp(np.cumsum(returns, axis=0)), symbols)
    view = await engine(source).refresh(symbols, START_MS + 480 * HOUR_MS)
    board = SignalBoard()
    held = book(START_MS, T01=100.0, T02=100.0)
    board.advance(view, Universe(symbols[1:], symbols[:1], ()), held.symbols())
    pairs = {s.symbols for s in board.signals(held) if len(s.symbols) == 2}
    assert pairs == {
        ("BTC/USDT:USDT", "T01/USDT:USDT"),
        ("BTC/USDT:USDT", "T02/USDT:USDT"),
        ("T01/USDT:USDT", "T02/USDT:USDT"),
    }


def listing(board: SignalBoard, **usd: float) -> dict[str, tuple[SignalKind, Severity]]:
    return {s.symbols[0]: (s.kind, s.severity) for s in board.signals(book(START_MS, **usd))}


def take(board: SignalBoard, listed: set[str], now_ms: int) -> None:
    """A venue that lists these of a sector of four."""
    unlisted = [s.partition("/")[0] for s in UNIVERSE.sector if s not in listed]
    board.take_listing(listed, now_ms, unlisted)


def test_listings_are_shown_for_a_while() -> None:
    board = SignalBoard(listing_shown_ms=10 * HOUR_MS)
    take(board, {FET, NEAR}, START_MS)
    assert listing(board) == {}, "what is there at the start is no news"
    take(board, {FET, TAO}, START_MS + HOUR_MS)
    assert listing(board) == {
        TAO: (SignalKind.NEW_LISTING, Severity.NOTE),
        NEAR: (SignalKind.DELISTING, Severity.WARNING),
    }
    take(board, {FET, TAO}, START_MS + 10 * HOUR_MS)
    assert set(listing(board)) == {TAO, NEAR}
    take(board, {FET, TAO, NEAR}, START_MS + 10 * HOUR_MS)
    assert listing(board)[NEAR] == (SignalKind.NEW_LISTING, Severity.NOTE)
    take(board, {FET, TAO, NEAR}, START_MS + 11 * HOUR_MS)
    assert set(listing(board)) == {NEAR}


def test_what_the_owner_adds_to_the_sector_or_takes_out_is_no_news() -> None:
    board = SignalBoard()
    assert board.unknown["listings"] == "no earlier list of markets to compare with"
    board.take_listing({FET, NEAR}, START_MS, ["VANA"])
    board.take_listing({FET, TAO, "VANA/USDT:USDT"}, START_MS + 1, [])
    assert listing(board) == {"VANA/USDT:USDT": (SignalKind.NEW_LISTING, Severity.NOTE)}
    assert "listings" not in board.unknown


def test_the_last_listing_and_its_news_can_be_kept() -> None:
    board, later = SignalBoard(), SignalBoard()
    board.take_listing({FET, NEAR}, START_MS, ["TAO"])
    board.take_listing({FET, TAO}, START_MS + 1, ["NEAR"])
    later.listing.restore(board.listing.text())
    assert list(later.listing.signals({NEAR})) == list(board.listing.signals({NEAR}))
    assert later.listing.text() == board.listing.text()
    later.take_listing({FET, TAO}, START_MS + 2, ["NEAR"])
    assert listing(later) == listing(board)
    for text in ("", "3", "{}", '{"listed": [], "bases": [], "news": [{"symbol": 3}]}'):
        with pytest.raises(DataError, match="cannot be read"):
            later.listing.restore(text)


async def test_a_delisting_of_what_is_held_is_an_alarm() -> None:
    board = SignalBoard()
    (view,) = await looks(engine(market(eventful(HOURS))), [HOURS])
    board.advance(view, UNIVERSE, {NEAR})
    take(board, {FET, NEAR}, START_MS)
    take(board, {FET}, START_MS + 1)
    (signal,) = [
        s for s in board.signals(book(START_MS, NEAR=5.0)) if s.kind is SignalKind.DELISTING
    ]
    assert signal.severity is Severity.ALARM
    assert signal.sentence == f"{NEAR} is no longer listed and the book holds it."


def test_an_empty_answer_is_no_delisting_of_everything() -> None:
    board = SignalBoard()
    take(board, {FET}, START_MS)
    take(board, set(), START_MS + 1)
    assert "lists none of the 1" in board.problems["listings"]
    assert listing(board) == {}
    take(board, {FET}, START_MS + 2)
    assert (board.problems, listing(board)) == ({}, {})


def test_infinite_values_are_an_error_of_the_rule_alone() -> None:
    from bot.outlook.signal_states import RuleMemory
    from risk.signals.episodes import SignalRule

    memory = RuleMemory(SignalRule(1.0, 0.5, 1, 1), 1, 3)
    for time_ms, value in enumerate((2.0, np.nan, np.nan, np.nan)):
        memory.push(time_ms, np.array([value]))
    assert not memory.state().active[0], "what lies further back is forgotten"
    memory.push(9, np.array([np.inf]))
    with pytest.raises(DataError):
        memory.state()


def test_windows_of_the_spike_that_were_taken_before_change_nothing() -> None:
    """Each bar takes one window more, whatever was taken before, and keeps no old one."""
    rng = np.random.default_rng(3)
    returns = 0.01 * rng.standard_normal((1_400, 4))
    returns[200:230, 2] = np.nan
    count = len(returns) + 1
    panel = BarPanel(
        ("BTC", "A", "B", "C"),
        START_MS + HOUR_MS * np.arange(count, dtype=np.int64),
        np.ones((count, 4)),
        np.ones((count, 4)),
    )
    bars = Bars(panel, returns, ("A", "B", "C"), (1, 2, 3), 0)
    taken: dict[int, SpikeWindow] = {}
    for row in (300, 1_000, *range(1_340, count)):
        found = spike_at(bars, row, taken)
        window = returns[max(row - SPIKE_BARS, 0) : row]
        assert found == correlation_spike(window[:, 1:], window[:, 0], windows=SPIKE_WINDOWS)
    assert len(taken) <= SPIKE_BARS
    before = dict(taken)
    spike_at(bars, count - 1, taken)
    assert taken == before


async def test_what_funding_told_before_changes_nothing() -> None:
    model, memory = engine(market(eventful(HOURS + MORE))), FundingMemory()
    rates = set()
    for view in await looks(model, range(HOURS, HOURS + MORE)):
        now_ms = int(view.panel.open_ms[-1]) + HOUR_MS
        asked = view.funding, view.estimate, UNIVERSE.sector, now_ms
        found, anew = funding_at(*asked, memory), funding_at(*asked, FundingMemory())
        assert found.tokens == anew.tokens
        rates.add(found.tokens[2].score_annual)
    assert len(rates) > 2  # payments came in between
