"""Logins of bots: where they are found, where a password may go, and that it is never shown."""

import traceback
from pathlib import Path
from typing import Any

import keyring
import pytest
from pydantic import ValidationError

from config.errors import ConfigError
from config.load import settings_from
from config.passwords import need_login
from config.sources_freqtrade import FreqtradeSource

CANARY = "CANARY-0123456789-abcdefghij"
BASE: dict[str, Any] = {
    "mode": "paper",
    "state_dir": "state",
    "venue": {"exchange": "binanceusdm", "account": "h"},
}


def source(**more: object) -> FreqtradeSource:
    """A freqtrade bot on this machine."""
    given = {"kind": "freqtrade", "name": "bot-a", "url": "http://127.0.0.1:8080", **more}
    return FreqtradeSource.model_validate(given)


def test_from_the_environment() -> None:
    found = need_login(
        source(), environment={"PERPHEDGE_BOT_A_USERNAME": "u", "PERPHEDGE_BOT_A_PASSWORD": CANARY}
    )
    assert (found.username, found.password.get_secret_value()) == ("u", CANARY)
    assert CANARY not in repr(found)
    own = source(env_prefix="MINE", username="owner")
    assert need_login(own, environment={"MINE_PASSWORD": "p"}).username == "owner"


def test_from_a_private_file_and_from_the_keyring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    file.write_text(f"{CANARY}\n")
    file.chmod(0o600)
    item = source(username="owner", password_file=file)
    assert need_login(item, environment={}).password.get_secret_value() == CANARY
    file.chmod(0o644)
    with pytest.raises(ConfigError, match=r"source bot-a\.password_file: .* mode 0644"):
        need_login(item, environment={})
    kept = {("bots", "username"): "kept", ("bots", "password"): CANARY}
    monkeypatch.setattr(keyring, "get_password", lambda service, name: kept.get((service, name)))
    found = need_login(source(keyring_service="bots"), environment={})
    assert (found.username, found.password.get_secret_value()) == ("kept", CANARY)


@pytest.mark.parametrize(
    ("more", "environment", "words"),
    [
        ({"username": "u"}, {}, "source bot-a: no password — set PERPHEDGE_BOT_A_PASSWORD"),
        ({}, {"PERPHEDGE_BOT_A_PASSWORD": CANARY}, "source bot-a: no user name"),
        (
            {},
            {"PERPHEDGE_BOT_A_PASSWORD": CANARY, "PERPHEDGE_BOT_A_USERNAME": "a:b"},
            "the user name holds a colon",
        ),
        ({"username": "u"}, {"PERPHEDGE_BOT_A_PASSWORD": f"{CANARY} x"}, "more than one word"),
    ],
)
def test_what_is_missing_is_named_and_no_password_shown(
    more: dict[str, str], environment: dict[str, str], words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        need_login(source(**more), environment=environment)
    assert CANARY not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080",
        "http://localhost:8080/",
        "http://freqtrade:8080",
        "http://10.1.2.3:1",
        "http://192.168.0.9:65535",
        "http://172.16.0.9:8080",
        "https://bot.example.org",
    ],
)
def test_where_a_password_may_go(url: str) -> None:
    assert source(url=url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://bot.example.org:8080",
        "http://8.8.8.8:8080",
        "http://172.32.0.1:8080",
        "http://127.0.0.1.example.org",
        "http://127.0.0.1:65536",
        "http://127.0.0.1:0",
        "http://owner:word@127.0.0.1:8080",
        "http://127.0.0.1:8080/api/v1",
        "http://127.0.0.1:8080?x=1",
        "https://-x",
        "ftp://127.0.0.1",
        "127.0.0.1:8080",
        "",
    ],
)
def test_where_it_may_not(url: str) -> None:
    with pytest.raises(ValidationError):
        source(url=url)


def test_a_bot_in_the_account_of_the_hedges_needs_one_that_is_shared() -> None:
    bot = {"kind": "freqtrade", "name": "bot-a", "url": "http://freqtrade:8080"}
    document = BASE | {"sources": [bot | {"same_account": True}]}
    with pytest.raises(ConfigError, match=r"sources\[0\]\.same_account: true — false while"):
        settings_from(document, where="c.yaml", base=Path())
    shared = document | {"venue": BASE["venue"] | {"ownership": "shared"}}
    assert settings_from(shared, where="c.yaml", base=Path()).sources[0].name == "bot-a"


def test_locks_are_off_unless_asked_for() -> None:
    assert not source().locks.enabled
    on = source(locks={"enabled": True, "margin": "5m"})
    assert (on.locks.enabled, on.locks.margin.total_seconds()) == (True, 300)
