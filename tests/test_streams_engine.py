"""A whole engine on an exchange with streams: what happens there is met before its time comes."""

import asyncio
import json
from pathlib import Path

import pytest

from bot.records.cycle import CycleStatus
from bot.trading.orders import OrderOutcome, OrderRequest, OrderState, UnknownOutcome
from bot.venues.http.sockets import Socket
from bot.venues.remembering import HedgeVenue
from tests.cycle_scene import ACCOUNT, TAO
from tests.e2e_scene import called
from tests.streams_scene import BOT, Scene, logged, scene

SOON_S = 20.0  # the engine's interval is a minute
BOTS = f"user {BOT}"


async def settled(here: Scene, *streams: str) -> int:
    """These streams are believed and nothing wakes any more; how many cycles that took."""
    await here.until(lambda: {here.state(one) for one in streams} == {"live"})
    count = 0
    while count != len(here.records):
        count = len(here.records)
        await asyncio.sleep(0.4)
    return count


def gross_usd(here: Scene) -> float:
    found = here.records[-1].bot_gross_usd
    assert found is not None
    return found


def lose_first_reply(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The first order arrives and fills, and nobody hears of it; its client id."""
    place, lost = HedgeVenue.place, list[str]()

    async def lossy(venue: HedgeVenue, order: OrderRequest) -> OrderOutcome:
        outcome = await place(venue, order)
        if lost:
            return outcome
        lost.append(order.client_id)
        return UnknownOutcome(order.client_id, "the reply was lost")

    monkeypatch.setattr(HedgeVenue, "place", lossy)
    return lost


@pytest.mark.long
async def test_what_happens_beside_the_engine_wakes_it_long_before_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = lose_first_reply(monkeypatch)
    async with scene(tmp_path) as here:
        count = await settled(here, "user", BOTS, "market")
        # The stream named the order whose reply was lost, so it was looked for at once.
        assert [one.client_id for one in here.records[0].orders if one.state == "unknown"] == lost
        assert here.order_state(lost[0]) is OrderState.FILLED
        assert count <= 4  # what its other orders did is no news
        before_usd = gross_usd(here)
        here.buys(BOT, quantity="1000")
        assert await here.cycles(count + 1) < SOON_S
        assert gross_usd(here) > before_usd + 500

        count = await settled(here, "user", "market")
        asked = here.exchange.counters.public_requests
        here.poke()
        await here.cycles(count + 1)
        # Prices came from the stream: no tickers, no funding rates, the clock at most.
        assert here.exchange.counters.public_requests <= asked + 1

        count = await settled(here, "user")
        here.buys(ACCOUNT, TAO, "0.5")  # somebody trades in the account that holds the hedges
        assert await here.cycles(count + 1) < SOON_S
        woke = [one["stream"] for one in logged(tmp_path) if one["event"] == "stream_wakes"]
        assert {"user", BOTS} <= set(woke)

        # A cut line: what happens now is told to nobody, and found out once it stands again.
        count, before_usd = await settled(here, "user", BOTS), gross_usd(here)
        assert await here.server.streams.cut("private") == 2
        here.buys(BOT, quantity="1000")
        await here.until(lambda: here.state() == here.state(BOTS) == "gap")
        await here.cycles(count + 1)
        await here.until(lambda: here.state() == here.state(BOTS) == "live")
        assert gross_usd(here) > before_usd + 500
        shown = json.loads(called("status", "--state", str(tmp_path / "state"), "--json").out)
        assert {k: one["health"] for k, one in shown["streams"].items()} == {
            "user": "live", BOTS: "live", "market": "live",
        }  # fmt: skip
        assert "Stream market" in called("status", "--state", str(tmp_path / "state")).out
    for stream in ("user", BOTS):
        assert here.story(stream) == ["live", "gap", "live"]
    text = (tmp_path / "hedge.jsonl").read_text() + repr(here.story("user"))
    assert "canary" not in text
    assert "listenKey" not in text


@pytest.mark.long
async def test_a_stream_that_keeps_quiet_is_found_out_by_what_rest_tells(tmp_path: Path) -> None:
    swallowed = ["private"]

    def script(socket: Socket, message: str) -> tuple[str, ...]:
        return () if socket.kind in swallowed else (message,)

    async with scene(tmp_path, script, mute_seconds=2.0) as here:
        assert here.records[0].status is CycleStatus.HEDGED
        await here.until(lambda: here.state() == "mute")  # connected, and pings are answered
        await here.cycles(2)  # REST goes on, and is asked at once
        assert here.records[-1].equity_usd is not None
        count = len(here.records)
        swallowed.clear()
        here.buys(ACCOUNT, TAO, "0.5")  # it speaks again
        await here.cycles(count + 1)
        await here.until(lambda: here.state() == "live")

        count = await settled(here, "market")
        swallowed[:] = ["market", "public"]
        await asyncio.sleep(2.3)
        here.poke()  # a cycle reads prices by REST, which proves that the exchange is at work
        await here.cycles(count + 1)
        await here.until(lambda: here.story("market")[-1] == "mute")
        assert here.state("market") == "mute"
        assert here.records[-1].equity_usd is not None
    assert "mute" in here.story("user")
    assert here.story("user")[-1] == "live"
