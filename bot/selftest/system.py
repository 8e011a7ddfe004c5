"""Trips of the controls around the engine: switches, locks, keys, configuration, journal."""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from bot import requests
from bot.controls.asking import require_harmless_key
from bot.controls.raised import limits_of
from bot.errors import JournalError, LockHeldError, SafetyError
from bot.faults.engine import build_engine, settings
from bot.kill import KillWatch
from bot.lock import EngineLock, engine_state
from bot.logs import silent_log
from bot.selftest.stage import NEAR, RENDER, Piece, Stage
from bot.selftest.trip import Trip, must
from bot.trading.orders import OrderState, Side
from bot.wiring import Surroundings, open_engine
from config.errors import ConfigError
from config.load import settings_from

_RESTING = {"styles": frozenset({"GTC"})}


async def _consent(stage: Stage) -> str:
    folder = stage.folder / "live"
    with engine_state(folder, stage.clock):
        pass
    live = settings().model_copy(update={"mode": "live", "state_dir": folder})
    found = []
    for typed in (None, "another"):
        around = Surroundings(clock=stage.clock, simulated=True, live_account=typed)
        try:
            async with open_engine(live, around, silent_log(stage.clock)):
                pass
        except SafetyError as error:
            found.append(str(error))
    must(len(found) == 2, "live trading began without consent")
    with engine_state(folder, stage.clock) as journal:
        stage.elsewhere = {str(e.document["control"]) for e in journal.events(kind="refused")}
    return found[0]


async def _rest(stage: Stage, beside: str = "h1-bots-own") -> str:
    """One order of ours and one of somebody else's rest in the book; the id of ours."""
    report = await stage.send(
        Piece(price="5.04", time_in_force="GTC"), executor=stage.executor(**_RESTING)
    )
    must(report.results[0].state is OrderState.LIVE, f"it does not rest: {report.results[0]}")
    stage.world.other_places(NEAR, Side.BUY, Decimal(10), beside, Decimal("4.5"))
    return report.results[0].request.client_id


def _open_ids(stage: Stage) -> set[str]:
    world = stage.world
    return {one.client_id for one in world.exchange.open_orders(world.hedge)}


def _watch(stage: Stage) -> KillWatch:
    log = silent_log(stage.clock)
    return KillWatch(stage.venue, stage.engine.guard, stage.journal, stage.clock, log)


async def _kill(stage: Stage) -> str:
    """With the journal gone as well."""
    ours = await _rest(stage)
    journal, watch = stage.journal, _watch(stage)
    before = stage.orders_received
    stage.switch.trip("the self-test says so")
    started = time.perf_counter()
    report = await stage.send(Piece(RENDER, quantity="50"))
    blocked_ms = (time.perf_counter() - started) * 1000
    must(report.halted and stage.orders_received == before, "an order left after the switch")
    real, journal._connection = journal._connection, sqlite3.connect(":memory:")
    try:
        await watch.look()
    finally:
        journal._connection = real
    cancelled_ms = (time.perf_counter() - started) * 1000
    must(ours not in _open_ids(stage), "our order is still open")
    must("h1-bots-own" in _open_ids(stage), "somebody else's order is gone")
    must(blocked_ms < 100 and cancelled_ms < 2000, "too slow")
    await stage.engine.cycle()
    return "no order left; ours cancelled without the journal, the bot's stayed"


async def _flattens(stage: Stage) -> str:
    await stage.send(Piece())
    stage.world.advance(3_000)
    seen = await _kill(stage)
    must(stage.world.hedge.held(NEAR), "closed without being told to")
    requests.ask(stage.folder, requests.FLATTEN_NAME, requests.Asked("selftest", "flatten"))
    stage.world.advance(3_000)
    await stage.engine.cycle()
    must(not stage.world.hedge.held(NEAR), "not closed although told to")
    return seen + "; hedges closed only when told to"


async def _watchdog(stage: Stage) -> str:
    ours = await _rest(stage)
    watch = _watch(stage)
    stage.world.advance(59_000)
    await watch.tick()
    must(ours in _open_ids(stage), "cancelled too early")
    stage.world.advance(2_000)
    await watch.tick()
    must(ours not in _open_ids(stage), "still open after a minute")
    must("h1-bots-own" in _open_ids(stage), "somebody else's order is gone")
    await _dead_man(stage)
    return "ours was cancelled after 60 s, the bot's stayed; alone, the exchange cancelled it"


async def _dead_man(stage: Stage) -> None:
    """In an account of our own: kept from firing while we live, and fired when we do not."""
    guard = stage.engine.guard
    guard.limits = replace(guard.limits, dead_man_ms=30_000)
    watch, ours = _watch(stage), await _rest(stage, "h1-bots-other")
    for _ in range(4):
        await watch.tick()
        stage.world.advance(9_000)
    must(ours in _open_ids(stage), "it fired although it was renewed")
    with stage.venue.deaf():
        await watch.tick()
    must(stage.recorded("dead_man"), "nobody was told that it cannot be armed")
    stage.world.advance(31_000)
    must(ours not in _open_ids(stage), "it did not fire")


