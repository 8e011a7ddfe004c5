"""Halt, resume, ack and status from the command line, and the watch over the kill switch."""

import asyncio
import json
import resource
import sqlite3
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.cli.main import _run
from bot.clock import SystemClock
from bot.controls.flatten import flattening
from bot.controls.guard import Guard
from bot.halt import HaltSwitch
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME
from bot.journal.rows import IntentRecord
from bot.kill import KillWatch
from bot.lock import EngineLock
from bot.logs import silent_log
from bot.requests import FLATTEN_NAME, Asked, ask
from bot.selftest.stage import NEAR, RENDER, Piece, open_stage
from bot.trading.orders import Side
from bot.trading.reconcile import book_fills
from bot.wiring import _watched
from tests.execute_scene import ACCOUNT, FET, order

Shown = pytest.CaptureFixture[str]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory in which an engine has run and halted a symbol and everything."""
    clock = SystemClock()
    with Journal.open(tmp_path / JOURNAL_NAME, clock) as journal:
        guard = Guard(journal, clock, ACCOUNT, switch=HaltSwitch(tmp_path))
        guard.halt_symbol("slippage", FET, "fills were bad")
        guard.halt_all("daily_cost", "too dear")
    return tmp_path


def document(capsys: Shown, *arguments: str) -> Any:
    assert _run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def events(state: Path, kind: str) -> list[Any]:
    with Journal.open(state / JOURNAL_NAME, SystemClock()) as journal:
        return [e.document for e in journal.events() if e.kind == kind]


def test_status_shows_what_is_halted_and_who_should_know(state: Path, capsys: Shown) -> None:
    told = document(capsys, "status", "--state", str(state))
    assert told["halted"] == "control 23: too dear"
    assert told["halted_symbols"][FET]["number"] == 5
    assert [one["number"] for one in told["alerts"]] == [5, 23]
    (state / "HALT").unlink()
    assert document(capsys, "status", "--state", str(state))["halted"] == "too dear"
    assert _run(["status", "--state", str(state)]) == 0
    text = capsys.readouterr().out
    assert "control 5: fills were bad" in text
    assert "too dear" in text


def test_resume_lifts_everything_and_is_recorded(state: Path, capsys: Shown) -> None:
    told = document(
        capsys, "resume", "--state", str(state), "--reason", "fees\nwere wrong", "--by", "ann"
    )
    assert told == {
        "done": True,
        "running_process": None,
        "by": "ann",
        "reason": "fees were wrong",
    }
    after = document(capsys, "status", "--state", str(state))
    assert (after["halted"], after["halted_symbols"], after["alerts"]) == (None, {}, [])
    [event] = events(state, "resumed")
    assert (event["by"], event["symbols"]) == ("ann", [FET])


@pytest.mark.parametrize("arguments", [[], ["--reason", " "], ["--reason", "x", "--by", ""]])
def test_resume_needs_a_reason_and_a_name(arguments: list[str], state: Path, capsys: Shown) -> None:
    assert _run(["resume", "--state", str(state), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith(("perphedge: --reason", "perphedge: --by"))
    assert error.count("\n") == 1
    assert (state / "HALT").exists()


def test_beside_a_running_engine_it_only_asks(state: Path, capsys: Shown) -> None:
    with EngineLock(state):
        told = document(capsys, "resume", "--state", str(state), "--reason", "looked")
        assert told["done"] is False
        assert told["running_process"]
    assert (state / "HALT").exists()
    with Journal.open(state / JOURNAL_NAME, SystemClock()) as journal:
        guard = Guard(journal, SystemClock(), ACCOUNT, switch=HaltSwitch(state))
        assert guard.halted
        guard.take_requests()
        assert guard.halted is None
        guard.take_requests()
        assert len([e for e in journal.events() if e.kind == "resumed"]) == 1


def test_ack_ends_alerts_and_no_halt(state: Path, capsys: Shown) -> None:
    document(capsys, "ack", "--state", str(state), "--by", "ann")
    after = document(capsys, "status", "--state", str(state))
    assert after["alerts"] == []
    assert after["halted"]
    assert FET in after["halted_symbols"]
    assert events(state, "acknowledged")[0]["by"] == "ann"


def test_halt_needs_no_journal(tmp_path: Path, capsys: Shown) -> None:
    (tmp_path / JOURNAL_NAME).write_text("this is no database")
    told = document(capsys, "halt", "--state", str(tmp_path), "--reason", "news", "--by", "ann")
    assert told == {"halted": "news (ann)", "flatten": False, "running_process": None}
    assert HaltSwitch(tmp_path).reason == "news (ann)"
    assert _run(["halt", "--state", str(tmp_path / "nowhere")]) == 2
    assert "no such state directory" in capsys.readouterr().err


def test_a_halt_that_cannot_be_written_is_not_called_one(tmp_path: Path, capsys: Shown) -> None:
    # The kernel lets nobody, not even root, make a file there.
    assert _run(["halt", "--state", "/proc", "--reason", "news", "--json"]) == 6
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("perphedge: NOT halted: news (")
    assert "/proc/HALT cannot be written: " in told.err
    assert told.err.endswith("; no engine runs there\n")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with EngineLock(tmp_path):
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))  # as on a full disk
            code = _run(["halt", "--state", str(tmp_path), "--reason", "news", "--by", "ann"])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    told = capsys.readouterr()
    assert (code, told.out) == (6, "")
    assert told.err.startswith("perphedge: halted, but it may not outlast a power cut: news (ann)")
    assert told.err.count("\n") == 1
    assert HaltSwitch(tmp_path).reason is not None


def test_a_halt_is_latched_and_withdraws_a_resume_that_waits(tmp_path: Path, capsys: Shown) -> None:
    with Journal.open(tmp_path / JOURNAL_NAME, SystemClock()) as journal:
        Guard(journal, SystemClock(), ACCOUNT).alert("missing_fee", FET, "no fee")
    with EngineLock(tmp_path):
        document(capsys, "resume", "--state", str(tmp_path), "--reason", "looked")
        document(capsys, "halt", "--state", str(tmp_path), "--reason", "news", "--by", "ann")
        assert not (tmp_path / "RESUME").exists()
    (tmp_path / "HALT").unlink()  # by hand, before anything saw it
    assert document(capsys, "status", "--state", str(tmp_path))["halted"] is None
    document(capsys, "halt", "--state", str(tmp_path), "--reason", "news", "--by", "ann")
    (tmp_path / "HALT").unlink()
    assert document(capsys, "status", "--state", str(tmp_path))["halted"] == "news (ann)"
    [event] = events(tmp_path, "halted")
    assert (event["number"], event["control"]) == (30, "kill_switch")


async def test_the_watch_cancels_within_two_seconds_of_the_file() -> None:
    """On wall time, with an exchange that takes its time."""
    async with open_stage() as stage:
        resting = Piece(price="5.04", time_in_force="GTC")
        await stage.send(resting, executor=stage.executor(styles=frozenset({"GTC"})))
        stage.world.other_places(NEAR, Side.BUY, Decimal(10), "bots-own", Decimal("4.5"))
        real = stage.venue.cancel

        async def slow(symbol: str, client_id: str) -> bool:
            await asyncio.sleep(0.2)
            return await real(symbol, client_id)

        stage.venue.cancel = slow  # type: ignore[method-assign]  # an exchange as it may be
        log = silent_log(stage.clock)
        watch = KillWatch(stage.venue, stage.engine.guard, stage.journal, stage.clock, log)
        task = asyncio.create_task(watch.run())
        try:
            await asyncio.sleep(0.15)
            assert len(stage.world.hedge.open_orders()) == 2
            (stage.folder / "HALT").touch()
            started = time.perf_counter()
            while not stage.journal.events(kind="cancelled_own"):
                assert time.perf_counter() - started < 2.0
                await asyncio.sleep(0.01)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert [o.client_id for o in stage.world.hedge.open_orders()] == ["bots-own"]
        [event] = stage.journal.events(kind="cancelled_own")
        assert event.document["control"] == "kill_switch"


async def test_a_channel_that_hangs_keeps_no_cancel_back() -> None:
    """The alert takes its five seconds; the kill switch does not wait for it."""

    class Hangs:
        name = "hangs"

        async def send(self, _alert: Any) -> None:
            started.set()
            await asyncio.sleep(60)

    async with open_stage() as stage:
        started = asyncio.Event()
        resting = Piece(price="5.04", time_in_force="GTC")
        await stage.send(resting, executor=stage.executor(styles=frozenset({"GTC"})))
        guard = stage.engine.guard
        guard._channels = (Hangs(),)
        guard.alert("missing_fee", NEAR, "no fee")
        log = silent_log(stage.clock)
        watch = KillWatch(stage.venue, guard, stage.journal, stage.clock, log)
        task = asyncio.create_task(watch.run())
        try:
            await asyncio.wait_for(started.wait(), 5.0)
            (stage.folder / "HALT").touch()
            begun = time.perf_counter()
            while stage.world.hedge.open_orders():
                assert time.perf_counter() - begun < 2.0
                await asyncio.sleep(0.01)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_the_watch_cancels_in_time_while_another_process_holds_the_journal() -> None:
    async with open_stage() as stage:
        resting = Piece(price="5.04", time_in_force="GTC")
        await stage.send(resting, executor=stage.executor(styles=frozenset({"GTC"})))
        log = silent_log(stage.clock)
        watch = KillWatch(stage.venue, stage.engine.guard, stage.journal, stage.clock, log)
        holder = sqlite3.connect(stage.journal.path, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        (stage.folder / "HALT").write_text("somebody says so")
        started = time.perf_counter()
        await watch.look()
        assert time.perf_counter() - started < 2.0
        assert stage.world.hedge.open_orders() == []
        assert stage.engine.guard.halted == "somebody says so"
        holder.execute("ROLLBACK")
        holder.close()
        (stage.folder / "HALT").unlink()
        assert (await stage.engine.cycle()).status == "halted", "and it is owed to the journal"
        [event] = stage.journal.events(kind="halted")
        assert event.document["reason"] == "somebody says so"


async def test_a_cancel_that_hangs_does_not_keep_the_others() -> None:
    async with open_stage() as stage:
        resting = [
            Piece(price="5.04", time_in_force="GTC"),
            Piece(RENDER, quantity="50", price="8.04", time_in_force="GTC"),
        ]
        report = await stage.send(*resting, executor=stage.executor(styles=frozenset({"GTC"})))
        hangs, goes = (one.request.client_id for one in report.results)
        real = stage.venue.cancel

        async def cancel(symbol: str, client_id: str) -> bool:
            if client_id == hangs:
                await asyncio.sleep(60)
            return await real(symbol, client_id)

        stage.venue.cancel = cancel  # type: ignore[method-assign]  # an exchange as it may be
        log = silent_log(stage.clock)
        watch = KillWatch(stage.venue, stage.engine.guard, stage.journal, stage.clock, log)
        started = time.perf_counter()
        orders = {hangs: NEAR, goes: RENDER, "bots-own": NEAR}
        found = await watch.cancel(orders, "kill_switch")
        assert found == {hangs: False, goes: True, "bots-own": False}
        assert [o.client_id for o in stage.world.hedge.open_orders()] == [hangs]
        assert time.perf_counter() - started < 4.0
        ends = {hangs: "cancel_unknown", goes: "cancel_confirmed"}
        for client_id, end in ends.items():
            told = [e.kind for e in stage.journal.events() if e.client_id == client_id]
            assert told[-2:] == (
                ["cancel_sending", end] if client_id == hangs else ["order_canceled", end]
            )


async def test_a_cancel_that_breaks_keeps_no_other_and_is_sent_again() -> None:
    """A reply that nobody reckoned with, to the first of two."""
    async with open_stage() as stage:
        resting = [
            Piece(price="5.04", time_in_force="GTC"),
            Piece(RENDER, quantity="50", price="8.04", time_in_force="GTC"),
        ]
        await stage.send(*resting, executor=stage.executor(styles=frozenset({"GTC"})))
        real, asked = stage.venue.cancel, []

        async def breaks(symbol: str, client_id: str) -> bool:
            asked.append(symbol)
            if symbol == NEAR and len(asked) < 4:
                raise KeyError("orderId")
            await asyncio.sleep(0.01)
            return await real(symbol, client_id)

        stage.venue.cancel = breaks  # type: ignore[method-assign]  # an exchange as it may be
        log = silent_log(stage.clock)
        watch = KillWatch(stage.venue, stage.engine.guard, stage.journal, stage.clock, log)
        (stage.folder / "HALT").touch()
        await watch.look()
        assert [o.symbol for o in stage.world.hedge.open_orders()] == [NEAR]
        assert stage.engine.guard.halted
        for _ in range(3):
            await watch.tick()
        assert stage.world.hedge.open_orders() == []
        assert asked == [NEAR, RENDER, NEAR, NEAR]


async def test_a_cancel_that_was_lost_is_sent_again_until_it_is_heard_of() -> None:
    async with open_stage() as stage:
        resting = Piece(price="5.04", time_in_force="GTC")
        report = await stage.send(resting, executor=stage.executor(styles=frozenset({"GTC"})))
        ours, real, asked = report.results[0].request.client_id, stage.venue.cancel, []

        async def lossy(symbol: str, client_id: str) -> bool:
            asked.append(client_id)
            return len(asked) > 2 and await real(symbol, client_id)

        stage.venue.cancel = lossy  # type: ignore[method-assign]  # an exchange as it may be
        log = silent_log(stage.clock)
        watch = KillWatch(stage.venue, stage.engine.guard, stage.journal, stage.clock, log)
        (stage.folder / "HALT").touch()
        await watch.look()
        assert [o.client_id for o in stage.world.hedge.open_orders()] == [ours]
        for _ in range(4):
            await watch.look()
            await watch.tick()
        assert stage.world.hedge.open_orders() == []
        assert asked == [ours] * 3, "and not once more when it is over"
        assert stage.engine.guard.open_ids() == {}


def test_resume_withdraws_what_a_halt_asked_to_close(state: Path, capsys: Shown) -> None:
    document(capsys, "halt", "--flatten", "--state", str(state), "--reason", "news")
    assert (state / "FLATTEN").exists()
    document(capsys, "resume", "--state", str(state), "--reason", "no news after all")
    assert not (state / "FLATTEN").exists(), "the next halt would close every hedge"


async def test_all_is_closed_only_once_nothing_can_fill_any_more() -> None:
    async with open_stage() as stage:
        resting = Piece(price="5.04", time_in_force="GTC")
        await stage.send(resting, executor=stage.executor(styles=frozenset({"GTC"})))
        real, heard = stage.venue.cancel, False

        async def cancel(symbol: str, client_id: str) -> bool:
            return heard and await real(symbol, client_id)

        stage.venue.cancel = cancel  # type: ignore[method-assign]  # an exchange as it may be
        (stage.folder / "HALT").write_text("somebody says so")
        ask(stage.folder, FLATTEN_NAME, Asked("ann", "out of everything"))
        assert (await stage.engine.cycle()).status == "halted"
        assert stage.engine.guard.flattens, "an order rests, and may fill yet"
        heard = True
        assert (await stage.engine.cycle()).status == "halted"
        assert not stage.engine.guard.flattens
        assert len(stage.journal.events(kind="flattened")) == 1


async def test_a_long_and_a_short_of_one_size_are_closed_one_after_the_other() -> None:
    """In hedge mode; a copy of an order or a late fill may leave both."""
    async with open_stage() as stage:
        name = stage.venue.account_name
        stage.world.exchange.set_position_mode(stage.world.hedge, hedge=True)
        for side, leg, price in ((Side.BUY, "LONG", "5.04"), (Side.SELL, "SHORT", "4.96")):
            one = order(
                f"h1{leg}", symbol=NEAR, side=side, quantity="20", price=price, intent_id=leg
            )
            one = replace(one, position_side=leg)
            stage.journal.record_intents([IntentRecord(leg, "c0", name, NEAR, Decimal(20))])
            stage.journal.mark_sending(one, account=name, leg="open-0", attempt=0)
            stage.journal.record_outcome(await stage.venue.place(one))
            await book_fills(stage.journal, stage.venue, NEAR, stage.clock)
        held = {(NEAR, "LONG"): Decimal(20), (NEAR, "SHORT"): Decimal(-20)}
        assert stage.journal.own_positions(name) == held
        (stage.folder / "HALT").write_text("somebody says so")
        ask(stage.folder, FLATTEN_NAME, Asked("ann", "out of everything"))
        await stage.clock.sleep(10)  # or they are taken for copies of the orders before
        await stage.engine.cycle()
        assert stage.journal.own_positions(name) == {(NEAR, "SHORT"): Decimal(-20)}, (
            "what is left is a hedge of the bot's long"
        )
        assert stage.engine.guard.flattens
        assert stage.journal.events(kind="flattened") == []
        for _ in range(2):
            await stage.engine.cycle()
        assert stage.journal.own_positions(name) == {}
        assert len(stage.journal.events(kind="flattened")) == 1
        assert not any(one.quantity for one in stage.world.hedge.positions.values())


async def test_what_is_less_than_a_lot_ends_a_flatten_and_is_told() -> None:
    """In hedge mode the rests of two sides: no order can close them, now or later."""
    async with open_stage() as stage:
        stage.world.exchange.set_position_mode(stage.world.hedge, hedge=True)
        await stage.engine.cycle()
        lot = stage.world.exchange.instruments[NEAR].lot
        dust = {(NEAR, "LONG"): lot / 2, (NEAR, "SHORT"): -lot / 4}
        own = stage.journal.own_positions

        def with_dust(account: str) -> dict[tuple[str, str], Decimal]:
            return {**own(account), **dust}

        stage.journal.own_positions = with_dust  # type: ignore[method-assign]  # the books as they may be
        stage.world.exchange.restore_account(
            stage.venue.account_name,
            Decimal(100_000),
            {key: (held, Decimal(5)) for key, held in dust.items()},
        )
        (stage.folder / "HALT").write_text("somebody says so")
        ask(stage.folder, FLATTEN_NAME, Asked("ann", "out of everything"))
        sent = stage.orders_received
        record = await stage.engine.cycle()
        assert record.status == "halted"
        assert f"no order can close what is held of {NEAR}" in record.reason
        assert stage.orders_received == sent
        assert not stage.engine.guard.flattens
        assert len(stage.journal.events(kind="flattened")) == 1


async def test_a_rest_on_the_other_side_keeps_no_lot_from_being_closed() -> None:
    """In hedge mode, after the exchange has made its lots larger."""
    async with open_stage() as stage:
        stage.world.exchange.set_position_mode(stage.world.hedge, hedge=True)
        await stage.engine.cycle()
        lot = stage.world.exchange.instruments[NEAR].lot
        held = {(NEAR, "LONG"): lot, (NEAR, "SHORT"): -lot / 2}
        stage.journal.own_positions = lambda _account: held  # type: ignore[method-assign]  # the books as they may be
        stage.world.exchange.restore_account(
            stage.venue.account_name,
            Decimal(100_000),
            {key: (one, Decimal(5)) for key, one in held.items()},
        )
        (leg,) = [one for one in flattening(await stage.engine.look()).legs if one.symbol == NEAR]
        assert leg.trade_usd == pytest.approx(-float(lot) * leg.price_usd)


@pytest.mark.parametrize("broken", [False, True])
async def test_an_engine_that_ends_leaves_nothing_resting(broken: bool) -> None:
    async with open_stage() as stage:
        resting = Piece(price="5.04", time_in_force="GTC")
        await stage.send(resting, executor=stage.executor(styles=frozenset({"GTC"})))
        stage.world.other_places(NEAR, Side.BUY, Decimal(10), "bots-own", Decimal("4.5"))
        log = silent_log(stage.clock)
        watch = KillWatch(stage.venue, stage.engine.guard, stage.journal, stage.clock, log)
        async with _watched(watch, simulated=False):
            stage.journal._broken = broken
        assert [o.client_id for o in stage.world.hedge.open_orders()] == ["bots-own"]
        stage.journal._broken = False
