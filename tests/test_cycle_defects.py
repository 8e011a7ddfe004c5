"""Defects of the engine itself, a journal that fails, and being told to stop in the middle."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.cli.exits import exit_code, one_line
from bot.errors import JournalError
from bot.halt import HaltSwitch
from bot.records.cycle import CycleStatus
from bot.report.page import write_report
from bot.requests import RESUME_NAME, Asked, ask
from bot.trading.orders import OrderState
from tests.cycle_scene import ACCOUNT, LONGS, Scene, open_scene, own_positions

GoOn = Callable[[], Awaitable[Any]]
SECRET = "canary-s3cret-0123456789"


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path) as opened:
        yield opened


def everything_written(scene: Scene) -> bytes:
    """Log and every file of the state directory."""
    files = [p.read_bytes() for p in scene.folder.rglob("*") if p.is_file()]
    return scene.echo.getvalue().encode() + b"".join(files)


@pytest.mark.parametrize("call", ["account", "quotes", "bars", "instruments", "funding"])
async def test_a_defect_while_looking_holds_the_cycle_and_is_told(scene: Scene, call: str) -> None:
    scene.faults.by_call[call] = KeyError(SECRET)
    record = await scene.cycle()
    assert record.status is CycleStatus.HELD
    assert record.reason.startswith("a defect of perphedge: KeyError at ")
    assert scene.venue.placed == []
    [told] = [e for e in scene.events if e["event"] == "defect"]
    assert (told["level"], told["trading"]) == ("error", False)
    assert any("cycle.py" in place for place in told["places"])
    [noted] = scene.journal.events(kind="defect")
    assert noted.cycle_id == record.cycle_id
    assert not scene.halt_file.exists(), "nothing was traded, so it may try again"
    assert SECRET.encode() not in everything_written(scene), "messages may quote anything"
    scene.faults.by_call.clear()
    assert (await scene.cycle()).status is CycleStatus.HEDGED


async def test_a_defect_while_trading_halts_until_somebody_has_looked(scene: Scene) -> None:
    async def broken(go_on: GoOn) -> Any:
        outcome = await go_on()
        if len(scene.venue.placed) == 2:
            raise ZeroDivisionError(SECRET)
        return outcome

    scene.faults.by_call["place"] = broken
    record = await scene.cycle()
    assert record.status is CycleStatus.HEDGED, "the first order was filled"
    assert [o.state for o in record.orders] == ["filled", "unknown"]
    assert record.fills
    assert "a defect of perphedge: ZeroDivisionError" in record.reason
    assert "trading is halted until somebody has looked" in record.reason
    assert record.volatility_unhedged_daily_usd, "what was seen stays in the record"
    assert record.hedge_gross_usd is None, "what came of it is not known"
    text = scene.halt_file.read_text()
    assert "ZeroDivisionError" in text
    assert record.cycle_id in text
    assert SECRET.encode() not in everything_written(scene)

    scene.faults.by_call.clear()
    scene.advance(0.01)
    halted = await scene.cycle()
    assert halted.status is CycleStatus.HALTED
    assert len(scene.venue.placed) == 2
    account = await scene.venue.account()
    assert own_positions(scene) == account.base_quantity, "reconciled all the same"
    page = scene.folder / "report.html"
    write_report([record.document(), halted.document()], page, title="test")
    assert page.stat().st_size > 1000

    scene.halt_file.unlink()
    scene.advance(0.01)
    assert (await scene.cycle()).status is CycleStatus.HALTED
    assert "ZeroDivisionError" in scene.halt_file.read_text(), "only a named resume lifts it"
    ask(scene.folder, RESUME_NAME, Asked("ann", "looked into it"))
    scene.advance(0.01)
    assert (await scene.cycle()).status is CycleStatus.HEDGED


async def test_a_restart_after_a_defect_is_still_halted(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        scene.faults.by_call["place"] = AttributeError("x")
        first = await scene.cycle()
        assert first.status is CycleStatus.HELD
        assert [o.state for o in first.orders] == ["unknown"]
    async with open_scene(tmp_path) as scene:
        record = await scene.cycle()
        assert record.status is CycleStatus.HALTED
        assert scene.venue.placed == []


async def test_a_journal_that_fails_stops_the_engine_in_one_line(scene: Scene) -> None:
    scene.journal._connection.execute(
        "CREATE TRIGGER no BEFORE INSERT ON orders BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    with pytest.raises(JournalError) as caught:
        await scene.engine.cycle()
    assert exit_code(caught.value) == 6
    assert "no room" in one_line(caught.value)
    assert "\n" not in str(caught.value)
    assert scene.venue.placed == []
    last = scene.events[-1]
    assert (last["event"], last["level"]) == ("journal_failed", "error")
    assert last["cycle_id"]


async def test_a_cycle_that_cannot_be_written_down_stops_the_engine(scene: Scene) -> None:
    scene.journal._connection.execute(
        "CREATE TRIGGER no BEFORE INSERT ON cycles BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    with pytest.raises(JournalError, match="record cycle"):
        await scene.engine.cycle()
    assert not [e for e in scene.events if e["event"] == "cycle"], "no record, no claim"
    assert own_positions(scene) == (await scene.venue.account()).base_quantity


async def test_a_held_cycle_that_cannot_be_written_down_stops_the_engine(scene: Scene) -> None:
    scene.faults.by_call["account"] = KeyError("x")
    scene.journal._connection.execute(
        "CREATE TRIGGER no BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    with pytest.raises(JournalError, match="no room"):
        await scene.engine.cycle()


async def test_told_to_stop_in_a_send_leaves_the_truth(scene: Scene) -> None:
    sending = asyncio.Event()

    async def hangs(go_on: GoOn) -> Any:
        await go_on()
        sending.set()
        await asyncio.sleep(3600)

    scene.faults.by_call["place"] = hangs
    task = asyncio.ensure_future(scene.engine.cycle())
    await sending.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    [row] = scene.journal.unresolved_orders(ACCOUNT)
    assert row.state is OrderState.UNKNOWN
    [document] = scene.journal.cycles()
    assert document["status"] == "held"
    assert document["reason"] == "the engine was told to stop in this cycle"
    assert [o["state"] for o in document["orders"]] == ["unknown"]
    assert [e["status"] for e in scene.events if e["event"] == "cycle"] == ["held"]
    scene.faults.by_call.clear()
    await scene.engine.start()
    assert scene.journal.unresolved_orders(ACCOUNT) == ()
    assert own_positions(scene) == (await scene.venue.account()).base_quantity


async def test_a_log_that_cannot_be_written_disturbs_nothing(scene: Scene) -> None:
    class Gone:
        def isatty(self) -> bool:
            return False

        def write(self, _text: str) -> int:
            raise BrokenPipeError

        def flush(self) -> None:
            pass

    from bot.logs import open_log

    folder = scene.folder / "log"
    folder.write_text("a file where a folder should be")
    log = open_log(folder / "hedge.jsonl", scene.clock, echo=Gone())  # type: ignore[arg-type]  # half a stream
    scene.engine._parts = replace(scene.engine._parts, log=log)
    assert (await scene.engine.cycle()).status is CycleStatus.HEDGED


def test_a_switch_that_cannot_be_written_is_on_all_the_same(tmp_path: Path) -> None:
    switch = HaltSwitch(tmp_path / "nowhere")
    assert switch.reason is None
    switch.trip("a defect")
    assert switch.reason is not None
    assert switch.reason.startswith("a defect (")
    assert "cannot be written: No such file" in switch.reason


def test_the_switch_keeps_the_first_reason_and_reads_no_more_than_a_page(tmp_path: Path) -> None:
    switch = HaltSwitch(tmp_path)
    switch.trip("first")
    switch.trip("second")
    assert switch.reason == "first"
    (tmp_path / "HALT").write_bytes(b"\xff" * 1_000_000)
    assert len(switch.reason or "") <= 2000
    (tmp_path / "HALT").unlink()
    assert switch.reason is None


def test_a_broken_link_a_pipe_and_a_folder_are_on(tmp_path: Path) -> None:
    import os

    switch, path = HaltSwitch(tmp_path), tmp_path / "HALT"
    path.symlink_to(tmp_path / "nothing")
    assert switch.reason == f"{path} is a broken link"
    path.unlink()
    os.mkfifo(path)
    assert switch.reason == f"{path} exists"
    path.unlink()
    path.mkdir()
    assert switch.reason == f"{path} cannot be read: Is a directory"


async def test_records_are_strict_json(scene: Scene) -> None:
    record = await scene.cycle()
    text = json.dumps(record.document(), allow_nan=False)
    assert json.loads(text)["status"] == "hedged"
    assert set(LONGS) <= {leg["symbol"] for leg in json.loads(text)["legs"]}
