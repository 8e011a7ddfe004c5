"""Stresses of a small recorded market: named, played, told, and the trouble that is made up."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.feeds.recorded import recorded_tape
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.replay.stage import sector_of
from bot.replay.troubles import ADL_SHARE, FUNDING_FACTOR, TROUBLES
from bot.stress.episodes import Episode, episodes_of
from config.load import load_settings, profile_path
from risk.returns import HOUR_MS
from tests.e2e_scene import SHARED, called, one_line
from tests.evaluate_scene import START, symbol, write_folder

DEMO = str(profile_path("demo"))
FIRST_MS = int(START.timestamp() * 1000) + 31 * 24 * HOUR_MS


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("data"))


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
        left = [sum(1 for d in documents if d["breaches_after"])]
        assert one["breach_hours_left"] <= left[0]
        assert one["bot_gross_usd"] > 30_000
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
    struck = next(k for k, d in enumerate(documents) if d["timestamp"] == made["struck"])
    # Up to that hour both are the same; then the exchange has bought half of every short back.
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
    assert all(abs(share - float(1 - ADL_SHARE)) < 0.1 for share in shares)


def test_an_exchange_that_is_down_holds_the_hour(
    played: tuple[Path, list[dict[str, Any]]],
) -> None:
    out, rows = played
    made = row(rows, "exchange-down")
    documents = cycles_of(out / "exchange-down")
    held = [d for d in documents if d["status"] == "held"]
    assert [d["timestamp"] for d in held] == [made["struck"]]
    assert "the exchange is down" in held[0]["reason"]


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
    for episode in (name, "funding-x10"):
        again = stress(
            "run", data, "--count", "1", "--episode", episode, "--out", str(out), "--json"
        )
        assert again.document["episodes"] == [one for one in rows if one["episode"] == episode]


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
    crash = found[0]
    assert isinstance(crash, Episode)
    assert crash.name == "sector-crash-2025-02-02"  # the day of the first tariffs
    assert -0.40 < crash.size < -0.30
