"""What beginning and ending of a fault do to the world.

Faults that a door plays by itself need nothing here.
"""

import random
import sqlite3
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from bot.faults.disk import SECTOR_BYTES, Disk, Mount
from bot.faults.driver import connect
from bot.faults.kinds import CRASH_POINTS
from bot.faults.play import Play
from bot.faults.world import (
    BOT_SYMBOLS,
    HEDGE_SYMBOLS,
    HOUR_MS,
    SYMBOLS,
    VOLUME_USD,
    WALLET_USD,
    World,
    instrument,
)
from bot.journal.reader import JOURNAL_NAME
from bot.trading.orders import Side
from bot.venues.sim.errors import VenueReject
from config.errors import ConfigError
from config.load import profile_path, settings_from
from config.yaml_file import read_yaml

Effect = Callable[[Play], None]
_AROUND_A_SEND = ("network.place.before", "network.place.after", "journal.sync.after")
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"


def foreign_id(die: random.Random) -> str:
    """A client id like ours that is not ours."""
    return "h1" + "".join(die.choice(_BASE32) for _ in range(24))


def _arm_kill(play: Play) -> None:
    if play.process is not None:
        # A send is rarer than a read, and the moments around it are those that matter most.
        points = CRASH_POINTS if play.die.random() < 0.6 else _AROUND_A_SEND
        play.process.kill_at = play.die.choice(points), play.die.choice((0, 0, 1, 2, 5))


def _power(play: Play) -> None:
    play.power_cut = True
    _arm_kill(play)


def _kill_now(play: Play) -> None:
    play.kill("killed between two steps")
    play.power_cut = False


def _gap(play: Play) -> None:
    symbol = play.die.choice(SYMBOLS)
    play.world.prices[symbol] *= play.die.choice((0.7, 1.3))
    play.world.refresh()
    play.faults.count("price_gap")


def _no_liquidity(play: Play) -> None:
    play.world.volume_usd = 0.0
    play.world.refresh()


def _liquidity(play: Play) -> None:
    play.world.volume_usd = VOLUME_USD
    play.world.refresh()


def _maintenance(play: Play) -> None:
    play.world.closed |= set(SYMBOLS)
    play.world.refresh()
    play.faults.count("maintenance")


def _reopened(play: Play) -> None:
    play.world.closed = set(play.world.delisted)
    play.world.refresh()


def _delist(play: Play) -> None:
    play.world.delist(play.die.choice(SYMBOLS))
    play.faults.count("delisting")


def _relist(play: Play) -> None:
    play.world.closed -= play.world.delisted
    play.world.delisted.clear()
    play.world.refresh()


def _finer_step(play: Play) -> None:
    for symbol in HEDGE_SYMBOLS:
        play.world.exchange.set_step(symbol, instrument(symbol).lot * 10)
    play.faults.count("filter_change")


def _step_back(play: Play) -> None:
    for symbol in HEDGE_SYMBOLS:
        play.world.exchange.set_step(symbol, instrument(symbol).lot)


def _funding(rate: float, hours: float, kind: str) -> Effect:
    def change(play: Play) -> None:
        world = play.world
        world.funding_rate, world.funding_hours = rate, hours
        world.next_funding_ms = world.now_ms + 20_000
        world.refresh()
        play.faults.count(kind)

    return change


