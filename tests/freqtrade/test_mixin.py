"""A real freqtrade with the mixin in its strategy is refused what would go over a cap."""

import shutil
from pathlib import Path

import httpx
import pytest

from tests.e2e_scene import ROOT
from tests.freqtrade.real_bot import (
    BOT_TOKEN,
    HERE,
    free_port,
    running_engine,
    running_freqtrade,
    served_venue,
    until,
)

pytestmark = [pytest.mark.freqtrade, pytest.mark.timeout(300)]

CONFIG = """
mode: paper
autonomy: propose
state_dir: state
venue: {{exchange: binanceusdm, account: paper-hedge, urls_host: "{host}"}}
sources: [{{kind: freqtrade, name: bot-a, url: "{url}", username: owner}}]
caps: {{net_usd: 6500}}
hedge: {{monitor_every: 5s, decide_every: 1m}}
streams: {{wake_spacing_seconds: 1}}
api: {{enabled: true, port: {port}}}
data: {{backfill_days: 15}}
log: {{level: debug}}
"""


def test_an_entry_over_the_cap_is_refused(tmp_path: Path) -> None:
    folder, port = tmp_path / "strategies", free_port()
    shutil.copytree(HERE / "strategies", folder)
    shutil.copy(ROOT / "bot/plugins/perphedge_freqtrade.py", folder)
    asks = {
        "env": {"ASK_AT": f"http://127.0.0.1:{port}", "PERPHEDGE_BOT_TOKEN": BOT_TOKEN},
        "strategy": "Asking",
        "strategy_path": str(folder),
    }
    with (
        served_venue() as host,
        running_freqtrade(tmp_path / "bot", host, dry_run=True, **asks) as bot,
    ):
        with pytest.raises(httpx.HTTPStatusError):
            bot.enter("FET/USDT:USDT")  # nobody answers yet
        assert "no answer of perphedge" in bot.log.read_text()
        config = CONFIG.format(host=host, url=bot.url, port=port)
        with running_engine(tmp_path / "engine", config) as engine:
            until(engine.cycles, 120)
            bot.enter("FET/USDT:USDT")  # 6,000 USD of the 6,500
            until(lambda: engine.cycles()[-1]["bot_gross_usd"] > 5_000, 30)
            with pytest.raises(httpx.HTTPStatusError):
                bot.enter("TAO/USDT:USDT")
            assert [one["pair"] for one in bot.status()] == ["FET/USDT:USDT"]
            (line,) = [row for row in bot.log.read_text().splitlines() if "refused" in row][-1:]
            assert "long TAO/USDT:USDT" in line
            assert "net" in line

            # The other side lowers the cap's use, and exits are nobody's business.
            bot.enter("TAO/USDT:USDT", "short")
            assert len(bot.status()) == 2
            bot.leave()
            until(lambda: not bot.status())
