"""What ccxt says about markets, in our own types; and its errors, in ours."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from ccxt.base.decimal_to_precision import TICK_SIZE
from ccxt.base.errors import BaseError, NetworkError

from bot.errors import UnreachableError, VenueError
from risk.errors import DataError
from risk.instrument import Instrument

NEEDED = ("fetchOHLCV", "fetchTickers", "fetchFundingRates")
USEFUL = {
    "fetchFundingRateHistory": "no crowding from settled funding",
    "fetchOpenInterest": "no open interest",
}
# Exchanges whose volumes ccxt gives in contracts instead of base units: of bars, and of tickers.
BAR_VOLUME_IN_CONTRACTS = frozenset({"gate", "kucoinfutures", "mexc"})
TICKER_VOLUME_IN_CONTRACTS = frozenset({"okx", "kucoinfutures", "mexc"})
DEFAULT_MAKER_FEE = 0.0002
DEFAULT_TAKER_FEE = 0.0005
DEFAULT_FUNDING_HOURS = 8.0
_INTERVAL = re.compile(r"([1-9][0-9]?)h")
_SECRET = re.compile(r"signature|apikey|api_key|listenkey|secret|passphrase|token", re.IGNORECASE)
_ADDRESS = re.compile(r"\S*://\S+")
_CALL = re.compile(r"^\w+ (GET|POST|PUT|DELETE)\b")  # ccxt begins with exchange and method


@contextmanager
def reading(exchange_id: str, what: str) -> Iterator[None]:
    """Turn whatever a read through ccxt may raise into the errors of the market data port.

    Addresses and everything that may hold a key or a signature are left out of the message.

    Raises:
        UnreachableError: no usable answer: time-out, refused connection, limits, maintenance.
        VenueError: the exchange answered with an error.
        DataError: the answer cannot be understood.
    """
    try:
        yield
    except NetworkError as error:
        raise UnreachableError(
            f"{exchange_id}: {what}: no answer that can be used ({error_text(error)})"
        ) from None
    except BaseError as error:
        raise VenueError(f"{exchange_id}: {what}: {error_text(error)}") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # ccxt's parsers raise these on answers of an unexpected shape.
        name = type(error).__name__
        raise DataError(
            f"{exchange_id}: {what}: the answer cannot be understood ({name})"
        ) from None


def error_text(error: BaseException) -> str:
    """Class and, where it is safe to show, the exchange's own code and words."""
    name, text = type(error).__name__, str(error)
    start = text.find("{")
    if start >= 0:
        try:
            body = json.loads(text[start:])
        except ValueError:
            body = {}
        if isinstance(body, dict) and ("code" in body or "msg" in body):
            text = f"{body.get('code', '')} {body.get('msg', '')}".strip()
    text = _ADDRESS.sub("", text.splitlines()[0] if text else "").strip()
    text = _CALL.sub("", text).strip()
    if not text or _SECRET.search(text):
        return name
    return f"{name}: {text[:160]}"


def require_capabilities(exchange: Any) -> list[str]:
    """One clear line for each useful thing that the exchange lacks; empty when it has all.

    Raises:
        VenueError: something needed is missing, or its precisions are not price steps.
    """
    missing = [name for name in NEEDED if not exchange.has.get(name)]
    if missing:
        raise VenueError(f"{exchange.id}: cannot be used, it lacks {', '.join(missing)}")
    if exchange.precisionMode != TICK_SIZE:
        raise VenueError(f"{exchange.id}: cannot be used, its precisions are not in steps")
    return [f"{name}: {loss}" for name, loss in USEFUL.items() if not exchange.has.get(name)]


def number(value: object) -> float | None:
    """A finite float, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def positive(value: object) -> float | None:
    """A finite float above 0, or None."""
    found = number(value)
    return found if found is not None and found > 0.0 else None


def interval_hours(rate: Mapping[str, Any]) -> float | None:
    """Hours between payments as a funding rate structure tells them, or None."""
    match = _INTERVAL.fullmatch(str(rate.get("interval") or ""))
    return float(match.group(1)) if match else None


def instruments_of(
    exchange_id: str, markets: Iterable[Mapping[str, Any]], funding_hours: Mapping[str, float]
) -> tuple[dict[str, Instrument], list[str]]:
    """Active linear perpetuals by unified symbol, and one line for each that cannot be used.

    Inverse contracts, spot and dated futures are passed over. ``funding_hours`` by symbol; where
    it tells nothing, 8 hours. Fees that the exchange does not tell are 0.02 % and 0.05 %; a least
    notional that it does not tell is none.
    """
    found: dict[str, Instrument] = {}
    refused = []
    for market in sorted(markets, key=lambda one: str(one.get("symbol"))):
        if not market.get("swap") or not market.get("linear") or market.get("active") is False:
            continue
        symbol = str(market["symbol"])
        hours = funding_hours.get(symbol, DEFAULT_FUNDING_HOURS)
        instrument = _instrument(exchange_id, market, hours)
        if instrument is None:
            refused.append(f"{symbol}: contract size, price step or amount step is not told")
        else:
            found[symbol] = instrument
    return found, refused


def _instrument(
    exchange_id: str, market: Mapping[str, Any], funding_hours: float
) -> Instrument | None:
    precision, limits = market.get("precision") or {}, market.get("limits") or {}
    size = _decimal(market.get("contractSize"))
    tick, step = _decimal(precision.get("price")), _decimal(precision.get("amount"))
    if size is None or tick is None or step is None:
        return None
    least = _decimal(_limit(limits, "amount", "min"))
    most = [
        top
        for top in (
            _decimal(_limit(limits, "amount", "max")),
            _decimal(_limit(limits, "market", "max")),
        )
        if top is not None
    ]
    maker, taker = number(market.get("maker")), number(market.get("taker"))
    created = number(market.get("created"))
    return Instrument(
        symbol=str(market["symbol"]),
        base=str(market["base"]),
        quote=str(market["quote"]),
        venue=exchange_id,
        contract_size=size,
        tick=tick,
        lot=_plain(step * size),
        min_quantity=_plain((step if least is None else max(least, step)) * size),
        min_notional_usd=_decimal(_limit(limits, "cost", "min")) or Decimal(0),
        maker_fee=DEFAULT_MAKER_FEE if maker is None else maker,
        taker_fee=DEFAULT_TAKER_FEE if taker is None else taker,
        funding_interval_hours=funding_hours,
        listed_at_ms=None if created is None else int(created),
        max_quantity=_plain(min(most) * size) if most else None,
    )


def _limit(limits: Mapping[str, Any], kind: str, end: str) -> object:
    return (limits.get(kind) or {}).get(end)


def _decimal(value: object) -> Decimal | None:
    """The decimal number as it was written, if it is above 0."""
    return None if positive(value) is None else _plain(Decimal(str(value)))


def _plain(value: Decimal) -> Decimal:
    return Decimal(format(value.normalize(), "f"))
