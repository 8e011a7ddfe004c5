"""Trips of the controls that remember: rates, plans, modes, holds, clocks, alerts."""

from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from bot.alerts import ALERTS_NAME, alert_channels
from bot.controls.guard import Guard
from bot.errors import UnreachableError
from bot.faults.engine import BandStrategy, FaultEngine, policy
from bot.logs import silent_log
from bot.ports import VenueAccount
from bot.selftest.halts import blocked, halted_all, halted_symbol
from bot.selftest.stage import NEAR, Piece, Stage
from bot.selftest.trip import Trip, must, must_deny
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.proposal import HedgeProposal, NoHedge

_SECOND_MS = 1_000


async def _rate(stage: Stage) -> str:
    """On a machine that wakes sleepers at once, so that none waits for its turn."""
    executor = stage.executor()
    stage.clock.wakes_early = True
    report = await stage.send(*(Piece(quantity="10") for _ in range(8)), executor=executor)
    names = [one.denied.control for one in report.results if one.denied is not None]
    must(stage.orders_received == executor.guard.limits.messages_per_second, "too many left")
    must(names == ["message_rate", "message_rate", "message_storm"], f"denied by {names}")
    await blocked(stage)
    return f"5 orders left, 3 denied; {halted_all(stage)}"


class _Worse(BandStrategy):
    """Buys what the bot has too much of."""

    def decide(self, facts: HedgeFacts, choices: HedgeChoices) -> HedgeProposal | NoHedge:
        found = super().decide(facts, choices)
        if not isinstance(found, HedgeProposal):
            return found
        return replace(found, before=found.after, after=found.before)


class _Turning(BandStrategy):
    """Turns the first hedge round."""

    def decide(self, facts: HedgeFacts, choices: HedgeChoices) -> HedgeProposal | NoHedge:
        found = super().decide(facts, choices)
        if not isinstance(found, HedgeProposal):
            return found
        first, *rest = found.legs
        turned = replace(first, current_usd=300.0, trade_usd=first.target_usd - 300.0)
        return replace(found, legs=(turned, *rest))


async def _plan(stage: Stage) -> str:
    stage.world.bot_trades("FET/USDT:USDT", 6_000)
    seen = ""
    for strategy in (_Turning(), _Worse()):
        parts = replace(stage.engine._parts, strategy=strategy)
        engine = FaultEngine(parts, policy())
        await engine.start()
        stage.world.advance(5 * _SECOND_MS)
        record = await engine.cycle()
        must(record.status == "denied" and not stage.orders_received, f"it is {record.status}")
        seen = record.reason
    return seen


async def _modes(stage: Stage) -> str:
    await stage.engine.cycle()
    must(not stage.engine.guard.halted_symbols, "halted without a change")
    stage.world.hedge.leverage[NEAR] = 7
    stage.world.advance(60 * _SECOND_MS)
    await stage.engine.cycle()
    seen = halted_symbol(stage, NEAR, "account_mode")
    must(stage.world.hedge.leverage[NEAR] == 7, "the engine changed it")
    must_deny(await stage.send(Piece()), "symbol_halted")
    stage.world.hedge.leverage[NEAR] = 5
    stage.world.hedge.hedge_mode = True
    stage.world.advance(60 * _SECOND_MS)
    await stage.engine.cycle()
    must("*" in stage.engine.guard.halted_symbols, "another position mode goes unseen")
    stage.world.hedge.hedge_mode = False
    await stage.engine.cycle()
    must(not stage.engine.guard.halted_symbols, "still halted although all is as it was")
    return seen


async def _old_account(stage: Stage) -> None:
    """Positions 5.001 s old, then a balance 30.001 s old."""
    patient = stage.executor(positions_max_age_ms=60_000)
    for age_ms, executor, control in (
        (5_001, stage.executor(), "positions_age"),
        (30_001, patient, "balance_age"),
    ):
        then_ms = stage.clock.now_ms() - age_ms

        def aged(found: VenueAccount, then_ms: int = then_ms) -> VenueAccount:
            return replace(found, state=replace(found.state, timestamp_ms=then_ms))

        stage.venue.bend_account = aged
        must_deny(await stage.send(Piece(), executor=executor), control)
    stage.venue.bend_account = lambda found: found


