"""Judges one story by the exchange's own log and the journal's bytes alone."""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bot.faults.oracle import journal as journal_checks
from bot.faults.oracle import orders as order_checks
from bot.faults.oracle.evidence import Evidence, ExchangeLog, Kept, Rows, read_tables
from bot.journal.anchor import read_anchor
from bot.journal.reader import JOURNAL_NAME
from bot.journal.verify import BrokenChainError, verify_all
from tests.kill_stage import LONGS_USD, OTHERS, OTHERS_IN, Story
from tests.kill_strategy import CARRIERS, LEAST_USD, SHARE

_MORE = 1.1
"""Prices move a little from one life to the next."""


@dataclass(frozen=True)
class ExchangeSide:
    """What the exchange tells of the hedge account, in its own words.

    ``orders`` and ``trades`` are ours: what is sent by hand has another kind of client id.
    """

    orders: Rows
    trades: Rows
    positions: Rows
    orders_of_others: Rows = ()
    trades_of_others: Rows = ()


async def ask(story: Story) -> ExchangeSide:
    """Everything that ever happened in the hedge account."""
    client = await story.stage.signed(story.hedge)
    orders: list[Mapping[str, Any]] = []
    trades: list[Mapping[str, Any]] = []
    for symbol in (*CARRIERS, OTHERS_IN):
        asked = {"symbol": client.market(symbol)["id"], "limit": 1000}
        orders += await client.fapiprivate_get_allorders(asked)
        trades += await client.fapiprivate_get_usertrades(asked)
    positions = await client.fapiprivatev3_get_positionrisk()
    ids = {o["orderId"] for o in orders if str(o["clientOrderId"]).startswith("h1")}
    return ExchangeSide(
        [one for one in orders if one["orderId"] in ids],
        [one for one in trades if one["orderId"] in ids],
        positions,
        [one for one in orders if one["orderId"] not in ids],
        [one for one in trades if one["orderId"] not in ids],
    )


def judge(story: Story, seen: ExchangeSide) -> list[str]:
    """Everything that is wrong, one line each."""
    damage, tables = tables_of(story.state)
    # What had left by each of them is not known here: _sent_once_and_durably asks in the end.
    images = [Kept(image.name, frozenset(), *tables_of(image)) for image in story.images]
    evidence = Evidence(_NO_LOG, tables, damage, images, story.said, "ready", False, 0.0)
    checks = (
        journal_checks.sound(evidence),
        journal_checks.replays(evidence),
        order_checks.none_beside_unresolved(evidence),
        order_checks.legal_steps(evidence),
        _chained(story),
        _sent_once_and_durably(tables, seen),
        _within_intents(tables, seen),
        _booked_once(tables, seen),
        _nothing_denied(tables, seen),
        _positions_equal(tables, seen),
        _never_over_hedged(seen),
        _nothing_left_resting(seen),
        _nothing_escaped(story, tables, seen),
    )
    return [line for check in checks for line in check]


_NO_LOG = ExchangeLog((), (), {}, (), (), {}, frozenset(), False, Decimal(0), Decimal(0), {}, 0.0)
"""The checks of the journal look at nothing of it."""


def tables_of(folder: Path) -> tuple[str, dict[str, Rows]]:
    """What is wrong with a journal, and its tables, from its bytes."""
    files = {str(f): f.read_bytes() for f in folder.glob(f"{JOURNAL_NAME}*")}
    with TemporaryDirectory() as aside:
        return read_tables(files, Path(aside))


def _chained(story: Story) -> Iterator[str]:
    for folder in (*story.images, story.state):
        with TemporaryDirectory() as aside:
            for file in folder.glob("journal*"):
                (Path(aside) / file.name).write_bytes(file.read_bytes())
            copy = Path(aside) / JOURNAL_NAME
            with closing(sqlite3.connect(copy)) as connection:
                try:
                    verify_all(connection, read_anchor(copy))
                except BrokenChainError as error:
                    yield f"the chain of {folder.name} is broken: {error}"
                except sqlite3.OperationalError as error:
                    if "no such table" not in str(error):  # it died before there was a journal
                        yield f"{folder.name}: {error}"


def _sent_once_and_durably(tables: Mapping[str, Rows], seen: ExchangeSide) -> Iterator[str]:
    times = Counter(str(order["clientOrderId"]) for order in seen.orders)
    rows = {row["client_id"]: row for row in tables["orders"]}
    marked = {
        row["client_id"]: row["timestamp_ms"]
        for row in tables["events"]
        if row["kind"] == "order_sending"
    }
    for order in seen.orders:
        client_id = str(order["clientOrderId"])
        row = rows.get(client_id)
        if times[client_id] > 1:
            yield f"{client_id} reached the exchange {times[client_id]} times"
        if row is None or client_id not in marked:
            yield f"{client_id} was sent, and the journal knows nothing of it"
        elif marked[client_id] > int(order["time"]):
            yield f"{client_id} was written down after it had left"
        elif Decimal(row["quantity"]) != Decimal(order["origQty"]):
            yield f"{client_id}: {order['origQty']} sent, {row['quantity']} written down"


def _within_intents(tables: Mapping[str, Rows], seen: ExchangeSide) -> Iterator[str]:
    intent_of = {row["client_id"]: row["intent_id"] for row in tables["orders"]}
    meant = {row["intent_id"]: abs(Decimal(row["trade_quantity"])) for row in tables["intents"]}
    filled: dict[str, Decimal] = defaultdict(Decimal)
    for order in seen.orders:
        intent = intent_of.get(str(order["clientOrderId"]))
        if intent is not None:
            filled[intent] += Decimal(order["executedQty"])
    for intent, quantity in filled.items():
        if quantity > meant[intent]:
            yield f"intent {intent}: {quantity} filled, {meant[intent]} was meant"


