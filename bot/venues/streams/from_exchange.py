"""Events of the simulated exchange's bus, in process, as the news that a stream would tell."""

from typing import Final

from bot.trading.orders import OrderState
from bot.trading.venue_closes import kind_of_client_id
from bot.venues.sim.events import (
    AccountChanged,
    LeverageChanged,
    MarginCalled,
    MarketMoved,
    OrderChanged,
    Reason,
    SimEvent,
)
from bot.venues.sim.records import OrderStatus
from bot.venues.streams.news import (
    MarginNews,
    MoneyNews,
    OrderNews,
    PositionNews,
    SettingsNews,
    StreamNews,
    TradeNews,
)

_STATES: Final = {
    OrderStatus.NEW: OrderState.LIVE,
    OrderStatus.PARTIALLY_FILLED: OrderState.PARTIAL,
    OrderStatus.FILLED: OrderState.FILLED,
    OrderStatus.CANCELED: OrderState.CANCELED,
    OrderStatus.EXPIRED: OrderState.EXPIRED,
    OrderStatus.EXPIRED_IN_MATCH: OrderState.EXPIRED,
}


def news_of(event: SimEvent, account: str) -> tuple[StreamNews, ...]:
    """What the user stream of ``account`` tells of the event, in order; often nothing."""
    if isinstance(event, MarketMoved) or event.account != account:
        return ()
    match event:
        case OrderChanged():
            return _of_order(event)
        case AccountChanged():
            return _of_account(event)
        case LeverageChanged():
            times = event.stamp.event_ms, event.stamp.transaction_ms
            return (SettingsNews(*times, event.symbol, "leverage", str(event.leverage)),)
        case MarginCalled():
            times = event.stamp.event_ms, event.stamp.transaction_ms
            return (MarginNews(*times, tuple(one.symbol for one in event.positions)),)


def _of_order(event: OrderChanged) -> tuple[StreamNews, ...]:
    order, trade = event.order, event.trade
    times = event.stamp.event_ms, event.stamp.transaction_ms
    forced = kind_of_client_id(order.client_id)
    found: list[StreamNews] = []
    if trade is not None:
        found.append(
            TradeNews(
                *times,
                symbol=trade.symbol,
                trade_id=str(trade.trade_id),
                client_id=trade.client_id,
                venue_order_id=str(trade.order_id),
                side=trade.side,
                quantity=trade.quantity,
                price=trade.price,
                forced=forced,
            )
        )
    found.append(
        OrderNews(
            *times,
            symbol=order.symbol,
            client_id=order.client_id,
            venue_order_id=str(order.order_id),
            state=_STATES[order.status],
            filled_quantity=order.filled_quantity,
            forced=forced,
        )
    )
    return tuple(found)


def _of_account(event: AccountChanged) -> tuple[StreamNews, ...]:
    times = event.stamp.event_ms, event.stamp.transaction_ms
    found: list[StreamNews] = [MoneyNews(*times, event.reason.value, event.wallet_usd)]
    for one in event.positions:
        side = one.position_side.value
        found.append(PositionNews(*times, one.symbol, side, one.quantity))
        if event.reason is Reason.MARGIN_TYPE_CHANGE:
            found.append(SettingsNews(*times, one.symbol, "margin_type", one.margin_type.value))
    return tuple(found)
