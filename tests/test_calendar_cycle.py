"""Caps that tighten for a while, end to end: breach, record, event, and back again."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.clock import SimulatedClock
from bot.outlook.events import CalendarWatch
from bot.records.cycle import CycleStatus, iso_utc
from config.calendar import Calendar
from config.macro import CsvSeries
from config.settings import Settings
from risk.returns import HOUR_MS
from risk.signals.episodes import SignalKind
from tests.cycle_scene import HISTORY_DAYS, Scene, open_scene, paper_settings, small_tape

START_MS = small_tape().start_ms + HISTORY_DAYS * 24 * HOUR_MS


def event(start_ms: int, end_ms: int, **more: Any) -> dict[str, Any]:
    return {
        "title": "A new model",
        "start": iso_utc(start_ms)[:19] + "Z",
        "end": iso_utc(end_ms)[:19] + "Z",
        "factor": 0.4,
        **more,
    }


def settings_with(folder: Path, **sections: Any) -> Settings:
    """The paper profile that only writes down, with a net cap and these sections."""
    settings = paper_settings(folder, autonomy="propose")
    caps = settings.caps.model_copy(update={"net_usd": 40_000.0, "cae_usd": 60_000.0})
    return settings.model_copy(update={"caps": caps, **sections})


def events(scene: Scene, name: str) -> list[dict[str, Any]]:
    """From the journal; the log has the same ones."""
    told = [
        {**e.document, "cycle_id": e.cycle_id} for e in scene.journal.events() if e.kind == name
    ]
    assert len(told) == sum(e["event"] == name for e in scene.events)
    return told


async def test_a_window_makes_a_breach_appear_and_is_over_after_it(tmp_path: Path) -> None:
    window = event(START_MS + HOUR_MS, START_MS + 2 * HOUR_MS, tags=["model_release"])
    calendar = Calendar.model_validate({"events": [window]})
    settings = settings_with(tmp_path, calendar=calendar)
    async with open_scene(tmp_path, settings=settings) as scene:
        before = await scene.cycle()
        assert (before.caps_factor, before.caps_reasons) == (1.0, ())
        assert "net_usd" not in {b.cap for b in before.breaches_before}
        assert before.limits["net_usd"] == 40_000.0

        scene.advance(1.0)
        within = await scene.cycle()
        assert within.caps_factor == 0.4
        assert within.caps_reasons[0].startswith("A new model (model_release): the caps are at 40%")
        assert within.limits["net_usd"] == 16_000.0
        assert within.limits["turnover_daily_usd"] == before.limits["turnover_daily_usd"]
        (breach,) = [b for b in within.breaches_before if b.cap == "net_usd"]
        assert breach.limit == 16_000.0
        assert within.status is CycleStatus.PROPOSED, "a breach does not wait for the next decision"
        (signal,) = [s for s in within.signals if s.kind == SignalKind.CALENDAR.value]
        assert signal.symbols == ("A new model",)
        assert signal.since == iso_utc(START_MS + HOUR_MS)

        scene.advance(1.0)
        after = await scene.cycle()
        assert (after.caps_factor, after.limits["net_usd"]) == (1.0, 40_000.0)
        assert "net_usd" not in {b.cap for b in after.breaches_before}
        factors = events(scene, "caps_factor")
        assert [e["caps_factor"] for e in factors] == [0.4, 1.0]
        assert [e["cycle_id"] for e in factors] == [within.cycle_id, after.cycle_id]
        told = [e for e in events(scene, "signal") if e["kind"] == "calendar"]
        assert [(e["change"], e["cycle_id"]) for e in told] == [
            ("raised", within.cycle_id),
            ("cleared", after.cycle_id),
        ]


async def test_a_missing_series_is_told_once_and_tightens_until_it_is_there(tmp_path: Path) -> None:
    series = tmp_path / "vix.csv"
    data = {
        "kind": "csv",
        "name": "vix",
        "path": str(series),
        "time_column": "t",
        "value_column": "v",
        "factor": 0.5,
    }
    macro = (CsvSeries.model_validate({**data, "above": 30.0}),)
    async with open_scene(tmp_path, settings=settings_with(tmp_path, macro=macro)) as scene:
        first = await scene.cycle()
        scene.advance(0.1)
        again = await scene.cycle()
        assert (first.caps_factor, again.caps_factor) == (0.5, 0.5)
        assert "vix is not known (cannot be read" in again.caps_reasons[0]
        (missing,) = events(scene, "outside_data_missing")
        assert missing["what"] == "vix, so the caps are tight"
        signal = next(s for s in first.signals if s.kind == "macro")
        assert signal.value is None, "unknown is no number"
        stamp = datetime.fromtimestamp(scene.clock.now_ms() / 1000, UTC).isoformat()
        series.write_text(f"t,v\n{stamp},20\n")
        calm = await scene.cycle()
        assert calm.caps_factor == 1.0
        assert [e["what"] for e in events(scene, "outside_data_back")] == [missing["what"]]


async def test_a_restart_tells_nothing_again(tmp_path: Path) -> None:
    window = event(START_MS, START_MS + 24 * HOUR_MS)
    calendar = Calendar.model_validate({"events": [window]})
    settings = settings_with(tmp_path, calendar=calendar)
    async with open_scene(tmp_path, settings=settings) as scene:
        await scene.cycle()
        told = len(events(scene, "signal"))
        now_ms = scene.clock.now_ms()
    assert told >= 1
    async with open_scene(tmp_path, settings=settings, clock=SimulatedClock(now_ms + 1)) as scene:
        record = await scene.cycle()
        assert record.caps_factor == 0.4
        assert [e for e in scene.events if e["event"] in ("signal", "caps_factor")] == []
        assert sum(e.kind == "signal" for e in scene.journal.events()) == told


async def test_a_looker_changes_nothing(tmp_path: Path) -> None:
    calendar = Calendar.model_validate({"events": [event(START_MS, START_MS + 24 * HOUR_MS)]})
    settings = settings_with(tmp_path, calendar=calendar)
    async with open_scene(tmp_path, settings=settings) as scene:
        record = await scene.engine.rehearse(propose=False)
        assert (record.caps_factor, record.limits["net_usd"]) == (0.4, 16_000.0)
        assert any(s.kind == "calendar" for s in record.signals)
        assert not [e for e in scene.events if e["event"] == "signal"]


def test_files_are_followed_as_they_change(tmp_path: Path) -> None:
    file = tmp_path / "dates.ics"
    one = {"path": str(file), "factor": 0.6, "hours_before": 1.0, "hours_after": 2.0}
    watch = CalendarWatch(Calendar.model_validate({"files": [one]}))
    start_ms = 1_772_373_600_000  # 2026-03-01T14:00Z
    missing = watch.look(start_ms)
    assert (missing.factor, missing.troubles[0].name) == (0.6, "dates.ics")

    def write(*more: str) -> None:
        lines = ["BEGIN:VCALENDAR", "BEGIN:VEVENT", "SUMMARY:Act", "DTSTART:20260301T140000Z"]
        lines += ["DTEND:20260301T150000Z", *more, "END:VEVENT", "END:VCALENDAR"]
        file.write_text("\n".join(lines) + "\n")

    write("CATEGORIES:Regulatory")
    hours = {h: watch.look(start_ms + round(h * HOUR_MS)).factor for h in (-1.01, -1, 0, 2.99, 3)}
    assert hours == {-1.01: 1, -1: 0.6, 0: 0.6, 2.99: 0.6, 3: 1}
    tagged = {**one, "tags": ["regulatory"]}
    other = {**one, "tags": ["model_release"]}
    assert CalendarWatch(Calendar.model_validate({"files": [tagged]})).look(start_ms).factor == 0.6
    assert CalendarWatch(Calendar.model_validate({"files": [other]})).look(start_ms).factor == 1
    write("RRULE:FREQ=DAILY")
    broken = watch.look(start_ms + 10 * HOUR_MS)
    assert broken.factor == 0.6
    assert "line 6: RRULE: recurring events are not supported" in broken.troubles[0].reason
    quiet = CalendarWatch(Calendar.model_validate({"files": [{**one, "when_missing": "ignore"}]}))
    assert (quiet.look(start_ms).factor, quiet.look(start_ms).troubles[0].tightens) == (1, False)
