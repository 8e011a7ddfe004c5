"""A real freqtrade trades in one account of the exchange, perphedge hedges from another."""

from pathlib import Path

import pytest

from tests.freqtrade.real_bot import (
    PAIRS,
    held,
    order_ids,
    running_engine,
    running_freqtrade,
    served_venue,
    until,
)

pytestmark = [pytest.mark.freqtrade, pytest.mark.timeout(400)]

CONFIG = """
mode: live
autonomy: auto
state_dir: state
venue: {{exchange: binanceusdm, account: hedge-sub, urls_host: "{host}"}}
sources: [{{kind: freqtrade, name: bot-a, url: "{url}", username: owner}}]
caps: {{net_usd: 1500}}
hedge: {{monitor_every: 10s, decide_every: 1m}}
streams: {{wake_spacing_seconds: 1}}
data: {{backfill_days: 15}}
log: {{level: debug}}
"""


def test_it_is_hedged_from_a_second_account_and_never_touched(tmp_path: Path) -> None:
    with served_venue() as host, running_freqtrade(tmp_path / "bot", host, dry_run=False) as bot:
        for pair in ("FET/USDT:USDT", "TAO/USDT:USDT"):
            bot.enter(pair)
        until(lambda: len(bot.status()) == 2)
        entered = held(host, "bot")
        assert entered == {one["pair"]: one["amount"] for one in bot.status()}
        config = CONFIG.format(host=host, url=bot.url)
        arguments = ("--live", "--account", "hedge-sub")
        with running_engine(tmp_path / "engine", config, *arguments) as engine:
            hedged = until(lambda: [c for c in engine.cycles() if c["status"] == "hedged"], 120)
            assert hedged[0]["bot_gross_usd"] == pytest.approx(bot.gross_usd(), rel=0.01)
            hedges = held(host, "hedge")
            assert hedges
            assert all(base < 0 for base in hedges.values())
            assert not hedges.keys() & entered.keys()  # hands off what it holds
            assert held(host, "bot") == entered

            bot.leave()
            until(lambda: not held(host, "bot"))
            until(lambda: not held(host, "hedge"), 150)
            assert engine.cycles()[-1]["status"] in ("hedged", "no_hedge")
        # Whatever was executed in its account was its own order.
        assert order_ids(host, "bot") == bot.order_ids()
        assert len(bot.order_ids()) == 4


SHARED = {
    "account: hedge-sub": "account: both, ownership: shared",
    "username: owner": "username: owner, same_account: true",
}


def test_in_one_account_it_is_counted_once_and_what_it_lists_is_left_alone(tmp_path: Path) -> None:
    with served_venue() as host, running_freqtrade(tmp_path / "bot", host, dry_run=False) as bot:
        for pair in ("FET/USDT:USDT", "TAO/USDT:USDT"):
            bot.enter(pair)
        until(lambda: len(bot.status()) == 2)
        entered = held(host, "bot")
        config = CONFIG.format(host=host, url=bot.url)
        for old, new in SHARED.items():
            config = config.replace(old, new)
        arguments = ("--live", "--account", "both")
        with running_engine(tmp_path / "engine", config, *arguments, account="bot") as engine:
            hedged = until(lambda: [c for c in engine.cycles() if c["status"] == "hedged"], 120)
            assert hedged[0]["bot_gross_usd"] == pytest.approx(bot.gross_usd(), rel=0.01)
            both = held(host, "bot")
            assert {pair: both[pair] for pair in entered} == entered
            hedges = {pair: base for pair, base in both.items() if pair not in entered}
            assert hedges
            assert not hedges.keys() & set(PAIRS)
            assert engine.events("bot_account_holds_more") == []
            bot.leave()
            until(lambda: not bot.status())
            until(lambda: not held(host, "bot"), 150)


def test_what_an_open_order_has_filled_counts_before_freqtrade_counts_it(tmp_path: Path) -> None:
    with served_venue() as host, running_freqtrade(tmp_path / "bot", host, dry_run=False) as bot:
        # More than anybody sells: it fills bit by bit, and rests.
        bot.enter("WLD/USDT:USDT", stakeamount=30_000, ordertype="limit")
        until(lambda: held(host, "bot"))
        config = CONFIG.format(host=host, url=bot.url).replace("autonomy: auto", "")
        arguments = ("--live", "--account", "hedge-sub")
        with running_engine(tmp_path / "engine", config, *arguments) as engine:
            until(engine.cycles, 120)
            (trade,) = bot.status()
            assert trade["has_open_orders"]
            assert trade["amount"] == 0  # what freqtrade says meanwhile
            last = until(engine.cycles)[-1]
            assert last["bot_gross_usd"] > 0
            now_usd = held(host, "bot")["WLD/USDT:USDT"] * trade["current_rate"]
            assert last["bot_gross_usd"] <= 1.02 * now_usd
