"""Files: what cannot be read, where relative paths lead, and the profiles that users start from."""

import os
import subprocess
import sys
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import pytest
from pydantic import ValidationError

from config.errors import ConfigError
from config.load import PROFILES, load_settings, profile_path
from config.reference import reference
from config.sources import AccountSource, FileSource
from risk.errors import PerphedgeError

ROOT = Path(__file__).resolve().parents[1]
GOOD = """\
mode: paper
state_dir: state
venue: {exchange: binanceusdm, account: hedge-sub}
sources:
  - {kind: file, name: manual, path: sub/positions.json}
  - {kind: account, name: bot-a, exchange: okx}
data: {cache_dir: /var/cache/perphedge}
"""


def refusal(file: Path) -> str:
    """The line that refuses this file, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    name, _, message = str(caught.value).partition(f"{file}: ")
    assert name == ""
    return message


def test_missing_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.yaml") == "no such file"


def test_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "a folder — a YAML file is needed"


def test_pipe_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    assert refusal(pipe) == "not a regular file — a YAML file is needed"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text(GOOD)
    file.chmod(0)
    assert refusal(file) == "cannot be read (Permission denied)"


def test_not_utf8(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_bytes(b"mode: paper\n# caf\xe9\n")
    assert refusal(file) == "line 2: not UTF-8 — save the file as UTF-8"


def test_too_large(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text("# padding\n" * 30_000)
    assert refusal(file) == "larger than 256 KiB — too large for settings"


def test_name_with_a_line_break_stays_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path / "a\nb.yaml")
    assert str(caught.value) == f"{tmp_path}/a\\nb.yaml: no such file"


def test_name_that_no_file_can_have() -> None:
    with pytest.raises(ConfigError, match=r"no such file|not the name of a file"):
        load_settings("a\0b.yaml")


def test_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text(GOOD, encoding="utf-8-sig")
    assert load_settings(file).mode == "paper"


def test_state_dir_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    file = tmp_path / "my.yaml"
    file.write_text(GOOD)
    shown = f'"{tmp_path}/state"'
    assert refusal(file) == f"state_dir: {shown} — a folder; there is a file of this name"


def test_relative_paths_count_from_the_files_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "my.yaml").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    settings = load_settings("etc/my.yaml")
    assert settings.state_dir == tmp_path / "etc" / "state"
    source = settings.sources[0]
    assert isinstance(source, FileSource)
    assert source.path == tmp_path / "etc" / "sub" / "positions.json"
    assert settings.data.cache_dir == Path("/var/cache/perphedge")


def test_profiles_count_paths_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(profile_path("paper"))
    assert settings.state_dir == tmp_path / "state" / "paper"
    source = settings.sources[0]
    assert isinstance(source, FileSource)
    assert source.path == tmp_path / "positions.json"


def test_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    file = tmp_path / "my.yaml"
    file.write_text(GOOD.replace("state_dir: state", "state_dir: ~/state"))
    assert load_settings(file).state_dir == tmp_path / "home" / "state"


@pytest.mark.parametrize("name", PROFILES)
def test_profile_loads_and_says_its_mode(name: str) -> None:
    assert load_settings(profile_path(name)).mode == name


def test_profiles_begin_carefully() -> None:
    paper, live = (load_settings(profile_path(name)) for name in ("paper", "live"))
    assert (paper.autonomy, live.autonomy) == ("propose", "propose")
    assert live.venue.ownership == "sub_account"
    bot = live.sources[0]
    assert isinstance(bot, AccountSource)
    assert bot.account_name != live.venue.account
    assert bot.prefix == "PERPHEDGE_BOT"


def test_unknown_profile() -> None:
    with pytest.raises(ConfigError, match='profile: "test" — one of: demo, paper, live'):
        profile_path("test")


def test_values_arrive(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text(
        GOOD + "caps: {net_usd: 2e4, cae_usd: null}\nhedge: {decide_every: 90m}\n"
        "universe: {benchmarks: [BTC/USDT:USDT], exclude: [FET, WLD/USDT:USDT], allow: [BTC, TAO]}"
    )
    settings = load_settings(file)
    assert settings.caps.net_usd == 20000
    assert settings.caps.cae_usd is None
    assert settings.hedge.decide_every == timedelta(minutes=90)
    assert settings.hedge.decide_every_ms == 5_400_000
    assert settings.hedge.monitor_every_ms == 60_000
    assert settings.universe.may_order("TAO/USDT:USDT")
    assert not settings.universe.may_order("ICP/USDT:USDT")
    assert not settings.universe.may_order("FET/USDT:USDT")


def test_settings_are_frozen() -> None:
    settings = load_settings(profile_path("paper"))
    with pytest.raises(ValidationError, match="frozen"):
        settings.mode = "live"


def test_environment_changes_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_settings(profile_path("paper"))
    for name in ("MODE", "AUTONOMY", "PERPHEDGE_MODE", "PERPHEDGE_AUTONOMY", "mode"):
        monkeypatch.setenv(name, "live")
    assert load_settings(profile_path("paper")) == before


def test_error_belongs_to_the_tree() -> None:
    assert issubclass(ConfigError, PerphedgeError)


def test_files_are_packaged_beside_the_modules() -> None:
    names = {item.name for item in files("config").iterdir()}
    assert {"sectors.yaml", "aliases.yaml", "profiles"} <= names


def test_reference_is_current() -> None:
    written = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    assert written == reference(), "run: python -m config.reference > docs/config.md"


@pytest.mark.parametrize("module", ["config", "config.load", "config.secrets"])
def test_importing_the_settings_is_light(module: str) -> None:
    heavy = ("ccxt", "cvxpy", "pandas", "keyring", "scipy", "asyncio")
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(  # noqa: S603  (this very interpreter, a text from above)
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
