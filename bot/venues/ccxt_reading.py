"""ccxt's documents as the engine's own types, in base units and Decimal. Pure.

Nothing is filled in: a field that is missing or not a number raises and names itself.
"""

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from bot.trading.ledger import FundingReceipt
from bot.trading.orders import Acknowledged, Fill, OrderRequest, OrderState, Side
from bot.venues.ccxt_numbers import Document, decimal_of, optional_decimal
from bot.venues.close_causes import cause_of
from bot.venues.dialects import Dialect
from bot.venues.wire_ids import own_id, wire_id
from risk.errors import DataError, MissingDataError

_DOLLARS = frozenset({"USD", "USDT", "USDC", "BUSD", "FDUSD", "TUSD", "DAI"})
_PLAIN = Dialect()
_DONE = {
    "canceled": OrderState.CANCELED,
    "canceling": OrderState.LIVE,
    "expired": OrderState.EXPIRED,
    "rejected": OrderState.REJECTED,
}


def contract_size(market: Document) -> Decimal:
    """Base units of one contract.

    Raises:
        DataError: the market is no linear perpetual.
    """
    symbol = market.get("symbol")
    if not (market.get("swap") and market.get("linear")):
        raise DataError(f"{symbol}: not a linear perpetual")
    return decimal_of(market, "contractSize", f"market {symbol}")


def read_order(raw: object, client_id: str, size: Decimal, venue: str = "") -> Acknowledged | None:
    """The state of an order as the venue tells it; None where the document does not prove it.

    Args:
        raw: ccxt's order.
        client_id: the id that it must carry.
        size: base units of one contract.
        venue: ccxt's exchange id, which tells how ids are written there.
    """
    if not isinstance(raw, dict) or not raw.get("id"):
        return None
    if own_id(venue, raw.get("clientOrderId")) != client_id:
        return None
    what = f"order {client_id}"
    try:
        filled = decimal_of(raw, "filled", what) * size
        amount = decimal_of(raw, "amount", what) * size
        average = optional_decimal(raw, "average", what)
    except DataError:
        return None
    state = _state(raw.get("status"), filled, amount)
    if state is None:
        return None
    return Acknowledged(client_id, str(raw["id"]), state, filled, average or None)


def read_receipt(raw: object, client_id: str, venue: str) -> str:
    """The venue's id where the reply says that the order was taken and no more; else empty.

    Only to the one order that was sent: hyperliquid does not repeat its client id.
    """
    if not isinstance(raw, dict) or not raw.get("id"):
        return ""
    told = own_id(venue, raw.get("clientOrderId"))
    proven = told == client_id or (not told and venue == "hyperliquid")
    return str(raw["id"]) if proven else ""


def is_cancel_receipt(raw: object, client_id: str, venue: str) -> bool:
    """The reply says that the cancel was taken."""
    if venue == "hyperliquid":  # of one order, which it does not name
        return isinstance(raw, dict) and raw.get("status") == "success"
    return bool(read_receipt(raw, client_id, venue))


def _state(status: object, filled: Decimal, amount: Decimal) -> OrderState | None:
    if not isinstance(status, str):
        return None
    if status == "open":
        return OrderState.PARTIAL if filled > 0 else OrderState.LIVE
    if status == "closed":
        return OrderState.FILLED if filled >= amount else OrderState.EXPIRED
    state = _DONE.get(status)
    return OrderState.PARTIAL if state is OrderState.LIVE and filled > 0 else state


def read_fill(
    raw: Document, symbol: str, size: Decimal, venue: str = "", dialect: Dialect = _PLAIN
) -> Fill:
    """One execution.

    Raises:
        DataError: something that it needs is missing or no number.
    """
    what = f"{symbol}: trade {raw.get('id')}"
    for field in ("id", "order", "side", "timestamp"):
        if raw.get(field) in (None, ""):
            raise MissingDataError(f"{what}: no {field}")
    if raw["side"] not in ("buy", "sell"):
        raise DataError(f"{what}: side is {raw['side']!r}, neither buy nor sell")
    info = raw.get("info")
    details = info if isinstance(info, dict) else {}
    return Fill(
        trade_id=str(raw["id"]),
        venue_order_id=str(raw["order"]),
        client_id=own_id(venue, details.get(dialect.client_id_field)),
        symbol=symbol,
        side=Side(raw["side"]),
        quantity=decimal_of(raw, "amount", what) * size,
        price=decimal_of(raw, "price", what),
        fee_usd=_fee_usd(raw, what),
        realised_pnl_usd=optional_decimal(details, dialect.pnl_field, what),
        maker=raw.get("takerOrMaker") == "maker",
        timestamp_ms=int(decimal_of(raw, "timestamp", what)),
        cause=cause_of(venue, details),
        position_side=_hedged_side(details),
    )


def _hedged_side(details: Document) -> str:
    """Of a trade in hedge mode, as Binance and OKX name it; empty elsewhere."""
    told = str(details.get("positionSide") or details.get("posSide") or "").upper()
    return told if told in ("LONG", "SHORT") else ""


