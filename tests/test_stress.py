"""Stresses of a small recorded market: named, played, told, and the trouble that is made up."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bot.feeds.recorded import recorded_tape
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.records.cycle import iso_utc
from bot.replay.stage import sector_of
from bot.replay.troubles import ADL_SHARE, FUNDING_FACTOR, TROUBLES
from bot.report import words
from bot.stress.episodes import Episode, episodes_of
from bot.stress.playing import StressOptions, chosen, found_episodes, play_episodes
from config.load import load_settings, profile_path
from risk.returns import HOUR_MS
from tests.e2e_scene import SHARED, called, one_line
from tests.evaluate_scene import START, symbol, write_folder

DEMO = str(profile_path("demo"))
FIRST_MS = int(START.timestamp() * 1000) + 31 * 24 * HOUR_MS
WORST_MS = FIRST_MS + (5 * 24 + 7) * HOUR_MS
FALL = 0.12


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A market in which everything falls within one bar."""
    folder = write_folder(tmp_path_factory.mktemp("data"))
    bars = pd.read_parquet(folder / "hourly.parquet")
    opens = bars["timestamp"].astype("datetime64[ms, UTC]").astype("int64").to_numpy()
    for column in ("open", "high", "low", "close"):
        ends_below = opens > WORST_MS if column in ("open", "high") else opens >= WORST_MS
        bars[column] *= np.where(ends_below, 1.0 - FALL, 1.0)
    bars.to_parquet(folder / "hourly.parquet")
    return folder


@pytest.fixture(scope="module")
def played(
    data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[dict[str, Any]]]:
    """One of each kind, and everything that is made up."""
    out = tmp_path_factory.mktemp("stress")
    finished = stress("run", data, "--count", "1", "--out", str(out), "--json")
    assert finished.code == 0, finished
    return out, finished.document["episodes"]


def stress(verb: str, data: Path, *options: str) -> Any:
    return called("stress", verb, "--data", str(data), "-c", DEMO, *options)


def cycles_of(folder: Path) -> list[dict[str, Any]]:
    with JournalReader.open_reader(folder / JOURNAL_NAME) as journal:
        return journal.cycles()


