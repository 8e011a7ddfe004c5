"""Quotes of many symbols in a few requests through ccxt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bot.errors import VenueError
from bot.feeds.tape import BASE_RATE_8H
from bot.logs import Logger
from bot.ports import Clock, Quote
from bot.venues.ccxt_market import (
    TICKER_VOLUME_IN_CONTRACTS,
    interval_hours,
    number,
    positive,
    reading,
)
from bot.venues.ccxt_rows import read_only_wanted
from risk.errors import DataError
from risk.instrument import Instrument
from risk.returns import HOUR_MS

INTEREST_MAX_AGE_MS = 4 * HOUR_MS

Answer = Mapping[str, Mapping[str, Any]]


@dataclass
class _Answers:
    """What the exchange said, by symbol, to each request."""

    tickers: Answer = field(default_factory=dict)
    rates: Answer = field(default_factory=dict)
    books: Answer = field(default_factory=dict)
    marks: Answer = field(default_factory=dict)
    indices: Answer = field(default_factory=dict)

    def price(self, symbol: str, name: str) -> float | None:
        """The first usable price of that name."""
        for answer in (self.books, self.rates, self.tickers, self.marks, self.indices):
            price = positive((answer.get(symbol) or {}).get(name))
            if price is not None:
                return price
        return None


class QuoteReader:
    """Puts a quote together from tickers, best bids and asks, and funding rates."""

    def __init__(
        self, exchange: Any, clock: Clock, log: Logger, *, with_open_interest: bool
    ) -> None:
        read_only_wanted(exchange)
        self._exchange = exchange
        self._clock = clock
        self._log = log
        self._with_open_interest = with_open_interest and bool(
            exchange.has.get("fetchOpenInterest")
        )
        self._open_interest: dict[str, tuple[int, float | None]] = {}
        self._left_out: frozenset[str] = frozenset()

    async def read(
        self, instruments: Sequence[Instrument], volatility_daily: Mapping[str, float | None]
    ) -> dict[str, Quote]:
        """Quotes by symbol; one without a usable mark, bid, ask or volume is left out, with a log
        event when that changes.

        Raises:
            UnreachableError, VenueError, DataError: as ``reading`` says.
        """
        if not instruments:
            return {}
        symbols = [one.symbol for one in instruments]
        # Prices come last, so that they are not old by the time they are used.
        interest = {
            one.symbol: await self._interest(one) if self._with_open_interest else None
            for one in instruments
        }
        asked_ms = self._clock.now_ms()
        told = await self._answers(symbols)
        found = {}
        for one in instruments:
            quote = _quote(one, told, asked_ms)
            if quote is not None:
                found[one.symbol] = replace(
                    quote,
                    volatility_daily=volatility_daily[one.symbol],
                    open_interest_base=interest[one.symbol],
                )
        self._tell_left_out(frozenset(symbols) - frozenset(found))
        return found

    async def _answers(self, symbols: list[str]) -> _Answers:
        """Two requests, and more where they leave out bid and ask, mark or index price."""
        told = _Answers()
        told.tickers = await self._ask("fetch_tickers", "tickers", symbols)
        told.rates = await self._ask("fetch_funding_rates", "funding rates", symbols)
        has = self._exchange.has
        sides = [told.price(symbol, side) for symbol in symbols for side in ("bid", "ask")]
        if None in sides and has.get("fetchBidsAsks"):
            told.books = await self._ask("fetch_bids_asks", "best bids and asks", symbols)
        marks = [told.price(symbol, "markPrice") for symbol in symbols]
        if None in marks and has.get("fetchMarkPrices"):
            told.marks = await self._ask("fetch_mark_prices", "mark prices", symbols)
        if self._exchange.id == "okx":  # which tells the index of a coin, not of a contract
            told.indices = await self._okx_indices(symbols)
        return told

    async def _okx_indices(self, symbols: list[str]) -> Answer:
        found: dict[str, Mapping[str, Any]] = {}
        for quote in sorted({self._exchange.market(symbol)["quote"] for symbol in symbols}):
            with reading("okx", "index prices"):
                reply = await self._exchange.public_get_market_index_tickers({"quoteCcy": quote})
                prices = {row["instId"]: {"indexPrice": row["idxPx"]} for row in reply["data"]}
            found |= prices
        return {s: found.get(self._exchange.market(s)["info"].get("uly"), {}) for s in symbols}

    async def _ask(self, method: str, what: str, symbols: list[str]) -> Answer:
        with reading(self._exchange.id, what):
            answer = await getattr(self._exchange, method)(symbols)
            if not isinstance(answer, dict):
                raise TypeError("not a mapping by symbol")
        return answer

    async def _interest(self, instrument: Instrument) -> float | None:
        """Open interest in base units, asked for every few hours: it is one request a symbol, and
        what it is used for moves over days."""
        now_ms = self._clock.now_ms()
        known = self._open_interest.get(instrument.symbol)
        if known is None or now_ms - known[0] >= INTEREST_MAX_AGE_MS:
            known = (now_ms, await self._asked_interest(instrument))
            self._open_interest[instrument.symbol] = known
        return known[1]

    async def _asked_interest(self, instrument: Instrument) -> float | None:
        """None where the exchange has none to tell: quotes are whole without it."""
        symbol, base = instrument.symbol, None
        try:
            with reading(self._exchange.id, f"open interest of {symbol}"):
                answer = await self._exchange.fetch_open_interest(symbol)
                base = number(answer.get("baseVolume"))
                contracts = number(answer.get("openInterestAmount"))
                if contracts is not None:
                    base = contracts * float(instrument.contract_size)
        except (VenueError, DataError) as error:
            self._log.debug("open_interest_unknown", symbol=symbol, reason=str(error))
        return base

    def _tell_left_out(self, left_out: frozenset[str]) -> None:
        fresh = left_out - self._left_out
        if fresh:
            self._log.warning("quotes_missing", exchange=self._exchange.id, symbols=sorted(fresh))
        self._left_out = left_out


def _quote(instrument: Instrument, told: _Answers, asked_ms: int) -> Quote | None:
    """One quote, or None where something that has no substitute is missing.

    An index that is not told is the mark; a rate that is not told is the base rate. The time is
    that of the funding rate, else of the ticker, else of the request.
    """
    symbol = instrument.symbol
    rate, ticker = told.rates.get(symbol) or {}, told.tickers.get(symbol) or {}
    mark, last = told.price(symbol, "markPrice"), told.price(symbol, "last")
    bid, ask = told.price(symbol, "bid"), told.price(symbol, "ask")
    volume = _volume_usd(ticker, instrument)
    if mark is None or bid is None or ask is None or volume is None or bid > ask:
        return None
    hours = interval_hours(rate) or instrument.funding_interval_hours
    running = number(rate.get("fundingRate"))
    stamp = positive(rate.get("timestamp")) or positive(ticker.get("timestamp"))
    now_ms = asked_ms if stamp is None else int(stamp)
    return Quote(
        symbol=symbol,
        timestamp_ms=now_ms,
        mark=mark,
        index=told.price(symbol, "indexPrice") or mark,
        last=last or mark,
        bid=bid,
        ask=ask,
        daily_volume_usd=volume,
        funding_rate=BASE_RATE_8H * hours / 8.0 if running is None else running,
        funding_interval_hours=hours,
        next_funding_ms=_next_funding_ms(rate, now_ms, hours),
    )


def _volume_usd(ticker: Mapping[str, Any], instrument: Instrument) -> float | None:
    """Traded in 24 hours, USD: as told, else base volume at the average or last price."""
    told = number(ticker.get("quoteVolume"))
    if told is not None and told >= 0.0:
        return told
    base = number(ticker.get("baseVolume"))
    price = positive(ticker.get("vwap")) or positive(ticker.get("last"))
    if base is None or price is None or base < 0.0:
        return None
    in_contracts = instrument.venue in TICKER_VOLUME_IN_CONTRACTS
    return base * price * (float(instrument.contract_size) if in_contracts else 1.0)


def _next_funding_ms(rate: Mapping[str, Any], now_ms: int, hours: float) -> int:
    """The first time told that lies ahead, else the next full interval of the day."""
    for name in ("fundingTimestamp", "nextFundingTimestamp"):
        told = positive(rate.get(name))
        if told is not None and told > now_ms:
            return int(told)
    step_ms = round(hours * HOUR_MS)
    return (now_ms // step_ms + 1) * step_ms
