"""Streams through real ccxt.pro clients on real sockets: connected, lost, renewed, given up."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest
from pydantic import SecretStr

import bot.streaming
from bot.clock import SystemClock
from bot.feeds.generated import generated_tape
from bot.feeds.generated_universe import UNIVERSE
from bot.feeds.tape import DAY_MS
from bot.journal.journal import Journal
from bot.logs import open_log
from bot.streaming import Access, StreamBuilder
from bot.trading.orders import Side
from bot.trading.venue_closes import CloseKind
from bot.venues.ccxt_market import error_text
from bot.venues.clients import make_client
from bot.venues.http.listen_keys import VALID_MS
from bot.venues.http.server import LoopbackServer, serve_exchange
from bot.venues.http.sockets import Socket
from bot.venues.remembering import HedgeVenue
from bot.venues.sim.account import SimAccount
from bot.venues.sim.exchange import SimulatedExchange
from bot.venues.sim.records import NewOrder, OrderType, TimeInForce
from bot.venues.streams import task as task_module
from bot.venues.streams.backoff import Backoff
from bot.venues.streams.desk import StreamDesk
from bot.venues.streams.inbox import Health
from bot.venues.streams.news import StreamNews
from bot.venues.streams.watched import WatchedAccount
from config.secrets import Credentials
from config.streams import Streams

FET = "FET/USDT:USDT"
KEY, SECRET = "hedge-canary-key", "hedge-canary-secret"
SPECS = [one for one in UNIVERSE if one.base in ("BTC", "FET")]


@dataclass
class Line:
    """An exchange, and the desk of somebody who listens to one account there."""

    exchange: SimulatedExchange
    server: LoopbackServer
    desk: StreamDesk
    builder: StreamBuilder
    venue: HedgeVenue
    folder: Path
    journal: Journal
    heard: list[StreamNews] = field(default_factory=list)

    @property
    def account(self) -> SimAccount:
        found = self.exchange.account_by_key(KEY)
        assert found is not None
        return found

    @property
    def watched(self) -> WatchedAccount:
        return self.desk._accounts[0]

    @property
    def health(self) -> Health:
        return self.watched.inbox.health(SystemClock().now_ms())

    async def until(self, what: Callable[[], bool], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, "it did not happen in time"
            await asyncio.sleep(0.01)

    async def stands(self) -> None:
        """Connected, and reconciled since."""
        await self.until(lambda: self.health is Health.GAP)
        self.watched.inbox.reconciled(self.watched.inbox.reconciling())
        assert self.health is Health.LIVE
        self.desk.changed()

    def trade(self, side: Side = Side.BUY, quantity: str = "100", client_id: str = "") -> None:
        order = NewOrder(FET, side, OrderType.MARKET, Decimal(quantity), client_id=client_id)
        self.exchange.place(self.account, order)


@asynccontextmanager
async def line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, **streams: Any
) -> AsyncIterator[Line]:
    """Connected before the block, unless nothing can be; reconnects come quickly."""
    monkeypatch.setattr(bot.streaming, "Backoff", lambda: Backoff(0.02, 0.2, 60.0))
    clock = SystemClock()
    tape = generated_tape(3, clock.now_ms() - 2 * DAY_MS, history_days=2, specs=SPECS)
    exchange = SimulatedExchange(tape.instruments.values(), clock, 3)
    exchange.open_account("hedge", KEY, SECRET, Decimal(60_000))
    exchange.update_market(tape.quotes(clock.now_ms()))
    async with serve_exchange(exchange, tape, clock) as server:
        credentials = Credentials(SecretStr(KEY), SecretStr(SECRET))
        client = make_client("binanceusdm", urls_host=server.host, credentials=credentials)
        venue = HedgeVenue(client, "hedge", clock)
        await client.load_markets()
        log = open_log(folder / "hedge.jsonl", clock)
        with Journal.open(folder / "journal.sqlite", clock) as journal:
            desk = StreamDesk(journal, clock, log, spacing_ms=100)
            builder = StreamBuilder(Streams(**streams), desk, clock, True, client)
            builder.watch_hedges(Access("binanceusdm", server.host, credentials), venue, journal)
            found = Line(exchange, server, desk, builder, venue, folder, journal)
            try:
                yield found
            finally:
                await venue.close()


async def test_an_expired_key_leads_to_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with line(tmp_path, monkeypatch) as here, here.builder.running():
        await here.stands()
        here.server.face.listen_keys.close(here.account)  # somebody else closed it
        here.exchange.update_market(here.server.face.tape.quotes(SystemClock().now_ms()))
        await here.until(lambda: here.watched.inbox.counts.expiries == 1)
        await here.until(lambda: here.watched.inbox.counts.connections == 2)
        await here.stands()
        here.trade()
        await here.until(lambda: here.watched.inbox.counts.received >= 3)


async def test_a_key_is_renewed_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = task_module.StreamPlan
    monkeypatch.setattr(
        bot.streaming, "StreamPlan", lambda **named: plain(**named, renew_every_s=0.3)
    )
    kept: list[int] = []
    async with line(tmp_path, monkeypatch) as here:
        keys = here.server.face.listen_keys
        renew = keys.keep_alive
        monkeypatch.setattr(
            keys, "keep_alive", lambda account, now: (kept.append(now), renew(account, now))[1]
        )
        async with here.builder.running():
            await here.stands()
            await here.until(lambda: len(kept) >= 3)
            assert here.watched.inbox.counts.connections == 1
            keys.close(here.account)  # a key that cannot be renewed is replaced
            await here.until(lambda: here.watched.inbox.counts.connections == 2)


async def test_a_storm_of_lost_connections_is_met_with_patience(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with line(tmp_path, monkeypatch) as here, here.builder.running():
        await here.stands()
        here.server.streams.refuses = 503
        began, before = time.monotonic(), here.server.streams.handshakes
        await here.server.streams.cut("private")
        await here.until(lambda: here.health is Health.GAP)
        here.desk.wake.clear()
        await here.until(lambda: here.server.streams.handshakes >= before + 8)
        # The wait doubles from 20 to 200 ms here, each at least half of that.
        assert time.monotonic() - began > (10 + 20 + 40 + 80 + 3 * 100) / 1000
        assert not here.desk.wake.is_set()  # attempts are no news
        assert here.watched.inbox.counts.gaps == 1
        here.server.streams.refuses = None
        await here.until(lambda: here.watched.inbox.counts.connections == 2)
        assert here.desk.wake.is_set()
    text = (tmp_path / "hedge.jsonl").read_text()
    assert '"health": "gap"' in text
    for secret in (KEY, SECRET, "listenKey="):
        assert secret not in text


@pytest.mark.parametrize(
    "broken", ['{"e": "ACCOUNT_UPD', '{"e": "MARGIN_CALL", "E": 1, "p": [1]}'], ids=["cut", "odd"]
)
async def test_a_message_that_cannot_be_read_ends_the_connection_and_not_the_stream(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_send = [broken]
    async with line(tmp_path, monkeypatch) as here, here.builder.running():
        await here.stands()
        here.server.streams.script = (  # type: ignore[method-assign]  # a faulty line
            lambda _, message: [to_send.pop() if to_send else message]
        )
        here.trade()
        await here.until(lambda: here.watched.inbox.counts.connections == 2, seconds=10.0)
        assert here.watched.inbox.reason.startswith("a message cannot be read (")
        await here.stands()
        here.trade()
        await here.until(lambda: here.watched.inbox.counts.received >= 3)


async def test_a_defect_in_one_connection_leaves_the_stream_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close, failed = task_module.Tap.close, list[str]()

    async def closes(tap: task_module.Tap) -> None:
        await close(tap)
        if not failed:
            failed.append("once")
            raise RuntimeError("a defect")

    monkeypatch.setattr(task_module.Tap, "close", closes)
    async with line(tmp_path, monkeypatch) as here, here.builder.running():
        await here.stands()
        await here.server.streams.cut("private")
        await here.until(lambda: here.watched.inbox.counts.connections == 2)
        assert failed
        assert here.watched.inbox.reason == "RuntimeError: a defect"


async def test_duplicates_and_disorder_wake_nobody_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[str] = []
    said: list[dict[str, Any]] = []
    chance = random.Random(5)

    def script(socket: Socket, message: str) -> list[str]:
        del socket
        held.append(message)
        said.append(json.loads(message))
        if len(held) < 8:
            return []
        told = [*held, *held]
        held.clear()
        chance.shuffle(told)
        return told

    async with line(tmp_path, monkeypatch) as here, here.builder.running():
        await here.stands()
        here.server.streams.script = script  # type: ignore[method-assign]  # a faulty line
        for quantity in ("100", "70", "40", "30"):
            here.trade(quantity=quantity, client_id=f"h1{quantity}")
        while held:
            here.exchange.transfer(here.account, Decimal(1))
        inbox = here.watched.inbox
        await here.until(lambda: inbox.counts.received >= 16)
        await asyncio.sleep(0.2)
        assert inbox.counts.duplicates >= inbox.counts.received // 3
        newest = [v for k, v in inbox._seen._progress.items() if k[0] == "position"]
        # Which of two fills in one millisecond came last is told by nobody but REST.
        of_positions = [one["E"] for one in said if one.get("a", {}).get("P")]
        assert len(of_positions) >= 4
        assert [one[0] for one in newest] == [max(of_positions)]
        states = {k[2]: v[:2] for k, v in inbox._seen._progress.items() if k[0] == "order"}
        assert states == {
            str(o.order_id): (True, o.filled_quantity) for o in here.account.orders.values()
        }


async def test_what_the_exchange_does_by_force_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with line(tmp_path, monkeypatch) as here, here.builder.running():
        await here.stands()
        await here.venue.account()
        here.exchange.set_leverage(here.account, FET, 5)
        await here.until(here.desk.wake.is_set)  # somebody changed a setting
        here.trade(quantity="5000")
        await here.venue.account()
        here.exchange.transfer(here.account, here.account.initial_usd * -1 + 700)
        quotes = here.server.face.tape.quotes(SystemClock().now_ms())
        await here.until(lambda: _falls(here, quotes))
        await here.until(lambda: bool(here.desk.forced))
        (symbol, order_id), news = next(iter(here.desk.forced.items()))
        assert (symbol, news.forced) == (FET, CloseKind.LIQUIDATION)
        assert order_id == news.venue_order_id != ""
        assert news.client_id.startswith("autoclose-")
        found = [one.document for one in here.journal.events(kind="forced_order")]
        assert [one["kind"] for one in found] == ["liquidation"]


def _falls(here: Line, quotes: Any) -> bool:
    """A crash, until the account is liquidated."""
    from dataclasses import replace

    factor = 0.9
    for symbol, quote in quotes.items():
        names = ("mark", "index", "last", "bid", "ask")
        quotes[symbol] = replace(quote, **{n: getattr(quote, n) * factor for n in names})
    here.exchange.update_market(quotes)
    return not here.account.held()


async def test_an_order_of_ours_that_the_journal_does_not_know_yet_wakes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with line(tmp_path, monkeypatch) as here, here.builder.running():
        await here.stands()
        await here.venue.account()
        here.trade()
        await here.until(here.desk.wake.is_set)
        await here.venue.account()
        here.desk.wake.clear()
        order = NewOrder(
            FET, Side.SELL, OrderType.LIMIT, Decimal(50), Decimal("50.0000"), TimeInForce.GTC
        )
        here.exchange.place(here.account, order)
        here.exchange.cancel_all(here.account, FET)
        await asyncio.sleep(0.3)
        assert not here.desk.wake.is_set()  # others' orders are no news until they trade


async def test_an_exchange_without_streams_is_told_once_and_left_to_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with line(tmp_path, monkeypatch) as here:
        monkeypatch.setattr(bot.streaming, "USER_CALLS", ())
        async with here.builder.running():
            await here.until(lambda: bool(here.journal.events(kind="stream_gap")))
            await asyncio.sleep(0.7)
        events = here.journal.events(kind="stream_gap")
        assert [one.document["health"] for one in events] == ["never connected"]
        assert "REST alone" in events[0].document["reason"]
        assert here.server.streams.handshakes == 0


async def test_off_means_that_nothing_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with line(tmp_path, monkeypatch, user="off", market="off") as here:
        async with here.builder.running():
            await asyncio.sleep(0.1)
        assert here.server.streams.handshakes == 0
        assert here.desk.document() == {}


@pytest.mark.parametrize(
    "said",
    [
        "401, url='wss://host/private/ws?listenKey=canary'",
        """WSMessage(type=1, data='{"e":"listenKeyExpired","listenKey":"canary"}')""",
    ],
)
def test_no_reason_shows_a_listen_key(said: str) -> None:
    assert "canary" not in error_text(ccxt.NetworkError(said))


def test_waits_double_up_to_a_cap_and_scatter() -> None:
    waits = Backoff(0.5, 30.0, 60.0, random.Random(1))
    found = [waits.next_s() for _ in range(12)]
    for k, one in enumerate(found):
        whole = min(30.0, 0.5 * 2.0**k)
        assert whole / 2 <= one <= whole
    assert len({round(one, 6) for one in found[7:]}) == 5
    waits.stood(59.0)
    assert waits.next_s() >= 15.0
    waits.stood(60.0)
    assert waits.next_s() <= 0.5


def test_a_key_outlives_several_renewals() -> None:
    assert bot.streaming.RENEWALS["binanceusdm"] == "fapiPrivatePutListenKey"
    default = task_module.StreamPlan.__dataclass_fields__["renew_every_s"].default
    assert 2.5 * default * 1000 <= VALID_MS
