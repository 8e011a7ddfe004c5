"""Turns a plan into what of it is due now, where hedges are large against the depth.

A leg that one slice bears goes out as it was planned. A larger one becomes a program; a program
that is under way goes on in place of a new leg of the same side, and ends where a new plan wants
nothing, or the other side, of its symbol.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from bot.errors import UnreachableError, VenueError
from bot.ports import Quote
from bot.trading.desk import OrderDesk
from bot.trading.execution_report import ExecutionContext
from bot.trading.orders import OrderRequest, Side
from bot.trading.planner import (
    Plan,
    PlannedIntent,
    PlannedOrder,
    PlanSettings,
    limit_price,
    split_quantity,
)
from bot.trading.programs import Programs
from bot.trading.resting_price import attempt_of, too_small
from bot.trading.slices import Program, slice_count, slice_times
from bot.trading.styles import ExecutionStyles
from risk.errors import DataError
from risk.instrument import Instrument

_ZERO = Decimal(0)
_DONE = "done"
_OF_THE_CONTROL = Decimal("0.8")
"""A slice that catches up stays this far below what the control of depth bears."""


@dataclass(frozen=True, slots=True)
class Sliced:
    """What is to be sent now, and the programs that begin with it."""

    plan: Plan
    fresh: tuple[Program, ...]


class Slicing:
    """Slices the plans of one account."""

    def __init__(self, desk: OrderDesk, styles: ExecutionStyles, programs: Programs) -> None:
        self._desk = desk
        self._styles = styles
        self._programs = programs

    async def of_decision(self, plan: Plan, context: ExecutionContext) -> Sliced:
        """A new plan: what of it goes out now, beside the slices that are due."""
        wanted = {one.symbol: one.trade_quantity for one in plan.intents}
        for symbol, running in tuple(self._programs.active.items()):
            trade = wanted.get(symbol, _ZERO)
            if trade * running.side.sign <= 0:
                self._programs.end(symbol, "a new decision does not want it")
            else:
                self._programs.shrink(symbol, abs(trade))
        taken = {one.intent_id for one in plan.intents if one.symbol in self._programs.active}
        fresh = []
        for intent in plan.intents:
            if intent.intent_id not in taken:
                program = await self._program(intent, plan.orders, context)
                fresh += [] if program is None else [program]
        begun = {one.intent_id: one for one in fresh}
        kept = _without(plan, taken)
        orders = [one for one in kept.orders if one.request.intent_id not in begun]
        intents = [
            replace(one, most_orders=_most_orders(begun[one.intent_id]))
            if one.intent_id in begun
            else one
            for one in kept.intents
        ]
        first = [await self._slice(one, _ZERO, abs(one.trade_quantity), context) for one in fresh]
        due = await self.due(context)
        plan = replace(
            kept,
            intents=(*intents, *due.intents),
            orders=_closes_first([*orders, *(o for some in first for o in some), *due.orders]),
        )
        return Sliced(plan, tuple(fresh))

    async def due(self, context: ExecutionContext) -> Plan:
        """The slices of programs under way that are due now."""
        now_ms = self._desk.clock.now_ms()
        intents: list[PlannedIntent] = []
        orders: list[PlannedOrder] = []
        for symbol, program in tuple(self._programs.active.items()):
            rest = self._programs.rest(program)
            if why := self._over(program, rest, context):
                (self._programs.end if why == _DONE else self._programs.give_up)(symbol, why)
                continue
            lot = context.instruments[symbol].lot
            done = abs(program.trade_quantity) - rest
            due = await self._slice(program, done, program.due(now_ms, lot), context)
            if due:
                sign = program.side.sign
                intents.append(
                    PlannedIntent(
                        program.intent_id,
                        symbol,
                        program.trade_quantity,
                        most_orders=_most_orders(program),
                        done=sign * done,
                        known=True,
                    )
                )
                orders += due
        return Plan(tuple(intents), _closes_first(orders), ())

    def _over(self, program: Program, rest: Decimal, context: ExecutionContext) -> str:
        """Why a program ends; empty while it goes on."""
        instrument = context.instruments.get(program.symbol)
        quote = context.quotes.get(program.symbol)
        if instrument is None or quote is None:
            return "the symbol is not traded any more"
        price = Decimal(repr(quote.mark))
        if rest <= 0 or too_small(instrument, rest, price, reduce_only=program.reduce_only):
            return _DONE
        if program.expired(self._desk.clock.now_ms()):
            return "it takes too long; the next decision sees to what is left"
        if not program.reduce_only and program.symbol not in context.allowed:
            return "a hedge here may only shrink now"
        if program.reduce_only and self._held(program) * program.side.sign >= 0:
            return "nothing is left to close"
        return ""

    def _held(self, program: Program) -> Decimal:
        own = self._desk.journal.own_positions(self._desk.venue.account_name)
        return own.get((program.symbol, program.position_side), _ZERO)

    async def _program(
        self, intent: PlannedIntent, orders: Sequence[PlannedOrder], context: ExecutionContext
    ) -> Program | None:
        """The program of a leg, if it needs one: large against the depth, and of one kind."""
        mine = [one.request for one in orders if one.request.intent_id == intent.intent_id]
        kinds = {(one.reduce_only, one.position_side) for one in mine}
        instrument = context.instruments.get(intent.symbol)
        quote = context.quotes.get(intent.symbol)
        if len(kinds) != 1 or instrument is None or quote is None:
            return None
        depth_usd = await self._depth_usd(intent.symbol, mine[0].side)
        if depth_usd is None:
            return None
        price = Decimal(repr(quote.mark))
        count = slice_count(
            abs(intent.trade_quantity),
            price,
            depth_usd,
            share=self._styles.slice_depth_share,
            most=self._styles.max_slices,
            least=_least(instrument, price, mine[0]),
        )
        if count == 1:
            return None
        now_ms, every_ms = self._desk.clock.now_ms(), self._styles.slice_every_ms
        return Program(
            intent_id=intent.intent_id,
            symbol=intent.symbol,
            trade_quantity=intent.trade_quantity,
            position_side=mine[0].position_side,
            reduce_only=mine[0].reduce_only,
            largest=max(one.quantity for one in mine),
            times_ms=slice_times(intent.intent_id, count, now_ms, every_ms, self._styles.jitter),
            every_ms=every_ms,
        )

    async def _slice(
        self, program: Program, done: Decimal, due: Decimal, context: ExecutionContext
    ) -> list[PlannedOrder]:
        """Orders of what is due and not done, no more than the book bears now."""
        instrument, quote = context.instruments[program.symbol], context.quotes[program.symbol]
        now_ms = self._desk.clock.now_ms()
        quantity = min(due, program.due(now_ms, instrument.lot)) - done
        if program.reduce_only:
            quantity = min(quantity, abs(self._held(program)))
        settings = PlanSettings(max_order_usd=_ZERO, collar=Decimal(repr(self._desk.limits.collar)))
        price = limit_price(program.side, quote, instrument.tick, settings)
        depth_usd = await self._depth_usd(program.symbol, program.side)
        if quantity <= 0 or price is None or depth_usd is None or self._unresolved(program.symbol):
            return []
        bears = self._bears(depth_usd, quote, instrument)
        quantity = min(quantity, bears)
        if too_small(instrument, quantity, price, reduce_only=program.reduce_only):
            return []
        return self._orders(program, quantity, price, instrument)

    def _orders(
        self, program: Program, quantity: Decimal, price: Decimal, instrument: Instrument
    ) -> list[PlannedOrder]:
        """The slice as orders, each under an id that no earlier one of the intent has."""
        desk = self._desk
        legs = desk.journal.legs_of_intent(program.intent_id)
        number = 1 + max((int(leg.partition("-")[2]) for leg in legs), default=-1)
        blank = OrderRequest(
            "",
            program.intent_id,
            program.symbol,
            program.side,
            quantity,
            price,
            "IOC",
            program.reduce_only,
            program.position_side,
        )
        return [
            attempt_of(
                PlannedOrder(blank, f"slice-{number + i}", 0),
                0,
                account=desk.venue.account_name,
                install_key=desk.journal.install_key,
                quantity=part,
                price=price,
                time_in_force="IOC",
            )
            for i, part in enumerate(split_quantity(quantity, program.largest, instrument.lot))
        ]

    def _bears(self, depth_usd: float, quote: Quote, instrument: Instrument) -> Decimal:
        """What the control of depth lets through now, whole lots."""
        share = Decimal(repr(self._desk.limits.depth_fraction)) * _OF_THE_CONTROL
        bears = Decimal(repr(float(depth_usd))) * share / Decimal(repr(quote.mark))
        return (bears / instrument.lot).to_integral_value(ROUND_FLOOR) * instrument.lot

    def _unresolved(self, symbol: str) -> bool:
        rows = self._desk.journal.unresolved_orders(self._desk.venue.account_name)
        return any(row.symbol == symbol for row in rows)

    async def _depth_usd(self, symbol: str, side: Side) -> float | None:
        try:
            depth: Mapping[Side, float] = await self._desk.depth_usd(symbol)
        except (UnreachableError, VenueError, DataError):
            return None
        return depth.get(side)


def _least(instrument: Instrument, price: Decimal, request: OrderRequest) -> Decimal:
    """Base units that a slice needs for the venue, with room for a falling price."""
    if request.reduce_only:
        return instrument.lot
    by_value = instrument.min_notional_usd * Decimal("1.1") / min(price, request.limit_price)
    return max(instrument.lot, instrument.min_quantity, by_value) + instrument.lot


def _most_orders(program: Program) -> int:
    """Orders that a program is planned to take, each of its slices in as many as it needs."""
    count = len(program.times_ms)
    each = abs(program.trade_quantity) / count
    orders = (each / program.largest).to_integral_value(ROUND_CEILING)
    return count * int(orders) + count


def _without(plan: Plan, intent_ids: set[str]) -> Plan:
    return replace(
        plan,
        intents=tuple(one for one in plan.intents if one.intent_id not in intent_ids),
        orders=tuple(one for one in plan.orders if one.request.intent_id not in intent_ids),
    )


def _closes_first(orders: Sequence[PlannedOrder]) -> tuple[PlannedOrder, ...]:
    return tuple(sorted(orders, key=lambda one: not one.request.reduce_only))