def _usual_funding(play: Play) -> None:
    world = play.world
    world.funding_rate, world.funding_hours = 0.0001, 8.0
    world.next_funding_ms = (world.now_ms // (8 * HOUR_MS) + 1) * 8 * HOUR_MS
    world.refresh()


def _deleverage(play: Play) -> None:
    world = play.world
    held = [p for p in world.hedge.held() if world.exchange.trading(p.symbol)]
    if not held or world.hedge.hedge_mode:
        return
    position = play.die.choice(held)
    step = world.exchange.filters(position.symbol).step
    half = (abs(position.quantity) / 2 / step).to_integral_value() * step
    side = Side.BUY if position.quantity < 0 else Side.SELL
    if half and world.other_places(position.symbol, side, half, "adl_autoclose", reduce_only=True):
        play.faults.count("auto_deleveraging")


def _withdraw(play: Play) -> None:
    world = play.world
    held = world.hedge.held()
    if not held:
        return
    money = world.exchange.margin(world.hedge)
    left = money.maintenance_margin_usd * Decimal("0.5") - money.unrealised_pnl_usd
    world.exchange.transfer(world.hedge, left - world.hedge.wallet_usd)
    world.refresh()
    if any(o.client_id.startswith("autoclose") for o in world.hedge.orders.values()):
        play.faults.count("liquidation")


def _refill(play: Play) -> None:
    world = play.world
    world.exchange.transfer(world.hedge, WALLET_USD - world.hedge.wallet_usd)


def _lever(play: Play) -> None:
    symbol = play.die.choice(HEDGE_SYMBOLS)
    try:
        play.world.exchange.set_leverage(play.world.hedge, symbol, play.die.choice((2, 3, 10, 20)))
    except VenueReject as refusal:
        play.trace.note(f"leverage refused: {refusal.code}")
        return
    play.faults.count("leverage_changed")


def _usual_leverage(play: Play) -> None:
    play.world.hedge.leverage.update(dict.fromkeys(SYMBOLS, 5))


def _bot_goes_flat(play: Play) -> None:
    for symbol in BOT_SYMBOLS:
        play.world.bot_trades(symbol, -1e9)


def _foreign(play: Play) -> None:
    world, die = play.world, play.die
    symbol = die.choice(HEDGE_SYMBOLS)
    if symbol in world.closed or world.hedge.hedge_mode:
        return
    step = world.exchange.filters(symbol).step
    price = Decimal(repr(round(world.prices[symbol] * 0.97, 4)))
    resting = world.other_places(symbol, Side.BUY, step * 20, foreign_id(die), price)
    taken = world.other_places(
        symbol, die.choice((Side.BUY, Side.SELL)), step * 20, foreign_id(die)
    )
    if resting or taken:
        play.faults.count("foreign_order_with_prefix")


def _rest_inside(play: Play) -> None:
    """At times somebody's quotes rest in the account, and the engine knows of them in time."""
    world = play.world
    if play.die.random() < 0.7:
        return
    for symbol in HEDGE_SYMBOLS:
        if symbol not in world.closed and not world.hedge.hedge_mode:
            world.quote_inside(symbol, Side.BUY)


def _others_leave(play: Play) -> None:
    """Other people's orders in the hedge account are taken back by them."""
    world = play.world
    ours = {arrival.request.client_id for arrival in play.door.log}
    for order in world.hedge.open_orders():
        if order.client_id not in ours:
            world.exchange.cancel(world.hedge, order.symbol, order_id=order.order_id)


def _skew(offset_ms: int, kind: str) -> Effect:
    def change(play: Play) -> None:
        play.offset_ms = offset_ms
        play.faults.count(kind)

    return change


def _true_time(play: Play) -> None:
    play.offset_ms = 0


def _spoil(trouble: str) -> Effect:
    def begin(play: Play) -> None:
        play.disk.spoil(trouble, play.die.choice((0, 0, play.die.randint(1, 60))))

    return begin


def _lose_a_sync(play: Play) -> None:
    play.disk.losing_in = play.die.randint(0, 12)


def _heal(play: Play) -> None:
    play.disk.heal()


def _unlock(play: Play) -> None:
    play.disk.locked_until_ms = 0


def _lock_journal(play: Play) -> None:
    play.disk.locked_until_ms = play.world.now_ms + 10_000
    play.disk.lock_met = False


def _rot(play: Play) -> None:
    """Between two lives a page of the journal goes bad."""
    # A clean end puts the log into the main file, which is what rots.
    play.stop("stopped between two steps")
    play.kill("killed between two steps")
    file = play.disk.files.get(str(play.folder / JOURNAL_NAME))
    if file is None or len(file.content) < 2 * SECTOR_BYTES:
        return
    page = play.die.randrange(len(file.content) // SECTOR_BYTES)
    start = page * SECTOR_BYTES
    rotten = play.die.randbytes(SECTOR_BYTES)
    play.rot = start, bytes(file.content[start : start + SECTOR_BYTES]), rotten
    file.content[start : start + SECTOR_BYTES] = rotten
    play.faults.count("corrupt_page")


def _restore_copy(play: Play) -> None:
    """The page from a copy, unless the engine has written it anew."""
    file = play.disk.files.get(str(play.folder / JOURNAL_NAME))
    if play.rot is None or file is None:
        return
    start, sound, rotten = play.rot
    if bytes(file.content[start : start + SECTOR_BYTES]) == rotten:
        play.kill("killed between two steps")
        file.content[start : start + SECTOR_BYTES] = sound
    play.rot = None


def _newer(play: Play) -> None:
    play.kill("killed between two steps")
    if _migration(play, "INSERT OR IGNORE INTO migrations VALUES (99, 0)"):
        play.faults.count("newer_schema")


def _older(play: Play) -> None:
    play.kill("killed between two steps")
    _migration(play, "DELETE FROM migrations WHERE version = 99")


def _migration(play: Play, sql: str) -> bool:
    """Change the journal's version while no engine runs, on a disk without faults."""
    path = play.folder / JOURNAL_NAME
    if str(path) not in play.disk.files:
        return False
    healthy = Disk()
    healthy.files = play.disk.files
    mount = Mount(healthy, lambda _name: None, lambda _kind: None)
    connection = connect(mount, path, lambda _ms: play.world.now_ms)
    try:
        connection.execute(sql)
    except sqlite3.Error:
        return False  # an engine that never came up has left no tables
    finally:
        connection.close()
    return True


def _expire_key(play: Play) -> None:
    if play.wire is not None:
        play.wire.expire()


def _fall_silent(play: Play) -> None:
    """A connection that tells nothing more; at times it answers pings all the same."""
    if play.wire is not None:
        play.wire.silence(pongs=play.die.random() < 0.5)


def _speak(play: Play) -> None:
    if play.wire is not None:
        play.wire.silence(pongs=True)


@cache
def _paper_profile() -> Mapping[str, Any]:
    """As it is written."""
    return read_yaml(profile_path("paper"))


def _five_percent(play: Play) -> None:
    """An owner writes 5 where 5 % was meant: refused before anything runs."""
    written = dict(_paper_profile())
    written["controls"] = {"max_order_equity_fraction": 5}
    try:
        settings_from(written, where="perphedge.yaml", base=play.folder)
    except ConfigError as error:
        if "max_order_equity_fraction" in str(error):
            play.faults.count("percent_as_number")


BEGIN: Mapping[str, Effect] = {
    "sigkill": _arm_kill,
    "power_loss": _power,
    "price_gap": _gap,
    "empty_book": _no_liquidity,
    "maintenance": _maintenance,
    "delisting": _delist,
    "filter_change": _finer_step,
    "funding_spike": _funding(0.02, 8.0, "funding_spike"),
    "funding_interval_change": _funding(0.0005, 1.0, "funding_interval_change"),
    "auto_deleveraging": _deleverage,
    "liquidation": _withdraw,
    "leverage_changed": _lever,
    "position_mode_flipped": _bot_goes_flat,
    "foreign_order_with_prefix": _foreign,
    "self_trade_expiry": _rest_inside,
    "skew_ahead": _skew(2_000, "skew_ahead"),
    "skew_behind": _skew(-2_000, "skew_behind"),
    "backward_step": _skew(-30_000, "backward_step"),
    "double_start": Play.second_start,
    "disk_full": _spoil("full"),
    "disk_error": _spoil("failing"),
    "sync_lost_once": _lose_a_sync,
    "journal_locked": _lock_journal,
    "corrupt_page": _rot,
    "newer_schema": _newer,
    "stream_mute": _fall_silent,
    "listen_key_expiry": _expire_key,
    "percent_as_number": _five_percent,
}
"""What happens when a fault begins."""

END: Mapping[str, Effect] = {
    "sigkill": _kill_now,
    "power_loss": _kill_now,
    "empty_book": _liquidity,
    "maintenance": _reopened,
    "delisting": _relist,
    "filter_change": _step_back,
    "funding_spike": _usual_funding,
    "funding_interval_change": _usual_funding,
    "liquidation": _refill,
    "leverage_changed": _usual_leverage,
    "foreign_order_with_prefix": _others_leave,
    "self_trade_expiry": _others_leave,
    "skew_ahead": _true_time,
    "skew_behind": _true_time,
    "backward_step": _true_time,
    "disk_full": _heal,
    "disk_error": _heal,
    "sync_lost_once": _heal,
    "journal_locked": _unlock,
    "corrupt_page": _restore_copy,
    "newer_schema": _older,
    "stream_mute": _speak,
}
"""What happens when it is over."""


def flip_mode(play: Play) -> None:
    """The account's position mode changes, which an exchange allows only while it is flat."""
    world: World = play.world
    if "position_mode_flipped" not in play.faults.active:
        return
    try:
        world.exchange.set_position_mode(world.hedge, hedge=not world.hedge.hedge_mode)
    except VenueReject:
        return
    play.faults.count("position_mode_flipped")
