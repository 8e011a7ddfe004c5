"""One script played twice: the same bytes come back, and no wall time is in them."""

import hashlib
from typing import Any

from bot.venues.http.server import serve_exchange
from bot.venues.loopback import client
from tests.face_market import open_market

FET, NEAR = "FET/USDT:USDT", "NEAR/USDT:USDT"


class Recorder:
    """Every raw reply that a ccxt client saw, headers included, in order."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.replies = 0
        self.texts: list[str] = []

    def attach(self, exchange: Any) -> Any:
        inner = exchange.on_rest_response

        def note(*arguments: Any) -> Any:
            # code, reason, url, method, response headers, response body, ...
            code, headers, body = arguments[0], arguments[4], arguments[5]
            self.replies += 1
            self.texts.append(f"{code} {sorted(headers.items())} {body}")
            self.digest.update(self.texts[-1].encode())
            return inner(*arguments)

        exchange.on_rest_response = note
        return exchange


async def _play(seed: int) -> Recorder:
    market, recorder = open_market(seed), Recorder()
    async with serve_exchange(market.exchange, market.tape, market.clock) as server:
        bot, hedge = (
            recorder.attach(
                client(
                    server.host,
                    key=f"sandbox-{name}-key",
                    secret=f"sandbox-{name}-secret",
                    now_ms=market.clock.now_ms,
                )
            )
            for name in ("bot", "hedge")
        )
        for step in range(6):
            await bot.load_markets(True)
            await bot.fetch_ohlcv(FET, "1h", limit=50)
            await bot.create_order(FET, "market", "buy", 400, None, {"clientOrderId": f"b{step}"})
            book = await hedge.fetch_order_book(NEAR, 20)
            price = book["bids"][3][0]
            await hedge.create_order(
                NEAR, "limit", "sell", 60, price,
                {"timeInForce": "IOC", "clientOrderId": f"h{step}"},
            )  # fmt: skip
            for exchange in (bot, hedge):
                await exchange.fetch_positions()
                await exchange.fetch_balance()
                await exchange.fetch_ledger("USDT")
            await hedge.fetch_my_trades(NEAR)
            await bot.fetch_tickers()
            await bot.fetch_funding_rates()
            market.advance(4 * 3_600_000)
        await bot.close()
        await hedge.close()
    return recorder


async def test_the_same_script_gets_the_same_bytes() -> None:
    first, second = await _play(11), await _play(11)
    different = [
        (a[:400], b[:400]) for a, b in zip(first.texts, second.texts, strict=True) if a != b
    ]
    assert different[:1] == []
    assert first.digest.hexdigest() == second.digest.hexdigest()
    assert first.replies > 80


async def test_another_seed_is_another_market() -> None:
    first, second = await _play(11), await _play(12)
    assert first.digest.hexdigest() != second.digest.hexdigest()
