"""What five exchanges say in their own formats about one market, and how they page its history.

FET at a mark of 0.52, an index of 0.519, the last trade at 0.521, between 0.5205 and 0.5215; in 24
hours a million FET were traded for 520,000 dollars, and 3,000,000 FET are open. Funding is paid
every 4 hours (hyperliquid: every hour), 1,000 FET are traded in every hour at 0.5. A contract is 10
FET on okx and gate. Histories are shown as each exchange shows them: within the times that are
asked for, the newest first (hyperliquid and gate: the oldest), and no more than a page.
"""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from risk.returns import HOUR_MS
from tests.venue_bitget import BITGET_MARKET, bitget_reply
from tests.venue_bybit import BYBIT_MARKET, bybit_reply
from tests.venue_gate import GATE_MARKET
from tests.venue_okx import OKX_MARKET, okx_reply
from tests.venue_scene import AT_MS, Handler, said

DAYS = 60
BARS_DAYS = 12
HOURS = {"bybit": 4, "okx": 4, "hyperliquid": 1, "bitget": 4, "gate": 4}


def payment_times(venue: str) -> list[int]:
    """Every payment of the last months, oldest first."""
    step_ms = HOURS[venue] * HOUR_MS
    newest = AT_MS // step_ms * step_ms
    return [newest - k * step_ms for k in range(DAYS * 24 // HOURS[venue] + 40)][::-1]


def rate_at(time_ms: int) -> float:
    """Another one at every payment."""
    return round((time_ms // HOUR_MS % 97) * 1e-6 - 2e-5, 9)


def bar_times() -> list[int]:
    """Opens of the bars, the running one included, oldest first."""
    newest = AT_MS // HOUR_MS * HOUR_MS
    return [newest - k * HOUR_MS for k in range(BARS_DAYS * 24)][::-1]


Rows = Callable[[dict[str, str]], Any]


def answering(reply: Rows) -> Handler:
    """Answers by what was asked: the query, or hyperliquid's body."""

    async def handler(request: web.BaseRequest, _body: str) -> web.StreamResponse:
        asked = dict(request.query)
        if request.path == "/info":
            body = await request.json()
            asked = {k: str(v) for k, v in {**body, **body.get("req", {})}.items()}
        return web.json_response(reply(asked))

    return handler


def _shown(
    times: list[int], asked: dict[str, str], names: tuple[str, str], most: int, unit: int = 1
) -> list[int]:
    """Times from the first name's to the second's, the newest first and no more than asked."""
    start = int(asked.get(names[0], 0)) * unit
    end = int(asked.get(names[1], AT_MS)) * unit
    return [t for t in reversed(times) if start <= t <= end][:most]


def _okx_times(times: list[int], asked: dict[str, str], most: int) -> list[int]:
    newer, older = int(asked.get("before", 0)), int(asked.get("after", AT_MS + 1))
    return [t for t in reversed(times) if newer < t < older][:most]


def _bybit_feeds() -> dict[str, Handler]:
    ticker = {
        "symbol": "FETUSDT",
        "lastPrice": "0.521",
        "markPrice": "0.52",
        "indexPrice": "0.519",
        "bid1Price": "0.5205",
        "ask1Price": "0.5215",
        "bid1Size": "10",
        "ask1Size": "10",
        "volume24h": "1000000",
        "turnover24h": "520000",
        "fundingRate": "0.0002",
        "openInterest": "3000000",
        "openInterestValue": "1560000",
        "nextFundingTime": str(payment_times("bybit")[-1] + 4 * HOUR_MS),
    }

    def funding(asked: dict[str, str]) -> Any:
        most = int(asked["limit"])
        assert most <= 200
        assert "endTime" in asked, "a start alone is refused"
        rows = [
            {"symbol": "FETUSDT", "fundingRate": f"{rate_at(t)}", "fundingRateTimestamp": str(t)}
            for t in _shown(payment_times("bybit"), asked, ("startTime", "endTime"), most)
        ]
        return bybit_reply({"category": "linear", "list": rows})

    def bars(asked: dict[str, str]) -> Any:
        # With a start alone the page begins there.
        times = [t for t in bar_times() if t >= int(asked["start"])][: int(asked["limit"])]
        rows = [[str(t), "0.5", "0.5", "0.5", "0.5", "1000", "500"] for t in reversed(times)]
        return bybit_reply({"category": "linear", "list": rows})

    interest = {"openInterest": "3000000", "timestamp": str(AT_MS)}
    market = {**BYBIT_MARKET, "fundingInterval": 240}
    markets = bybit_reply({"category": "linear", "list": [market], "nextPageCursor": ""})
    book = {"s": "FETUSDT", "b": [["0.5205", "2000"]], "a": [["0.5215", "1000"]], "ts": AT_MS}
    return {
        "GET /v5/market/instruments-info": said(markets),
        "GET /v5/market/tickers": said(bybit_reply({"category": "linear", "list": [ticker]})),
        "GET /v5/market/funding/history": answering(funding),
        "GET /v5/market/kline": answering(bars),
        "GET /v5/market/orderbook": said(bybit_reply(book)),
        "GET /v5/market/open-interest": said(
            bybit_reply({"category": "linear", "symbol": "FETUSDT", "list": [interest]})
        ),
    }


def _okx_feeds() -> dict[str, Handler]:
    instrument = {"instType": "SWAP", "instId": "FET-USDT-SWAP", "ts": str(AT_MS)}
    ticker = {
        **instrument,
        "last": "0.521",
        "bidPx": "0.5205",
        "askPx": "0.5215",
        "bidSz": "1",
        "askSz": "1",
        "open24h": "0.5",
        "high24h": "0.53",
        "low24h": "0.5",
        "vol24h": "100000",
        "volCcy24h": "1000000",  # contracts, base
    }
    due = payment_times("okx")[-1] + 4 * HOUR_MS
    rate = {
        **instrument,
        "fundingRate": "0.0002",
        "nextFundingRate": "",
        "fundingTime": str(due),
        "nextFundingTime": str(due + 4 * HOUR_MS),
    }

    def funding(asked: dict[str, str]) -> Any:
        most = min(100, int(asked["limit"]))
        return okx_reply(
            [
                {"instId": "FET-USDT-SWAP", "realizedRate": f"{rate_at(t)}", "fundingTime": str(t)}
                for t in _okx_times(payment_times("okx"), asked, most)
            ]
        )

    def bars(asked: dict[str, str]) -> Any:
        times = _okx_times(bar_times(), asked, int(asked["limit"]))
        # Contracts, base, quote, and whether the bar is closed.
        return okx_reply(
            [[str(t), "0.5", "0.5", "0.5", "0.5", "100", "1000", "500", "1"] for t in times]
        )

    index = [{"instId": "FET-USDT", "idxPx": "0.519", "ts": str(AT_MS)}]
    book = [{"bids": [["0.5205", "200", "0", "1"]], "asks": [["0.5215", "100", "0", "1"]]}]
    interest = [{**instrument, "oi": "300000", "oiCcy": "3000000"}]
    return {
        "GET /api/v5/public/instruments": said(okx_reply([OKX_MARKET])),
        "GET /api/v5/market/tickers": said(okx_reply([ticker])),
        "GET /api/v5/market/index-tickers": said(okx_reply(index)),
        "GET /api/v5/public/funding-rate": said(okx_reply([rate])),
        "GET /api/v5/public/mark-price": said(okx_reply([{**instrument, "markPx": "0.52"}])),
        "GET /api/v5/public/funding-rate-history": answering(funding),
        "GET /api/v5/market/candles": answering(bars),
        "GET /api/v5/market/history-candles": answering(bars),
        "GET /api/v5/market/books": said(okx_reply(book)),
        "GET /api/v5/public/open-interest": said(okx_reply(interest)),
    }


def _bitget_feeds() -> dict[str, Handler]:
    ticker = {
        "symbol": "FETUSDT",
        "lastPr": "0.521",
        "bidPr": "0.5205",
        "askPr": "0.5215",
        "bidSz": "10",
        "askSz": "10",
        "markPrice": "0.52",
        "indexPrice": "0.519",
        "high24h": "0.53",
        "low24h": "0.5",
        "open24h": "0.5",
        "ts": str(AT_MS),
        "baseVolume": "1000000",
        "quoteVolume": "520000",
        "usdtVolume": "520000",
        "fundingRate": "0.0002",
        "holdingAmount": "3000000",
    }
    interval = {"symbol": "FETUSDT", "fundingRate": "0.0002", "fundingRateInterval": "4"}

    def funding(asked: dict[str, str]) -> Any:
        most, page = int(asked["pageSize"]), int(asked.get("pageNo", 1))
        assert most <= 100
        shown = payment_times("bitget")[::-1][(page - 1) * most : page * most]
        return bitget_reply(
            [
                {"symbol": "FETUSDT", "fundingRate": f"{rate_at(t)}", "fundingTime": str(t)}
                for t in shown
            ]
        )

    def bars(asked: dict[str, str]) -> Any:
        times = _shown(bar_times(), asked, ("startTime", "endTime"), int(asked["limit"]))
        return bitget_reply(
            [[str(t), "0.5", "0.5", "0.5", "0.5", "1000", "500"] for t in times[::-1]]
        )

    book = {"bids": [["0.5205", "2000"]], "asks": [["0.5215", "1000"]], "ts": str(AT_MS)}
    interest = {"openInterestList": [{"symbol": "FETUSDT", "size": "3000000"}], "ts": str(AT_MS)}
    return {
        "GET /api/v2/mix/market/contracts": said(bitget_reply([BITGET_MARKET])),
        "GET /api/v2/mix/market/tickers": said(bitget_reply([ticker])),
        "GET /api/v2/mix/market/current-fund-rate": said(bitget_reply([interval])),
        "GET /api/v2/mix/market/history-fund-rate": answering(funding),
        "GET /api/v2/mix/market/candles": answering(bars),
        "GET /api/v2/mix/market/history-candles": answering(bars),
        "GET /api/v2/mix/market/merge-depth": said(bitget_reply(book)),
        "GET /api/v2/mix/market/open-interest": said(bitget_reply(interest)),
    }


def _gate_feeds() -> dict[str, Handler]:
    ticker = {
        "contract": "FET_USDT",
        "last": "0.521",
        "mark_price": "0.52",
        "index_price": "0.519",
        "highest_bid": "0.5205",
        "lowest_ask": "0.5215",
        "funding_rate": "0.0002",
        "volume_24h": "100000",
        "volume_24h_base": "1000000",
        "volume_24h_quote": "520000",
        "quanto_base_rate": "",
        "total_size": "300000",
        "high_24h": "0.53",
        "low_24h": "0.5",
    }
    contract = {
        **GATE_MARKET,
        "mark_price": "0.52",
        "index_price": "0.519",
        "funding_rate": "0.0002",
        "funding_interval": 4 * 3600,
        "position_size": 300_000,
        "funding_next_apply": payment_times("gate")[-1] // 1000 + 4 * 3600,
    }

    def funding(asked: dict[str, str]) -> Any:
        times = _shown(payment_times("gate"), asked, ("from", "to"), 10**6, 1000)[::-1]
        return [{"t": t // 1000, "r": f"{rate_at(t)}"} for t in times[: int(asked["limit"])]]

    def bars(asked: dict[str, str]) -> Any:
        times = _shown(bar_times(), asked, ("from", "to"), 2000, 1000)[::-1]
        # v is in contracts.
        bar = {"o": "0.5", "h": "0.5", "l": "0.5", "c": "0.5", "v": 100, "sum": "500"}
        return [{"t": t // 1000, **bar} for t in times]

    book = {
        "current": AT_MS / 1000,
        "bids": [{"p": "0.5205", "s": 200}],
        "asks": [{"p": "0.5215", "s": 100}],
    }
    return {
        "GET /api/v4/futures/usdt/contracts": said([contract]),
        "GET /api/v4/futures/btc/contracts": said([]),
        "GET /api/v4/futures/usdt/tickers": said([ticker]),
        "GET /api/v4/futures/usdt/funding_rate": answering(funding),
        "GET /api/v4/futures/usdt/candlesticks": answering(bars),
        "GET /api/v4/futures/usdt/order_book": said(book),
    }


def _hyperliquid_feeds() -> dict[str, Handler]:
    context = {
        "markPx": "0.52",
        "midPx": "0.521",
        "oraclePx": "0.519",
        "prevDayPx": "0.5",
        "impactPxs": ["0.5205", "0.5215"],
        "dayNtlVlm": "520000",
        "funding": "0.0002",
        "openInterest": "3000000",
        "premium": "0.001",
    }
    universe = [{"name": "FET", "szDecimals": 0, "maxLeverage": 10}]

    def funding(asked: dict[str, str]) -> Any:
        times = [t for t in payment_times("hyperliquid") if t >= int(asked["startTime"])][:500]
        # Some milliseconds after the hour, as they come.
        return [
            {"coin": "FET", "fundingRate": f"{rate_at(t)}", "premium": "0", "time": t + 31}
            for t in times
        ]

    def bars(asked: dict[str, str]) -> Any:
        times = [t for t in bar_times() if t >= int(asked["startTime"])][:5000]
        bar = {"o": "0.5", "h": "0.5", "l": "0.5", "c": "0.5", "v": "1000", "n": 9, "i": "1h"}
        return [{"t": t, "T": t + HOUR_MS - 1, "s": "FET", **bar} for t in times]

    levels = [[{"px": "0.5205", "sz": "2000", "n": 1}], [{"px": "0.5215", "sz": "1000", "n": 1}]]
    return {
        "info metaAndAssetCtxs": said([{"universe": universe, "collateralToken": 0}, [context]]),
        "info fundingHistory": answering(funding),
        "info candleSnapshot": answering(bars),
        "info l2Book": said({"coin": "FET", "levels": levels, "time": AT_MS}),
    }


FEEDS: dict[str, Callable[[], dict[str, Handler]]] = {
    "bybit": _bybit_feeds,
    "okx": _okx_feeds,
    "hyperliquid": _hyperliquid_feeds,
    "bitget": _bitget_feeds,
    "gate": _gate_feeds,
}
