"""perphedge settle: people say what an order did of which the engine could not find out."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.clock import SystemClock
from bot.controls.guard import Guard
from bot.halt import HaltSwitch
from bot.journal.journal import Journal
from bot.journal.reader import JOURNAL_NAME
from bot.lock import EngineLock
from bot.requests import Asked, ask_settlement, waiting_settlements
from bot.state_files import StateFolder, SystemDevice
from bot.trading.orders import OrderState, UnknownOutcome
from bot.trading.settling import Settlement
from tests.e2e_scene import Finished, called
from tests.execute_scene import ACCOUNT, FET, TAO, acknowledged, fill, intent, order, send

DOUBTFUL = order("h1doubtful")  # sells 1000 FET at 0.4980 or better
KEY = (FET, "BOTH")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory whose engine could not find out about one order, and did about others."""
    with Journal.open(tmp_path / JOURNAL_NAME, SystemClock()) as journal:
        meant = replace(intent(DOUBTFUL.intent_id), document={"lot": "1"})
        journal.record_intents([meant])
        journal.mark_sending(DOUBTFUL, account=ACCOUNT, leg="open-0", attempt=0)
        journal.record_outcome(UnknownOutcome(DOUBTFUL.client_id, "no reply"))
        journal.settle(DOUBTFUL.client_id, OrderState.QUARANTINED, "the account changed")
        guard = Guard(journal, SystemClock(), ACCOUNT, switch=HaltSwitch(tmp_path))
        guard.halt_symbol("unresolved", FET, "an order is quarantined")
        other = order("h1unknown", symbol=TAO, intent_id="i2")
        send(journal, other)
        journal.record_outcome(UnknownOutcome(other.client_id, "no reply"))
    return tmp_path


def settle(state: Path, *arguments: str, of: str = DOUBTFUL.client_id) -> Finished:
    words = ["--state", str(state), "--by", "ann", "--reason", "seen in the\nexchange's list"]
    return called("settle", of, *words, *arguments)


class Opened:
    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    @property
    def waiting(self) -> list[str]:
        return [row.client_id for row in self.journal.unresolved_orders(ACCOUNT)]

    def events(self, kind: str) -> list[Any]:
        return [dict(event.document) for event in self.journal.events(kind=kind)]


@pytest.fixture
def opened(state: Path) -> Iterator[Opened]:
    with Journal.open(state / JOURNAL_NAME, SystemClock()) as journal:
        yield Opened(journal)


@pytest.mark.parametrize(
    ("arguments", "held"),
    [
        (("--absent",), {}),
        (("--filled", "1000", "--price", "0.4985"), {KEY: Decimal(-1000)}),
        (("--filled", "250", "--price", "0.498"), {KEY: Decimal(-250)}),
        (("--filled", "0"), {}),
    ],
)
def test_a_word_frees_the_symbol_and_is_booked_under_a_name(
    arguments: tuple[str, ...], held: dict[Any, Decimal], state: Path
) -> None:
    finished = settle(state, *arguments, "--json")
    assert (finished.code, finished.err) == (0, "")
    assert finished.document["done"] is True
    with Journal.open(state / JOURNAL_NAME, SystemClock()) as journal:
        now = Opened(journal)
        assert now.waiting == ["h1unknown"]
        assert journal.own_positions(ACCOUNT) == held
        row = journal.order(DOUBTFUL.client_id)
        assert row is not None
        assert row.state is OrderState.QUARANTINED, "which is final"
        [event] = now.events("order_settled")
        assert (event["by"], event["reason"]) == ("ann", "seen in the exchange's list")
        send(journal, order("h1next", intent_id="i3"))  # nothing keeps the next order back
        journal.verify()
    again = settle(state, *arguments)
    assert again.code == 2
    assert "nothing waits for an operator" in again.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "give either --filled BASE or --absent"),
        (("--absent", "--filled", "1"), "give either --filled BASE or --absent"),
        (("--absent", "--price", "1"), "--price: what is absent has none"),
        (("--filled", "ten"), "--filled: 'ten', must be a number"),
        (("--filled", "nan"), "--filled: NaN, must be a number of base units"),
        (("--filled=-1",), "--filled: -1, must be a number of base units, at least 0"),
        (("--filled", "1001", "--price", "0.5"), "--filled: 1001, but it asked for 1000"),
        (("--filled", "1000"), "--price: missing"),
        (("--filled", "1000", "--price", "0"), "--price: 0, must be a number above 0"),
        (("--filled", "1000", "--price", "inf"), "--price: Infinity, must be"),
        (("--filled", "1000", "--price", "0.4979"), "0.4979, below its limit price 0.4980"),
        (("--filled", "1000", "--price", "4985"), "4985, too far from its limit price 0.4980"),
        (("--filled", "1000", "--price", f"0.{'5' * 40}"), "must be a number above 0"),
        (("--filled", f"1.{'1' * 40}", "--price", "0.5"), "must be a number of base units"),
        (("--filled", "250.5", "--price", "0.5"), "250.5, must be a multiple of its lot 1"),
        (("--absent", "--reason", "x" * 501), "--reason: 501 characters, at most 500"),
        (("--absent", "--by", "x" * 501), "--by: 501 characters, at most 500"),
    ],
)
def test_nonsense_is_refused_in_one_line(
    arguments: tuple[str, ...], told: str, state: Path
) -> None:
    finished = settle(state, *arguments)
    assert finished.code == 2
    assert told in finished.err
    assert finished.err.count("\n") == 1
    with Journal.open(state / JOURNAL_NAME, SystemClock()) as journal:
        assert DOUBTFUL.client_id in Opened(journal).waiting


