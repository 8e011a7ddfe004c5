"""What the desk expects a stream to tell: nothing from before its line was cut."""

from pathlib import Path

import pytest

from bot.clock import SimulatedClock
from bot.journal.journal import Journal
from bot.logs import silent_log
from bot.records.cycle import CycleRecord, CycleStatus, OrderRecord
from bot.venues.streams.desk import StreamDesk
from bot.venues.streams.inbox import Health, StreamInbox
from bot.venues.streams.watched import WatchedAccount

NOW_MS, MUTE_MS = 1_767_225_600_000, 5_000
ORDER = OrderRecord("h1a", "FET/USDT:USDT", "sell", "1", "1", False, "filled", "1", "")
RECORD = CycleRecord("c1", "", NOW_MS, CycleStatus.HEDGED, "", equity_usd=1.0, orders=(ORDER,))


@pytest.mark.parametrize(("cut", "health"), [(False, Health.MUTE), (True, Health.LIVE)])
def test_an_order_from_before_a_cut_is_expected_of_no_stream(
    tmp_path: Path, cut: bool, health: Health
) -> None:
    clock, inbox = SimulatedClock(NOW_MS), StreamInbox("user", MUTE_MS)
    with Journal.open(tmp_path / "journal.sqlite", clock) as journal:
        desk = StreamDesk(journal, clock, silent_log(clock), spacing_ms=100)
        desk.add_account(WatchedAccount(inbox, lambda: None, journal))
        inbox.connected(NOW_MS)
        desk.cycle_begins()
        if cut:  # while the order filled
            inbox.disconnected(NOW_MS, "reset")
            inbox.connected(NOW_MS)
        desk.cycle_ended(RECORD)
        desk.cycle_begins()
        desk.cycle_ended(CycleRecord("c2", "", NOW_MS, CycleStatus.NO_HEDGE, "", equity_usd=1.0))
        assert inbox.health(NOW_MS) is Health.LIVE
        assert inbox.health(NOW_MS + MUTE_MS + 1) is health
