"""An account's money, and its positions beside it."""

from typing import Final

from bot.venues.http.face import Face, Listed, SignedCall
from bot.venues.http.positions import all_legs, amount_text, entry_text, margin_text
from bot.venues.http.wire import Json, fixed, plain
from bot.venues.sim.records import MarginSummary, MarginType, SimPosition

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
        "positions": [_account_row_v2(one, leg) for one, leg in all_legs(face, call)],
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
                "positionAmt": amount_text(face.by_symbol(leg.symbol), leg),
                "unrealizedProfit": fixed(leg.unrealised_pnl_usd, 8),
                "isolatedMargin": margin_text(leg.isolated_margin_usd),
                "notional": margin_text(leg.notional_usd),
                "isolatedWallet": margin_text(leg.isolated_wallet_usd),
                "initialMargin": margin_text(leg.initial_margin_usd),
                "maintMargin": margin_text(leg.maintenance_margin_usd),
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
        "initialMargin": margin_text(leg.initial_margin_usd),
        "maintMargin": margin_text(leg.maintenance_margin_usd),
        "unrealizedProfit": fixed(leg.unrealised_pnl_usd, 8),
        "positionInitialMargin": margin_text(leg.position_initial_margin_usd),
        "openOrderInitialMargin": margin_text(leg.open_order_initial_margin_usd),
        "leverage": str(leg.leverage),
        "isolated": leg.margin_type is MarginType.ISOLATED,
        "entryPrice": entry_text(one, leg),
        "breakEvenPrice": fixed(leg.break_even_price, one.price_places + 4),
        "maxNotional": plain(leg.max_notional_usd),
        "bidNotional": margin_text(leg.bid_notional_usd),
        "askNotional": margin_text(leg.ask_notional_usd),
        "positionSide": leg.position_side.value,
        "positionAmt": amount_text(one, leg),
        "notional": margin_text(leg.notional_usd),
        "isolatedWallet": margin_text(leg.isolated_wallet_usd),
        "updateTime": leg.updated_ms,
    }
