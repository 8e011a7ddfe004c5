"""A tape over small hand-made bars: prices, bars of other intervals, gaps, and no look ahead."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.clock import SimulatedClock
from bot.feeds.array_tape import ArrayTape, half_spread
from bot.feeds.path import bar_path, price_on, range_on
from bot.feeds.series import FundingTrack, HourlyBars, OpenInterestSeries
from bot.feeds.tape import DAY_MS, Kline
from bot.feeds.tape_feed import TapeFeed
from risk.errors import DataError
from risk.instrument import Instrument
from risk.returns import HOUR_MS

FET, TAO = "FET/USDT:USDT", "TAO/USDT:USDT"
START = 20_000 * DAY_MS
MINUTE = 60_000


def instrument(symbol: str, tick: str) -> Instrument:
    return Instrument(
        symbol, symbol[:3], "USDT", "binanceusdm", Decimal(1), Decimal(tick), Decimal(1),
        Decimal(1), Decimal(5), 0.0002, 0.0005, 8.0,
    )  # fmt: skip


def random_bars(seed: int = 0, hours: int = 24 * 12, holes: bool = True) -> HourlyBars:
    """Two symbols, one at about 1.3 on ticks of 0.0001, one at about 400 on ticks of 0.01."""
    random = np.random.default_rng(seed)
    path = np.cumsum(random.normal(0, 0.01, (hours, 2)), axis=0)
    close = np.array([1.3, 400.0]) * np.exp(path)
    close = np.column_stack([np.round(close[:, 0], 4), np.round(close[:, 1], 2)])
    open_ = np.vstack([close[:1], close[:-1]])
    wick = np.array([0.0123, 1.23])
    high, low = np.maximum(open_, close) + wick, np.minimum(open_, close) - wick
    volume = random.uniform(1e5, 1e6, (hours, 2))
    if holes:
        for one in (open_, high, low, close, volume):
            one[100:110, 0] = np.nan
            one[:30, 1] = np.nan
    return HourlyBars(START, open_, high, low, close, volume)


def make_tape(bars: HourlyBars | None = None) -> ArrayTape:
    times = START + 8 * HOUR_MS * np.arange(1, 37, dtype=np.int64)
    rate = np.linspace(-0.0003, 0.0005, 36)
    track = FundingTrack(times, rate, np.full(36, 8.0), np.arange(36) > 30)
    interest = OpenInterestSeries(times[:10], np.arange(10, dtype=float) * 1000)
    return ArrayTape(
        [instrument(FET, "0.0001"), instrument(TAO, "0.01")],
        random_bars() if bars is None else bars,
        {FET: track},
        {FET: interest},
    )


def at(hours: float) -> int:
    return START + round(hours * HOUR_MS)


def test_rising_bar_visits_its_low_first_and_falling_bar_its_high() -> None:
    assert bar_path(10.0, 12.0, 9.0, 11.0) == (10.0, 9.0, 12.0, 11.0)
    assert bar_path(11.0, 12.0, 9.0, 10.0) == (11.0, 12.0, 9.0, 10.0)


def test_price_is_log_linear_between_the_thirds() -> None:
    path = (1.0, 4.0, 2.0, 2.0)
    assert price_on(path, 0.0) == 1.0
    assert price_on(path, 1 / 6) == pytest.approx(2.0)
    assert price_on(path, 1 / 3) == pytest.approx(4.0)
    assert price_on(path, 0.5) == pytest.approx(np.sqrt(8.0))
    assert price_on(path, 0.9) == 2.0
    assert price_on(path, 1.0) == 2.0


@given(
    st.lists(st.floats(0.5, 2.0), min_size=4, max_size=4),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_price_stays_inside_every_range_that_contains_its_moment(
    prices: list[float], a: float, b: float, c: float
) -> None:
    first, middle, last = sorted((a, b, c))
    low, high = min(prices), max(prices)
    path = bar_path(prices[0], high, low, prices[3])
    open_, top, bottom, close = range_on(path, first, last)
    assert bottom <= price_on(path, middle) * (1 + 1e-12)
    assert top >= price_on(path, middle) * (1 - 1e-12)
    assert low * (1 - 1e-12) <= bottom <= min(open_, close)
    assert max(open_, close) <= top <= high * (1 + 1e-12)


def test_price_at_the_hour_is_the_close_of_the_bar_that_ended() -> None:
    tape, bars = make_tape(), random_bars()
    for hour in (1, 2, 50, 99, 111, 288):
        quote = tape.quote(FET, at(hour))
        assert quote is not None
        assert quote.last == bars.close[hour - 1, 0]
        assert quote.timestamp_ms == at(hour)


def test_quote_keeps_to_ticks_and_spread_and_orders_its_prices() -> None:
    tape = make_tape()
    for hour in np.arange(1.0, 99.0, 0.37):
        quote = tape.quote(FET, at(hour))
        assert quote is not None
        assert quote.bid < quote.last < quote.ask
        for price in (quote.bid, quote.last, quote.ask):
            assert Decimal(repr(price)) % Decimal("0.0001") == 0
        spread = half_spread(quote.daily_volume_usd)
        # Rounded outwards: never closer than the rule, never further than one tick more.
        assert 0 <= quote.ask - quote.last * (1 + spread) <= 0.0001 + 1e-9
        assert 0 <= quote.last * (1 - spread) - quote.bid <= 0.0001 + 1e-9
        assert quote.mark == pytest.approx(quote.last, rel=6e-4)


@pytest.mark.parametrize(
    ("volume", "basis_points"),
    [(0.0, 10.0), (5e5, 10.0), (1e6, 10.0), (1e9, 1.0), (1e11, 1.0), (10**7.5, 10**0.5)],
)
def test_half_spread_by_hand(volume: float, basis_points: float) -> None:
    assert half_spread(volume) == pytest.approx(basis_points * 1e-4)


def test_volume_and_volatility_are_trailing_averages_of_closed_bars() -> None:
    tape, bars = make_tape(), random_bars()
    quote = tape.quote(FET, at(60.5))
    assert quote is not None
    assert quote.daily_volume_usd == pytest.approx(bars.volume_usd[36:60, 0].sum())
    moves = np.diff(np.log(bars.close[:60, 0]))
    assert quote.volatility_daily == pytest.approx(np.sqrt(24 * np.mean(moves**2)))
    # Missing bars are left out, not counted as zero.
    after = tape.quote(FET, at(115))
    assert after is not None
    held = bars.volume_usd[91:115, 0]
    assert after.daily_volume_usd == pytest.approx(24 * np.nanmean(held))


def test_missing_bars_hold_the_last_price_for_three_hours_and_then_nothing() -> None:
    tape, bars = make_tape(), random_bars()
    for hour in (100.5, 101, 102.9):
        quote = tape.quote(FET, at(hour))
        assert quote is not None
        assert quote.last == bars.close[99, 0]
        assert quote.timestamp_ms == at(100)
    assert tape.quote(FET, at(103.5)) is None
    assert tape.quote(FET, at(109.9)) is None
    assert tape.quote(FET, at(110)) is not None  # the next bar's open


def test_no_quote_before_the_tape_the_listing_and_the_first_closed_bar() -> None:
    tape = make_tape()
    assert tape.quote(FET, START - 1) is None
    assert tape.quote(FET, START) is None
    assert tape.quote(TAO, at(30.5)) is None
    assert tape.quote(TAO, at(31)) is not None
    assert tape.quote("XXX/USDT:USDT", at(40)) is None
    assert list(tape.quotes(at(20))) == [FET]
    assert tape.quotes(at(288 + 4)) == {}


def test_nothing_in_a_quote_depends_on_later_bars() -> None:
    bars, now = random_bars(holes=False), at(150.4)
    other = random_bars(1, holes=False)
    mixed = HourlyBars(
        START,
        *(
            np.vstack([getattr(bars, name)[:151], getattr(other, name)[151:]])
            for name in ("open", "high", "low", "close", "volume_base")
        ),
    )
    one, two = make_tape(bars), make_tape(mixed)
    assert one.quotes(now) == two.quotes(now)
    assert one.klines(FET, HOUR_MS, START, now + DAY_MS, now) == two.klines(
        FET, HOUR_MS, START, now + DAY_MS, now
    )


def test_volumes_of_the_forming_bar_are_not_in_its_quote() -> None:
    bars = random_bars(holes=False)
    louder = bars.volume_base.copy()
    louder[150:] *= 100
    other = HourlyBars(START, bars.open, bars.high, bars.low, bars.close, louder)
    assert make_tape(bars).quotes(at(150.4)) == make_tape(other).quotes(at(150.4))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([1, 3, 5, 15, 30, 60, 120, 240, 480, 720, 1440]),
    st.integers(0, 290 * 60 * MINUTE),
)
def test_bars_of_every_interval_agree_with_quotes(minutes: int, into_ms: int) -> None:
    tape, now, interval = make_tape(), START + into_ms, minutes * MINUTE
    bars = tape.klines(FET, interval, now - 3 * interval, now + interval, now)
    for bar in bars:
        assert bar.open_ms % interval == 0
        assert bar.open_ms <= now
        assert bar.closed == (bar.open_ms + interval <= now)
        assert bar.low <= min(bar.open, bar.close)
        assert max(bar.open, bar.close) <= bar.high
    quote = tape.quote(FET, now)
    forming = [bar for bar in bars if not bar.closed]
    if quote is not None and quote.timestamp_ms == now and forming and now % HOUR_MS:
        assert forming[-1].close == quote.last


def test_minutes_add_up_to_their_hour_and_hours_to_their_day() -> None:
    tape, bars = make_tape(), random_bars()
    now = at(200)
    minutes = tape.klines(FET, 5 * MINUTE, at(40), at(41), now)
    assert len(minutes) == 12
    assert minutes[0].open == bars.open[40, 0]
    assert minutes[-1].close == bars.close[40, 0]
    assert max(bar.high for bar in minutes) == bars.high[40, 0]
    assert min(bar.low for bar in minutes) == bars.low[40, 0]
    assert sum(bar.volume_base for bar in minutes) == pytest.approx(bars.volume_base[40, 0])
    day = tape.klines(FET, DAY_MS, at(24), at(48), now)
    assert day == [
        Kline(
            at(24),
            bars.open[24, 0],
            bars.high[24:48, 0].max(),
            bars.low[24:48, 0].min(),
            bars.close[47, 0],
            pytest.approx(bars.volume_base[24:48, 0].sum()),
            pytest.approx(bars.volume_usd[24:48, 0].sum()),
            closed=True,
        )
    ]


def test_hourly_bars_are_those_of_the_arrays_and_holes_stay_holes() -> None:
    tape, bars = make_tape(), random_bars()
    got = tape.klines(FET, HOUR_MS, START - DAY_MS, at(400), at(130.5))
    opens = [(bar.open_ms - START) // HOUR_MS for bar in got]
    assert opens == [*range(100), *range(110, 131)]
    assert [bar.close for bar in got[:100]] == bars.close[:100, 0].tolist()
    assert not got[-1].closed
    assert all(bar.closed for bar in got[:-1])


def test_an_interval_that_fits_neither_hour_nor_day_is_refused() -> None:
    with pytest.raises(DataError, match="no interval of 420000 ms"):
        make_tape().klines(FET, 7 * MINUTE, START, at(5), at(9))


def test_panel_holds_closed_bars_only_on_a_full_grid() -> None:
    tape, bars = make_tape(), random_bars()
    panel = tape.panel([TAO, "XXX/USDT:USDT", FET], at(20) + 1, at(40), at(35.5))
    assert panel.open_ms.tolist() == [at(hour) for hour in range(21, 35)]
    np.testing.assert_array_equal(panel.close[:, 2], bars.close[21:35, 0])
    assert np.isnan(panel.close[:9, 0]).all()
    np.testing.assert_array_equal(panel.quote_volume_usd[9:, 0], bars.volume_usd[30:35, 1])
    assert np.isnan(panel.close[:, 1]).all()
    early = tape.panel([FET], START - DAY_MS, at(2), at(1.5))
    assert early.close.shape == (25, 1)
    assert np.isnan(early.close[:24]).all()
    assert early.close[24, 0] == bars.close[0, 0]
    assert tape.panel([FET], at(50), at(60), at(10)).close.shape == (0, 1)


def test_funding_is_told_once_settled_and_expected_from_the_last_payment() -> None:
    tape = make_tape()
    payments = tape.funding(FET, at(8), at(25))
    assert [one.time_ms for one in payments] == [at(8), at(16), at(24)]
    quote = tape.quote(FET, at(16))
    assert quote is not None
    assert quote.funding_rate == quote.settled_funding_rate == payments[1].rate
    assert quote.next_funding_ms == at(24)
    before = tape.quote(FET, at(7))
    assert before is not None
    assert before.settled_funding_rate is None
    assert before.funding_rate == 0.0001
    assert payments[1].mark_price == pytest.approx(quote.last, rel=1e-3)
    series = tape.funding_series(FET, at(0), at(240))
    assert series is not None
    assert not series.substitute
    late = tape.funding_series(FET, at(240), at(300))
    assert late is not None
    assert late.substitute
    assert tape.funding_series(TAO, at(0), at(240)) is None
    assert tape.funding(TAO, at(0), at(240)) == []
    silent = tape.quote(TAO, at(50))
    assert silent is not None
    assert silent.next_funding_ms == at(56)


def test_open_interest_is_the_latest_within_a_day() -> None:
    tape = make_tape()
    assert tape.open_interest(FET, at(7)) is None
    assert tape.open_interest(FET, at(8)) == 0.0
    assert tape.open_interest(FET, at(79)) == 8000.0
    assert tape.open_interest(FET, at(104)) == 9000.0
    assert tape.open_interest(FET, at(104) + 1) is None
    assert tape.open_interest(TAO, at(80)) is None


async def test_feed_knows_what_the_clock_has_passed_and_no_more() -> None:
    tape, clock = make_tape(), SimulatedClock(at(20))
    feed = TapeFeed(tape, clock)
    assert list(await feed.instruments()) == [FET]
    clock.advance_to(at(40.5))
    assert list(await feed.instruments()) == [FET, TAO]
    panel = await feed.bars([FET, TAO], START, at(288))
    assert panel.open_ms[-1] == at(39)
    assert (await feed.quotes([TAO, "XXX/USDT:USDT"])).keys() == {TAO}
    funding = await feed.funding([FET, TAO], START, at(288))
    assert funding.keys() == {FET}
    assert funding[FET].time_ms[-1] == at(40)
    await feed.close()


def test_arrays_that_do_not_fit_are_refused() -> None:
    bars = random_bars()
    with pytest.raises(DataError, match="2 columns for 1 instruments"):
        ArrayTape([instrument(FET, "0.0001")], bars)
    with pytest.raises(DataError, match="differ in shape"):
        HourlyBars(START, bars.open[1:], bars.high, bars.low, bars.close, bars.volume_base)
    with pytest.raises(DataError, match="not a whole hour"):
        HourlyBars(1, bars.open, bars.high, bars.low, bars.close, bars.volume_base)
