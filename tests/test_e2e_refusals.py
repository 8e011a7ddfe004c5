"""What live mode refuses before anything is sent: its exit code and its one clear line."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from bot.journal.reader import JOURNAL_NAME
from bot.lock import EngineLock
from bot.trading.orders import Side
from bot.venues.sim.records import NewOrder, OrderType
from tests.e2e_scene import ServedExchange, called, live_config, one_line, served_exchange

ACCOUNT = "hedge-sub"
LIVE = ("--live", "--account", ACCOUNT, "--cycles", "1")
KEYS = {
    "PERPHEDGE_API_KEY": "sandbox-hedge-key",
    "PERPHEDGE_API_SECRET": "sandbox-hedge-secret",
    "PERPHEDGE_BOT_API_KEY": "sandbox-bot-key",
    "PERPHEDGE_BOT_API_SECRET": "sandbox-bot-secret",
}
FET = "FET/USDT:USDT"


@pytest.fixture(scope="module")
def served() -> Iterator[ServedExchange]:
    with served_exchange() as served:
        yield served


@pytest.fixture
def config(served: ServedExchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    file = live_config(tmp_path, served.host)
    # What start-up found is told before the account is judged; only the refusal matters here.
    file.write_text(file.read_text(encoding="utf-8") + "log: {level: error}\n", encoding="utf-8")
    return file


@pytest.fixture(autouse=True)
def nothing_is_sent(served: ServedExchange) -> Iterator[None]:
    def ours() -> int:
        return sum(1 for o in served.account("hedge").orders.values() if o.client_id[:2] == "h1")

    before = ours()
    yield
    assert ours() == before


def refused(config: Path, code: int, *arguments: str) -> str:
    return one_line(called("run", "-c", str(config), *arguments), code)


def test_live_without_its_flag(config: Path) -> None:
    line = refused(config, 6)
    assert line == (
        "perphedge: mode is live: start with --live --account hedge-sub to trade with real money"
    )
    assert not (config.parent / "state").exists()


def test_live_with_another_account_typed(config: Path) -> None:
    line = refused(config, 6, "--live", "--account", "hedge")
    assert "--account hedge is not venue.account of the config" in line


def test_half_of_the_consent(config: Path) -> None:
    assert "given together or not at all" in refused(config, 2, "--live")


def test_a_second_instance(config: Path) -> None:
    state = config.parent / "state"
    state.mkdir()
    with EngineLock(state):
        assert "state" in refused(config, 3, *LIVE)


def test_a_journal_of_a_newer_schema(config: Path) -> None:
    state = config.parent / "state"
    state.mkdir()
    with closing(sqlite3.connect(state / JOURNAL_NAME)) as connection:
        connection.execute("CREATE TABLE migrations (version INTEGER, applied_ms INTEGER)")
        connection.execute("INSERT INTO migrations VALUES (999, 0)")
        connection.commit()
    before = (state / JOURNAL_NAME).read_bytes()
    assert "written by a newer perphedge (version 999" in refused(config, 6, *LIVE)
    assert (state / JOURNAL_NAME).read_bytes() == before


@pytest.mark.parametrize(
    ("permission", "words"),
    [
        ("key_withdraws", "its key can withdraw; make one that may only trade"),
        ("key_transfers", "its key can transfer; make one that may only trade"),
        ("key_ip_bound", "its key works from every address; bind it to this one's"),
    ],
)
def test_a_key_that_can_do_too_much(
    config: Path,
    served: ServedExchange,
    monkeypatch: pytest.MonkeyPatch,
    permission: str,
    words: str,
) -> None:
    monkeypatch.setattr(served.account("hedge"), permission, permission != "key_ip_bound")
    assert refused(config, 6, *LIVE) == f"perphedge: account {ACCOUNT}: {words}"


def test_a_position_of_others_in_the_sub_account(config: Path, served: ServedExchange) -> None:
    account = served.account("hedge")
    buy = NewOrder(FET, Side.BUY, OrderType.MARKET, Decimal(100), client_id="by-hand")
    served.do(partial(served.exchange.place, account, buy))
    try:
        line = refused(config, 6, *LIVE)
    finally:
        sell = NewOrder(FET, Side.SELL, OrderType.MARKET, Decimal(100))
        served.do(partial(served.exchange.place, account, sell))
    assert line == (
        f"perphedge: {FET}: 100 in the hedge sub-account {ACCOUNT} is not ours; close it, or set "
        "venue.ownership to shared"
    )


def test_an_order_of_others_in_the_sub_account(config: Path, served: ServedExchange) -> None:
    account = served.account("hedge")
    price = Decimal(repr(round(served.exchange.quote(FET).mark * 0.9, 4)))
    rest = NewOrder(FET, Side.BUY, OrderType.LIMIT, Decimal(100), price, client_id="by-hand-2")
    placed = served.do(partial(served.exchange.place, account, rest))
    try:
        line = refused(config, 6, *LIVE)
    finally:
        cancel = partial(served.exchange.cancel, account, FET, order_id=placed.order_id)
        served.do(cancel)
    assert "order by-hand-2 is open in the hedge sub-account hedge-sub and is not ours" in line


@pytest.mark.parametrize(
    ("ownership", "hedge_mode", "words"),
    [
        ("hedge_mode", False, "needs its hedge mode on, or set it to shared"),
        ("shared", True, "holds long and short apart; set venue.ownership to hedge_mode"),
    ],
)
def test_an_account_in_another_mode_than_was_said(
    config: Path, served: ServedExchange, ownership: str, hedge_mode: bool, words: str
) -> None:
    account = served.account("hedge")
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("venue:\n", f"venue:\n  ownership: {ownership}\n"))
    if hedge_mode:
        served.do(lambda: served.exchange.set_position_mode(account, hedge=True))
    try:
        assert words in refused(config, 6, *LIVE)
    finally:
        if hedge_mode:
            served.do(lambda: served.exchange.set_position_mode(account, hedge=False))
