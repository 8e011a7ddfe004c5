"""The files that are copied beside a bot, against a real server; each alone, in a bare Python."""

import asyncio
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest

import bot.plugins
from bot.advice.grants_file import GRANTS_NAME
from bot.plugins.perphedge_client import AsyncSidecar, Held, Sidecar, SidecarError
from bot.plugins.perphedge_freqtrade import PerphedgeMixin
from tests.api_scene import SYMBOLS, TOKEN, Server, book_of, free_port, serving

PLUGINS = Path(bot.plugins.__file__).parent
FET = SYMBOLS[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture
def sidecar(server: Server) -> Iterator[Sidecar]:
    """A client, and a book with room for 8,000 USD."""
    server.publish(book_of(SYMBOLS))
    client = Sidecar(f"http://127.0.0.1:{server.port}", TOKEN, bot="bot-a", timeout_seconds=10)
    yield client
    client.close()
    (server.state / GRANTS_NAME).unlink(missing_ok=True)


def test_the_client_asks_takes_back_and_pushes(sidecar: Sidecar, server: Server) -> None:
    answer = sidecar.check_entry(FET, "long", 10_000)
    assert (answer.verdict, round(answer.allowed_usd)) == ("reduced", 8_000)
    assert answer.document["caps"][0]["cap"] == "net_usd"
    assert sidecar.check_entry(FET, "long", 10_000).allowed_usd == 0, "an entry of its own"
    again = sidecar.check_entry(FET, "long", 10_000, entry_id=answer.entry_id, leverage=3)
    assert again.allowed_usd == pytest.approx(8_000)
    assert sidecar.cancel_entry(FET, "long", entry_id=answer.entry_id)
    assert not sidecar.cancel_entry(FET, "long", entry_id=answer.entry_id)
    sidecar.push_positions([Held(FET, "long", 12.5, entry_price=1.2)])
    sidecar.push_positions([])
    assert sidecar.health()["pushed"][0]["age_seconds"] < 30
    assert b"positions" in (server.state / "pushed" / "bot-a.json").read_bytes()


def test_the_client_says_what_went_wrong(sidecar: Sidecar, server: Server) -> None:
    with pytest.raises(SidecarError, match="422: side: 'up'") as refused:
        sidecar.check_entry(FET, "up", 10)
    assert refused.value.status == 422
    wrong = Sidecar(f"http://127.0.0.1:{server.port}", "nonsense", bot="bot-a")
    with pytest.raises(SidecarError, match="401: Authorization"):
        wrong.health()
    wrong.close()
    away = Sidecar(f"http://127.0.0.1:{free_port()}", TOKEN, bot="bot-a")
    with pytest.raises(SidecarError, match="out of reach: ConnectionRefusedError") as unreached:
        away.check_entry(FET, "long", 10)
    assert unreached.value.status is None
    assert TOKEN not in str(unreached.value)
    for url in ("http://10.0.0.1:8799", "ftp://127.0.0.1", "127.0.0.1:8799"):
        with pytest.raises(ValueError, match="url"):
            Sidecar(url, TOKEN, bot="bot-a")


def test_a_connection_that_was_closed_meanwhile_is_opened_again(sidecar: Sidecar) -> None:
    assert sidecar.health()
    assert sidecar._connection is not None
    assert sidecar._connection.sock is not None
    sidecar._connection.sock.shutdown(2)
    assert sidecar.health()


async def test_many_tasks_share_one_client(sidecar: Sidecar) -> None:
    shared = AsyncSidecar(sidecar)
    answers = await asyncio.gather(
        *(shared.check_entry(FET, "long", 1_000, entry_id=str(i)) for i in range(12))
    )
    assert sum(a.allowed_usd for a in answers) == pytest.approx(8_000)
    assert await shared.cancel_entry(FET, "long", entry_id="0")


class _Strategy:
    """What freqtrade's IStrategy answers by itself."""

    config: Any = MappingProxyType({"bot_name": "bot-a"})
    dp: Any = SimpleNamespace(runmode=SimpleNamespace(value="live"))
    addition: Any = 100.0

    def custom_stake_amount(self, **facts: Any) -> float:
        return float(facts["proposed_stake"])

    def confirm_trade_entry(self, **_: Any) -> bool:
        return True

    def adjust_trade_position(self, **_: Any) -> Any:
        return self.addition


class _Asking(PerphedgeMixin, _Strategy):
    """A user's strategy."""


@pytest.fixture
def strategy(
    sidecar: Sidecar, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> _Asking:
    assert sidecar.health()
    (tmp_path / "token").write_text(TOKEN + "\n")
    monkeypatch.setattr(_Asking, "perphedge_url", f"http://127.0.0.1:{server.port}")
    monkeypatch.setattr(_Asking, "perphedge_token_file", str(tmp_path / "token"))
    monkeypatch.setattr(_Asking, "perphedge_timeout_seconds", 10.0)
    return _Asking()


def _stake(strategy: _Asking, stake: float, *, least: float | None = 5.0) -> float:
    return strategy.custom_stake_amount(FET, None, 1.0, stake, least, 1e6, 3.0, None, "long")


def _confirmed(strategy: _Asking, notional: float) -> bool:
    return strategy.confirm_trade_entry(FET, "limit", notional, 1.0, "GTC", None, None, "long")


def test_a_stake_is_cut_to_what_the_caps_leave_and_then_confirmed(strategy: _Asking) -> None:
    assert _stake(strategy, 1_000) == 1_000
    cut = _stake(strategy, 5_000)
    assert cut == pytest.approx(8_000 / 3, rel=1e-6), "margin is notional divided by leverage"
    assert _confirmed(strategy, cut * 3 * 1.0005), "a rounded quantity is the same entry"
    assert not _confirmed(strategy, 9_000)


def test_a_stake_below_the_least_is_none_and_its_room_is_free(
    strategy: _Asking, sidecar: Sidecar
) -> None:
    assert _stake(strategy, 5_000, least=3_000.0) == 0
    assert _stake(strategy, 0.0) == 0
    assert sidecar.check_entry(FET, "long", 10_000).allowed_usd == pytest.approx(8_000)


def test_an_entry_that_the_book_does_not_show_keeps_its_room_from_others(
    strategy: _Asking, sidecar: Sidecar
) -> None:
    assert _stake(strategy, 2_000) == 2_000
    assert _stake(strategy, 2_000) == 2_000, "no order came of it, so it is the same entry"
    assert _confirmed(strategy, 6_000)
    assert _confirmed(strategy, 6_000), "its order is replaced"
    assert sidecar.check_entry(FET, "long", 6_000).allowed_usd == pytest.approx(2_000)


def test_orders_that_the_exchange_rejects_time_and_again_hold_room_once(
    strategy: _Asking, sidecar: Sidecar
) -> None:
    for _ in range(20):
        assert _stake(strategy, 1_000) == 1_000
        assert _confirmed(strategy, 3_000)
    assert sidecar.check_entry(FET, "long", 10_000).allowed_usd == pytest.approx(5_000)


def test_an_addition_is_the_same_until_an_order_comes_of_it(
    strategy: _Asking, sidecar: Sidecar, monkeypatch: pytest.MonkeyPatch
) -> None:
    def added(orders: int, least: float = 5.0) -> Any:
        monkeypatch.setattr(_Asking, "addition", 1_500.0)
        trade = SimpleNamespace(
            pair=FET, is_short=False, leverage=2.0, id=7, orders=[None] * orders
        )
        return strategy.adjust_trade_position(trade, None, 1.0, 0, least, 1e6, 1.0, 1.0, 0, 0)

    assert _stake(strategy, 1_000) == 1_000
    assert _confirmed(strategy, 3_000)
    assert [added(1), added(1)] == [1_500.0, 1_500.0]
    assert added(2) == pytest.approx(1_000), "3,000 of the entry and 3,000 of the first addition"
    assert added(2, least=1_200.0) is None
    assert sidecar.check_entry(FET, "long", 10_000).allowed_usd == pytest.approx(2_000)


def test_additions_are_asked_about_and_reductions_never(
    strategy: _Asking, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    trade = SimpleNamespace(pair=FET, is_short=False, leverage=2.0, id=5, orders=[])

    def adjusted(addition: Any) -> Any:
        monkeypatch.setattr(_Asking, "addition", addition)
        return strategy.adjust_trade_position(trade, None, 1.0, 0, 5.0, 1e6, 1.0, 1.0, 0, 0)

    assert adjusted(100.0) == 100.0
    assert adjusted((9_000.0, "more"))[0] == pytest.approx(4_000)
    server.publish(book_of(SYMBOLS, net_usd=100.0))
    assert adjusted(500.0) is None
    assert adjusted(-500.0) == -500.0
    assert adjusted(None) is None


@pytest.mark.parametrize(("fail_open", "stake"), [(True, 1_000), (False, 0)])
def test_without_an_answer_the_setting_decides(
    strategy: _Asking, monkeypatch: pytest.MonkeyPatch, fail_open: bool, stake: float
) -> None:
    monkeypatch.setattr(_Asking, "perphedge_url", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr(_Asking, "perphedge_fail_open", fail_open)
    assert _stake(strategy, 1_000) == stake
    assert _confirmed(strategy, 1_000) is fail_open
    monkeypatch.setattr(_Asking, "perphedge_url", "http://10.1.2.3:8799")
    assert _confirmed(strategy, 1_000) is fail_open, "and the token goes nowhere in the clear"


@pytest.mark.parametrize(
    "said", [b"[]", b"null", b'{"allowed_usd": NaN, "verdict": "", "reason": ""}']
)
def test_an_answer_that_is_none_refuses(
    strategy: _Asking, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    class Nonsense(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the base's name
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Nonsense) as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        monkeypatch.setattr(_Asking, "perphedge_url", f"http://127.0.0.1:{other.server_port}")
        assert _stake(strategy, 1_000) == 0
        assert not _confirmed(strategy, 1_000)
        other.shutdown()
        thread.join()


def test_backtests_ask_nobody(strategy: _Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Asking, "dp", SimpleNamespace(runmode=SimpleNamespace(value="backtest")))
    monkeypatch.setattr(_Asking, "perphedge_url", f"http://127.0.0.1:{free_port()}")
    assert _stake(strategy, 1e9) == 1e9
    assert _confirmed(strategy, 1e9)


@pytest.mark.parametrize("name", ["perphedge_client", "perphedge_freqtrade"])
def test_each_file_needs_only_the_standard_library(name: str, tmp_path: Path) -> None:
    shutil.copy(PLUGINS / f"{name}.py", tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import {name}; print({name}.__doc__)"
    )
    ran = subprocess.run(  # noqa: S603 - our own interpreter, without any package
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert "Copy this file" in ran.stdout
