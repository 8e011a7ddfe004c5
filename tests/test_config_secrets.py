"""Keys of accounts: where they are found, what is refused, and that they are never shown."""

import os
import traceback
from pathlib import Path

import keyring
import keyring.errors
import pytest

from config.errors import ConfigError
from config.load import load_settings, settings_from
from config.secrets import Credentials, find_credentials, need_credentials
from config.settings import Settings
from config.sources import AccountSource
from config.venue import VenueSettings

CANARY = "CANARY-0123456789-abcdefghij-KLMNOPQRST-9876543210"


def venue(**more: object) -> VenueSettings:
    """A venue on binanceusdm."""
    return VenueSettings.model_validate({"exchange": "binanceusdm", "account": "h", **more})


def secret_file(folder: Path, name: str, text: str = CANARY, mode: int = 0o600) -> Path:
    """A file with a secret."""
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return path


def values(credentials: Credentials | None) -> tuple[str, str]:
    """Key and secret in the clear."""
    assert credentials is not None
    return credentials.api_key.get_secret_value(), credentials.api_secret.get_secret_value()


def test_environment() -> None:
    found = find_credentials(
        venue(), environment={"PERPHEDGE_API_KEY": "k", "PERPHEDGE_API_SECRET": " s\n"}
    )
    assert values(found) == ("k", "s")


def test_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERPHEDGE_API_KEY", "k")
    monkeypatch.setenv("PERPHEDGE_API_SECRET", "s")
    assert values(find_credentials(venue())) == ("k", "s")


@pytest.mark.parametrize(
    ("more", "prefix"),
    [({}, "PERPHEDGE_BOT_A"), ({"env_prefix": "MY_BOT"}, "MY_BOT")],
)
def test_each_source_has_its_own_variables(more: dict[str, str], prefix: str) -> None:
    source = AccountSource.model_validate(
        {"kind": "account", "name": "bot-a", "exchange": "bybit", **more}
    )
    environment = {
        "PERPHEDGE_API_KEY": "wrong",
        "PERPHEDGE_API_SECRET": "wrong",
        f"{prefix}_API_KEY": "k",
        f"{prefix}_API_SECRET": "s",
    }
    assert values(find_credentials(source, environment=environment)) == ("k", "s")


def test_nothing_named_is_none() -> None:
    assert find_credentials(venue(), environment={}) is None
    assert find_credentials(venue(), environment={"PERPHEDGE_API_KEY": ""}) is None


def test_needed_but_not_named() -> None:
    with pytest.raises(ConfigError) as caught:
        need_credentials(venue(), environment={})
    assert str(caught.value) == (
        "venue: no API key — set PERPHEDGE_API_KEY and PERPHEDGE_API_SECRET, or name "
        "api_key_file and api_secret_file, or keyring_service"
    )


def test_key_without_secret() -> None:
    with pytest.raises(ConfigError) as caught:
        find_credentials(venue(), environment={"PERPHEDGE_API_KEY": CANARY})
    assert str(caught.value) == (
        "venue: the API secret is missing beside the API key — set PERPHEDGE_API_SECRET, or name "
        "all parts in files or keyring"
    )


def test_passphrase_where_the_exchange_has_one() -> None:
    environment = {"PERPHEDGE_API_KEY": "k", "PERPHEDGE_API_SECRET": "s"}
    okx = VenueSettings.model_validate({"exchange": "okx", "account": "h"})
    with pytest.raises(ConfigError, match="the API passphrase is missing"):
        find_credentials(okx, environment=environment)
    found = find_credentials(okx, environment={**environment, "PERPHEDGE_API_PASSPHRASE": "p"})
    assert found is not None
    assert found.api_passphrase is not None
    assert found.api_passphrase.get_secret_value() == "p"


def test_files(tmp_path: Path) -> None:
    key, secret = secret_file(tmp_path, "k", "key\n"), secret_file(tmp_path, "s", "sec", 0o400)
    account = venue(api_key_file=str(key), api_secret_file=str(secret))
    assert values(find_credentials(account, environment={})) == ("key", "sec")


def test_environment_wins_over_files(tmp_path: Path) -> None:
    account = venue(api_key_file=str(tmp_path / "no"), api_secret_file=str(tmp_path / "no"))
    environment = {"PERPHEDGE_API_KEY": "k", "PERPHEDGE_API_SECRET": "s"}
    assert values(find_credentials(account, environment=environment)) == ("k", "s")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o777])
def test_file_open_to_others(tmp_path: Path, mode: int) -> None:
    key = secret_file(tmp_path, "k", mode=mode)
    account = venue(api_key_file=str(key), api_secret_file=str(key))
    with pytest.raises(ConfigError) as caught:
        find_credentials(account, environment={})
    assert str(caught.value) == (
        f"venue.api_key_file: {key} has mode {mode:04o}, others than its owner may use it — "
        f"chmod 600 {key}"
    )