def test_only_orders_that_wait_for_people_are_settled(state: Path, opened: Opened) -> None:
    absent = settle(state, "--absent", of="h1nobody")
    assert (absent.code, "the journal has no such order" in absent.err) == (2, True)
    unknown = settle(state, "--absent", of="h1unknown")
    assert (unknown.code, "still finds out" in unknown.err) == (2, True)
    nameless = called("settle", "x", "--absent", "--state", str(state))
    assert (nameless.code, "--reason" in nameless.err) == (2, True)
    nowhere = settle(state / "nowhere", "--absent")
    assert (nowhere.code, "no engine has run there" in nowhere.err) == (2, True)
    assert opened.events("order_settled") == []


def test_what_the_exchange_has_shown_is_not_talked_away(state: Path, opened: Opened) -> None:
    mine = fill("t1", quantity="400", client_id=DOUBTFUL.client_id)
    opened.journal.record_fills(ACCOUNT, FET, [mine], read_ms=mine.timestamp_ms)
    refused = settle(state, "--absent")
    assert refused.code == 2
    assert "400 is booked" in refused.err
    opened.journal.close()
    assert settle(state, "--filled", "400").code == 0
    with Journal.open(state / JOURNAL_NAME, SystemClock()) as journal:
        assert journal.own_positions(ACCOUNT) == {KEY: Decimal(-400)}
        assert Opened(journal).waiting == ["h1unknown"]


def test_fills_that_never_show_are_booked_by_hand(state: Path, opened: Opened) -> None:
    """The exchange said filled, and its list of trades has forgotten them."""
    known = order("h1forgotten", symbol="BTC/USDT:USDT", intent_id="i4")
    send(opened.journal, known)
    opened.journal.record_outcome(acknowledged(known, OrderState.FILLED))
    opened.journal.close()
    less = settle(state, "--filled", "999", "--price", "0.5", of=known.client_id)
    assert (less.code, "the exchange said that it filled 1000" in less.err) == (2, True)
    assert settle(state, "--filled", "1000", "--price", "0.5", of=known.client_id).code == 0
    with Journal.open(state / JOURNAL_NAME, SystemClock()) as journal:
        assert known.client_id not in Opened(journal).waiting


