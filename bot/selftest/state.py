"""Trips of the controls that remember: rates, fills, positions, modes, clocks, alerts."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from pydantic import SecretStr

from bot.alerts import ALERTS_NAME, alert_channels
from bot.controls.books import Income
from bot.controls.guard import Guard
from bot.errors import UnreachableError
from bot.faults.engine import BandStrategy, FaultEngine, policy
from bot.logs import silent_log
from bot.ports import VenueAccount
from bot.requests import Asked
from bot.selftest.stage import NEAR, RENDER, Piece, Stage
from bot.selftest.trip import Trip, must, must_deny
from bot.trading.orders import Fill, Side
from strategies.inputs import HedgeChoices, HedgeFacts
from strategies.proposal import HedgeProposal, NoHedge

_SECOND_MS = 1_000
_BOOKS = ("unknown_income", "missing_fee", "fee_differs", "funding_incomplete", "liquidation_fee",
          "closed_by_others")  # fmt: skip


def _halted_symbol(stage: Stage, symbol: str, control: str) -> str:
    halted = stage.engine.guard.halted_symbols
    must(symbol in halted, f"not halted; halted are {dict(halted)}")
    must("symbol_halted" in [e.kind for e in stage.journal.events()], "no record of the halt")
    must(stage.recorded(control), f"the journal does not name {control}")
    return halted[symbol]


def _halted_all(stage: Stage) -> str:
    halted = stage.engine.guard.halted
    must(halted is not None, "not halted")
    must(stage.switch.reason is not None, "the halt file is not there")
    return str(halted)


async def _blocked(stage: Stage) -> None:
    before = stage.orders_received
    await stage.send(Piece(RENDER, quantity="20"))
    must(stage.orders_received == before, "an order left although all is halted")


async def _slippage(stage: Stage) -> str:
    stage.market.bend = lambda quote: replace(quote, bid=quote.mark * 0.9955)
    await stage.send(Piece(price="4.951"))
    must(NEAR not in stage.engine.guard.halted_symbols, "45 bp are halted")
    stage.world.advance(3 * _SECOND_MS)
    stage.market.bend = lambda quote: replace(quote, bid=quote.mark * 0.992)
    await stage.send(Piece(price="4.951", quantity="200"))
    return _halted_symbol(stage, NEAR, "slippage")


async def _rate(stage: Stage) -> str:
    """By a sender that does not wait for its turn."""
    executor = stage.executor()
    # The self-test must not wait where an engine would.
    executor.guard.wait_ms = lambda: 0  # type: ignore[method-assign]
    report = await stage.send(*(Piece(quantity="10") for _ in range(8)), executor=executor)
    names = [one.denied.control for one in report.results if one.denied is not None]
    must(stage.orders_received == executor.guard.limits.messages_per_second, "too many left")
    must(names == ["message_rate", "message_rate", "message_storm"], f"denied by {names}")
    await _blocked(stage)
    return f"5 orders left, 3 denied; {_halted_all(stage)}"


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
    seen = _halted_symbol(stage, NEAR, "account_mode")
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
        stage.venue.offset_ms = offset_ms
        stage.world.advance(60 * _SECOND_MS)
        await stage.engine.cycle()
        must(guard.clock_offset_ms == offset_ms, "the clock was not read")
        report = await stage.send(Piece(quantity=str(offset_ms // 10)))
        if control:
            seen = must_deny(report, control)
        else:
            must(report.fills, "half a second is denied")
    await _blocked(stage)
    _halted_all(stage)
    return seen


async def _spending(stage: Stage) -> str:
    tight = stage.executor(max_daily_turnover=0.0009)
    await stage.send(Piece(RENDER, quantity="10"), executor=tight)
    must_deny(await stage.send(Piece(), executor=tight), "turnover")
    await stage.send(
        Piece(quantity="50"), executor=stage.executor(max_daily_cost=1e-6, max_daily_turnover=3.0)
    )
    seen = _halted_all(stage)
    must(stage.recorded("daily_cost"), "the journal does not name it")
    await _blocked(stage)
    guard = stage.engine.guard
    guard.resume(Asked("selftest", "to spend again"))
    stage.world.advance(3 * _SECOND_MS)
    await stage.send(Piece(RENDER, quantity="20"), executor=stage.executor(max_daily_cost=1.0))
    guard.limits = replace(guard.limits, max_daily_turnover=1e-6)
    guard.review(100_000.0)
    _halted_all(stage)
    return seen


async def _gate(stage: Stage) -> str:
    seen = must_deny(await stage.send(Piece(), Piece(), intent_share=0.5), "last_gate")
    must(stage.orders_received == 1, "more left than was meant to be traded")
    _halted_all(stage)
    return seen


async def _booking(stage: Stage) -> str:
    def twice(fills: list[Fill]) -> list[Fill]:
        return [*fills, *(replace(one, trade_id=f"{one.trade_id}-again") for one in fills)]

    stage.venue.bend_fills = twice
    await stage.send(Piece())
    seen = _halted_symbol(stage, NEAR, "order_overfilled")
    stage.venue.bend_fills = lambda fills: fills
    await stage.send(Piece(RENDER, quantity="20"))
    stage.venue.bend_fills = lambda fills: [replace(f, quantity=f.quantity + 1) for f in fills]
    stage.world.advance(3 * _SECOND_MS)
    await stage.send(Piece(RENDER, quantity="30"))
    stage.engine.guard.review(100_000.0)
    _halted_symbol(stage, RENDER, "fill_contradiction")
    return seen


async def _position(stage: Stage) -> str:
    """Somebody else trades whenever we do."""
    more = Decimal(0)

    def bent(found: VenueAccount) -> VenueAccount:
        nonlocal more
        more += 1
        held = dict(found.base_quantity)
        held[NEAR, "BOTH"] = held.get((NEAR, "BOTH"), Decimal(0)) - more
        return replace(found, base_quantity=held)

    stage.venue.bend_account = bent
    must_deny(await stage.send(Piece(), Piece(quantity="30")), "position")
    must(NEAR not in stage.engine.guard.halted_symbols, "halted at the first time")
    stage.world.advance(3 * _SECOND_MS)
    await stage.send(Piece(quantity="50"))
    return _halted_symbol(stage, NEAR, "position_mismatch")


async def _fill_price(stage: Stage) -> str:
    stage.venue.bend_fills = lambda fills: [replace(f, price=Decimal("4.97")) for f in fills]
    await stage.send(Piece(price="4.975"))
    seen = _halted_symbol(stage, NEAR, "fill_price")
    stage.venue.bend_fills = lambda fills: [replace(f, price=f.price * 2) for f in fills]
    await stage.send(Piece(RENDER, quantity="20"))
    _halted_symbol(stage, RENDER, "fill_price")
    return seen


async def _books(stage: Stage) -> str:
    """What the exchange lists, and our books do not hold or hold otherwise."""
    stage.venue.bend_fills = lambda fills: [replace(f, fee_usd=None) for f in fills]
    await stage.send(Piece())
    stage.venue.bend_fills = lambda fills: [replace(f, fee_usd=Decimal(7)) for f in fills]
    await stage.send(Piece(RENDER, quantity="20"))
    stage.venue.bend_fills = lambda fills: fills
    stage.world.other_places(NEAR, Side.BUY, Decimal(40), "adl", reduce_only=True)
    now_ms = stage.clock.now_ms()
    stage.venue.strange_income = (
        Income("1", "LUNAR_TAX", NEAR, "-3", now_ms),
        Income("2", "FUNDING_FEE", NEAR, "-1.5", now_ms),
        Income("3", "INSURANCE_CLEAR", RENDER, "-9", now_ms),
    )
    # Funding may be listed two hours late; then what was not booked never will be.
    for seconds in (3, 3, 3, 7_300, 700):
        stage.world.advance(seconds * _SECOND_MS)
        await stage.engine.cycle()
    alerts = {alert.control: alert.text for alert in stage.engine.guard.alerts}
    missing = set(_BOOKS) - alerts.keys()
    must(not missing, f"unseen: {sorted(missing)}")
    return alerts["funding_incomplete"]


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
    Trip(5, "fills 45 bp, then 80 bp below the mark", _slippage, ("slippage",)),
    Trip(6, "eight orders at once by a sender that does not wait", _rate,
         ("message_rate", "message_storm")),
    Trip(12, "a plan that turns a hedge, one that adds risk", _plan, ("plan",)),
    Trip(14, "leverage, then position mode changed", _modes, ("account_mode",)),
    Trip(17, "a mark price 3.001 s old; 30 s without the bot", _hold,
         ("mark_age", "positions_age", "balance_age", "hold")),
    Trip(22, "a clock 501 ms, then 1,000 ms off", _clock, ("clock_offset", "clock_halt")),
    Trip(23, "turnover, then cost above the day's limits", _spending,
         ("turnover", "daily_cost", "daily_turnover")),
    Trip(24, "two orders of an intent for one", _gate, ("last_gate",)),
    Trip(25, "a trade told twice, one told otherwise", _booking,
         ("order_overfilled", "fill_contradiction")),
    Trip(26, "positions that move otherwise, twice", _position,
         ("position", "position_mismatch")),
    Trip(27, "fills beyond the limit and outside the collar", _fill_price, ("fill_price",)),
    Trip(28, "income, fees, funding and closes that our books do not hold", _books, _BOOKS),
    Trip(29, "a webhook that nobody answers; ten minutes of silence", _alerts,
         ("alert_undelivered", "unacknowledged")),
)  # fmt: skip
