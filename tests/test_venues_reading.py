"""Accounts, positions, trades and payments of six exchanges, in the formats of their own."""

import dataclasses
from decimal import Decimal
from typing import Any

import pytest

from bot.clock import SimulatedClock
from bot.errors import VenueError
from bot.venues.ccxt_venue import CcxtVenue
from risk.errors import DataError
from tests.venue_accounts import ACCOUNTS, HEDGED
from tests.venue_plays import PLAYS, SYMBOLS
from tests.venue_scene import AT_MS, CLIENT_ID, T0, T1, VENUES, Play, playing, said


def play_of(venue: str, **more: Any) -> Play:
    play = PLAYS[venue]
    return dataclasses.replace(play, setup={**play.setup, **ACCOUNTS[venue], **more})


def answer(server: Any, replies: dict[str, Any]) -> None:
    server.answers |= {name: said(reply) for name, reply in replies.items()}


def at_the_time(adapter: CcxtVenue) -> None:
    clock = SimulatedClock(AT_MS)
    adapter._clock = adapter._history._clock = clock


@pytest.mark.parametrize("venue", VENUES)
async def test_an_account_in_base_units_and_dollars(venue: str) -> None:
    async with playing(venue, play_of(venue)) as (server, adapter):
        answer(server, ACCOUNTS[venue])
        seen = await adapter.account()
    key = SYMBOLS[venue], "BOTH"
    assert seen.base_quantity == {key: Decimal(-1000)}
    assert seen.hedge_mode is False
    money = seen.state
    assert (money.equity_usd, money.available_usd) == (9980.0, 9930.0)
    assert money.initial_margin_usd == 50.0
    # bitget tells a rate instead: 1 % of 520, and ccxt adds a fee of 0.06 % to close
    assert money.maintenance_margin_usd == pytest.approx(5.512 if venue == "bitget" else 5.0)
    assert seen.liquidation_price == {key: 0.91}
    assert seen.open_order_client_ids == {CLIENT_ID}
    assert seen.open_order_symbols == {SYMBOLS[venue]}
    assert seen.margin_rate[SYMBOLS[venue]] == pytest.approx(0.1)


@pytest.mark.parametrize("venue", sorted(HEDGED))
async def test_the_rows_of_hedge_mode_and_the_empty_ones_beside_them(venue: str) -> None:
    async with playing(venue, play_of(venue)) as (server, adapter):
        answer(server, {**ACCOUNTS[venue], **HEDGED[venue]})
        seen = await adapter.account()
    assert seen.base_quantity == {(SYMBOLS[venue], "SHORT"): Decimal(-1000)}
    assert seen.hedge_mode is True
    assert seen.state.equity_usd == 9980.0


@pytest.mark.parametrize("venue", VENUES)
async def test_trades_each_once_in_base_units_with_their_fees(venue: str) -> None:
    async with playing(venue, play_of(venue)) as (_, adapter):
        at_the_time(adapter)
        fills = await adapter.fills(SYMBOLS[venue], T0 - 1000)
    assert [fill.quantity for fill in fills] == [400, 600]
    assert [fill.timestamp_ms for fill in fills] == [T0, T1]
    for fill in fills:
        assert (fill.venue_order_id, fill.symbol, fill.side.value) == ("42", SYMBOLS[venue], "sell")
        assert (fill.price, fill.fee_usd, fill.maker) == (Decimal("0.5"), Decimal("0.1"), False)
        if venue != "binanceusdm":  # which names the order only
            assert fill.client_id == CLIENT_ID
        if venue not in ("bybit", "gate"):
            assert fill.realised_pnl_usd == 0


@pytest.mark.parametrize("venue", VENUES)
async def test_a_payment_that_came_in_is_positive_everywhere(venue: str) -> None:
    async with playing(venue, play_of(venue)) as (server, adapter):
        if venue == "bybit":  # the list of executions, asked for payments alone
            answer(server, _payments_only(ACCOUNTS["bybit"]))
        at_the_time(adapter)
        receipts = await adapter.funding_receipts(T0 - 1000)
    assert [one.amount_usd for one in receipts] == [Decimal("1.25")]
    assert (receipts[0].symbol, receipts[0].timestamp_ms) == (SYMBOLS[venue], T1)


def _payments_only(replies: dict[str, Any]) -> dict[str, Any]:
    name = "GET /v5/execution/list"
    result = replies[name]["result"]
    rows = [row for row in result["list"] if row["execType"] == "Funding"]
    return {name: {**replies[name], "result": {**result, "list": rows}}}


_MONEY = {
    "binanceusdm": ("GET /fapi/v3/account", ["totalMarginBalance"]),
    "bybit": ("GET /v5/account/wallet-balance", ["result", "list", 0, "totalAvailableBalance"]),
    "okx": ("GET /api/v5/account/balance", ["data", 0, "details", 0, "mmr"]),
    "hyperliquid": ("info clearinghouseState", ["marginSummary", "accountValue"]),
    "bitget": ("GET /api/v2/mix/account/accounts", ["data", 0, "accountEquity"]),
    "gate": ("GET /api/v4/futures/usdt/accounts", ["unrealised_pnl"]),
}
_SIZE = {
    "binanceusdm": ("GET /fapi/v3/positionRisk", [0, "positionAmt"]),
    "bybit": ("GET /v5/position/list", ["result", "list", 0, "size"]),
    "okx": ("GET /api/v5/account/positions", ["data", 0, "pos"]),
    "hyperliquid": ("info clearinghouseState", ["assetPositions", 0, "position", "szi"]),
    "bitget": ("GET /api/v2/mix/position/all-position", ["data", 0, "total"]),
    "gate": ("GET /api/v4/futures/usdt/positions", [0, "size"]),
}


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("what", ["money", "size"])
@pytest.mark.parametrize("value", [None, "", "NaN"])
async def test_a_number_that_is_missing_is_never_zero(venue: str, what: str, value: Any) -> None:
    name, path = (_MONEY if what == "money" else _SIZE)[venue]
    async with playing(venue, play_of(venue)) as (server, adapter):
        answer(server, ACCOUNTS[venue] | {name: _changed(ACCOUNTS[venue][name], path, value)})
        with pytest.raises((DataError, VenueError)):
            await adapter.account()


