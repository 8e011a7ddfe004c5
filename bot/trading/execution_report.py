"""What a plan is carried out with, what changes meanwhile, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bot.controls.facts import Denied
from bot.ports import Quote, VenueAccount
from bot.trading.order_costs import OrderCost, SymbolCost
from bot.trading.orders import Fill, OrderRequest, OrderState
from bot.trading.pretrade import OpenOrder
from bot.trading.worst_case import CapUse
from risk.instrument import Instrument

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class PlaceResult:
    """What became of one planned order.

    Attributes:
        state: PLANNED where it was never sent.
        denied: the control that stopped it, if one did.
        detail: the venue's or our own reason, one line; empty when all went well.
    """

    request: OrderRequest
    state: OrderState
    filled_quantity: Decimal = _ZERO
    denied: Denied | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """What became of a plan.

    Attributes:
        results: one for each planned order, in order.
        fills: executions that were booked.
        mismatches: symbols whose position did not move as our fills say.
        stopped: why the rest was not sent; empty when everything was tried.
        halted: the kill switch was what stopped it.
        account: the account as it was last read.
        costs: of the orders that ended with all their fills booked.
        waiting: what goes on with later cycles, one line; empty where nothing does.
    """

    results: tuple[PlaceResult, ...]
    fills: tuple[Fill, ...]
    mismatches: tuple[str, ...]
    stopped: str
    account: VenueAccount
    halted: bool = False
    costs: tuple[OrderCost, ...] = ()
    waiting: str = ""

    @property
    def denials(self) -> tuple[PlaceResult, ...]:
        """Orders that a control stopped."""
        return tuple(r for r in self.results if r.denied is not None)

    @property
    def unknown(self) -> tuple[PlaceResult, ...]:
        """Orders of which nobody knows what became."""
        return tuple(r for r in self.results if r.state is OrderState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class ExecutionContext:
    """Facts and permissions of one cycle.

    Attributes:
        allowed: symbols in which a hedge may grow.
        limits_hash, inputs: written into the journal with every intent.
        cap_use: use of the caps on what is held; asked when a plan does not go as planned.
        instruments_ms: when the instruments were read, UTC milliseconds.
        closing: an operator wants everything closed, halted or not; only closes are sent then.
        looked_ms: when the plan's look at the bot ended; None: the plan does not grow old.
        breached: the plan cures a breach.
        continuing: no new decision; slices of an earlier one go out.
        expected: what the decision reckons with, by symbol.
    """

    cycle_id: str
    instruments: Mapping[str, Instrument]
    quotes: Mapping[str, Quote]
    account: VenueAccount
    allowed: frozenset[str]
    limits_hash: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    cap_use: CapUse | None = None
    instruments_ms: int | None = None
    closing: bool = False
    looked_ms: int | None = None
    breached: bool = False
    continuing: bool = False
    expected: Mapping[str, SymbolCost] = field(default_factory=dict)


@dataclass(slots=True)
class Run:
    """What changes while a plan is carried out.

    Attributes:
        incomplete: a part of what was decided is not in the plan, or not there yet.
        others: what the account held beyond our fills before the first order; None until then.
        moved: how that has changed by the account's latest read.
    """

    account: VenueAccount
    quotes: dict[str, Quote]
    incomplete: bool = False
    others: Mapping[tuple[str, str], Decimal] | None = None
    moved: tuple[OpenOrder, ...] = ()
    results: list[PlaceResult] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    mismatches: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    stopped: str = ""
    halted: bool = False

    def leave(self, request: OrderRequest, why: str) -> None:
        """An order that is not sent, because the rest of the plan is not."""
        self.results.append(
            PlaceResult(request, OrderState.PLANNED, detail=f"not sent: {self.stopped or why}")
        )

    def stop(self, request: OrderRequest, why: str) -> None:
        """Nothing of the plan is sent from here on."""
        self.stopped = why
        self.leave(request, why)

    def report(self) -> ExecutionReport:
        """What became of the plan."""
        return ExecutionReport(
            tuple(self.results),
            tuple(self.fills),
            tuple(self.mismatches),
            self.stopped,
            self.account,
            self.halted,
        )
