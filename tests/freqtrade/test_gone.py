"""A real freqtrade that is stopped, killed and started again: it is never taken for flat."""

from pathlib import Path

import pytest

from tests.freqtrade.real_bot import (
    Engine,
    free_port,
    held,
    running_engine,
    running_freqtrade,
    served_venue,
    until,
)

pytestmark = [pytest.mark.freqtrade, pytest.mark.timeout(400)]

CONFIG = """
mode: paper
autonomy: auto
state_dir: state
venue: {{exchange: binanceusdm, account: paper-hedge, urls_host: "{host}"}}
sources:
  - {{kind: freqtrade, name: bot-a, url: "{url}", username: owner, max_age_seconds: 6}}
caps: {{net_usd: 1500}}
hedge: {{monitor_every: 2s, decide_every: 1m}}
streams: {{wake_spacing_seconds: 1}}
data: {{backfill_days: 15}}
log: {{level: debug}}
"""


def held_for(engine: Engine, words: str) -> None:
    """Wait until a cycle is held with a reason that has these words."""
    seen = len(engine.events("cycle"))
    until(
        lambda: any(
            one["status"] == "held" and words in one["reason"]
            for one in engine.events("cycle")[seen:]
        ),
        40,
    )


def test_a_bot_that_is_gone_is_not_flat(tmp_path: Path) -> None:
    folder, port = tmp_path / "bot", free_port()
    with (
        served_venue() as host,
        running_freqtrade(folder, host, dry_run=True, port=port) as bot,
    ):
        for pair in ("FET/USDT:USDT", "TAO/USDT:USDT"):
            bot.enter(pair)
        until(lambda: len(bot.status()) == 2)
        config = CONFIG.format(host=host, url=bot.url)
        with running_engine(tmp_path / "engine", config) as engine:
            until(lambda: [c for c in engine.cycles() if c["hedge_gross_usd"]], 120)

            bot.ask("POST", "stop")
            held_for(engine, "s old, at most 6 s is accepted")
            bot.ask("POST", "start")
            seen = len(engine.cycles())
            until(lambda: engine.cycles()[seen:], 40)

            bot.process.kill()
            held_for(engine, "no answer (ConnectError)")
            with running_freqtrade(folder, host, dry_run=True, port=port) as again:
                seen = len(engine.cycles())
                until(lambda: engine.cycles()[seen:], 40)
                last = engine.cycles()[-1]
                assert last["bot_gross_usd"] == pytest.approx(again.gross_usd(), rel=0.01)
            first = next(i for i, c in enumerate(engine.cycles()) if c["hedge_gross_usd"])
            for cycle in engine.cycles()[first:]:
                assert cycle["bot_gross_usd"] > 11_000
                assert cycle["hedge_gross_usd"] > 0
            told = [(one["health"]) for one in engine.events("stream_gap")]
            assert "gap" in told  # its stream broke off as well


def test_a_trade_that_was_deleted_is_not_closed(tmp_path: Path) -> None:
    with (
        served_venue() as host,
        running_freqtrade(tmp_path / "bot", host, dry_run=False) as bot,
    ):
        for pair in ("FET/USDT:USDT", "TAO/USDT:USDT"):
            bot.enter(pair)
        until(lambda: len(bot.status()) == 2)
        config = CONFIG.format(host=host, url=bot.url)
        for old, new in (("paper-hedge", "hedge-sub"), ("mode: paper", "mode: live")):
            config = config.replace(old, new)
        with running_engine(
            tmp_path / "engine", config, "--live", "--account", "hedge-sub"
        ) as engine:
            until(lambda: [c for c in engine.cycles() if c["hedge_gross_usd"]], 120)
            entered, hedges = held(host, "bot"), held(host, "hedge")
            gone = next(one for one in bot.status() if one["pair"] == "FET/USDT:USDT")
            bot.ask("DELETE", f"trades/{gone['trade_id']}")
            held_for(engine, "is told no more and was not closed, but the account still holds")
            assert held(host, "bot") == entered
            assert held(host, "hedge") == hedges