async def _restart(stage: Stage) -> str:
    """Halted by real causes: a day's cost, and fills far from the mark price."""
    stage.market.bend = lambda quote: replace(quote, bid=quote.mark * 0.992)
    await stage.send(Piece(price="4.951", quantity="200"))
    must(NEAR in stage.engine.guard.halted_symbols, "slippage halts no symbol")
    stage.market.bend = lambda quote: quote
    await stage.send(Piece(RENDER, quantity="50"), executor=stage.executor(max_daily_cost=1e-6))
    must(stage.engine.guard.halted, "cost halts nothing")
    stage.switch.clear()
    fresh = await _again(stage)
    must(fresh.engine.guard.halted, "removing the file was enough")
    must(NEAR in fresh.engine.guard.halted_symbols, "the symbol was forgotten")
    record = await fresh.engine.cycle()
    must(record.status == "halted", f"it is {record.status}")
    for asked in (requests.Asked("", "why not"), requests.Asked("somebody", "")):
        requests.ask(stage.folder, requests.RESUME_NAME, asked)
        must((await fresh.engine.cycle()).status == "halted", "resumed without name or reason")
    requests.ask(stage.folder, requests.RESUME_NAME, requests.Asked("somebody", "looked"))
    record = await fresh.engine.cycle()
    must(record.status != "halted", "not resumed")
    resumed = [e for e in stage.journal.events() if e.kind == "resumed"]
    must(resumed and resumed[0].document["by"] == "somebody", "resumed without a record")
    return "still halted without the file and after a new start; resumed by somebody: looked"


async def _again(stage: Stage) -> Stage:
    """A new engine on the same journal, as after a restart."""
    stage.engine = build_engine(stage.doors(), stage.journal)
    stage.engine.guard.start(limits_of(settings()))
    await stage.engine.start()
    return stage


async def _second(stage: Stage) -> str:
    try:
        EngineLock(stage.folder).acquire()
    except LockHeldError as error:
        return str(error).partition(";")[0]
    must(False, "a second engine got the lock")
    return ""


async def _not_reconciled(stage: Stage) -> str:
    stage.world.bot_trades("FET/USDT:USDT", 6_000)
    record = await stage.engine.cycle()
    must(record.status == "denied" and not stage.orders_received, f"it is {record.status}")
    await stage.engine.start()
    stage.world.advance(5_000)
    must((await stage.engine.cycle()).status == "hedged", "not hedged after reconciliation")
    return record.reason


async def _key(stage: Stage) -> str:
    account, seen = stage.world.hedge, []
    for change in ({"key_withdraws": True}, {"key_transfers": True}, {"key_ip_bound": False}):
        for name, value in change.items():
            before = getattr(account, name)
            setattr(account, name, value)
            try:
                await require_harmless_key(stage.venue, stage.journal)
            except SafetyError as error:
                seen.append(str(error))
            setattr(account, name, before)
    must(len(seen) == 3, "a key was taken")
    must(await require_harmless_key(stage.venue, stage.journal) == "", "a harmless key is refused")
    return seen[0]


async def _raised(stage: Stage) -> str:
    document = {"mode": "paper", "state_dir": "x", "venue": {"exchange": "binanceusdm"}}
    bad = {**document, "controls": {"max_order_usdd": 1.0}}
    refused = _config_error(lambda: settings_from(bad, where="selftest", base=Path()))
    must("max_order_usdd" in refused, f"an unknown key was taken: {refused}")
    guard, usual = stage.engine.guard, settings()
    lower = {"max_order_usd": 1000.0, "min_free_margin": 0.4}
    careful = usual.model_copy(update={"controls": usual.controls.model_copy(update=lower)})
    guard.start(limits_of(usual))
    must(guard.halted is None, "the first start is halted")
    guard.start(limits_of(careful))
    must(guard.halted is None, "lower limits are halted")
    guard.start(limits_of(usual))
    must(guard.halted is not None, "raised limits went unseen")
    return str(guard.halted)


def _config_error(load: Callable[[], object]) -> str:
    try:
        load()
    except ConfigError as error:
        return str(error)
    return ""


async def _journal(stage: Stage) -> str:
    connection = stage.journal._connection
    connection.execute(
        "CREATE TRIGGER full BEFORE INSERT ON orders BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    try:
        await stage.send(Piece())
    except JournalError as error:
        must(not stage.orders_received, "an order left without a record")
        return str(error).partition(": ")[2]
    must(False, "nobody noticed")
    return ""


async def _table(stage: Stage) -> str:
    del stage
    return "this table"


TRIPS = (
    Trip(1, "live mode without the flag, and with another name", _consent, ("live_consent",)),
    Trip(30, "the halt file, with the journal gone", _flattens, ("kill_switch",)),
    Trip(31, "an order of ours that rests for a minute; an engine that is gone", _watchdog,
         ("watchdog", "dead_man")),
    Trip(32, "halts by cost and slippage, the file removed, a new engine", _restart,
         ("still_halted",)),
    Trip(33, "a second engine on the state directory", _second, ()),
    Trip(34, "a cycle before reconciliation", _not_reconciled, ("not_reconciled",), started=False),
    Trip(35, "keys that withdraw, transfer, or work anywhere", _key, ("key_permissions",)),
    Trip(36, "an unknown setting; limits raised at a start", _raised, ("limits_raised",)),
    Trip(37, "a journal that takes no order", _journal, ()),
    Trip(38, "every control tripped", _table, ()),
)  # fmt: skip
