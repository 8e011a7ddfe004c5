"""A real freqtrade in dry run: its positions are read over REST and hedged on paper."""

from pathlib import Path

import pytest

from tests.freqtrade.real_bot import held, running_engine, running_freqtrade, served_venue, until

pytestmark = [pytest.mark.freqtrade, pytest.mark.timeout(300)]

CONFIG = """
mode: paper
autonomy: auto
state_dir: state
venue: {{exchange: binanceusdm, account: paper-hedge, urls_host: "{host}"}}
sources:
  - {{kind: freqtrade, name: bot-a, url: "{url}", username: owner, locks: {{enabled: true}}}}
caps: {{net_usd: 1500, token_usd: 4000}}
hedge: {{monitor_every: 30s, decide_every: 1m}}
streams: {{wake_spacing_seconds: 1}}
data: {{backfill_days: 15}}
log: {{level: debug}}
"""


def test_its_positions_are_hedged_on_paper_and_unwound_when_it_leaves(tmp_path: Path) -> None:
    with served_venue() as host, running_freqtrade(tmp_path / "bot", host, dry_run=True) as bot:
        bot.enter("FET/USDT:USDT")
        bot.enter("TAO/USDT:USDT")
        until(lambda: len(bot.status()) == 2)
        config = CONFIG.format(host=host, url=bot.url)
        with running_engine(tmp_path / "engine", config) as engine:
            first = until(engine.cycles, 120)[0]
            assert first["bot_gross_usd"] == pytest.approx(bot.gross_usd(), rel=0.01)
            assert first["status"] == "hedged"
            # No hedge can bring a token under its cap that the bot itself holds.
            locked = until(bot.our_locks, 10)
            assert locked == {(p, "long", "token_usd") for p in ("FET/USDT:USDT", "TAO/USDT:USDT")}

            # A third trade: its stream wakes a cycle that would be half a minute away.
            seen = len(engine.cycles())
            bot.enter("WLD/USDT:USDT", "short")
            woken = until(lambda: engine.cycles()[seen:], 15)[0]
            assert woken["bot_gross_usd"] == pytest.approx(bot.gross_usd(), rel=0.01)
            news = [one["news"] for one in engine.events("stream_wakes")]
            assert "entry_fill" in news

            bot.leave()
            until(lambda: not bot.status())
            until(lambda: engine.cycles()[-1]["bot_gross_usd"] == 0, 30)
            until(lambda: engine.cycles()[-1]["hedge_gross_usd"] == 0, 120)
            until(lambda: not bot.our_locks(), 90)
            assert "exit_fill" in [one["news"] for one in engine.events("stream_wakes")]
            assert held(host, "bot") == held(host, "hedge") == {}  # all of it was imagined
