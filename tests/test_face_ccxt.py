"""The unmodified ccxt client over real sockets: every unified call that a hedger or a bot makes."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import pytest

from bot.venues.http.server import serve_exchange
from bot.venues.loopback import client
from tests.face_market import THEMES, Market, open_market

FET, BTC, TAO = "FET/USDT:USDT", "BTC/USDT:USDT", "TAO/USDT:USDT"
HOUR_MS = 3_600_000


@pytest.fixture
def market() -> Market:
    return open_market()


@pytest.fixture
async def host(market: Market) -> AsyncIterator[str]:
    async with serve_exchange(market.exchange, market.tape, market.clock, themes=THEMES) as server:
        yield server.host


@pytest.fixture
async def public(market: Market, host: str) -> AsyncIterator[Any]:
    exchange = client(host, now_ms=market.clock.now_ms)
    yield exchange
    await exchange.close()


async def _signed(market: Market, host: str, name: str) -> AsyncIterator[Any]:
    exchange = client(
        host, key=f"sandbox-{name}-key", secret=f"sandbox-{name}-secret", now_ms=market.clock.now_ms
    )
    await exchange.load_markets()
    yield exchange
    await exchange.close()


@pytest.fixture
async def bot(market: Market, host: str) -> AsyncIterator[Any]:
    async for exchange in _signed(market, host, "bot"):
        yield exchange


@pytest.fixture
async def hedge(market: Market, host: str) -> AsyncIterator[Any]:
    async for exchange in _signed(market, host, "hedge"):
        yield exchange


async def test_markets_carry_precision_limits_and_listing_time(market: Market, public: Any) -> None:
    markets = await public.load_markets()
    assert set(markets) == {s for s, q in market.tape.quotes(market.clock.now_ms()).items()}
    fet, facts = markets[FET], market.tape.instruments[FET]
    assert (fet["id"], fet["swap"], fet["linear"], fet["active"]) == ("FETUSDT", True, True, True)
    assert fet["precision"]["price"] == float(facts.tick)
    assert fet["precision"]["amount"] == float(facts.lot)
    assert fet["limits"]["cost"]["min"] == float(facts.min_notional_usd)
    assert fet["contractSize"] == 1
    assert fet["created"] == facts.listed_at_ms
    assert fet["info"]["underlyingSubType"] == ["AI"]
    assert await public.fetch_time() == market.clock.now_ms()


async def test_a_coming_listing_is_announced_and_then_trades(market: Market, host: str) -> None:
    late = "GRASS/USDT:USDT"
    listed_at_ms = market.tape.instruments[late].listed_at_ms or 0
    states = []
    for before_ms in (2 * 86_400_000, HOUR_MS, -3 * HOUR_MS):
        market.advance(listed_at_ms - before_ms - market.clock.now_ms())
        exchange = client(host, now_ms=market.clock.now_ms)
        markets = await exchange.load_markets()
        await exchange.close()
        states.append(markets.get(late, {}).get("active"))
    assert states == [None, False, True]


async def test_prices_are_those_of_the_exchange(market: Market, public: Any) -> None:
    quote = market.exchange.quote(FET)
    tickers = await public.fetch_tickers()
    assert set(tickers) == set(market.tape.quotes(market.clock.now_ms()))
    assert tickers[FET]["last"] == pytest.approx(quote.last, abs=1e-4)
    assert tickers[FET]["low"] <= tickers[FET]["last"] <= tickers[FET]["high"]
    one = await public.fetch_ticker(FET)
    assert one["last"] == tickers[FET]["last"]
    sides = await public.fetch_bids_asks()
    book = await public.fetch_order_book(FET, 20)
    assert sides[FET]["bid"] == book["bids"][0][0] < book["asks"][0][0] == sides[FET]["ask"]
    assert sides[FET]["bidVolume"] == book["bids"][0][1]
    assert [p for p, _ in book["bids"]] == sorted((p for p, _ in book["bids"]), reverse=True)
    assert (await public.fetch_last_prices())[FET]["price"] == one["last"]
    marks = await public.fetch_mark_prices()
    assert marks[FET]["markPrice"] == pytest.approx(quote.mark)
    assert (await public.fetch_mark_price(FET))["markPrice"] == marks[FET]["markPrice"]
    trades = await public.fetch_trades(FET, limit=5)
    assert len(trades) == 5
    assert trades[-1]["price"] == one["last"]


async def test_bars_page_forwards_and_end_with_the_forming_one(market: Market, public: Any) -> None:
    now_ms = market.clock.now_ms()
    hourly = await public.fetch_ohlcv(FET, "1h", limit=24)
    forming = hourly[-1]
    assert len(hourly) == 24
    assert forming[0] == now_ms // HOUR_MS * HOUR_MS
    assert forming[4] == (await public.fetch_ticker(FET))["last"]
    since = market.tape.start_ms - 5 * HOUR_MS  # before anything was listed
    first = await public.fetch_ohlcv(FET, "1h", since=since, limit=1500)
    second = await public.fetch_ohlcv(FET, "1h", since=first[-1][0] + HOUR_MS, limit=1500)
    opens = [bar[0] for bar in first + second]
    assert opens == list(range(market.tape.start_ms, now_ms, HOUR_MS))
    marks = await public.fetch_ohlcv(FET, "1h", limit=24, params={"price": "mark"})
    assert marks[-1][4] == pytest.approx(forming[4], rel=5e-3)
    minutes = await public.fetch_ohlcv(FET, "5m", since=hourly[-2][0], limit=12)
    assert max(bar[2] for bar in minutes) == pytest.approx(hourly[-2][2], abs=1e-4)
    assert minutes[-1][4] == pytest.approx(hourly[-2][4], abs=1e-4)


@pytest.mark.parametrize("interval", ["3d", "1w", "1M"])
async def test_long_bars_are_made_of_whole_days(market: Market, public: Any, interval: str) -> None:
    days = await public.fetch_ohlcv(FET, "1d", limit=100)
    whole = await public.fetch_ohlcv(FET, interval, limit=100)
    opens = [bar[0] for bar in whole]
    begins = {
        "3d": lambda at: (at.date() - date(1970, 1, 1)).days % 3 == 0,
        "1w": lambda at: at.weekday() == 0,
        "1M": lambda at: at.day == 1,
    }
    assert all(begins[interval](datetime.fromtimestamp(at / 1000, UTC)) for at in opens)
    for bar, end in zip(whole, [*opens[1:], market.clock.now_ms() + 1], strict=True):
        inside = [day for day in days if bar[0] <= day[0] < end]
        assert bar[1:5] == [
            inside[0][1],
            max(day[2] for day in inside),
            min(day[3] for day in inside),
            inside[-1][4],
        ]
        assert bar[5] == pytest.approx(sum(day[5] for day in inside), abs=len(inside))
    page = await public.fetch_ohlcv(FET, interval, since=opens[1], limit=1)
    assert page == [whole[1]]
    between = await public.fetch_ohlcv(FET, interval, since=opens[0] + 1, limit=100)
    assert between == whole[1:]
    until = await public.fetch_ohlcv(FET, interval, limit=100, params={"until": opens[1]})
    assert until == whole[:2]


async def test_funding_and_open_interest(market: Market, public: Any) -> None:
    await public.load_markets()
    quote = market.exchange.quote(FET)
    rates = await public.fetch_funding_rates()
    assert rates[FET]["fundingRate"] == pytest.approx(quote.funding_rate, abs=1e-8)
    assert rates[FET]["fundingTimestamp"] == quote.next_funding_ms
    assert (await public.fetch_funding_rate(FET))["markPrice"] == pytest.approx(quote.mark)
    history = await public.fetch_funding_rate_history(FET, limit=9)
    assert len(history) == 9
    assert all(b["timestamp"] - a["timestamp"] == 8 * HOUR_MS for a, b in pairwise(history))
    start = history[3]["timestamp"]
    since = await public.fetch_funding_rate_history(FET, since=start, limit=3)
    assert [row["timestamp"] for row in since] == [row["timestamp"] for row in history[3:6]]
    intervals = await public.fetch_funding_intervals()
    assert (intervals[FET]["interval"], intervals[TAO]["interval"]) == ("8h", "4h")
    interest = await public.fetch_open_interest(FET)
    assert interest["openInterestAmount"] == pytest.approx(quote.open_interest_base, abs=1)
    past = await public.fetch_open_interest_history(FET, "1h", limit=24)
    assert len(past) == 24
    assert past[-1]["openInterestValue"] > 0


async def test_a_watcher_without_keys_makes_public_requests_only(
    market: Market, public: Any
) -> None:
    await public.load_markets()
    await public.fetch_tickers()
    await public.fetch_ohlcv(FET, "1h", limit=2)
    counters = market.exchange.counters
    assert (counters.public_requests, counters.private_requests) == (3, 0)
    assert counters.orders_received == 0


async def test_account_settings(market: Market, bot: Any) -> None:
    import ccxt

    balance = await bot.fetch_balance()
    assert balance["USDT"]["total"] == 100_000
    assert await bot.fetch_positions() == []
    await bot.set_leverage(5, FET)
    leverages = await bot.fetch_leverages()
    assert leverages[FET]["longLeverage"] == 5
    assert (await bot.fetch_margin_modes())[FET]["marginMode"] == "cross"
    await bot.set_margin_mode("isolated", FET)
    assert (await bot.fetch_margin_mode(FET))["marginMode"] == "isolated"
    with pytest.raises(ccxt.MarginModeAlreadySet):
        await bot.set_margin_mode("isolated", FET)
    assert (await bot.fetch_position_mode())["hedged"] is False
    with pytest.raises(ccxt.OperationRejected, match="-4059"):
        await bot.set_position_mode(False)
    await bot.set_position_mode(True)
    assert (await bot.fetch_position_mode())["hedged"] is True
    tiers = await bot.fetch_leverage_tiers([FET])
    assert tiers[FET][0]["maxLeverage"] > tiers[FET][-1]["maxLeverage"]
    fee = await bot.fetch_trading_fee(FET)
    assert (fee["maker"], fee["taker"]) == (0.0002, 0.0005)
    fees = await bot.fetch_trading_fees()
    assert fees[FET]["taker"] > 0


async def test_an_order_fills_and_shows_in_every_account_view(market: Market, bot: Any) -> None:
    market_price = market.exchange.quote(FET).last
    order = await bot.create_order(
        FET, "limit", "buy", 1000, market_price * 1.01,
        {"timeInForce": "IOC", "clientOrderId": "h1first"},
    )  # fmt: skip
    assert (order["status"], order["filled"], order["clientOrderId"]) == ("closed", 1000, "h1first")
    assert order["average"] == pytest.approx(market_price, rel=2e-3)
    again = await bot.fetch_order(None, FET, {"origClientOrderId": "h1first"})
    assert (again["id"], again["filled"], again["cost"]) == (order["id"], 1000, order["cost"])
    [position] = await bot.fetch_positions()
    assert (position["symbol"], position["side"], position["contracts"]) == (FET, "long", 1000)
    assert position["entryPrice"] == pytest.approx(order["average"], rel=1e-6)
    assert position["notional"] == pytest.approx(1000 * position["markPrice"], rel=1e-6)
    assert position["hedged"] is False
    [risk] = await bot.fetch_positions_risk([FET])
    assert risk["contracts"] == 1000
    [held] = await bot.fetch_account_positions([FET])
    assert held["contracts"] == 1000
    trades = await bot.fetch_my_trades(FET)
    assert sum(trade["amount"] for trade in trades) == 1000
    assert sum(trade["cost"] for trade in trades) == pytest.approx(order["cost"])
    fees = sum(trade["fee"]["cost"] for trade in trades)
    assert fees == pytest.approx(order["cost"] * 0.0005, rel=1e-4)
    ledger = await bot.fetch_ledger("USDT")
    assert [row["type"] for row in ledger].count("commission") == len(trades)
    balance = await bot.fetch_balance()
    assert balance["USDT"]["total"] == pytest.approx(
        100_000 - fees + position["unrealizedPnl"], abs=1e-6
    )


async def test_funding_is_paid_at_its_time(market: Market, bot: Any) -> None:
    await bot.create_order(TAO, "market", "sell", 2, None, {"clientOrderId": "short"})
    market.advance(9 * HOUR_MS)
    payments = await bot.fetch_funding_history(TAO)
    assert len(payments) == 2  # every four hours
    assert all(payment["timestamp"] % (4 * HOUR_MS) == 0 for payment in payments)


async def test_orders_rest_change_and_go(market: Market, bot: Any) -> None:
    price = market.exchange.quote(FET).last
    one = await bot.create_order(
        FET, "limit", "buy", 100, price * 0.95, {"postOnly": True, "clientOrderId": "rest"}
    )
    assert (one["status"], one["timeInForce"], one["postOnly"]) == ("open", "PO", True)
    edited = await bot.edit_order(one["id"], FET, "limit", "buy", 120, price * 0.94)
    assert (edited["id"], edited["amount"]) == (one["id"], 120)
    batch = await bot.create_orders(
        [
            {"symbol": FET, "type": "limit", "side": "buy", "amount": 50, "price": price * 0.9,
             "params": {"clientOrderId": f"batch{k}"}}
            for k in range(3)
        ]
    )  # fmt: skip
    assert [each["status"] for each in batch] == ["open"] * 3
    assert len(await bot.fetch_open_orders()) == len(await bot.fetch_open_orders(FET)) == 4
    gone = await bot.cancel_order(None, FET, {"origClientOrderId": "rest"})
    assert gone["status"] == "canceled"
    await bot.cancel_orders([batch[0]["id"]], FET)
    await bot.cancel_all_orders(FET)
    assert await bot.fetch_open_orders(FET) == []
    states = {each["clientOrderId"]: each["status"] for each in await bot.fetch_orders(FET)}
    assert states == dict.fromkeys(("rest", "batch0", "batch1", "batch2"), "canceled")


async def test_a_countdown_cancels_what_is_not_renewed(market: Market, bot: Any) -> None:
    price = market.exchange.quote(FET).last
    await bot.create_order(FET, "limit", "buy", 100, price * 0.95)
    await bot.fapiPrivatePostCountdownCancelAll({"symbol": "FETUSDT", "countdownTime": 5_000})
    market.advance(4_000)
    assert len(await bot.fetch_open_orders(FET)) == 1
    market.advance(2_000)
    assert await bot.fetch_open_orders(FET) == []


async def test_hedge_mode_keeps_both_sides(market: Market, bot: Any) -> None:
    await bot.set_position_mode(True)
    await bot.create_order(FET, "market", "buy", 500, None, {"hedged": True})
    await bot.create_order(FET, "market", "sell", 300, None, {"hedged": True})
    sides = {p["side"]: (p["contracts"], p["hedged"]) for p in await bot.fetch_positions()}
    assert sides == {"long": (500, True), "short": (300, True)}
    await bot.create_order(FET, "market", "buy", 300, None, {"hedged": True, "reduceOnly": True})
    assert [p["side"] for p in await bot.fetch_positions()] == ["long"]


async def test_two_accounts_trade_on_one_book(market: Market, bot: Any, hedge: Any) -> None:
    quote = market.exchange.quote(FET)
    resting = await bot.create_order(FET, "limit", "sell", 400, quote.ask, {"postOnly": True})
    assert resting["status"] == "open"
    before = (await hedge.fetch_order_book(FET, 5))["asks"][0]
    taken = await hedge.create_order(
        FET, "limit", "buy", before[1], before[0], {"timeInForce": "IOC"}
    )
    assert taken["filled"] == before[1]
    [sold] = await bot.fetch_positions()
    [bought] = await hedge.fetch_positions()
    assert (sold["side"], bought["side"]) == ("short", "long")
    assert (await bot.fetch_my_trades(FET))[-1]["takerOrMaker"] == "maker"
