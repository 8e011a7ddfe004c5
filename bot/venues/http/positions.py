"""Positions and their risk."""

from decimal import Decimal
from typing import Final

from bot.venues.http.face import Face, Listed, SignedCall
from bot.venues.http.wire import Json, fixed, plain
from bot.venues.sim.records import (
    ZERO,
    MarginType,
    PositionSide,
    SimPosition,
    SymbolConfig,
)

_ASSET: Final = "USDT"


def position_risk_v2(face: Face, call: SignedCall) -> Json:
    """GET v2/positionRisk: a row for every contract and position side, flat ones too."""
    return [
        {
            "symbol": one.market_id,
            "positionAmt": amount_text(one, leg),
            "entryPrice": entry_text(one, leg),
            "breakEvenPrice": fixed(leg.break_even_price, one.price_places + 4),
            "markPrice": fixed(leg.mark_price, 8),
            "unRealizedProfit": fixed(leg.unrealised_pnl_usd, 8),
            "liquidationPrice": _liquidation(leg),
            "leverage": str(leg.leverage),
            "maxNotionalValue": plain(leg.max_notional_usd),
            "marginType": "isolated" if leg.margin_type is MarginType.ISOLATED else "cross",
            "isolatedMargin": fixed(leg.isolated_margin_usd, 8),
            "isAutoAddMargin": "false",
            "positionSide": leg.position_side.value,
            "notional": margin_text(leg.notional_usd),
            "isolatedWallet": margin_text(leg.isolated_wallet_usd),
            "updateTime": leg.updated_ms,
            "isolated": leg.margin_type is MarginType.ISOLATED,
            "adlQuantile": leg.adl,
        }
        for one, leg in all_legs(face, call)
    ]


def position_risk_v3(face: Face, call: SignedCall) -> Json:
    """GET v3/positionRisk: the contracts that are held or have open orders."""
    named = face.optional_market(call.params)
    rows = []
    for leg in face.exchange.positions(call.account):
        one = face.by_symbol(leg.symbol)
        if named is not None and one is not named:
            continue
        rows.append(
            {
                "symbol": one.market_id,
                "positionSide": leg.position_side.value,
                "positionAmt": amount_text(one, leg),
                "entryPrice": entry_text(one, leg),
                "breakEvenPrice": fixed(leg.break_even_price, one.price_places + 4),
                "markPrice": fixed(leg.mark_price, 8),
                "unRealizedProfit": fixed(leg.unrealised_pnl_usd, 8),
                "liquidationPrice": _liquidation(leg),
                "isolatedMargin": margin_text(leg.isolated_margin_usd),
                "notional": margin_text(leg.notional_usd),
                "marginAsset": _ASSET,
                "isolatedWallet": margin_text(leg.isolated_wallet_usd),
                "initialMargin": margin_text(leg.initial_margin_usd),
                "maintMargin": margin_text(leg.maintenance_margin_usd),
                "positionInitialMargin": margin_text(leg.position_initial_margin_usd),
                "openOrderInitialMargin": margin_text(leg.open_order_initial_margin_usd),
                "adl": leg.adl,
                "bidNotional": margin_text(leg.bid_notional_usd),
                "askNotional": margin_text(leg.ask_notional_usd),
                "updateTime": leg.updated_ms,
            }
        )
    return rows


def adl_quantile(face: Face, call: SignedCall) -> Json:
    """GET v1/adlQuantile: place of each held position in the queue of auto-deleveraging."""
    named = face.optional_market(call.params)
    queue: dict[str, dict[str, int]] = {}
    for leg in face.exchange.positions(call.account):
        one = face.by_symbol(leg.symbol)
        if leg.quantity and (named is None or one is named):
            queue.setdefault(one.market_id, {})[leg.position_side.value] = leg.adl
    return [{"symbol": symbol, "adlQuantile": places} for symbol, places in queue.items()]


def all_legs(face: Face, call: SignedCall) -> list[tuple[Listed, SimPosition]]:
    """Every contract and side of the account's position mode; flat where nothing is held."""
    named = face.optional_market(call.params)
    asked = face.contracts(call.now_ms) if named is None else [named]
    held = {(leg.symbol, leg.position_side): leg for leg in face.exchange.positions(call.account)}
    hedge = (PositionSide.LONG, PositionSide.SHORT)
    sides = hedge if call.account.hedge_mode else (PositionSide.BOTH,)
    rows = []
    for one in asked:
        quote = face.quote(one)
        for side in sides:
            leg = held.get((one.symbol, side))
            if leg is None and quote is not None:
                config = face.exchange.symbol_config(call.account, one.symbol)
                leg = _flat(side, config, quote.mark)
            if leg is not None:
                rows.append((one, leg))
    return rows


def _flat(side: PositionSide, config: SymbolConfig, mark: float) -> SimPosition:
    return SimPosition(
        symbol=config.symbol,
        position_side=side,
        quantity=ZERO,
        entry_price=ZERO,
        break_even_price=ZERO,
        mark_price=Decimal(repr(mark)),
        unrealised_pnl_usd=ZERO,
        notional_usd=ZERO,
        liquidation_price=ZERO,
        leverage=config.leverage,
        margin_type=config.margin_type,
        isolated_wallet_usd=ZERO,
        isolated_margin_usd=ZERO,
        position_initial_margin_usd=ZERO,
        open_order_initial_margin_usd=ZERO,
        maintenance_margin_usd=ZERO,
        bid_notional_usd=ZERO,
        ask_notional_usd=ZERO,
        max_notional_usd=config.max_notional_usd,
        adl=0,
        updated_ms=0,
    )


def amount_text(one: Listed, leg: SimPosition) -> str:
    """Base units, signed."""
    return fixed(leg.quantity, one.quantity_places)


def entry_text(one: Listed, leg: SimPosition) -> str:
    """Entry prices are averages and carry more decimals than the tick."""
    return fixed(leg.entry_price, one.price_places + 4)


def _liquidation(leg: SimPosition) -> str:
    return "0" if not leg.liquidation_price else fixed(leg.liquidation_price, 8)


def margin_text(value: Decimal) -> str:
    """An amount of money; nothing is a bare 0, by which clients tell cross from isolated."""
    return fixed(value, 8) if value else "0"
