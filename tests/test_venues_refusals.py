"""Who is not let near live trading: a key that can do too much, an exchange that is not known."""

import re
from pathlib import Path

import pytest

from tests.e2e_scene import called, live_config, one_line, served_exchange

LIVE = ("--live", "--account", "hedge-sub", "--cycles", "1")
KEYS = {
    "PERPHEDGE_API_KEY": "sandbox-hedge-key",
    "PERPHEDGE_API_SECRET": "sandbox-hedge-secret",
    "PERPHEDGE_BOT_API_KEY": "sandbox-bot-key",
    "PERPHEDGE_BOT_API_SECRET": "sandbox-bot-secret",
}


def test_a_live_run_with_a_key_that_can_do_more_than_trade_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with served_exchange() as served:
        config = str(live_config(tmp_path, served.host))
        account = served.account("hedge")
        for right, value, words in (
            ("key_withdraws", True, "its key can withdraw"),
            ("key_transfers", True, "its key can transfer"),
            ("key_ip_bound", False, "its key works from every address"),
        ):
            before = getattr(account, right)
            setattr(account, right, value)
            line = one_line(called("run", "-c", config, *LIVE), 6)
            setattr(account, right, before)
            assert f"account hedge-sub: {words}" in line
            assert not any(secret in line for secret in KEYS.values())
        assert account.orders == {}


@pytest.mark.parametrize("exchange", ["kucoinfutures", "bingx"])
def test_a_live_run_where_codes_are_not_known_is_refused(
    exchange: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is asked of the exchange."""
    for name, value in {**KEYS, "PERPHEDGE_API_PASSPHRASE": "x"}.items():
        monkeypatch.setenv(name, value)
    file = live_config(tmp_path, "127.0.0.1:9")
    text = re.sub(r"^  exchange: .*$", f"  exchange: {exchange}", file.read_text(), flags=re.M)
    text = re.sub(r"^ +urls_host: .*\n", "", text, flags=re.M)
    file.write_text(text, encoding="utf-8")
    line = one_line(called("run", "-c", str(file), *LIVE), 6)
    assert f"{exchange}: no orders are sent there" in line