def test_key_written_where_its_file_belongs() -> None:
    account = venue(api_key_file=CANARY, api_secret_file=CANARY)
    with pytest.raises(ConfigError) as caught:
        find_credentials(account, field="sources[0]", environment={})
    assert str(caught.value) == (
        "sources[0].api_key_file: no such file — a file with the secret alone, mode 0600"
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"key\nsecret\n", "holds more than one word"),
        (b"API key: abc", "holds more than one word"),
        (b"\xff\xfe", "not UTF-8 text"),
        (b"k" * 20_000, "larger than 16 KiB"),
    ],
)
def test_file_that_holds_no_key(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "k"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        find_credentials(venue(api_key_file=str(path), api_secret_file=str(path)), environment={})
    assert str(caught.value).startswith(f"venue.api_key_file: {problem}")


def test_pipe_and_folder_are_no_key_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir(0o700)
    for name in ("pipe", "folder"):
        path = str(tmp_path / name)
        with pytest.raises(ConfigError, match=r"api_key_file: not a regular file"):
            find_credentials(venue(api_key_file=path, api_secret_file=path), environment={})


def use_ring(monkeypatch: pytest.MonkeyPatch, entries: dict[str, str] | None) -> None:
    """Make ``keyring`` read these entries; None is a keyring that is locked."""

    def get_password(service: str, username: str) -> str | None:
        if entries is None:
            raise keyring.errors.KeyringLocked(f"locked, {CANARY}")
        return entries.get(f"{service}/{username}")

    monkeypatch.setattr(keyring, "get_password", get_password)


def test_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    use_ring(monkeypatch, {"hedge/api_key": "k", "hedge/api_secret": "s"})
    found = find_credentials(venue(keyring_service="hedge"), environment={})
    assert values(found) == ("k", "s")


def test_keyring_without_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    use_ring(monkeypatch, {})
    with pytest.raises(ConfigError, match=r"venue\.keyring_service: no entry api_key"):
        find_credentials(venue(keyring_service="hedge"), environment={})


def test_locked_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    use_ring(monkeypatch, None)
    with pytest.raises(ConfigError) as caught:
        find_credentials(venue(keyring_service="hedge"), environment={})
    assert str(caught.value) == (
        "venue.keyring_service: the keyring cannot be read (KeyringLocked) — use the environment "
        "or 0600 files"
    )
    assert CANARY not in shown(caught.value)


def test_credentials_print_as_asterisks() -> None:
    found = find_credentials(
        venue(), environment={"PERPHEDGE_API_KEY": CANARY, "PERPHEDGE_API_SECRET": CANARY}
    )
    assert found is not None
    for text in (str(found), repr(found), f"{found.api_key}", f"{found.api_secret!r}"):
        assert CANARY not in text


def shown(error: BaseException) -> str:
    """Everything that a traceback would print."""
    return "".join(traceback.format_exception(error)) + repr(error)


@pytest.mark.parametrize(
    "text",
    [
        "api_key: {canary}",
        "venue: {{exchange: okx, account: h, apiKey: {canary}}}",
        "venue: {{exchange: okx, account: h, secret: [{canary}]}}",
        "venue: {{exchange: okx, account: h, something: {canary}}}",
        "venue: {{exchange: okx, account: h, api_key_file: [{canary}]}}",
        "venue: {{exchange: okx, account: h, api_key_file: {canary}}}",
        "venue: {{exchange: okx, account: h, keyring_service: {canary}!}}",
        "venue: {{exchange: okx, account: h, env_prefix: {canary}}}",
        "venue: {{exchange: okx, account: {canary}}}",
        "venue: {canary}",
        "venue: [{{exchange: okx, secret: {canary}}}]",
        "{canary}: 1",
        "{canary}",
        "caps: *{canary}",
        "caps: !{canary} 1",
        "[{canary}]: 1",
        "api_secret: {canary}\n\tbroken",
        "api_secret: '{canary}",
        "api_secret: {{{canary}",
        "{canary}: 1\n{canary}: 2",
        "universe: {{benchmarks: [{canary}]}}",
        "sources: [{{kind: {canary}}}]",
        "hedge: {{decide_every: {canary}}}",
        "mode: {canary}",
    ],
)
def test_planted_secret_appears_in_no_error(text: str, tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text(text.format(canary=CANARY))
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    assert CANARY not in shown(caught.value)


def test_settings_hold_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERPHEDGE_API_KEY", CANARY)
    monkeypatch.setenv("PERPHEDGE_API_SECRET", CANARY)
    settings: Settings = settings_from(
        {
            "mode": "live",
            "state_dir": "s",
            "venue": {"exchange": "binanceusdm", "account": "h", "ownership": "shared"},
        },
        where="here",
        base=tmp_path,
    )
    assert CANARY not in repr(settings)
    assert CANARY not in settings.model_dump_json()