def read_funding(raw: Document, dialect: Dialect = _PLAIN) -> FundingReceipt:
    """One funding payment; positive was received.

    Raises:
        DataError: something that it needs is missing or no number.
    """
    what = f"funding payment {raw.get('id')}"
    for field in (
        ("symbol", "timestamp") if dialect.funding_by_time else ("id", "symbol", "timestamp")
    ):
        if raw.get(field) in (None, ""):
            raise MissingDataError(f"{what}: no {field}")
    return FundingReceipt(
        # Some venues count their payments for each symbol anew.
        receipt_id=f"{raw['symbol']}#{raw['timestamp' if dialect.funding_by_time else 'id']}",
        symbol=str(raw["symbol"]),
        amount_usd=dialect.funding_sign * decimal_of(raw, "amount", what),
        timestamp_ms=int(decimal_of(raw, "timestamp", what)),
    )


def _fee_usd(raw: Document, what: str) -> Decimal | None:
    """None where it is not told, or paid in something that is no dollar."""
    fee = raw.get("fee")
    if not isinstance(fee, dict) or fee.get("currency") not in _DOLLARS:
        return None
    return optional_decimal(fee, "cost", what)


def read_positions(
    rows: Iterable[Document], markets: Mapping[str, Document], dialect: Dialect = _PLAIN
) -> dict[tuple[str, str], Decimal]:
    """Signed base units by (symbol, position side), without the flat ones.

    Raises:
        DataError: a row lacks its size or side, or is in a market that is not linear.
    """
    held: dict[tuple[str, str], Decimal] = {}
    for row in rows:
        symbol = str(row.get("symbol"))
        what = f"position in {symbol}"
        contracts = _contracts(row, dialect.size_path, what)
        if contracts == 0:
            continue
        if symbol not in markets:
            raise DataError(f"{what}: the venue lists no such market")
        side = row.get("side")
        if side not in ("long", "short"):
            raise DataError(f"{what}: side is {side!r}, neither long nor short")
        key = symbol, _position_side(row)
        if key in held:
            raise DataError(f"{what}: told twice")
        sign = 1 if side == "long" else -1
        held[key] = sign * abs(contracts) * contract_size(markets[symbol])
    return held


def _contracts(row: Document, path: tuple[str, ...], what: str) -> Decimal:
    """ccxt's number, where the exchange itself told one; ccxt would work one out."""
    if path:
        told: Any = row.get("info")
        for step in path[:-1]:
            told = told.get(step) if isinstance(told, dict) else None
        decimal_of(told if isinstance(told, dict) else {}, path[-1], what)
    return decimal_of(row, "contracts", what)


def liquidation_prices(rows: Iterable[Document]) -> dict[tuple[str, str], float]:
    """By (symbol, position side), of the rows that have one."""
    found = {}
    for row in rows:
        price = row.get("liquidationPrice")
        if isinstance(price, int | float) and math.isfinite(price) and price > 0:
            found[str(row.get("symbol")), _position_side(row)] = float(price)
    return found


def is_hedged(row: Document) -> bool:
    """Long and short are held apart; of gate ccxt does not tell."""
    info = row.get("info")
    mode = info.get("mode") if isinstance(info, dict) else None
    return bool(row.get("hedged")) or mode in ("dual_long", "dual_short")


def _position_side(row: Document) -> str:
    return str(row.get("side")).upper() if is_hedged(row) else "BOTH"


def margin_rates(leverages: Mapping[str, Document]) -> dict[str, float]:
    """Initial margin as a fraction of notional by symbol; the dearer side where they differ."""
    rates = {}
    for symbol, row in leverages.items():
        told = [row.get("longLeverage"), row.get("shortLeverage")]
        usable = [x for x in told if isinstance(x, int | float) and x >= 1]
        if usable:
            rates[symbol] = 1 / min(usable)
    return rates


def position_margin_rates(rows: Iterable[Document]) -> dict[str, float]:
    """From open positions, where the exchange has no list of leverages."""
    rates = {}
    for row in rows:
        info = row.get("info")
        limit = info.get("cross_leverage_limit") if isinstance(info, dict) else None
        for told in (row.get("leverage"), limit):  # the latter of gate, whose leverage is then 0
            leverage = optional_decimal({"leverage": told}, "leverage", "position")
            if leverage is not None and leverage >= 1:
                rates[str(row["symbol"])] = float(1 / leverage)
                break
    return rates


def order_arguments(order: OrderRequest, size: Decimal, venue: str) -> dict[str, Any]:
    """Arguments of ccxt's ``create_order`` for a limit order.

    Raises:
        DataError: its client id does not fit the venue, or its position side.
    """
    params: dict[str, Any] = {"clientOrderId": wire_id(venue, order.client_id)}
    if order.time_in_force == "GTX":
        params["postOnly"] = True
    else:
        params["timeInForce"] = order.time_in_force
    if order.position_side == "BOTH":
        params["reduceOnly"] = order.reduce_only
    elif venue.startswith("binance"):
        params["positionSide"] = order.position_side  # the venue takes no reduceOnly beside it
    elif venue == "hyperliquid":
        raise DataError(f"{order.symbol}: {venue} holds no long and short apart")
    elif venue == "gate":  # the sign of the order and reduce-only name the side
        params["reduceOnly"] = order.reduce_only
    else:
        params |= {"hedged": True, "reduceOnly": order.reduce_only}
    return {
        "symbol": order.symbol,
        "type": "limit",
        "side": order.side.value,
        "amount": float(order.quantity / size),
        "price": float(order.limit_price),
        "params": params,
    }
