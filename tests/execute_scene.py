"""Facts and a scripted venue for the tests of planning and execution."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from bot.clock import SimulatedClock
from bot.journal.journal import Journal
from bot.journal.rows import IntentRecord
from bot.ports import Quote, VenueAccount
from bot.trading.ledger import OwnFill
from bot.trading.orders import (
    Acknowledged,
    Fill,
    OrderOutcome,
    OrderRequest,
    OrderState,
    Side,
)
from bot.trading.planner import Plan, PlanIdentity, PlanSettings, plan_orders
from risk.book import AccountState
from risk.instrument import Instrument
from strategies.proposal import CostEstimate, HedgeLeg, HedgeProposal, RiskState

NOW_MS = 1_750_000_000_000
FET, TAO, BTC = "FET/USDT:USDT", "TAO/USDT:USDT", "BTC/USDT:USDT"
ACCOUNT = "hedge"
KEY = b"0123456789abcdef"
DAY_MS = 86_400_000


def instrument(
    symbol: str = FET,
    *,
    tick: str = "0.0001",
    lot: str = "1",
    min_notional: str = "5",
    max_quantity: str | None = None,
) -> Instrument:
    return Instrument(
        symbol=symbol,
        base=symbol.partition("/")[0],
        quote="USDT",
        venue="binanceusdm",
        contract_size=Decimal(1),
        tick=Decimal(tick),
        lot=Decimal(lot),
        min_quantity=Decimal(lot),
        min_notional_usd=Decimal(min_notional),
        maker_fee=0.0002,
        taker_fee=0.0005,
        funding_interval_hours=8.0,
        max_quantity=None if max_quantity is None else Decimal(max_quantity),
    )


def quote(
    symbol: str = FET, mark: float = 0.5, *, spread: float = 0.001, at: int = NOW_MS
) -> Quote:
    return Quote(
        symbol=symbol,
        timestamp_ms=at,
        mark=mark,
        index=mark,
        last=mark,
        bid=mark * (1 - spread / 2),
        ask=mark * (1 + spread / 2),
        daily_volume_usd=5e6,
        funding_rate=0.0001,
        funding_interval_hours=8.0,
        next_funding_ms=at + 3_600_000,
    )


INSTRUMENTS = {
    FET: instrument(FET),
    TAO: instrument(TAO, tick="0.01", lot="0.001"),
    BTC: instrument(BTC, tick="0.1", lot="0.001"),
}
QUOTES = {FET: quote(FET, 0.5), TAO: quote(TAO, 400.0), BTC: quote(BTC, 60_000.0)}


def proposal(*legs: HedgeLeg) -> HedgeProposal:
    state = RiskState(0.0, 0.0, 0.0, {}, ())
    return HedgeProposal(
        strategy="test",
        timestamp_ms=NOW_MS,
        legs=legs,
        before=state,
        after=state,
        cost=CostEstimate(0.0, 0.0, 0.0, 0.0),
        shadow_prices={},
        slacks_usd={},
        objective_relaxed=0.0,
        objective_lots=0.0,
        solver_status="optimal",
        sentence="",
    )


def leg(symbol: str, held: Decimal, trade: Decimal, price: float) -> HedgeLeg:
    """A leg as a strategy would write it, in floats, from exact base units."""
    return HedgeLeg(
        symbol, float(held) * price, float(held + trade) * price, float(trade) * price, price
    )


def plan_of(
    *legs: HedgeLeg,
    own: Mapping[tuple[str, str], Decimal] | None = None,
    cycle_id: str = "c1",
    quotes: Mapping[str, Quote] | None = None,
    settings: PlanSettings | None = None,
) -> Plan:
    return plan_orders(
        proposal(*legs),
        INSTRUMENTS,
        quotes or QUOTES,
        own or {},
        identity=PlanIdentity(ACCOUNT, cycle_id, KEY),
        settings=settings or PlanSettings(max_order_usd=Decimal(2000)),
    )


def order(
    client_id: str = "h1order",
    *,
    symbol: str = FET,
    side: Side = Side.SELL,
    quantity: str = "1000",
    price: str = "0.4980",
    reduce_only: bool = False,
    position_side: str = "BOTH",
    intent_id: str = "i1",
) -> OrderRequest:
    return OrderRequest(
        client_id=client_id,
        intent_id=intent_id,
        symbol=symbol,
        side=side,
        quantity=Decimal(quantity),
        limit_price=Decimal(price),
        time_in_force="IOC",
        reduce_only=reduce_only,
        position_side=position_side,
    )


def fill(
    trade_id: str = "t1",
    *,
    side: Side = Side.SELL,
    quantity: str = "1000",
    price: str = "0.5",
    fee: str | None = "0.25",
    pnl: str | None = None,
    client_id: str = "h1order",
    venue_order_id: str = "v1",
    symbol: str = FET,
    at: int = NOW_MS,
) -> Fill:
    return Fill(
        trade_id=trade_id,
        venue_order_id=venue_order_id,
        client_id=client_id,
        symbol=symbol,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee_usd=None if fee is None else Decimal(fee),
        realised_pnl_usd=None if pnl is None else Decimal(pnl),
        maker=False,
        timestamp_ms=at,
    )


def own_fill(executed: Fill, position_side: str = "BOTH") -> OwnFill:
    return OwnFill(executed, position_side)


def intent(intent_id: str = "i1", cycle_id: str = "c1", symbol: str = FET) -> IntentRecord:
    return IntentRecord(intent_id, cycle_id, ACCOUNT, symbol, Decimal(-1000))


def send(journal: Journal, request: OrderRequest, external: Decimal | None = Decimal(0)) -> None:
    """Intent and SENDING of one order."""
    journal.record_intents([replace(intent(request.intent_id), symbol=request.symbol)])
    journal.mark_sending(
        request, account=ACCOUNT, leg="open-0", attempt=0, external_before=external
    )


def acknowledged(
    request: OrderRequest, state: OrderState = OrderState.FILLED, filled: str | None = None
) -> Acknowledged:
    quantity = request.quantity if filled is None else Decimal(filled)
    return Acknowledged(request.client_id, f"v-{request.client_id}", state, quantity, None)


Script = Callable[["ScriptedVenue", OrderRequest], OrderOutcome]


def fills_all(venue: "ScriptedVenue", request: OrderRequest) -> OrderOutcome:
    """Executes the whole order."""
    return venue.execute(request, request.quantity)


@dataclass
class ScriptedVenue:
    """A venue that does what the script says and counts what it was sent."""

    clock: SimulatedClock
    script: Script = fills_all
    equity_usd: float = 100_000.0
    held: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    known: dict[str, Acknowledged] = field(default_factory=dict)
    trades: list[Fill] = field(default_factory=list)
    placed: list[OrderRequest] = field(default_factory=list)
    open_ids: set[str] = field(default_factory=set)
    find_fails: bool = False
    account_error: Exception | None = None
    hide_fills: bool = False

    @property
    def account_name(self) -> str:
        return ACCOUNT

    def execute(self, request: OrderRequest, quantity: Decimal) -> Acknowledged:
        """Moves the position, books a trade and remembers the order."""
        key = request.symbol, request.position_side
        self.held[key] = self.held.get(key, Decimal(0)) + request.side.sign * quantity
        done = quantity == request.quantity
        outcome = acknowledged(
            request, OrderState.FILLED if done else OrderState.EXPIRED, str(quantity)
        )
        if quantity:
            self.trades.append(
                Fill(
                    trade_id=f"t{len(self.trades) + 1}",
                    venue_order_id=outcome.venue_order_id,
                    client_id="",
                    symbol=request.symbol,
                    side=request.side,
                    quantity=quantity,
                    price=request.limit_price,
                    fee_usd=Decimal("0.1"),
                    realised_pnl_usd=None,
                    maker=False,
                    timestamp_ms=self.clock.now_ms(),
                )
            )
        self.known[request.client_id] = outcome
        return outcome

    async def place(self, order: OrderRequest) -> OrderOutcome:
        self.placed.append(order)
        return self.script(self, order)

    async def find(self, symbol: str, client_id: str) -> OrderOutcome | None:
        if self.find_fails:
            from bot.trading.orders import UnknownOutcome

            return UnknownOutcome(client_id, "no reply")
        return self.known.get(client_id)

    async def fills(self, symbol: str, since_ms: int) -> Sequence[Fill]:
        if self.hide_fills:
            return []
        return [t for t in self.trades if t.symbol == symbol and t.timestamp_ms >= since_ms]

    async def account(self) -> VenueAccount:
        if self.account_error is not None:
            raise self.account_error
        return account(
            {k: q for k, q in self.held.items() if q},
            equity_usd=self.equity_usd,
            at=self.clock.now_ms(),
            open_ids=frozenset(self.open_ids),
        )

    async def close(self) -> None:
        pass


@dataclass
class StillMarket:
    """Market data that is always fresh and always the same; only quotes are asked for."""

    clock: SimulatedClock
    asked: int = 0

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        self.asked += 1
        return {s: replace(QUOTES[s], timestamp_ms=self.clock.now_ms()) for s in symbols}

    async def depth_usd(self, symbol: str, within: float) -> Mapping[Side, float]:
        return {Side.BUY: 1e6, Side.SELL: 1e6}


def account(
    held: Mapping[tuple[str, str], Decimal] | None = None,
    *,
    equity_usd: float = 100_000.0,
    available_usd: float | None = None,
    at: int = NOW_MS,
    hedge_mode: bool = False,
    open_ids: frozenset[str] = frozenset(),
) -> VenueAccount:
    free = equity_usd if available_usd is None else available_usd
    return VenueAccount(
        state=AccountState(ACCOUNT, equity_usd, free, 0.0, 0.0, at),
        base_quantity=held or {},
        margin_rate=dict.fromkeys((FET, TAO, BTC), 0.05),
        liquidation_price={},
        open_order_client_ids=open_ids,
        hedge_mode=hedge_mode,
    )
