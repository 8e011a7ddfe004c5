"""The controls that remember: halts, alerts and rates against plain models, over a real journal."""

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bot.alerts import Alert, FileChannel
from bot.clock import SimulatedClock
from bot.controls.facts import PretradeLimits
from bot.controls.gate import LastGate, MessageRate
from bot.controls.guard import Guard
from bot.controls.modes import changed_modes, with_new
from bot.controls.raised import limits_of, raised
from bot.controls.review import Reviewed, bad_price, slippage
from bot.controls.state import recall
from bot.halt import HaltSwitch
from bot.journal.journal import Journal
from bot.requests import ACKNOWLEDGE_NAME, RESUME_NAME, Asked, ask
from risk.errors import DataError
from tests.cycle_scene import paper_settings
from tests.execute_scene import ACCOUNT, FET, NOW_MS, TAO, account, fill, order, own_fill, send

LIMITS = PretradeLimits()
SYMBOLS = (FET, TAO)


class Channel:
    """Takes alerts, or fails with an address in its message."""

    def __init__(self, name: str, *, works: bool = True) -> None:
        self.name = name
        self.works = works
        self.taken: list[Alert] = []

    async def send(self, alert: Alert) -> None:
        if not self.works:
            raise OSError("https://example.invalid/token-1234")
        self.taken.append(alert)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW_MS)


@pytest.fixture
def journal(tmp_path: Path, clock: SimulatedClock) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.sqlite", clock) as opened:
        yield opened


def guard_of(journal: Journal, clock: SimulatedClock, folder: Path, **more: Any) -> Guard:
    return Guard(journal, clock, ACCOUNT, LIMITS, switch=HaltSwitch(folder), **more)