def _booked_once(tables: Mapping[str, Rows], seen: ExchangeSide) -> Iterator[str]:
    """Each execution is booked once and as it was; nothing else is booked."""
    booked = {(row["trade_id"], row["venue_order_id"]): row for row in tables["fills"]}
    if len(booked) != len(tables["fills"]):
        yield "a trade is booked twice"
    for trade in seen.trades:
        row = booked.pop((str(trade["id"]), str(trade["orderId"])), None)
        if row is None:
            yield f"trade {trade['id']} of {trade['qty']} {trade['symbol']} is not booked"
            continue
        for ours, theirs in (
            ("quantity", "qty"),
            ("price", "price"),
            ("fee_usd", "commission"),
            ("realised_pnl_usd", "realizedPnl"),
        ):
            if Decimal(row[ours]) != Decimal(trade[theirs]):
                yield f"trade {trade['id']}: {ours} {row[ours]} booked, {trade[theirs]} is true"
    for trade_id, _ in booked:
        yield f"trade {trade_id} is booked and never happened"


def _nothing_denied(tables: Mapping[str, Rows], seen: ExchangeSide) -> Iterator[str]:
    state = {row["client_id"]: row["state"] for row in tables["orders"]}
    for order in seen.orders:
        said = state.get(str(order["clientOrderId"]))
        if said in ("rejected", "absent", "unknown", "sending"):
            yield f"{order['clientOrderId']} is at the exchange, and {said} in the journal"
        elif said is not None and said != _STATES.get(str(order["status"]), said):
            yield f"{order['clientOrderId']} is {order['status']}, and {said} in the journal"


_STATES = {"FILLED": "filled", "CANCELED": "canceled", "EXPIRED": "expired", "NEW": "live"}


def _nothing_left_resting(seen: ExchangeSide) -> Iterator[str]:
    """Of ours nothing is open; what somebody else has in the book stays there."""
    for order in seen.orders:
        if order["status"] in ("NEW", "PARTIALLY_FILLED"):
            yield f"{order['clientOrderId']} is still open"
    for order in seen.orders_of_others:
        if order["clientOrderId"] == OTHERS and order["status"] != "NEW":
            yield f"somebody else's order is {order['status']}"


def _positions_equal(tables: Mapping[str, Rows], seen: ExchangeSide) -> Iterator[str]:
    own: dict[str, Decimal] = defaultdict(Decimal)
    for row in tables["fills"]:
        sign = 1 if row["side"] == "buy" else -1
        own[row["symbol"].replace("/USDT:USDT", "USDT")] += sign * Decimal(row["quantity"])
    for row in tables["external_closes"]:
        symbol = row["symbol"].replace("/USDT:USDT", "USDT")
        own[symbol] += Decimal(row["quantity_change"])
    for position in seen.positions:
        held, ours = Decimal(position["positionAmt"]), own.pop(str(position["symbol"]), Decimal(0))
        if held != ours:
            yield f"{position['symbol']}: {held} at the exchange, {ours} in the journal"
    for symbol, quantity in own.items():
        if quantity:
            yield f"{symbol}: nothing at the exchange, {quantity} in the journal"


def _never_over_hedged(seen: ExchangeSide) -> Iterator[str]:
    """At no moment more than the share that is to be hedged, in no token."""
    each_usd = SHARE * sum(LONGS_USD.values()) / len(CARRIERS) * _MORE + LEAST_USD
    held: dict[str, Decimal] = defaultdict(Decimal)
    for trade in sorted((*seen.trades, *seen.trades_of_others), key=lambda one: int(one["id"])):
        sign = 1 if trade["side"] == "BUY" else -1
        held[trade["symbol"]] += sign * Decimal(trade["qty"])
        usd = float(held[trade["symbol"]]) * float(trade["price"])
        if not -each_usd <= usd <= 0:
            yield f"{trade['symbol']}: a hedge of {usd:.0f} USD, {-each_usd:.0f} at most"


def in_band(story: Story, seen: ExchangeSide) -> bool:
    """Every token carries its share, but those with an order that nobody knows anything of."""
    _, tables = tables_of(story.state)
    blocked = {r["symbol"] for r in tables["orders"] if r["state"] in ("unknown", "quarantined")}
    each_usd = SHARE * sum(LONGS_USD.values()) / len(CARRIERS)
    usd = {str(p["symbol"]): float(p["notional"]) for p in seen.positions}
    return all(
        abs(usd.get(symbol.replace("/USDT:USDT", "USDT"), 0.0) + each_usd) < 0.1 * each_usd
        for symbol in set(CARRIERS) - blocked
    )


def _nothing_escaped(story: Story, tables: Mapping[str, Rows], seen: ExchangeSide) -> Iterator[str]:
    """No defect, no secret, and the last life knows all that reached the exchange."""
    for row in tables["events"]:
        if row["kind"] == "defect":
            yield f"defect: {json.loads(row['document'])['reason']}"
    if f"{story.hedge}-secret" in story.said:
        yield "a secret was printed"
    known = {str(order["clientOrderId"]) for order in seen.orders}
    for row in tables["orders"]:
        if row["client_id"] not in known and row["state"] not in ("unknown", "absent", "rejected"):
            yield f"{row['client_id']} never reached the exchange, and is {row['state']}"
