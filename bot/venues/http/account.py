"""An account's money and positions."""

from decimal import Decimal
from typing import Final

from bot.venues.http.face import Face, Listed, SignedCall
from bot.venues.http.wire import Json, fixed, plain
from bot.venues.sim.records import (
    ZERO,
    MarginSummary,
    MarginType,
    PositionSide,
    SimPosition,
    SymbolConfig,
)

_ASSET: Final = "USDT"


def account_v2(face: Face, call: SignedCall) -> Json:
    """GET v2/account: with a row for every contract and position side, flat ones too."""
    summary = face.exchange.margin(call.account)
    return {
        "feeTier": 0,
        "feeBurn": face.preferences(call.account).fee_burn,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "updateTime": 0,
        "multiAssetsMargin": face.preferences(call.account).multi_assets,
        "tradeGroupId": -1,
        **_totals(summary),
        "assets": [{**_asset(summary, call.now_ms), "marginAvailable": True}],
        "positions": [_account_row_v2(one, leg) for one, leg in _all_legs(face, call)],
    }


def account_v3(face: Face, call: SignedCall) -> Json:
    """GET v3/account: with the contracts that are held or have open orders."""
    summary = face.exchange.margin(call.account)
    return {
        **_totals(summary),
        "assets": [_asset(summary, call.now_ms)],
        "positions": [
            {
                "symbol": face.by_symbol(leg.symbol).market_id,
                "positionSide": leg.position_side.value,
                "positionAmt": _amount(face.by_symbol(leg.symbol), leg),
                "unrealizedProfit": fixed(leg.unrealised_pnl_usd, 8),
                "isolatedMargin": _margin(leg.isolated_margin_usd),
                "notional": _margin(leg.notional_usd),
                "isolatedWallet": _margin(leg.isolated_wallet_usd),
                "initialMargin": _margin(leg.initial_margin_usd),
                "maintMargin": _margin(leg.maintenance_margin_usd),
                "updateTime": leg.updated_ms,
            }
            for leg in face.exchange.positions(call.account)
        ],
    }


def balance(face: Face, call: SignedCall) -> Json:
    """GET v2/balance and v3/balance."""
    summary = face.exchange.margin(call.account)
    return [
        {
            "accountAlias": call.account.name,
            "asset": _ASSET,
            "balance": fixed(summary.wallet_usd, 8),
            "crossWalletBalance": fixed(summary.cross_wallet_usd, 8),
            "crossUnPnl": fixed(summary.cross_unrealised_pnl_usd, 8),
            "availableBalance": fixed(summary.available_usd, 8),
            "maxWithdrawAmount": fixed(summary.max_withdraw_usd, 8),
            "marginAvailable": True,
            "updateTime": call.now_ms,
        }
    ]


def account_config(face: Face, call: SignedCall) -> Json:
    """GET v1/accountConfig."""
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "dualSidePosition": call.account.hedge_mode,
        "updateTime": 0,
        "multiAssetsMargin": face.preferences(call.account).multi_assets,
        "tradeGroupId": -1,
    }