async def _hold(stage: Stage) -> str:
    stage.market.bend = lambda quote: replace(quote, timestamp_ms=quote.timestamp_ms - 3_001)
    seen = must_deny(await stage.send(Piece()), "mark_age")
    stage.market.bend = lambda quote: quote
    await _old_account(stage)
    await stage.engine.cycle()
    stage.source.fails = UnreachableError("the bot does not answer")
    await stage.engine.cycle()
    stage.world.advance(29_999)
    await stage.engine.cycle()
    must(not stage.engine.guard.alerts, "an alert too early")
    stage.world.advance(1)
    await stage.engine.cycle()
    must([a.control for a in stage.engine.guard.alerts] == ["hold"], "no alert after 30 s")
    stage.source.fails = None
    stage.world.advance(_SECOND_MS)
    await stage.engine.cycle()
    must(not stage.engine.guard.alerts, "the hold does not end by itself")
    return seen + "; alert after 30 s, ended by itself"


async def _clock(stage: Stage) -> str:
    guard = stage.engine.guard
    for offset_ms, control in ((500, ""), (501, "clock_offset"), (1_000, "clock_halt")):
        stage.clock.ahead_ms = offset_ms
        stage.world.advance(60 * _SECOND_MS)
        await stage.engine.cycle()
        must(guard.clock_offset_ms == -offset_ms, "the clock was not read")
        report = await stage.send(Piece(quantity=str(offset_ms // 10)))
        if control:
            seen = must_deny(report, control)
        else:
            must(report.fills, "half a second is denied")
    await blocked(stage)
    halted_all(stage)
    return seen


async def _alerts(stage: Stage) -> str:
    """A webhook that nobody answers, the file behind it, and ten minutes of silence."""
    nobody = SecretStr("http://127.0.0.1:9/")  # the port for what is thrown away
    log = silent_log(stage.clock)
    guard = Guard(
        stage.journal,
        stage.clock,
        stage.venue.account_name,
        stage.limits,
        switch=stage.switch,
        channels=alert_channels(log, stage.folder, nobody),
    )
    stage.venue.bend_fills = lambda fills: [replace(f, fee_usd=None) for f in fills]
    await stage.send(Piece(), executor=stage.executor())
    guard.review(100_000.0)
    must([a.control for a in guard.alerts] == ["missing_fee"], "no alert of a fee that is missing")
    (stage.folder / ALERTS_NAME).mkdir()  # so that the file cannot be written either
    await guard.tell()
    (stage.folder / ALERTS_NAME).rmdir()
    must(stage.recorded("alert_undelivered"), "nobody heard it, and that is not written down")
    await guard.tell()
    told: dict[str, Any] = dict(stage.journal.events(kind="alert_told")[-1].document)
    must(told["channel"] == "file" and "webhook" in told["failures"], f"told is {told}")
    must(told["after_ms"] <= 5_000, "told too late")
    must("missing_fee" in (stage.folder / ALERTS_NAME).read_text(), "the file does not tell it")
    stage.world.advance(599_999)
    guard.tick()
    must(guard.halted is None, "halted too early")
    stage.world.advance(1)
    guard.tick()
    must(guard.halted is not None, "not halted after ten minutes")
    return f"told by {told['channel']}, not by the webhook; {guard.halted}"


TRIPS = (
    Trip(6, "eight orders at once, by a clock that wakes whoever waits", _rate,
         ("message_rate", "message_storm")),
    Trip(12, "a plan that turns a hedge, one that adds risk", _plan, ("plan",)),
    Trip(14, "leverage, then position mode changed", _modes, ("account_mode",)),
    Trip(17, "a mark price 3.001 s old; 30 s without the bot", _hold,
         ("mark_age", "positions_age", "balance_age", "hold")),
    Trip(22, "our clock 501 ms, then 1,000 ms ahead of the exchange's", _clock,
         ("clock_offset", "clock_halt")),
    Trip(29, "a webhook that nobody answers; ten minutes of silence", _alerts,
         ("alert_undelivered", "unacknowledged")),
)  # fmt: skip