class Halts(RuleBasedStateMachine):
    """Whatever happens in whatever order, and however often it restarts."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory(prefix="perphedge-halts-")
        self.folder = Path(self._folder.name)
        self.clock = SimulatedClock(NOW_MS)
        self.journal = Journal.open(self.folder / "journal.sqlite", self.clock)
        self.guard = guard_of(self.journal, self.clock, self.folder)
        self.symbols: set[str] = set()
        self.latched = self.by_hand = False  # by hand: made, and no engine has seen it yet
        self.alerts: set[str] = set()

    def teardown(self) -> None:
        self.journal.close()
        self._folder.cleanup()

    @rule(symbol=st.sampled_from(SYMBOLS))
    def halt_symbol(self, symbol: str) -> None:
        if symbol not in self.symbols:
            self.alerts.add(f"slippage:{symbol}")
        self.guard.halt_symbol("slippage", symbol, "because")
        self.symbols.add(symbol)

    @rule()
    def halt_all(self) -> None:
        if not self.latched:
            self.alerts.add("last_gate:")
        self.guard.halt_all("last_gate", "because")
        self.latched = True

    @rule()
    def somebody_makes_the_file(self) -> None:
        self.by_hand = True
        (self.folder / "HALT").write_text("by hand")

    @rule()
    def somebody_removes_the_file(self) -> None:
        self.by_hand = False
        (self.folder / "HALT").unlink(missing_ok=True)

    @rule()
    def restart(self) -> None:
        self.journal.close()
        self.journal = Journal.open(self.folder / "journal.sqlite", self.clock)
        self.guard = guard_of(self.journal, self.clock, self.folder)

    @rule()
    def acknowledge(self) -> None:
        ask(self.folder, ACKNOWLEDGE_NAME, Asked("ann", "seen"))
        self.guard.take_requests()
        self.alerts.clear()
        self._seen()

    @rule(by=st.sampled_from(["ann", "", " "]), reason=st.sampled_from(["looked", ""]))
    def resume(self, by: str, reason: str) -> None:
        (self.folder / RESUME_NAME).unlink(missing_ok=True)
        ask(self.folder, RESUME_NAME, Asked(by, reason))
        self.guard.take_requests()
        if by.strip() and reason:
            self.symbols.clear()
            self.alerts.clear()
            self.latched = self.by_hand = False
        self._seen()

    @rule()
    def look(self) -> None:
        self.guard.look(account(at=self.clock.now_ms()), {})
        self._seen()

    def _seen(self) -> None:
        """A file that an engine has seen is a latch."""
        if self.by_hand and not self.latched:
            self.latched = True
            self.alerts.add("kill_switch:")

    @invariant()
    def as_the_model_says(self) -> None:
        assert (self.guard.halted is not None) == (self.latched or self.by_hand)
        assert not self.latched or recall(self.journal, ACCOUNT).everything
        assert set(self.guard.halted_symbols) == self.symbols
        assert {alert.key for alert in self.guard.alerts} == self.alerts


TestHalts = Halts.TestCase
# Every step is a commit on the disk.
TestHalts.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)


def test_a_resume_is_named_and_has_a_reason(
    journal: Journal, clock: SimulatedClock, tmp_path: Path
) -> None:
    guard = guard_of(journal, clock, tmp_path)
    guard.halt_all("daily_cost", "too dear")
    for asked in (Asked("", "looked"), Asked("ann", " ")):
        with pytest.raises(DataError, match="needs who asks and why"):
            guard.resume(asked)
    guard.resume(Asked("ann", "fees were wrong"))
    [event] = [e for e in journal.events() if e.kind == "resumed"]
    assert (event.document["by"], event.document["reason"]) == ("ann", "fees were wrong")
    assert event.document["was"]["control"] == "daily_cost"
    assert not (tmp_path / "HALT").exists()


def test_what_was_before_a_resume_does_not_halt_again(
    journal: Journal, clock: SimulatedClock, tmp_path: Path
) -> None:
    guard = guard_of(journal, clock, tmp_path)
    request = order(price="0.4980")
    send(journal, request)
    guard.sending(request, Decimal("0.5"))
    # 0.4970 is worse than the limit, and 60 bp from the mark.
    journal.record_fills(
        ACCOUNT, FET, [fill(price="0.4970", client_id=request.client_id)], read_ms=NOW_MS
    )
    guard.review(100_000.0)
    assert set(guard.halted_symbols) == {FET}
    clock.advance_to(NOW_MS + 1)
    guard.resume(Asked("ann", "looked"))
    for again in (guard, guard_of(journal, clock, tmp_path)):
        again.review(100_000.0)
        assert not again.halted_symbols


@pytest.mark.parametrize(
    ("price", "reference", "control"),
    [
        ("0.4980", "0.5000", None),
        ("0.4979", "0.5000", "fill_price"),  # below the limit of a sell
        ("0.5050", "0.5000", None),
        ("0.5051", "0.5000", "fill_price"),  # better, but outside the collar
        ("0.5051", None, None),
    ],
)
def test_a_fill_is_no_worse_than_its_limit_and_inside_the_collar(
    journal: Journal, price: str, reference: str | None, control: str | None
) -> None:
    request = order(price="0.4980")
    send(journal, request)
    row = journal.order(request.client_id)
    assert row is not None
    mark = None if reference is None else Decimal(reference)
    one = Reviewed(own_fill(fill(price=price)), row, mark)
    found = bad_price(one, LIMITS, at_send=True)
    assert (None if found is None else found.control) == control


@pytest.mark.parametrize(
    ("prices", "halts"), [(("0.4975",), False), (("0.4974",), True), (("0.4950", "0.5000"), False)]
)
def test_slippage_of_fifty_basis_points_is_the_most(
    journal: Journal, prices: tuple[str, ...], halts: bool
) -> None:
    request = order()
    send(journal, request)
    row = journal.order(request.client_id)
    assert row is not None
    fills = [Reviewed(own_fill(fill(price=p)), row, Decimal("0.5")) for p in prices]
    assert (slippage(FET, fills, LIMITS) is not None) == halts


@given(gaps_ms=st.lists(st.integers(0, 600), min_size=1, max_size=60), most=st.integers(1, 5))
def test_no_second_ever_sees_more_orders_than_allowed(gaps_ms: list[int], most: int) -> None:
    """Against counting by hand; and who waits as told is never denied."""
    rate = MessageRate(replace(LIMITS, messages_per_second=most, message_denials=10**6))
    patient = MessageRate(replace(LIMITS, messages_per_second=most))
    now_ms, patient_ms, sent = NOW_MS, NOW_MS, list[int]()
    for gap_ms in gaps_ms:
        now_ms += gap_ms
        patient_ms += gap_ms
        within = [t for t in sent if now_ms - t < 1_000]
        denied = rate.admit(FET, now_ms)
        assert (denied is not None) == (len(within) >= most)
        if denied is None:
            sent.append(now_ms)
        patient_ms += patient.wait_ms(patient_ms)
        assert patient.admit(FET, patient_ms) is None


@pytest.mark.parametrize(
    ("venue", "most", "window_ms"),
    [(None, 5, 1000), (8.0, 4, 1000), (100.0, 5, 1000), (0.5, 1, 4000)],
)
def test_half_of_the_venues_own_limit(venue: float | None, most: int, window_ms: int) -> None:
    rate = MessageRate(LIMITS, venue)
    assert (rate.most, rate.window_ms) == (most, window_ms)


def test_denials_in_a_minute_become_a_storm() -> None:
    rate = MessageRate(replace(LIMITS, messages_per_second=1))
    assert rate.admit(FET, NOW_MS) is None
    names = [d.control for ms in (1, 2, 3) if (d := rate.admit(FET, NOW_MS + ms)) is not None]
    assert names == ["message_rate", "message_rate", "message_storm"]
    assert rate.admit(FET, NOW_MS + 61_000) is None
    again = rate.admit(FET, NOW_MS + 61_001)
    assert again is not None
    assert again.control == "message_rate"


@given(
    most=st.integers(1, 300),
    orders=st.lists(st.tuples(st.integers(1, 200), st.integers(0, 200)), max_size=8),
)
def test_children_never_add_up_to_more_than_their_intent(
    most: int, orders: list[tuple[int, int]]
) -> None:
    gate, filled_or_open = LastGate(), 0
    gate.begin({"i1": Decimal(-most)})
    for number, (quantity, filled) in enumerate(orders):
        request = order(f"h1-{number}", quantity=str(quantity))
        denied = gate.admit(request)
        assert (denied is not None) == (filled_or_open + quantity > most)
        if denied is None:
            assert gate.admit(request) is not None, "the same order twice"
            gate.settle(request, Decimal(min(filled, quantity)))
            filled_or_open += min(filled, quantity)
    assert gate.admit(order("h1-other", intent_id="i2")) is not None


async def test_the_second_channel_takes_over_and_secrets_stay_out(
    journal: Journal, clock: SimulatedClock, tmp_path: Path
) -> None:
    first, second = Channel("first", works=False), Channel("second")
    guard = guard_of(journal, clock, tmp_path, channels=(first, second, FileChannel(tmp_path)))
    guard.alert("unknown_income", "X", "income of unknown kind X")
    guard.alert("unknown_income", "X", "the same again")
    await guard.tell()
    assert [alert.key for alert in second.taken] == ["unknown_income:X"]
    [event] = journal.events(kind="alert_told")
    assert event.document["channel"] == "second"
    assert event.document["failures"] == {"first": "OSError"}
    second.works = False
    guard.alert("missing_fee", FET, "no fee")
    await guard.tell()
    [line] = (tmp_path / "alerts.jsonl").read_text().splitlines()
    assert json.loads(line)["control"] == "missing_fee"
    assert not any("token-1234" in str(event.document) for event in journal.events())


async def test_an_alert_that_nobody_takes_is_tried_again(
    journal: Journal, clock: SimulatedClock, tmp_path: Path
) -> None:
    only = Channel("only", works=False)
    guard = guard_of(journal, clock, tmp_path, channels=(only,))
    guard.alert("missing_fee", FET, "no fee")
    await guard.tell()
    assert [e.kind for e in journal.events()][-1] == "alert_undelivered"
    only.works = True
    await guard.tell()
    assert len(only.taken) == 1


def test_modes_are_compared_with_what_was_first_seen() -> None:
    first = replace(account(), margin_rate={FET: 0.2}, margin_mode={FET: "cross"})
    expected = with_new({}, first)
    assert changed_modes(expected, first) == {}
    other = replace(first, margin_rate={FET: 0.1, TAO: 0.5}, margin_mode={FET: "isolated"})
    assert changed_modes(expected, other) == {FET: "margin mode is isolated, it was cross"}
    assert changed_modes(expected, replace(first, margin_rate={FET: 0.1})) == {
        FET: "leverage is 10, it was 5"
    }
    assert set(changed_modes(expected, replace(first, hedge_mode=True))) == {"*"}
    assert with_new(expected, other)["margin_rate"] == {FET: 0.2, TAO: 0.5}


@pytest.mark.parametrize(
    ("before", "now", "more"),
    [
        (100.0, 100.0, False),
        (100.0, 99.0, False),
        (100.0, 101.0, True),
        (100.0, None, True),
        (None, 100.0, False),
    ],
)
def test_which_limits_were_raised(before: float | None, now: float | None, more: bool) -> None:
    assert bool(raised({"caps.net_usd": before}, {"caps.net_usd": now})) == more
    if before is not None and now is not None and before != now:
        floor = "controls.min_free_margin"
        assert bool(raised({floor: before}, {floor: now})) != more
    assert raised({}, {"caps.net_usd": now}) == []


def test_an_engine_that_may_do_more_than_before_waits_for_a_resume(
    journal: Journal, clock: SimulatedClock, tmp_path: Path
) -> None:
    def started(autonomy: str) -> Guard:
        guard = Guard(journal, clock, ACCOUNT)
        guard.start(limits_of(paper_settings(tmp_path, autonomy=autonomy)))
        return guard

    assert started("propose").halted is None
    assert started("auto").halted == "limits were raised: autonomy from propose to auto"
    assert "autonomy from propose to auto" in str(started("auto").halted), "nobody has resumed yet"
    guard = started("auto")
    guard.resume(Asked("ann", "its proposals are good"))
    assert started("auto").halted is None
    assert started("propose").halted is None, "less needs nobody's word"
    assert started("auto").halted is not None
    first = Journal.open(tmp_path / "another.sqlite", clock)
    with first:
        fresh = Guard(first, clock, ACCOUNT)
        fresh.start(limits_of(paper_settings(tmp_path, autonomy="auto")))
        assert fresh.halted is None, "an owner who begins with auto has said so"


def test_a_wrong_position_counts_in_a_row_across_restarts(
    journal: Journal, clock: SimulatedClock, tmp_path: Path
) -> None:
    guard = guard_of(journal, clock, tmp_path)
    for agrees in (False, True, False):
        guard.compared(FET, agrees=agrees, detail="moved by 1 more")
    assert not guard.halted_symbols
    guard = guard_of(journal, clock, tmp_path)
    guard.compared(TAO, agrees=False, detail="moved by 1 more")
    guard.compared(FET, agrees=False, detail="moved by 1 more")
    assert set(guard.halted_symbols) == {FET}