def _changed(document: Any, path: list[Any], value: Any) -> Any:
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(document, list):
        return [_changed(one, rest, value) if k == step else one for k, one in enumerate(document)]
    return {k: _changed(one, rest, value) if k == step else one for k, one in document.items()}


async def test_an_okx_account_of_several_currencies_tells_of_itself() -> None:
    whole = {"totalEq": "20000", "availEq": "19000", "imr": "900", "mmr": "90"}
    name = "GET /api/v5/account/balance"
    reply = ACCOUNTS["okx"][name]
    data = [{**reply["data"][0], **whole}]
    async with playing("okx", play_of("okx")) as (server, adapter):
        answer(server, ACCOUNTS["okx"] | {name: {**reply, "data": data}})
        money = (await adapter.account()).state
    assert (money.equity_usd, money.available_usd) == (20_000.0, 19_000.0)
    assert (money.initial_margin_usd, money.maintenance_margin_usd) == (900.0, 90.0)


async def test_gate_counts_cross_margin_apart_where_it_says_so() -> None:
    name = "GET /api/v4/futures/usdt/accounts"
    cross = {
        "enable_evolved_classic": True,
        "cross_available": "9000",
        "cross_initial_margin": "70",
        "cross_order_margin": "3",
        "cross_maintenance_margin": "7",
    }
    async with playing("gate", play_of("gate")) as (server, adapter):
        answer(server, ACCOUNTS["gate"] | {name: ACCOUNTS["gate"][name] | cross})
        money = (await adapter.account()).state
    assert (money.equity_usd, money.available_usd) == (9980.0, 9000.0)
    assert (money.initial_margin_usd, money.maintenance_margin_usd) == (123.0, 12.0)


@pytest.mark.parametrize("newest_first", [True, False])
async def test_a_full_page_is_never_taken_for_all(newest_first: bool) -> None:
    """250 trades in two minutes, 100 a page, whichever end of them the exchange shows."""
    template = ACCOUNTS["okx"]["GET /api/v5/trade/fills-history"]["data"][0]
    times = [T0 + k * 480 for k in range(250)]
    rows = [
        {**template, "tradeId": str(k), "fillSz": "1", "ts": str(t)} for k, t in enumerate(times)
    ]

    async def page(request: Any, _body: str) -> Any:
        begin = int(request.query["begin"])
        end = int(request.query.get("end", times[-1] + 1))
        asked = [row for row in rows if begin <= int(row["ts"]) < end]
        some = asked[::-1][:100] if newest_first else asked[:100]
        return await said({"code": "0", "msg": "", "data": some})(request, "")

    async with playing("okx", play_of("okx")) as (server, adapter):
        server.answers["GET /api/v5/trade/fills-history"] = page
        adapter._clock = adapter._history._clock = SimulatedClock(times[-1] + 1000)
        fills = await adapter.fills(SYMBOLS["okx"], T0)
    assert [fill.trade_id for fill in fills] == [str(k) for k in range(250)]
    assert sum(fill.quantity for fill in fills) == 2500


async def test_open_orders_that_may_be_cut_off_are_no_answer() -> None:
    name = "GET /api/v5/trade/orders-pending"
    row = ACCOUNTS["okx"][name]["data"][0]
    rows = [{**row, "ordId": str(k), "clOrdId": f"x{k}"} for k in range(100)]
    async with playing("okx", play_of("okx")) as (server, adapter):
        answer(server, ACCOUNTS["okx"] | {name: {"code": "0", "msg": "", "data": rows}})
        with pytest.raises(VenueError, match="open orders of account hedge"):
            await adapter.account()


async def test_an_inverse_contract_is_refused() -> None:
    market = {**PLAYS["okx"].markets["GET /api/v5/public/instruments"]["data"][0]}
    inverse = market | {
        "instId": "FET-USD-SWAP",
        "uly": "FET-USD",
        "instFamily": "FET-USD",
        "settleCcy": "FET",
        "ctValCcy": "USD",
        "ctType": "inverse",
    }
    positions = ACCOUNTS["okx"]["GET /api/v5/account/positions"]
    row = {**positions["data"][0], "instId": "FET-USD-SWAP"}
    async with playing("okx", play_of("okx")) as (server, adapter):
        answer(server, ACCOUNTS["okx"])
        answer(
            server,
            {
                "GET /api/v5/public/instruments": {
                    "code": "0",
                    "msg": "",
                    "data": [market, inverse],
                },
                "GET /api/v5/account/positions": {**positions, "data": [row]},
            },
        )
        with pytest.raises(DataError, match="not a linear perpetual"):
            await adapter.account()