def row(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (found,) = [one for one in rows if one["episode"].startswith(name)]
    return found


def test_episodes_are_named_by_kind_day_and_token(data: Path) -> None:
    listed = stress("list", data, "--count", "2", "--json").document["episodes"]
    names = [one["episode"] for one in listed]
    assert len(set(names)) == len(names)
    assert names[-3:] == ["adl-half", "exchange-down", "funding-x10"]
    gap = row(listed[:-3], f"gap-{listed[-4]['struck'][:10]}")
    assert gap["episode"].endswith(gap["symbol"].partition("/")[0])
    for one in listed:
        assert one["from"] < one["struck"] < one["to"]
    table = stress("list", data, "--count", "2")
    assert all(name in table.out for name in names)


def test_every_episode_is_played_and_the_table_is_kept(
    played: tuple[Path, list[dict[str, Any]]],
) -> None:
    out, rows = played
    told = {
        one["episode"]: one for one in json.loads((out / "stress.json").read_text())["episodes"]
    }
    assert [told[one["episode"]] for one in rows] == rows
    for one in rows:
        documents = cycles_of(out / one["episode"])
        assert one["hours"] == len(documents) == sum(one["statuses"].values())
        assert documents[0]["timestamp"] == one["from"]
        assert one["breach_hours_alone"] == sum(bool(d["breaches_unhedged"]) for d in documents)
        assert one["breach_hours_left"] == sum(bool(d["breaches_after"]) for d in documents)
        assert one["bot_gross_usd"] > 30_000
    assert any(one["breach_hours_left"] for one in rows)
    crash = row(rows, "sector-crash")
    assert crash["hedged_drawdown_usd"] < 0.6 * crash["unhedged_drawdown_usd"]
    assert crash["drawdown_avoided"] == pytest.approx(
        1 - crash["hedged_drawdown_usd"] / crash["unhedged_drawdown_usd"]
    )


def test_half_of_the_hedges_is_taken_and_built_up_again(
    played: tuple[Path, list[dict[str, Any]]],
) -> None:
    out, rows = played
    made, crash = row(rows, "adl-half"), row(rows, "sector-crash")
    documents = cycles_of(out / "adl-half")
    struck = 1 + next(k for k, d in enumerate(documents) if d["timestamp"] == made["struck"])
    # Up to the worst hour's beginning both are the same; at its end half of every short is gone.
    same = cycles_of(out / crash["episode"])
    assert [d["legs"] for d in documents[:struck]] == [d["legs"] for d in same[:struck]]
    with JournalReader.open_reader(out / "adl-half" / JOURNAL_NAME) as journal:
        closed = [one.document for one in journal.events(kind="hedge_closed_externally")]
        halts = journal.events(kind="halted")
    assert closed
    assert {one["kind"] for one in closed} == {"adl"}
    assert not halts  # somebody acknowledges
    before = {leg["symbol"]: leg["hedge_after_usd"] for leg in documents[struck - 1]["legs"]}
    now = {leg["symbol"]: leg["hedge_before_usd"] for leg in documents[struck]["legs"]}
    shares = [now[s] / usd for s, usd in before.items() if abs(usd) > 500 and s in now]
    assert shares
    fallen = 1 - FALL  # half of it by quantity, at prices of after the fall
    assert all(abs(share - float(1 - ADL_SHARE) * fallen) < 0.1 for share in shares)
    # The bot lived through the fall with the other half: that much less was earned within it.
    closed_usd = float(ADL_SHARE) * sum(before.values())
    less_usd = documents[struck]["equity_usd"] - same[struck]["equity_usd"]
    assert closed_usd < -10_000
    assert less_usd == pytest.approx(closed_usd * FALL, rel=0.15)
    after = {leg["symbol"]: leg["hedge_after_usd"] for leg in documents[struck]["legs"]}
    assert sum(after.values()) < 1.5 * sum(now.values()), "built up again"


def test_an_exchange_that_is_down_holds_both_ends_of_the_worst_hour(
    played: tuple[Path, list[dict[str, Any]]],
) -> None:
    out, _ = played
    documents = cycles_of(out / "exchange-down")
    held = [d for d in documents if d["status"] == "held"]
    assert [d["timestamp_ms"] for d in held] == [WORST_MS, WORST_MS + HOUR_MS]
    assert all("the exchange is down" in d["reason"] for d in held)
    assert all(d["equity_usd"] is None for d in held)


def test_hedges_that_cannot_be_read_earn_in_the_hour_in_which_they_do(
    played: tuple[Path, list[dict[str, Any]]],
) -> None:
    """The hedges stand while the exchange is down, so the fall is hardly deeper than without."""
    _, rows = played
    made = row(rows, "exchange-down")
    assert made["hedged_drawdown_usd"] < 1.2 * made["untroubled_drawdown_usd"]
    assert made["untroubled_drawdown_usd"] < 0.5 * FALL * made["bot_gross_usd"]


def test_a_squeeze_at_rates_of_others_says_so(data: Path) -> None:
    told = []
    for exchange in ("binanceusdm", "bybit"):
        tape = recorded_tape(data, exchange=exchange)
        symbols = sector_of(load_settings(profile_path("demo")), tape)
        assert tape.end_ms is not None
        found = episodes_of(tape, symbols, FIRST_MS, tape.end_ms, 1)
        (squeeze,) = [one for one in found if one.kind == "funding-squeeze"]
        told.append(squeeze.sentence)
    assert told[0].endswith(" in funding in 72 hours.")
    assert told[1].endswith(" in 72 hours, at rates that are not the exchange's own.")


def test_what_is_made_up_strikes_with_the_worst_bar(data: Path) -> None:
    tape = recorded_tape(data)
    symbols = sector_of(load_settings(profile_path("demo")), tape)
    assert tape.end_ms is not None
    found = {one.name: one for one in episodes_of(tape, symbols, FIRST_MS, tape.end_ms, 1)}
    crash = next(iter(found.values()))
    assert crash.struck_ms < WORST_MS < crash.end_ms - 24 * HOUR_MS
    assert found["adl-half"].struck_ms == found["exchange-down"].struck_ms == WORST_MS
    assert found["funding-x10"].struck_ms == crash.struck_ms
    for name in TROUBLES:
        assert found[name].within == crash
        assert (found[name].start_ms, found[name].end_ms) == (crash.start_ms, crash.end_ms)
        assert f"within {crash.name}; worst hour: 2025-02-06T07:00" in found[name].sentence


@pytest.mark.long
def test_half_of_the_hedges_is_taken_from_who_goes_on_just_then(data: Path, tmp_path: Path) -> None:
    settings, tape = load_settings(profile_path("demo")), recorded_tape(data)
    asked = StressOptions(data, tmp_path, count=1)
    (made,) = chosen(found_episodes(settings, tape, asked), ["adl-half"])
    cycles_to_strike = (made.struck_ms - made.start_ms) // HOUR_MS + 1
    hours = (made.end_ms - made.start_ms) // HOUR_MS

    def stops(one: Episode, share: float) -> None:
        if one.name == "adl-half" and round(share * hours) == cycles_to_strike:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play_episodes(settings, tape, [made], asked, stops)
    assert cycles_of(tmp_path / "adl-half")[-1]["timestamp"] == made.document()["struck"]
    play_episodes(settings, tape, [made], asked)
    with JournalReader.open_reader(tmp_path / "adl-half" / JOURNAL_NAME) as journal:
        closed = [one.document for one in journal.events(kind="hedge_closed_externally")]
    assert closed
    assert {one["kind"] for one in closed} == {"adl"}


def test_made_up_trouble_stands_beside_the_same_hours_without(
    data: Path, played: tuple[Path, list[dict[str, Any]]], tmp_path: Path
) -> None:
    _, rows = played
    crash = row(rows, "sector-crash")
    for one in rows:
        calm = crash if one["made_up"] else {"hedged_pnl_usd": None, "hedged_drawdown_usd": None}
        assert one["untroubled_pnl_usd"] == calm["hedged_pnl_usd"]
        assert one["untroubled_drawdown_usd"] == calm["hedged_drawdown_usd"]
    made = row(rows, "adl-half")
    assert made["within"] == crash["episode"]
    assert made["trouble_usd"] == pytest.approx(made["hedged_pnl_usd"] - crash["hedged_pnl_usd"])
    assert made["trouble_usd"] < -0.4 * FALL * 10_000
    # Asked for alone, the same hours without it are played for that, and are no row.
    out = tmp_path / "out"
    finished = stress(
        "run", data, "--count", "1", "--episode", "adl-half", "--out", str(out), "--json"
    )
    same = ("hedged_pnl_usd", "untroubled_pnl_usd", "trouble_usd")
    (alone,) = finished.document["episodes"]
    assert {name: alone[name] for name in same} == {name: made[name] for name in same}
    (told,) = json.loads((out / "stress.json").read_text())["episodes"]
    assert told == alone


def test_funding_is_ten_times_as_high_from_then_on(data: Path) -> None:
    tape = recorded_tape(data)
    struck_ms = FIRST_MS + 40 * HOUR_MS
    changed = TROUBLES["funding-x10"].tape(tape, struck_ms)
    before = tape.funding_series(symbol("FET"), FIRST_MS, FIRST_MS + 80 * HOUR_MS)
    after = changed.funding_series(symbol("FET"), FIRST_MS, FIRST_MS + 80 * HOUR_MS)
    assert before is not None
    assert after is not None
    factor = after.rate / before.rate
    assert factor.tolist() == pytest.approx(
        [FUNDING_FACTOR if ms >= struck_ms else 1.0 for ms in before.time_ms.tolist()]
    )
    assert {1.0, FUNDING_FACTOR} == {round(one, 6) for one in factor.tolist()}


def test_the_same_call_sums_up_the_same(
    data: Path, played: tuple[Path, list[dict[str, Any]]]
) -> None:
    """Payments that fell due at the very end are not booked again."""
    out, rows = played
    name = row(rows, "funding-squeeze")["episode"]
    for episode in (name, "funding-x10", "exchange-down"):
        again = stress(
            "run", data, "--count", "1", "--episode", episode, "--out", str(out), "--json"
        )
        assert again.document["episodes"] == [one for one in rows if one["episode"] == episode]


@pytest.mark.long
def test_a_book_of_ones_own(data: Path, tmp_path: Path) -> None:
    book = tmp_path / "BOOK.json"
    book.write_text(json.dumps([{"symbol": symbol("NEAR"), "notional_usd": 25_000}]))
    out = tmp_path / "out"
    finished = stress(
        "run", data, "--episode", "exchange-down", "--book", str(book), "--out", str(out)
    )
    assert finished.code == 0, finished
    assert "exchange-down" in finished.out
    assert cycles_of(out / "exchange-down")[0]["bot_gross_usd"] == pytest.approx(25_000, rel=1e-3)


def test_the_report_shows_the_table(
    played: tuple[Path, list[dict[str, Any]]], tmp_path: Path
) -> None:
    out, rows = played
    page, table = tmp_path / "report.html", out / "stress.json"
    state = ("--state", str(out / "adl-half"), "--out", str(page))
    assert called("report", *state, "--stress", str(table)).code == 0
    text = page.read_text(encoding="utf-8")
    assert "<h2>Stresses</h2>" in text
    assert all(one["episode"] in text for one in rows)
    assert '<th class="num">Untroubled</th>' in text
    shown = words.signed(words.number(row(rows, "adl-half")["untroubled_pnl_usd"]))
    assert text.count(f'<td class="num">{shown}</td>') >= 1 + len(TROUBLES)
    assert called("report", *state).code == 0
    assert "<h2>Stresses</h2>" not in page.read_text(encoding="utf-8")
    table = tmp_path / "other.json"
    for content in ("[]", "{", '{"episodes": [{}]}'):
        table.write_text(content, encoding="utf-8")
        line = one_line(called("report", *state, "--stress", str(table)), 2)
        assert "no table of perphedge stress run" in line


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--episode", "doomsday"), "--episode doomsday: not in these data; one of"),
        (("--out", "{other}"), "stresses of other data"),
        (("--from", "2025-01-02"), "30 days of history come first"),
        (("--from", "2025-02-12", "--to", "2025-02-13"), "too short"),
    ],
)
def test_usage(data: Path, tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "stress.json").write_text('{"of": "others", "episodes": []}', encoding="utf-8")
    chosen = [one.format(other=other) for one in options]
    finished = stress("run", data, "--count", "1", "--out", str(tmp_path / "out"), *chosen)
    assert said in one_line(finished, 2)


@pytest.mark.skipif(not (SHARED / "market").exists(), reason="needs recorded months beside it")
def test_the_worst_of_real_months_are_the_known_ones() -> None:
    tape = recorded_tape(SHARED / "market")
    symbols = sector_of(load_settings(profile_path("demo")), tape)
    assert tape.end_ms is not None
    found = episodes_of(tape, symbols, tape.start_ms + 30 * 24 * HOUR_MS, tape.end_ms, 1)
    crash, down = found[0], found[-2]
    assert iso_utc(down.struck_ms)[:16] == "2025-02-03T01:00"  # 22 hours into those 24
    assert isinstance(crash, Episode)
    assert crash.name == "sector-crash-2025-02-02"  # the day of the first tariffs
    assert -0.40 < crash.size < -0.30