def test_beside_a_running_engine_it_asks_and_the_engine_looks_again(
    state: Path, opened: Opened
) -> None:
    guard = Guard(opened.journal, SystemClock(), ACCOUNT, switch=HaltSwitch(state))
    with EngineLock(state):
        finished = settle(state, "--filled", "1000", "--price", "0.5", "--json")
        assert (finished.code, finished.document["done"]) == (0, False)
        assert json.loads((state / "SETTLE-h1doubtful").read_text())["filled"] == "1000"
        assert DOUBTFUL.client_id in opened.waiting
        guard.take_requests()
    assert opened.waiting == ["h1unknown"]
    assert opened.journal.own_positions(ACCOUNT) == {KEY: Decimal(-1000)}
    assert waiting_settlements(state) == {}
    assert FET in guard.halted_symbols, "a halt is lifted by a resume alone"
    guard.take_requests()
    assert len(opened.events("order_settled")) == 1


def guard_of(opened: Opened, state: Path, account: str = ACCOUNT) -> Guard:
    return Guard(opened.journal, SystemClock(), account, switch=HaltSwitch(state))


def test_what_is_true_no_more_when_the_engine_takes_it_is_refused(
    state: Path, opened: Opened
) -> None:
    with EngineLock(state):
        assert settle(state, "--absent").code == 0
        mine = fill("t1", quantity="400", client_id=DOUBTFUL.client_id)
        opened.journal.record_fills(ACCOUNT, FET, [mine], read_ms=mine.timestamp_ms)
        guard_of(opened, state).take_requests()
    assert DOUBTFUL.client_id in opened.waiting
    [refused] = opened.journal.events(kind="settlement_refused")
    assert "400 is booked" in refused.document["reason"]
    assert (refused.client_id, refused.document["by"]) == (DOUBTFUL.client_id, "ann")
    assert waiting_settlements(state) == {}


def test_a_word_on_an_order_that_was_found_out_meanwhile_is_refused(
    state: Path, opened: Opened
) -> None:
    with EngineLock(state):
        assert settle(state, "--filled", "400", "--price", "0.5").code == 0
        mine = fill("t1", quantity="1000", client_id=DOUBTFUL.client_id)
        opened.journal.record_fills(ACCOUNT, FET, [mine], read_ms=mine.timestamp_ms)
        assert DOUBTFUL.client_id not in opened.waiting
        guard_of(opened, state).take_requests()
    [refused] = opened.events("settlement_refused")
    assert (refused["by"], refused["symbol"]) == ("ann", FET)
    assert "nothing waits for an operator" in refused["reason"]
    assert waiting_settlements(state) == {}


def test_a_word_on_an_order_of_another_account_is_carried_out(state: Path, opened: Opened) -> None:
    """The account was renamed, or is another one now; who else should write it down?"""
    with EngineLock(state):
        assert settle(state, "--absent").code == 0
        guard_of(opened, state, "another").take_requests()
    assert opened.waiting == ["h1unknown"]
    assert len(opened.events("order_settled")) == 1
    assert waiting_settlements(state) == {}


def test_a_word_that_was_carried_out_before_the_power_went_is_not_refused(
    state: Path, opened: Opened
) -> None:
    with EngineLock(state):
        assert settle(state, "--filled", "400", "--price", "0.5").code == 0
        [word] = waiting_settlements(state).values()
        assert isinstance(word, Settlement)
        opened.journal.settle_by_hand(word)  # and the file is still there
        guard_of(opened, state).take_requests()
    assert len(opened.events("order_settled")) == 1
    assert opened.events("settlement_refused") == []
    assert waiting_settlements(state) == {}
    ask_settlement(state, replace(word, filled=Decimal(300)))  # the same order, another word
    guard_of(opened, state).take_requests()
    [refused] = opened.events("settlement_refused")
    assert "nothing waits for an operator" in refused["reason"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not JSON",
        b"\xff\xfe",
        b"[" * 15_000,
        b'{"by": "ann", "reason": "seen"}',
        b'{"by": "ann", "reason": "", "filled": "1", "price": null}',
        b'{"by": "ann", "reason": "seen", "filled": "ten", "price": null}',
        b'{"by": "ann", "reason": "%s", "filled": "0", "price": null}' % (b"x" * 20_000),
    ],
)
def test_what_nobody_understands_is_recorded_and_set_aside(
    content: bytes, state: Path, opened: Opened
) -> None:
    (state / "SETTLE-h1doubtful").write_bytes(content)
    guard = guard_of(opened, state)
    guard.take_requests()
    guard.take_requests()
    [refused] = opened.journal.events(kind="settlement_refused")
    assert (refused.client_id, refused.document["symbol"]) == (DOUBTFUL.client_id, FET)
    assert "cannot be understood" in refused.document["reason"]
    assert waiting_settlements(state) == {}
    assert (state / "UNREADABLE-SETTLE-h1doubtful").read_bytes() == content
    assert DOUBTFUL.client_id in opened.waiting


