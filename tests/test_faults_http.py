"""Each fault of the HTTP family as bytes on a socket, against the same fault played in process.

The real client and adapter meet the simulated exchange behind a front that spoils requests: the
outcome must be of the same class, the exchange must have the order where the play says so, and
reconciliation with a real journal must find out. About 10 seconds of processor time.
"""

import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.clock import SimulatedClock
from bot.errors import UnreachableError, VenueError
from bot.faults.arrivals import OrderDoor, Told
from bot.faults.faultset import FaultSet, Trace
from bot.faults.http_front import OF_THE_CLIENT, ON_THE_SOCKET, FaultyFront, variants
from bot.faults.kinds import KINDS, Family
from bot.faults.line import Line
from bot.faults.process import Process
from bot.faults.venue import FaultyVenue
from bot.faults.wire import CANARY, WIRE, Taken, refuse_read
from bot.faults.world import World
from bot.feeds.generated import generated_tape
from bot.feeds.tape import DAY_MS, Tape
from bot.journal.journal import Journal
from bot.trading.orders import OrderOutcome, OrderState, UnknownOutcome
from bot.trading.reconcile import resolve_unresolved
from bot.venues.ccxt_venue import CcxtVenue
from bot.venues.http.server import serve_exchange
from bot.venues.loopback import client
from bot.venues.sim.exchange import SimulatedExchange
from risk.errors import DataError
from tests.execute_scene import FET, intent, order
from tests.test_execute_ccxt_venue import WALLET, Market
from tests.test_venues_transport import broken_line, without_names
from tests.tls_scene import breaking_tls, certified
from tests.venue_scene import _moved

ENDS = {
    Taken.NEVER: (False,),
    Taken.ALWAYS: (True,),
    Taken.LATE: (True,),
    Taken.COIN: (False, True),
}
TABLE = [(kind, taken) for kind, fault in WIRE.items() for taken in ENDS[fault.taken]]
NO_LINE = {"connect_refused": "refused", "dns_failure": "no such name"}
NOT_THERE = {OrderState.ABSENT, OrderState.REJECTED}

SILENCE_MS, ANSWER_MS = 400, 10_000
"""How long the client waits where nothing will come, and where something will."""

NO_ANSWER = (UnreachableError, VenueError, DataError)


def test_every_kind_of_the_family_is_played_by_the_server_or_the_client() -> None:
    family = {name for name, kind in KINDS.items() if kind.family is Family.HTTP}
    assert ON_THE_SOCKET | OF_THE_CLIENT == family == set(WIRE)
    assert {v.body[:14] for v in variants("code_1006_1007")} == {'{"code":-1006,', '{"code":-1007,'}


async def played_in_process(kind: str, *, taken: bool) -> OrderOutcome:
    """The outcome of the simulation without sockets, of a send that ended that way."""
    for seed in range(50):
        world = World(seed, lambda _: None)
        faults = FaultSet(seed, Trace(lambda: 0, keep=False))
        faults.active.add(kind)
        process = Process(world, faults, Counter(), Counter())
        door = OrderDoor(world, faults)
        told = Told(world.now_ms, 0, 0, False, {}, 0.0, None, 0)
        venue = FaultyVenue(Line(world, process, faults), door, lambda told=told: told)
        outcome = await venue.place(
            order("h1played", symbol="NEAR/USDT:USDT", quantity="100", price="4.95")
        )
        world.advance(60_000)
        if faults.fired[kind] and bool(door.log) is taken:
            return outcome
    raise AssertionError(f"{kind} never ended with taken={taken}")


@dataclass
class Scene:
    """The exchange behind its face and its front, and the adapter on a real client of it."""

    market: Market
    faults: FaultSet
    front: FaultyFront
    host: str
    client: Any
    venue: CcxtVenue
    late: list[tuple[int, Callable[[], object]]] = field(default_factory=list)

    def advance(self, seconds: float) -> None:
        """Time passes; what the line has kept back arrives."""
        self.market.advance(seconds)
        now_ms = self.market.clock.now_ms()
        due = [action for at_ms, action in self.late if at_ms <= now_ms]
        self.late[:] = [one for one in self.late if one[0] > now_ms]
        for action in due:
            action()

    def has(self, client_id: str) -> bool:
        """The exchange has the order, whoever knows of it."""
        return (FET, client_id) in self.market.account.ids_by_client_id


