"""freqtrade's replies: what they say of positions, and what is never read out of them."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.errors import UnreachableError
from bot.ports import SourceAccount
from bot.sources.freqtrade.facts import read_facts
from bot.sources.freqtrade.source import require_futures
from bot.sources.freqtrade.trades import positions_of, read_trades
from bot.sources.freqtrade.wallet import WALLET_MAX_AGE_MS, read_account, read_account_positions
from config.errors import ConfigError
from risk.errors import DataError
from tests.bot_server_scene import cut, replied
from tests.freqtrade_scene import (
    FET,
    MAX_AGE_MS,
    NOW_MS,
    TAO,
    WLD,
    FakeBot,
    Told,
    balance,
    opened,
    order,
    trade,
)

SAMPLES = Path(__file__).resolve().parents[2] / "shared/venue_examples"
LIVE = {"runmode": "live", "dry_run": False}


def sample(name: str) -> Any:
    file = SAMPLES / f"freqtrade_{name}.json"
    if not file.exists():
        pytest.skip(f"{file.name} is not here")
    return json.loads(file.read_text(), parse_float=Decimal)


def test_recorded_replies_of_a_running_bot() -> None:
    facts = read_facts(sample("show_config"), "show_config")
    assert (facts.exchange, facts.dry_run, facts.state) == ("binanceusdm", True, "running")
    positions = positions_of(read_trades(sample("status"), "status"))
    held = {p.symbol: p.base_quantity for p in positions}
    assert held == {
        "BTC/USDT:USDT": Decimal("0.014"),
        "ETH/USDT:USDT": Decimal("-0.3"),
        "SOL/USDT:USDT": Decimal("5.99"),
    }
    # The money behind a trade is margin: what is held is three times that.
    for one, row in zip(positions, sample("status"), strict=True):
        notional = abs(one.base_quantity) * row["current_rate"]
        assert float(notional / row["stake_amount"]) == pytest.approx(3, rel=0.01)
        assert (one.leverage, one.entry_price) == (3.0, float(row["open_rate"]))
    assert read_account_positions(sample("balance"), "balance") == held
    account = read_account(sample("balance"), "balance", "USDT", 5)
    assert account == SourceAccount(5, 9999.706199999999, 9120.462066666667, 879.5379333333333)


async def test_a_whole_read() -> None:
    async with opened(FakeBot()) as (source, clock):
        snapshot = await source.read()
        assert {p.symbol: p.base_quantity for p in snapshot.positions} == {
            FET: Decimal(100),
            TAO: Decimal("-2.5"),
        }
        assert snapshot.listed == {FET, TAO, WLD}
        assert snapshot.timestamp_ms == clock.now_ms()
        assert snapshot.exchange == "binanceusdm"
        assert snapshot.account == SourceAccount(NOW_MS, 1010.0, 900.0, 100.0)


@pytest.mark.parametrize(
    ("row", "held"),
    [
        (trade(1, FET, 0.0, orders=[order("buy", 57.0, is_open=True)]), "57"),
        (trade(1, FET, 100.0, orders=[order("sell", 30.0, is_open=True)]), "70"),
        (trade(1, FET, 100.0, orders=[order("stoploss", 25.0, is_open=True)]), "75"),
        (trade(1, FET, 100.0, orders=[order("stoploss", None, is_open=True)]), "100"),
        (trade(1, FET, 9.0, is_short=True, orders=[order("sell", 1.5, is_open=True)]), "-10.5"),
        (trade(1, FET, 9.0, is_short=True, orders=[order("buy", 4.0, is_open=True)]), "-5"),
        (trade(1, FET, 9.0, current_rate=None, profit_abs=None, liquidation_price=None), "9"),
    ],
)
def test_what_open_orders_have_filled_belongs_to_the_position(row: Any, held: str) -> None:
    (position,) = positions_of(read_trades(_decimal([row]), "status"))
    assert position.base_quantity == Decimal(held)


def test_several_trades_of_a_pair_are_one_position_and_a_pending_entry_is_none() -> None:
    rows = [
        trade(1, FET, 100.0),
        trade(2, FET, 50.0),
        trade(3, TAO, 0.0, has_open_orders=True, orders=[order("buy", 0.0, is_open=True)]),
        trade(4, WLD, 5.0, orders=[order("sell", 5.0, is_open=True)]),
    ]
    (position,) = positions_of(read_trades(_decimal(rows), "status"))
    assert (position.symbol, position.base_quantity) == (FET, Decimal(150))
    assert position.entry_price is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"amount": None}, r"status\[0\]\.amount: null"),
        ({"amount": -1.0}, r"\.amount: -1\.0, must be a number, at least 0"),
        ({"amount": "5"}, r"\.amount: '5'"),
        ({"amount": True}, r"\.amount: True"),
        ({"is_short": None}, r"\.is_short: null"),
        ({"is_short": 0}, r"\.is_short: 0, must be true or false"),
        ({"is_open": False}, r"\.is_open: False"),
        ({"pair": "FET/USDT"}, r"\.pair: 'FET/USDT', must be a perpetual"),
        ({"trading_mode": "margin"}, r"\.trading_mode: 'margin'"),
        ({"orders": None}, r"\.orders: None, must be a list"),
        ({"orders": [order("buy", None, is_open=True)]}, r"orders\[0\]\.filled: null"),
        ({"orders": [order("hold", 1.0, is_open=True)]}, r"ft_order_side: 'hold'"),
        ({"orders": [order("sell", 101.0, is_open=True)]}, "more than the trade's amount"),
        ({"leverage": -3}, r"\.leverage: -3"),
    ],
)
def test_a_field_that_cannot_be_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_trades(_decimal([trade(1, FET, 100.0) | changes]), "status")


def test_the_same_trade_twice_is_no_reply() -> None:
    with pytest.raises(DataError, match="trade_id 1: the same trade twice"):
        read_trades(_decimal([trade(1, FET, 1.0), trade(1, TAO, 1.0)]), "status")


async def test_a_trade_on_another_exchange_leaves_no_book() -> None:
    bot = FakeBot(trades=[trade(1, FET, 1.0), trade(2, TAO, 1.0, exchange="gateio")])
    async with opened(bot) as (source, _):
        with pytest.raises(DataError, match=f"trade 2 in {TAO} is on gate, but the bot trades on"):
            await source.read()


async def test_flat_is_flat_only_while_the_bot_counts_nothing() -> None:
    async with opened(FakeBot(trades=[])) as (source, _):
        assert (await source.read()).positions == ()
    async with opened(FakeBot(trades=[], counted=2)) as (source, _):
        with pytest.raises(DataError, match="tells 0 open trades, but /count 2"):
            await source.read()
    stopped = FakeBot(trades=[])
    stopped.facts["state"] = "stopped"
    async with opened(stopped) as (source, _):
        with pytest.raises(UnreachableError, match="not taken for flat"):
            await source.read()
    async with opened(FakeBot(counted=1)) as (source, _):
        with pytest.raises(DataError, match="tells 2 open trades, but /count 1"):
            await source.read()


async def test_a_bot_whose_loop_has_died_is_as_old_as_its_last_round() -> None:
    bot = FakeBot(last_process_ts=NOW_MS // 1000 - MAX_AGE_MS // 1000)
    async with opened(bot) as (source, clock):
        assert (await source.read()).timestamp_ms == NOW_MS
        clock.advance_to(NOW_MS + 1_000)
        assert (await source.read()).timestamp_ms == NOW_MS - MAX_AGE_MS
        bot.last_process_ts = None  # before the first round
        with pytest.raises(DataError, match=r"/health\.last_process_ts: null"):
            await source.read()


async def test_what_it_may_enter_is_listed_with_what_it_holds() -> None:
    bot = FakeBot(whitelist=[WLD])
    async with opened(bot) as (source, _):
        assert (await source.read()).listed == {FET, TAO, WLD}
    async with opened(bot, whitelist=False) as (source, _):
        assert (await source.read()).listed == {FET, TAO}
        assert not any("whitelist" in path for path in bot.asked[-6:])
    async with opened(FakeBot(whitelist=["FET/USDT:USDT", None])) as (source, _):
        with pytest.raises(DataError, match=r"whitelist\[1\]"):
            await source.read()


async def test_in_the_account_of_the_hedges_its_positions_are_not_counted_twice() -> None:
    bot, told = FakeBot(balance=balance((WLD, "short", 7.0))), Told()  # our hedge
    async with opened(bot, told=told, same_account=True) as (source, _):
        with pytest.raises(DataError, match="same_account is set, but the bot runs dry"):
            await source.read()
        bot.facts |= LIVE
        snapshot = await source.read()
        assert (snapshot.positions, snapshot.listed) == ((), {FET, TAO, WLD})
        bot.trades = []
        assert (await source.read()).listed == {FET, TAO, WLD}
    assert [name for name, _ in told.events] == ["bot_state"]


async def test_live_money_carries_its_age_and_foreign_positions_are_told_once() -> None:
    bot, told = FakeBot(balance=balance((FET, "long", 100.0), (WLD, "short", 7.0))), Told()
    bot.facts |= LIVE
    async with opened(bot, told=told) as (source, clock):
        account = (await source.read()).account
        assert account is not None
        assert account.timestamp_ms == NOW_MS - WALLET_MAX_AGE_MS
        await source.read()
        assert bot.asked.count("GET balance") == 1
        clock.advance_to(NOW_MS + 61_000)
        bot.last_process_ts = clock.now_ms() // 1000
        await source.read()
        assert bot.asked.count("GET balance") == 2
    assert told.of("bot_account_holds_more") == [{"source": "bot-a", "base_units": {WLD: "-7.0"}}]
    (state,) = told.of("bot_state")
    assert state == {
        "source": "bot-a",
        "bot": "told",
        "state": "running",
        "dry_run": False,
        "exchange": "binanceusdm",
    }


async def test_a_trade_that_vanishes_while_the_account_holds_it_was_not_closed() -> None:
    bot = FakeBot(balance=balance((FET, "long", 100.0), (TAO, "short", 2.5)))
    bot.facts |= LIVE
    async with opened(bot) as (source, _):
        await source.read()
        bot.trades = []  # somebody began a new database
        for _ in range(2):
            with pytest.raises(DataError, match=f"{FET}: trade 1 is told no more and was not"):
                await source.read()
        bot.faults["balance"] = replied("oops", 500)
        with pytest.raises(UnreachableError, match="/balance: HTTP status 500"):
            await source.read()
        bot.faults = {"trade/1": replied("oops", 500)}
        with pytest.raises(UnreachableError, match="/trade/1: HTTP status 500"):
            await source.read()
        bot.faults.clear()
        bot.balance = balance()
        assert (await source.read()).positions == ()


async def test_a_trade_that_no_balance_has_shown_is_not_gone_by_one_that_may_be_old() -> None:
    """freqtrade counted a part of an open entry; its balance is from before that."""
    bot = FakeBot(balance=balance((TAO, "short", 2.5)))
    bot.facts |= LIVE
    async with opened(bot) as (source, clock):

        def later(by_ms: int) -> None:
            clock.advance_to(clock.now_ms() + by_ms)
            bot.last_process_ts = clock.now_ms() // 1000

        await source.read()
        bot.trades = bot.trades[1:]  # somebody deleted the one in FET
        for _ in range(2):
            with pytest.raises(DataError, match=f"{FET}: trade 1 .* never shown it"):
                await source.read()
            later(1_800_000)
        with pytest.raises(DataError, match="never shown it"):
            await source.read()
        later(60_000)  # by now the balance is younger than the loss
        assert [p.symbol for p in (await source.read()).positions] == [TAO]


async def test_a_deleted_trade_that_a_later_balance_shows_is_found() -> None:
    bot = FakeBot(balance=balance((TAO, "short", 2.5)))
    bot.facts |= LIVE
    async with opened(bot) as (source, _):
        await source.read()
        bot.trades = bot.trades[1:]
        with pytest.raises(DataError, match="never shown it"):
            await source.read()
        bot.balance = balance((FET, "long", 60.0), (TAO, "short", 2.5))
        for _ in range(2):
            with pytest.raises(DataError, match=r"account still holds 60\.0"):
                await source.read()
        bot.balance = balance((TAO, "short", 2.5))  # closed by hand
        assert [p.symbol for p in (await source.read()).positions] == [TAO]


async def test_a_trade_that_balances_have_shown_is_gone_once_they_do_not() -> None:
    """Closed by hand, which a balance told long before the trade was deleted."""
    bot = FakeBot(balance=balance((FET, "long", 100.0), (TAO, "short", 2.5)))
    bot.facts |= LIVE
    async with opened(bot) as (source, clock):
        await source.read()
        bot.balance = balance((TAO, "short", 2.5))
        clock.advance_to(NOW_MS + 61_000)
        bot.last_process_ts = clock.now_ms() // 1000
        await source.read()
        bot.trades = bot.trades[1:]
        assert [p.symbol for p in (await source.read()).positions] == [TAO]


@pytest.mark.parametrize("left", [100.0, 90.0, 0.5])
async def test_a_deleted_trade_of_which_a_part_still_stands_is_told(left: float) -> None:
    bot = FakeBot(balance=balance((FET, "long", 100.0), (TAO, "short", 2.5)))
    bot.facts |= LIVE
    async with opened(bot) as (source, _):
        await source.read()
        bot.trades = bot.trades[1:]
        bot.balance = balance((FET, "long", left), (TAO, "short", 2.5))
        with pytest.raises(DataError, match=f"closed, but the account still holds {left}"):
            await source.read()
        bot.balance = balance((FET, "short", left), (TAO, "short", 2.5))
        assert [p.symbol for p in (await source.read()).positions] == [TAO]


async def test_a_closed_trade_is_closed_whatever_the_account_holds_beside_it() -> None:
    """What else is there in its symbol may be anybody's, or the bot's balance an hour old."""
    bot = FakeBot(balance=balance((FET, "long", 100.0), (TAO, "short", 2.5)))
    bot.facts |= LIVE
    async with opened(bot) as (source, _):
        await source.read()
        bot.close(1)
        assert [p.symbol for p in (await source.read()).positions] == [TAO]
        assert "GET trade/1" in bot.asked


async def test_one_of_two_trades_in_a_pair_that_is_deleted_is_missed() -> None:
    bot = FakeBot(balance=balance((FET, "long", 130.0)))
    bot.facts |= LIVE
    bot.trades = [trade(1, FET, 100.0), trade(2, FET, 30.0)]
    async with opened(bot) as (source, _):
        await source.read()
        bot.trades = bot.trades[:1]
        with pytest.raises(DataError, match="trade 2 is told no more"):
            await source.read()
        bot.balance = balance((FET, "long", 100.0))
        (one,) = (await source.read()).positions
        assert one.base_quantity == 100


async def test_a_number_that_another_trade_has_now_is_not_the_same_trade() -> None:
    bot = FakeBot(balance=balance((FET, "long", 100.0), (TAO, "short", 2.5)))
    bot.facts |= LIVE
    async with opened(bot) as (source, _):
        await source.read()
        bot.trades = [trade(1, FET, 20.0, open_timestamp=NOW_MS), bot.trades[1]]
        with pytest.raises(DataError, match=f"{FET}: trade 1 is told no more"):
            await source.read()


async def test_a_balance_that_fails_is_told_and_leaves_the_book_as_it_is() -> None:
    bot, told = FakeBot(balance={"stake": "USDT"}), Told()
    async with opened(bot, told=told) as (source, _):
        snapshot = await source.read()
    assert snapshot.account is None
    assert len(snapshot.positions) == 2
    (event,) = told.of("bot_money_unknown")
    assert "/balance.currencies: None, must be a list" in event["reason"]


async def test_another_bot_at_the_same_address_is_not_the_same_book() -> None:
    bot = FakeBot()
    async with opened(bot) as (source, _):
        await source.read()
        bot.facts |= LIVE
        with pytest.raises(DataError, match="dry_run was True and is False; restart perphedge"):
            await source.read()


async def test_a_spot_bot_is_refused_at_the_start_and_one_that_is_down_is_waited_for() -> None:
    bot = FakeBot()
    bot.facts["trading_mode"] = "spot"
    async with opened(bot) as (source, _):
        with pytest.raises(ConfigError, match="source bot-a: freqtrade trading_mode: 'spot'"):
            await require_futures(source)
        with pytest.raises(DataError, match="trading_mode: 'spot', must be 'futures'"):
            await source.read()
        bot.faults["*"] = cut
        await require_futures(source)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": ""}, r"\.state: ''"),
        ({"state": "dreaming"}, "must be one of paused, reload_config, running, stopped"),
        ({"runmode": "webserver"}, "must be live or dry_run"),
        ({"dry_run": False}, "dry_run: False, but runmode is 'dry_run'"),
        ({"exchange": None}, r"\.exchange: null"),
    ],
)
def test_a_bot_that_does_not_trade_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_facts(FakeBot().facts | changes, "show_config")


def test_exchanges_are_told_by_the_ids_of_ccxt() -> None:
    facts = read_facts(FakeBot().facts, "show_config")
    assert facts.exchange == "binanceusdm"
    told = [read_facts(FakeBot().facts | {"exchange": e}, "").exchange for e in ("bybit", "gateio")]
    assert told == ["bybit", "gate"]
    assert replace(facts, state="paused").runs
    assert not replace(facts, state="reload_config").runs


def _decimal(document: Any) -> Any:
    return json.loads(json.dumps(document), parse_float=Decimal)
