"""What freqtrade's replies say, read strictly. Pure.

Three traits of its interface matter:

- ``amount`` of a trade is unsigned, and follows an order only once that has ended. What an order
  that is still open has filled is told in ``orders``, and belongs to the position as well.
- ``stake_amount`` is margin; it is never read here.
- Rates that it could not get are ``null``; nothing here needs them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from bot.ports import ReportedPosition, SourceAccount
from bot.sources.file import is_unified_symbol
from bot.sources.freqtrade.fields import (
    Row,
    flag,
    mapping,
    optional_number,
    optional_price,
    quantity,
    rows,
    text,
    whole,
)
from bot.sources.json_file import shown
from risk.errors import DataError

CCXT_IDS: Final = {"binance": "binanceusdm", "gateio": "gate"}
"""Where freqtrade's name of an exchange in futures mode is not ccxt's id."""
RUNS: Final = frozenset({"running", "paused"})
"""States in which its loop looks after open trades."""
_STATES: Final = RUNS | {"stopped", "reload_config"}
_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class BotFacts:
    """Which bot answers.

    Attributes:
        trading_mode: ``futures``; any other is no source.
        exchange: ccxt's id.
        dry_run: its trades are imagined, on real prices.
        state: ``running``, ``paused``, ``stopped`` or ``reload_config``.
    """

    bot_name: str
    trading_mode: str
    exchange: str
    dry_run: bool
    stake_currency: str
    state: str

    @property
    def runs(self) -> bool:
        """Its loop looks after open trades."""
        return self.state in RUNS

    @property
    def unfit(self) -> str:
        """Why it can be no source, whatever it holds; empty where it can."""
        if self.trading_mode == "futures":
            return ""
        return (
            f"trading_mode: {shown(self.trading_mode)}, must be 'futures': what such a bot holds "
            "are no perpetuals"
        )

    def other_than(self, before: "BotFacts") -> str:
        """What makes it another bot than it was; empty where it is the same."""
        for name in ("exchange", "dry_run", "stake_currency"):
            was, now = getattr(before, name), getattr(self, name)
            if was != now:
                return f"{name} was {shown(was)} and is {shown(now)}"
        return ""


@dataclass(frozen=True, slots=True)
class Trade:
    """One open trade.

    Attributes:
        base_quantity: signed base units, with what open orders have filled.
    """

    trade_id: int
    pair: str
    base_quantity: Decimal
    leverage: float | None
    open_rate: float | None
    liquidation_price: float | None
    profit_usd: float | None


def read_facts(document: object, where: str) -> BotFacts:
    """``GET /show_config``.

    Raises:
        DataError: something is missing or cannot be.
    """
    row = mapping(document, where)
    runmode = text(row, "runmode", where)
    if runmode not in ("live", "dry_run"):
        raise DataError(f"{where}.runmode: {shown(runmode)}, must be live or dry_run")
    state = text(row, "state", where)
    if state not in _STATES:
        raise DataError(
            f"{where}.state: {shown(state)}, must be one of {', '.join(sorted(_STATES))}"
        )
    dry_run = flag(row, "dry_run", where)
    if dry_run != (runmode == "dry_run"):
        raise DataError(f"{where}.dry_run: {shown(dry_run)}, but runmode is {shown(runmode)}")
    exchange = text(row, "exchange", where)
    return BotFacts(
        bot_name=text(row, "bot_name", where),
        trading_mode=text(row, "trading_mode", where),
        exchange=CCXT_IDS.get(exchange, exchange),
        dry_run=dry_run,
        stake_currency=text(row, "stake_currency", where),
        state=state,
    )


def read_trades(document: object, where: str) -> tuple[Trade, ...]:
    """``GET /status``: all open trades.

    Raises:
        DataError: it is no list, or something in it is missing or cannot be.
    """
    found = tuple(_trade(row, f"{where}[{i}]") for i, row in enumerate(rows(document, where)))
    seen: set[int] = set()
    for one in found:
        if one.trade_id in seen:
            raise DataError(f"{where}: trade_id {one.trade_id}: the same trade twice")
        seen.add(one.trade_id)
    return found


def _trade(row: Row, where: str) -> Trade:
    if not flag(row, "is_open", where):
        raise DataError(f"{where}.is_open: False, must be true: these are open trades")
    if text(row, "trading_mode", where) != "futures":
        raise DataError(f"{where}.trading_mode: {shown(row['trading_mode'])}, must be 'futures'")
    pair = _pair(row, "pair", where)
    short = flag(row, "is_short", where)
    amount = quantity(row, "amount", where) + _filled_in_open_orders(row, where, short=short)
    if amount < 0:
        raise DataError(f"{where}.orders: exits have filled more than the trade's amount")
    return Trade(
        trade_id=whole(row, "trade_id", where),
        pair=pair,
        base_quantity=-amount if short else amount,
        leverage=optional_price(row, "leverage", where),
        open_rate=optional_price(row, "open_rate", where),
        liquidation_price=optional_price(row, "liquidation_price", where),
        profit_usd=optional_number(row, "profit_abs", where),
    )


def _filled_in_open_orders(row: Row, where: str, *, short: bool) -> Decimal:
    """By which the position is larger than ``amount``; below 0 where exits have filled."""
    entry_side = "sell" if short else "buy"
    more = _NOTHING
    for i, order in enumerate(rows(row.get("orders"), f"{where}.orders")):
        at = f"{where}.orders[{i}]"
        if not flag(order, "is_open", at):
            continue
        side = text(order, "ft_order_side", at)
        if side not in ("buy", "sell", "stoploss"):
            raise DataError(f"{at}.ft_order_side: {shown(side)}, must be buy, sell or stoploss")
        if side == "stoploss" and order.get("filled") is None:
            continue  # it waits for its price; nothing is told of it before
        filled = quantity(order, "filled", at)
        more += filled if side == entry_side else -filled
    return more


def read_whitelist(document: object, where: str) -> frozenset[str]:
    """``GET /whitelist``: the pairs that it may enter.

    Raises:
        DataError: it is no list of pairs.
    """
    row = mapping(document, where)
    pairs = row.get("whitelist")
    if not isinstance(pairs, list):
        raise DataError(f"{where}.whitelist: {shown(pairs)}, must be a list")
    return frozenset(
        _pair({"pair": pair}, "pair", f"{where}.whitelist[{i}]") for i, pair in enumerate(pairs)
    )


def read_count(document: object, where: str) -> int:
    """``GET /count``: how many trades are open."""
    return whole(mapping(document, where), "current", where)


def read_last_process_ms(document: object, where: str) -> int:
    """``GET /health``: when its loop last came to its end, UTC milliseconds.

    Raises:
        DataError: it is not told, as before the end of the first round.
    """
    return whole(mapping(document, where), "last_process_ts", where) * 1000


def read_account(document: object, where: str, stake: str, read_ms: int) -> SourceAccount:
    """``GET /balance``: the money of the account, in its stake currency.

    Raises:
        DataError: something is missing or cannot be.
    """
    row = mapping(document, where)
    if text(row, "stake", where) != stake:
        raise DataError(f"{where}.stake: {shown(row['stake'])}, but show_config says {stake}")
    found = {one["currency"]: one for one in _currencies(row, where) if not one["is_position"]}
    money = found.get(stake)
    return SourceAccount(
        timestamp_ms=read_ms,
        equity_usd=optional_number(row, "total", where),
        free_usd=None if money is None else optional_number(money, "free", where),
        used_margin_usd=None if money is None else optional_number(money, "used", where),
    )


def read_account_positions(document: object, where: str) -> Mapping[str, Decimal]:
    """``GET /balance``: what the account holds, signed base units by pair, whosever it is.

    Raises:
        DataError: something is missing or cannot be.
    """
    held: dict[str, Decimal] = {}
    for i, row in enumerate(_currencies(mapping(document, where), where)):
        if not row["is_position"]:
            continue
        at = f"{where}.currencies[{i}]"
        side = text(row, "side", at)
        if side not in ("long", "short"):
            raise DataError(f"{at}.side: {shown(side)}, must be long or short")
        size = quantity(row, "position", at)
        pair = _pair(row, "currency", at)
        held[pair] = held.get(pair, _NOTHING) + (size if side == "long" else -size)
    return held


def positions_of(trades: Sequence[Trade]) -> tuple[ReportedPosition, ...]:
    """One position a pair: several trades of a pair are one position at the exchange."""
    found = []
    for pair, size in held_of(trades).items():
        of_pair = [one for one in trades if one.pair == pair]
        alone = of_pair[0] if len(of_pair) == 1 else None
        found.append(
            ReportedPosition(
                symbol=pair,
                base_quantity=size,
                entry_price=None if alone is None else alone.open_rate,
                leverage=None if alone is None else alone.leverage,
                liquidation_price=None if alone is None else alone.liquidation_price,
                unrealised_pnl_usd=None if alone is None else alone.profit_usd,
            )
        )
    return tuple(found)


def held_of(trades: Collection[Trade]) -> dict[str, Decimal]:
    """Signed base units by pair, of all trades of each; only what is not flat."""
    total: dict[str, Decimal] = {}
    for one in trades:
        total[one.pair] = total.get(one.pair, _NOTHING) + one.base_quantity
    return {pair: size for pair, size in sorted(total.items()) if size != 0}


def foreign_positions(
    held: Mapping[str, Decimal], trades: Collection[Trade]
) -> Mapping[str, Decimal]:
    """What the account holds in pairs in which the bot has no trade."""
    own = {one.pair for one in trades}
    return {pair: size for pair, size in held.items() if size and pair not in own}


def _currencies(row: Row, where: str) -> list[Row]:
    found = rows(row.get("currencies"), f"{where}.currencies")
    for i, one in enumerate(found):
        text(one, "currency", f"{where}.currencies[{i}]")
        flag(one, "is_position", f"{where}.currencies[{i}]")
    return found


def _pair(row: Row, key: str, where: str) -> str:
    pair = text(row, key, where)
    if not is_unified_symbol(pair):
        raise DataError(f"{where}.{key}: {shown(pair)}, must be a perpetual like FET/USDT:USDT")
    return pair