@pytest.fixture(scope="module")
def tape() -> Tape:
    return generated_tape(11, 1_750_000_000_000)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    return certified(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def scene(tape: Tape, tls: tuple[ssl.SSLContext, Path]) -> AsyncIterator[Scene]:
    clock = SimulatedClock(tape.start_ms + 20 * DAY_MS + 17 * 60_000)
    exchange = SimulatedExchange(tape.instruments.values(), clock, 11)
    account = exchange.open_account("hedge", "hedge-key", "hedge-secret", WALLET)
    exchange.update_market(tape.quotes(clock.now_ms()))
    faults = FaultSet(3, Trace(clock.now_ms, keep=False))
    late: list[tuple[int, Callable[[], object]]] = []

    def later(milliseconds: int, action: Callable[[], object]) -> None:
        late.append((clock.now_ms() + milliseconds, action))

    front = FaultyFront(faults, later, order_chance=1.0, read_chance=1.0)
    async with serve_exchange(exchange, tape, clock, between=front) as server:
        real = client(server.host, key="hedge-key", secret="hedge-secret", now_ms=clock.now_ms)
        real.timeout, real.timeout_on_exit, real.cafile = ANSWER_MS, 0, str(tls[1])
        market = Market(exchange, tape, clock, account)
        venue = CcxtVenue(real, "hedge", clock)
        await venue.account()  # what a client reads once is read
        yield Scene(market, faults, front, server.host, real, venue, late)
        await venue.close()


@asynccontextmanager
async def going_wrong(
    scene: Scene,
    kind: str,
    *,
    taken: bool,
    tls: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[None]:
    """One kind of fault is on, at the server or on the client's own side of the line."""
    good = scene.client.urls["api"]
    scene.client.timeout = SILENCE_MS if WIRE[kind].status is None else ANSWER_MS
    async with AsyncExitStack() as stack:
        if kind in NO_LINE:
            without_names(monkeypatch)
            origin, _ = await stack.enter_async_context(broken_line(NO_LINE[kind], tls))
            scene.client.urls["api"] = _moved(good, origin)
        elif kind == "tls_failure_in_post":
            line = breaking_tls(tls, scene.host, hands_on=taken)
            scene.client.urls["api"] = _moved(good, await stack.enter_async_context(line))
        else:
            scene.front.coin = lambda: taken
            scene.faults.active.add(kind)
        yield
        scene.client.urls["api"] = good
        scene.client.timeout = ANSWER_MS
        scene.faults.active.clear()


@pytest.mark.parametrize(("kind", "taken"), TABLE)
async def test_bytes_on_a_socket_end_as_in_process_and_are_settled(
    kind: str,
    *,
    taken: bool,
    scene: Scene,
    tls: tuple[ssl.SSLContext, Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    expected = await played_in_process(kind, taken=taken)
    request = order("h1sent", symbol=FET, price=str(scene.market.price(FET, "0.99")))
    with Journal.open(tmp_path / "journal.sqlite", scene.market.clock) as journal:
        journal.record_intents([intent()])
        journal.mark_sending(request, account="hedge", leg="open-0", attempt=0)
        before = scene.market.exchange.counters.orders_received
        async with going_wrong(scene, kind, taken=taken, tls=tls[0], monkeypatch=monkeypatch):
            outcome = await scene.venue.place(request)
        assert type(outcome) is type(expected), (outcome, expected)
        assert getattr(outcome, "code", None) == getattr(expected, "code", None)
        assert not any(word in repr(outcome) for word in (CANARY, "hedge-key", "hedge-secret"))
        journal.record_outcome(outcome)
        if kind not in OF_THE_CLIENT:
            assert scene.faults.fired[kind] == 1, "sent once"
        assert scene.has("h1sent") is (taken and WIRE[kind].taken is not Taken.LATE)
        scene.advance(61)
        assert scene.has("h1sent") is taken
        assert scene.market.exchange.counters.orders_received == before + taken
        for _ in range(8):
            await resolve_unresolved(journal, scene.venue, scene.market.clock)
            if not journal.unresolved_orders():
                break
            scene.advance(11)
        row = journal.order("h1sent")
        assert row is not None
        assert row.state is OrderState.FILLED if taken else row.state in NOT_THERE
        held = {(FET, "BOTH"): -request.quantity} if taken else {}
        assert journal.own_positions("hedge") == held
        assert (await scene.venue.account()).base_quantity == held
        assert journal.ledger("hedge").wallet_usd(WALLET) == scene.market.account.wallet_usd


@pytest.mark.parametrize("kind", sorted(k for k, fault in WIRE.items() if fault.reads))
async def test_a_read_that_goes_wrong_is_no_answer(
    kind: str,
    scene: Scene,
    tls: tuple[ssl.SSLContext, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with going_wrong(scene, kind, taken=False, tls=tls[0], monkeypatch=monkeypatch):
        with pytest.raises(NO_ANSWER) as caught:
            await scene.venue.account()
        found = await scene.venue.find(FET, "h1sent")
    with pytest.raises(NO_ANSWER) as in_process:
        refuse_read("account", WIRE[kind])
    assert type(caught.value) is type(in_process.value), (caught.value, in_process.value)
    assert CANARY not in str(caught.value)
    assert isinstance(found, UnknownOutcome)
    assert await scene.venue.find(FET, "h1sent") is None


async def test_both_of_the_codes_that_prove_nothing_are_told(scene: Scene) -> None:
    scene.front.coin = lambda: False
    scene.faults.active.add("code_1006_1007")
    price = str(scene.market.price(FET, "0.99"))
    outcomes = [
        await scene.venue.place(order(f"h1sent{number}", symbol=FET, price=price))
        for number in range(8)
    ]
    told = {one.reason.split(":")[0] for one in outcomes if isinstance(one, UnknownOutcome)}
    assert len(outcomes) == scene.faults.fired["code_1006_1007"]
    assert told == {"code -1006", "code -1007"}
    assert scene.market.account.orders == {}