def position_risk_v2(face: Face, call: SignedCall) -> Json:
    """GET v2/positionRisk: a row for every contract and position side, flat ones too."""
    return [
        {
            "symbol": one.market_id,
            "positionAmt": _amount(one, leg),
            "entryPrice": _price(one, leg),
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
            "notional": _margin(leg.notional_usd),
            "isolatedWallet": _margin(leg.isolated_wallet_usd),
            "updateTime": leg.updated_ms,
            "isolated": leg.margin_type is MarginType.ISOLATED,
            "adlQuantile": leg.adl,
        }
        for one, leg in _all_legs(face, call)
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
                "positionAmt": _amount(one, leg),
                "entryPrice": _price(one, leg),
                "breakEvenPrice": fixed(leg.break_even_price, one.price_places + 4),
                "markPrice": fixed(leg.mark_price, 8),
                "unRealizedProfit": fixed(leg.unrealised_pnl_usd, 8),
                "liquidationPrice": _liquidation(leg),
                "isolatedMargin": _margin(leg.isolated_margin_usd),
                "notional": _margin(leg.notional_usd),
                "marginAsset": _ASSET,
                "isolatedWallet": _margin(leg.isolated_wallet_usd),
                "initialMargin": _margin(leg.initial_margin_usd),
                "maintMargin": _margin(leg.maintenance_margin_usd),
                "positionInitialMargin": _margin(leg.position_initial_margin_usd),
                "openOrderInitialMargin": _margin(leg.open_order_initial_margin_usd),
                "adl": leg.adl,
                "bidNotional": _margin(leg.bid_notional_usd),
                "askNotional": _margin(leg.ask_notional_usd),
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


def _totals(summary: MarginSummary) -> dict[str, str]:
    return {
        "totalInitialMargin": fixed(summary.initial_margin_usd, 8),
        "totalMaintMargin": fixed(summary.maintenance_margin_usd, 8),
        "totalWalletBalance": fixed(summary.wallet_usd, 8),
        "totalUnrealizedProfit": fixed(summary.unrealised_pnl_usd, 8),
        "totalMarginBalance": fixed(summary.margin_balance_usd, 8),
        "totalPositionInitialMargin": fixed(summary.position_initial_margin_usd, 8),
        "totalOpenOrderInitialMargin": fixed(summary.open_order_initial_margin_usd, 8),
        "totalCrossWalletBalance": fixed(summary.cross_wallet_usd, 8),
        "totalCrossUnPnl": fixed(summary.cross_unrealised_pnl_usd, 8),
        "availableBalance": fixed(summary.available_usd, 8),
        "maxWithdrawAmount": fixed(summary.max_withdraw_usd, 8),
    }


def _asset(summary: MarginSummary, now_ms: int) -> dict[str, Json]:
    return {
        "asset": _ASSET,
        "walletBalance": fixed(summary.wallet_usd, 8),
        "unrealizedProfit": fixed(summary.unrealised_pnl_usd, 8),
        "marginBalance": fixed(summary.margin_balance_usd, 8),
        "maintMargin": fixed(summary.maintenance_margin_usd, 8),
        "initialMargin": fixed(summary.initial_margin_usd, 8),
        "positionInitialMargin": fixed(summary.position_initial_margin_usd, 8),
        "openOrderInitialMargin": fixed(summary.open_order_initial_margin_usd, 8),
        "crossWalletBalance": fixed(summary.cross_wallet_usd, 8),
        "crossUnPnl": fixed(summary.cross_unrealised_pnl_usd, 8),
        "availableBalance": fixed(summary.available_usd, 8),
        "maxWithdrawAmount": fixed(summary.max_withdraw_usd, 8),
        "updateTime": now_ms,
    }


def _account_row_v2(one: Listed, leg: SimPosition) -> dict[str, Json]:
    return {
        "symbol": one.market_id,
        "initialMargin": _margin(leg.initial_margin_usd),
        "maintMargin": _margin(leg.maintenance_margin_usd),
        "unrealizedProfit": fixed(leg.unrealised_pnl_usd, 8),
        "positionInitialMargin": _margin(leg.position_initial_margin_usd),
        "openOrderInitialMargin": _margin(leg.open_order_initial_margin_usd),
        "leverage": str(leg.leverage),
        "isolated": leg.margin_type is MarginType.ISOLATED,
        "entryPrice": _price(one, leg),
        "breakEvenPrice": fixed(leg.break_even_price, one.price_places + 4),
        "maxNotional": plain(leg.max_notional_usd),
        "bidNotional": _margin(leg.bid_notional_usd),
        "askNotional": _margin(leg.ask_notional_usd),
        "positionSide": leg.position_side.value,
        "positionAmt": _amount(one, leg),
        "notional": _margin(leg.notional_usd),
        "isolatedWallet": _margin(leg.isolated_wallet_usd),
        "updateTime": leg.updated_ms,
    }


def _all_legs(face: Face, call: SignedCall) -> list[tuple[Listed, SimPosition]]:
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


def _amount(one: Listed, leg: SimPosition) -> str:
    return fixed(leg.quantity, one.quantity_places)


def _price(one: Listed, leg: SimPosition) -> str:
    """Entry prices are averages and carry more decimals than the tick."""
    return fixed(leg.entry_price, one.price_places + 4)


def _liquidation(leg: SimPosition) -> str:
    return "0" if not leg.liquidation_price else fixed(leg.liquidation_price, 8)


def _margin(value: Decimal) -> str:
    """An amount of money; nothing is a bare 0, by which clients tell cross from isolated."""
    return fixed(value, 8) if value else "0"