@pytest.mark.parametrize("name", [b"SETTLE-", b"SETTLE-\xff", "SETTLE-ä".encode()])
def test_a_file_that_names_no_order_is_recorded_and_goes(
    name: bytes, state: Path, opened: Opened
) -> None:
    said = {"by": "ann", "reason": "seen", "filled": "0", "price": None}
    (state / os.fsdecode(name)).write_text(json.dumps(said))
    guard_of(opened, state).take_requests()
    [refused] = opened.events("settlement_refused")
    assert "names no order" in refused["reason"] or "has no such order" in refused["reason"]
    assert waiting_settlements(state) == {}


def test_a_file_that_cannot_be_removed_is_answered_once(state: Path, opened: Opened) -> None:
    class Stubborn(SystemDevice):
        def remove(self, path: Path) -> None:
            raise PermissionError(f"{path} stays")

    switch = HaltSwitch(StateFolder(state, Stubborn()))
    guard = Guard(opened.journal, SystemClock(), ACCOUNT, switch=switch)
    with EngineLock(state):
        assert settle(state, "--absent").code == 0
        opened.journal.record_fills(
            ACCOUNT, FET, [fill("t1", quantity="400", client_id=DOUBTFUL.client_id)], read_ms=0
        )
        for _ in range(3):
            guard.take_requests()
    assert len(opened.events("settlement_refused")) == 1


def test_a_second_word_does_not_take_the_place_of_one_that_waits(
    state: Path, opened: Opened
) -> None:
    with EngineLock(state):
        assert settle(state, "--absent").code == 0
        second = settle(state, "--filled", "400", "--price", "0.5")
        assert (second.code, "an earlier word on it waits" in second.err) == (2, True)
        guard_of(opened, state).take_requests()
    [event] = opened.events("order_settled")
    assert event["filled_quantity"] == "0"


@pytest.mark.parametrize("reason", ["x" * 500, "\N{HOT BEVERAGE}" * 500, "\N{PILE OF POO}" * 500])
def test_a_long_reason_arrives_whole(reason: str, state: Path, opened: Opened) -> None:
    with EngineLock(state):
        assert settle(state, "--absent", "--reason", reason).code == 0
        guard_of(opened, state).take_requests()
    [event] = opened.events("order_settled")
    assert event["reason"] == reason


@pytest.mark.parametrize("later", ["400", "1"])
def test_trades_that_are_listed_after_a_word_halt_the_symbol_again(
    later: str, state: Path, opened: Opened
) -> None:
    """Also where word and trades together are less than the order asked for."""
    guard = guard_of(opened, state)
    word = Settlement(DOUBTFUL.client_id, Decimal(400), Decimal("0.5"), "ann", "seen")
    opened.journal.settle_by_hand(word)
    guard.resume(Asked("ann", "settled"))
    assert FET not in guard.halted_symbols
    mine = fill("t1", quantity=later, client_id=DOUBTFUL.client_id)
    opened.journal.record_fills(ACCOUNT, FET, [mine], read_ms=mine.timestamp_ms)
    [event] = opened.events("order_overfilled")
    booked = str(400 + int(later))
    assert (event["quantity"], event["booked_quantity"]) == ("400", booked)
    guard.review(1e6)
    assert "order overfilled" in guard.halted_symbols[FET]
    opened.journal.record_fills(ACCOUNT, FET, [mine], read_ms=mine.timestamp_ms)
    assert len(opened.events("order_overfilled")) == 1
