"""Whole replays of a small recorded market: what they tell; they go on, and know no future."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import yaml

from bot.errors import UnreachableError, UsageError
from bot.journal.reader import JOURNAL_NAME, JournalReader
from bot.journal.transactions import Transactions
from bot.ports import SourceSnapshot
from bot.replay.holdings import RandomBot
from bot.replay.play import MARKER_NAME, Played, play
from bot.replay.results import bot_gains_usd, document_of, hedge_gains_usd
from bot.replay.source import HoldingsSource
from bot.replay.stage import ReplayOptions, ReplayStage, name_of, set_up
from config.load import load_settings, profile_path
from config.yaml_file import read_yaml
from risk.book import FloatArray
from risk.returns import HOUR_MS
from tests.e2e_scene import called, one_line
from tests.evaluate_scene import START, symbol, write_folder

DEMO = profile_path("demo")
FIRST_MS = int(START.timestamp() * 1000) + 31 * 24 * HOUR_MS
HOURS = 30
LONGS = {symbol("FET"): 15_000, symbol("TAO"): 12_000, symbol("NEAR"): 13_000}


class Kept(NamedTuple):
    """What a replay left."""

    out: Path
    stage: ReplayStage
    equity_usd: FloatArray
    document: dict[str, Any]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("book") / "BOOK.json"
    rows = [{"symbol": s, "notional_usd": usd} for s, usd in LONGS.items()]
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def options(data: Path, out: Path, **changes: Any) -> ReplayOptions:
    chosen = {"start_ms": FIRST_MS, "end_ms": FIRST_MS + HOURS * HOUR_MS, "out": out, **changes}
    return ReplayOptions(data=data, **chosen)


def played(chosen: ReplayOptions, *, stop_after: int | None = None) -> tuple[ReplayStage, Played]:
    stage = set_up(load_settings(DEMO), chosen)
    hours = 0

    def on_hour(_hour: int, _record: object) -> None:
        nonlocal hours
        hours += 1
        if hours == stop_after:
            raise KeyboardInterrupt

    return stage, play(stage, name_of(stage, chosen), on_hour)


def cycles_of(folder: Path) -> list[dict[str, Any]]:
    with JournalReader.open_reader(folder / JOURNAL_NAME) as journal:
        return journal.cycles()


@pytest.fixture(scope="module")
def kept(data: Path, book: Path, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A book that is bought and kept."""
    out = tmp_path_factory.mktemp("kept")
    stage, result = played(options(data, out, book=book))
    with JournalReader.open_reader(out / JOURNAL_NAME) as journal:
        return Kept(out, stage, result.equity_usd, document_of(stage, result, journal, 60_000.0))


def test_the_bot_alone_is_worked_out_from_the_file(data: Path, kept: Kept) -> None:
    document = kept.document
    bars = pd.read_parquet(data / "hourly.parquet")
    paid = pd.read_parquet(data / "funding.parquet")
    start, end = (pd.Timestamp(FIRST_MS + h * HOUR_MS, unit="ms", tz="UTC") for h in (0, HOURS))
    total = 0.0
    for name, usd in LONGS.items():
        ends = bars[bars.symbol == name].set_index("timestamp").close.shift(1, freq="h")
        base = usd / ends[start]
        total += base * (ends[end] - ends[start])
        due = paid[(paid.symbol == name) & (paid.timestamp > start) & (paid.timestamp <= end)]
        total -= sum(base * ends[row.timestamp] * row.rate for row in due.itertuples())
    assert document["unhedged"]["pnl_usd"] == pytest.approx(total, rel=1e-9)


def test_the_hedges_are_worth_what_the_ledger_says(
    kept: Kept,
) -> None:
    out, stage, _, document = kept
    with JournalReader.open_reader(out / JOURNAL_NAME) as journal:
        ledger = journal.ledger("demo-hedge")
        fills = journal.own_fills("demo-hedge")
    last = stage.tape.quotes(int(stage.hours_ms[-1]))
    open_usd = sum(
        float(q) * (last[s].mark - float(ledger.positions[s, side].entry_price or 0))
        for (s, side), q in ledger.open_quantity.items()
    )
    assert fills
    assert document["hedge_pnl_usd"] == pytest.approx(
        float(ledger.cash_change_usd) + open_usd, abs=1e-4
    )
    assert document["hedged"]["pnl_usd"] == pytest.approx(
        document["unhedged"]["pnl_usd"] + document["hedge_pnl_usd"]
    )
    traded = sum(float(one.fill.quantity * one.fill.price) for one in fills)
    days = HOURS / 24
    gross = document["bot_gross_usd"]
    assert document["turnover_per_day"] == pytest.approx(traded / gross / days)
    assert document["cost_bps_per_day"] == pytest.approx(
        1e4 * (document["fees_usd"] + document["slippage_usd"]) / gross / days
    )


def test_it_hedges_and_every_hour_is_a_decision(
    kept: Kept,
) -> None:
    out, stage, equity_usd, document = kept
    documents = cycles_of(out)
    assert document["hours"] == document["decisions"] == len(documents) == HOURS
    assert documents[0]["status"] == "hedged"
    assert documents[0]["breaches_before"]
    assert all(not one["breaches_after"] for one in documents)
    assert [one["timestamp_ms"] for one in documents] == [
        FIRST_MS + h * HOUR_MS for h in range(HOURS)
    ]
    for cap, counts in document["breaches"].items():
        found = sum(any(b["cap"] == cap for b in one["breaches_before"]) for one in documents)
        alone = sum(any(b["cap"] == cap for b in one["breaches_unhedged"]) for one in documents)
        assert counts == {"alone": alone, "found": found, "left": 0, "avoided": alone}
        assert alone == len(documents)  # the book is kept, and far above every cap
    alone = bot_gains_usd(stage)
    both = alone + hedge_gains_usd(equity_usd)
    assert np.var(both) < 0.5 * np.var(alone)  # these tokens share two factors
    verified = called("log", "--verify", "--state", str(out))
    assert verified.code == 0, verified.err


def test_what_was_interrupted_goes_on_where_it_was(
    data: Path, book: Path, tmp_path: Path, kept: Kept
) -> None:
    chosen = options(data, tmp_path / "out", book=book)
    with pytest.raises(KeyboardInterrupt):
        played(chosen, stop_after=11)
    assert len(cycles_of(chosen.out)) == 11
    stage, result = played(chosen)
    assert result.hours == HOURS - 11
    documents, whole = cycles_of(chosen.out), cycles_of(kept.out)
    assert [d["timestamp_ms"] for d in documents] == [d["timestamp_ms"] for d in whole]
    assert documents[:11] == whole[:11]
    assert not np.isnan(result.equity_usd).any()
    with JournalReader.open_reader(chosen.out / JOURNAL_NAME) as journal:
        document = document_of(stage, result, journal, 60_000.0)
    assert document["decisions"] == HOURS
    assert document["unhedged"] == kept.document["unhedged"]
    again, nothing = played(chosen)
    assert nothing.hours == 0
    assert nothing.equity_usd.tolist() == pytest.approx(result.equity_usd.tolist(), abs=1e-6)
    assert again.hours_ms.tolist() == stage.hours_ms.tolist()


def test_a_kill_in_the_middle_of_a_day_takes_no_hour(
    data: Path, book: Path, tmp_path: Path, kept: Kept
) -> None:
    """The disk is not waited for within it, yet all that was written is in the files."""
    chosen = options(data, tmp_path / "out", book=book)
    left = options(data, tmp_path / "left", book=book)
    stage = set_up(load_settings(DEMO), chosen)

    def on_hour(hour: int, _record: object) -> None:
        if hour == 10:
            shutil.copytree(chosen.out, left.out)  # what a kill now would leave
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(stage, name_of(stage, chosen), on_hour)
    assert cycles_of(left.out) == cycles_of(kept.out)[:11]
    with JournalReader.open_reader(left.out / JOURNAL_NAME) as journal:
        assert journal.verify().number > 0
    _, result = played(left)
    assert result.hours == HOURS - 11
    assert len(cycles_of(left.out)) == HOURS


def test_a_kill_within_an_hour_pays_and_trades_nothing_twice(
    data: Path, book: Path, tmp_path: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is cut off in the hour of a payment: the journal holds none of that hour."""
    chosen = options(data, tmp_path / "out", book=book)
    paid_ms = FIRST_MS + 8 * HOUR_MS
    whole = Transactions._part
    left: list[Path] = []

    @contextmanager
    def part(self: Transactions) -> Iterator[None]:
        with whole(self):
            yield
        if stage.clock.now_ms() >= paid_ms:
            left.append(tmp_path / f"left-{len(left)}")
            shutil.copytree(chosen.out, left[-1])  # what a kill now would leave

    def on_hour(hour: int, _record: object) -> None:
        if hour == 8:
            raise KeyboardInterrupt

    stage = set_up(load_settings(DEMO), chosen)
    monkeypatch.setattr(Transactions, "_part", part)
    with pytest.raises(KeyboardInterrupt):
        play(stage, name_of(stage, chosen), on_hour)
    monkeypatch.setattr(Transactions, "_part", whole)
    assert len(left) >= 3
    for folder in left:
        assert cycles_of(folder) == cycles_of(kept.out)[:8]
        with JournalReader.open_reader(folder / JOURNAL_NAME) as journal:
            assert not journal.funding_receipts("demo-hedge", paid_ms)
            assert journal.verify().number > 0
    _, result = played(options(data, left[-1], book=book))
    # Estimates start anew where a replay goes on, so later decisions differ by a lot or two.
    assert result.equity_usd[:16].tolist() == pytest.approx(kept.equity_usd[:16].tolist(), abs=1e-6)
    assert payments_of(left[-1], paid_ms) == payments_of(kept.out, paid_ms)


def payments_of(folder: Path, time_ms: int) -> list[tuple[str, str]]:
    with JournalReader.open_reader(folder / JOURNAL_NAME) as journal:
        receipts = journal.funding_receipts("demo-hedge", 0)
    found = [(one.symbol, str(one.amount_usd)) for one in receipts if one.timestamp_ms == time_ms]
    assert found
    return sorted(found)


def test_a_changed_future_changes_no_decision_before_it(data: Path, tmp_path: Path) -> None:
    change = 8  # bars that open from this hour on are others
    other = tmp_path / "other"
    other.mkdir()
    rng = np.random.default_rng(9)
    at = pd.Timestamp(FIRST_MS + change * HOUR_MS, unit="ms", tz="UTC")
    bars = pd.read_parquet(data / "hourly.parquet")
    later = bars.timestamp >= at
    factor = np.exp(0.1 * rng.standard_normal(int(later.sum())))
    for column in ("open", "high", "low", "close"):
        bars.loc[later, column] *= factor
    bars.loc[later, "volume"] *= rng.uniform(0.1, 9, int(later.sum()))
    bars.to_parquet(other / "hourly.parquet")
    paid = pd.read_parquet(data / "funding.parquet")
    paid.loc[paid.timestamp > at, "rate"] *= -3
    paid.to_parquet(other / "funding.parquet")
    chosen = {"end_ms": FIRST_MS + (change + 4) * HOUR_MS, "random": RandomBot(mean_hours=5.0)}
    found = []
    for folder in (data, other):
        out = tmp_path / f"out-{folder.name}"
        stage = set_up(load_settings(DEMO), options(folder, out, **chosen))
        play(stage, {"the same": "name"})
        found.append(cycles_of(out))
    assert found[0][:change] == found[1][:change]
    # The bars of the hour that has just ended are still the old ones; what follows is not.
    assert found[0][change + 1 :] != found[1][change + 1 :]


def test_the_same_replay_twice_is_the_same_to_the_last_digit(data: Path, tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        chosen = options(data, tmp_path / name, end_ms=FIRST_MS + 5 * HOUR_MS)
        played(chosen)
        found.append(cycles_of(chosen.out))
    assert found[0] == found[1]
    assert any(one["fills"] for one in found[0])


def test_a_folder_of_something_else_is_refused(data: Path, book: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    played(options(data, out, end_ms=FIRST_MS + HOUR_MS))
    with pytest.raises(UsageError, match="holds a replay of other data, dates, bot or settings"):
        played(options(data, out, end_ms=FIRST_MS + HOUR_MS, book=book))
    mended = tmp_path / "mended"
    shutil.copytree(data, mended)
    short = options(mended, out, end_ms=FIRST_MS + HOUR_MS)
    _, nothing = played(short)
    assert nothing.hours == 0, "the same data in another folder are the same"
    paid = pd.read_parquet(mended / "funding.parquet")
    paid.loc[paid.symbol == symbol("ICP"), "rate"] *= 2
    paid.to_parquet(mended / "funding.parquet")
    with pytest.raises(UsageError, match=r"settings \(funding\.parquet\); name another"):
        played(short)
    (out / MARKER_NAME).unlink()
    with pytest.raises(UsageError, match="a journal that no replay wrote"):
        played(options(data, out, end_ms=FIRST_MS + HOUR_MS))


def test_the_command_tells_all_of_it(data: Path, book: Path, tmp_path: Path) -> None:
    span = ("--from", "2025-02-01", "--to", "2025-02-01T03:00Z")
    base = ("replay", "--data", str(data), "-c", str(DEMO), *span)
    out = str(tmp_path / "out")
    document = called(*base, "--book", str(book), "--out", out, "--json").document
    for side in ("unhedged", "hedged"):
        assert document[side].keys() == {
            "pnl_usd",
            "volatility_annual",
            "es95_daily_usd",
            "max_drawdown_usd",
        }
    keys = {
        "decisions",
        "decisions_per_second",
        "effectiveness_daily",
        "turnover_per_day",
        "cost_bps_per_day",
        "funding_usd",
        "breaches",
        "breach_hours",
    }
    assert keys <= document.keys()
    assert document["decisions"] == 3
    table = called(*base, "--book", str(book), "--out", out)
    assert table.code == 0
    assert "without hedges" in table.out
    assert "Hours: hedged " in table.out
    assert "could not be measured" not in table.out
    latest = called("explain", "latest", "--state", out)
    assert latest.code == 0
    early = called(*base[:5], "--from", "2025-01-10", "--out", out)
    assert "30 days of history come first" in one_line(early, 2)
    late = called(*base[:5], "--to", "2026-12-31", "--out", out)
    assert f"{data} ends 2025-02-" in one_line(late, 2)


def test_funding_at_rates_of_others_is_told_apart(
    data: Path, book: Path, tmp_path: Path, kept: Kept
) -> None:
    assert kept.document["funding_usd"] != 0
    assert kept.document["funding_substituted_usd"] == 0
    assert kept.document["funding_substituted"] == []
    other = tmp_path / "other"
    shutil.copytree(data, other)
    paid = pd.read_parquet(other / "funding.parquet")
    elsewhere = paid.symbol == symbol("GRT")
    paid.loc[elsewhere, "venue"] = "bybit"
    paid[paid.symbol != symbol("ICP")].to_parquet(other / "funding.parquet")
    chosen = options(other, tmp_path / "out", book=book, signals=False)
    stage, result = played(chosen)
    with JournalReader.open_reader(chosen.out / JOURNAL_NAME) as journal:
        document = document_of(stage, result, journal, 60_000.0)
        receipts = journal.funding_receipts("demo-hedge")
    hedges = {one.symbol for one in receipts} & {symbol("GRT"), symbol("ICP")}
    assert hedges, "what is held must show it"
    assert document["funding_substituted"] == sorted(hedges)
    assert document["funding_substituted_usd"] == pytest.approx(
        sum(float(one.amount_usd) for one in receipts if one.symbol in hedges)
    )


def test_a_first_hour_that_was_held_loses_no_result(
    data: Path, book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = HoldingsSource.read

    async def fails_at_first(self: HoldingsSource) -> SourceSnapshot:
        found = await read(self)
        if found.timestamp_ms == FIRST_MS:
            raise UnreachableError("the bot does not answer")
        return found

    monkeypatch.setattr(HoldingsSource, "read", fails_at_first)
    chosen = options(data, tmp_path / "out", book=book, end_ms=FIRST_MS + 3 * HOUR_MS)
    stage, result = played(chosen)
    with JournalReader.open_reader(chosen.out / JOURNAL_NAME) as journal:
        document = document_of(stage, result, journal, 60_000.0)
    assert document["statuses"]["held"] == document["unmeasured_hours"] == 1
    assert result.equity_usd[0] == 60_000
    assert document["hedge_pnl_usd"] == pytest.approx(result.equity_usd[-1] - 60_000)
    assert all(counts["alone"] == 2 for counts in document["breaches"].values())


def test_a_series_of_today_is_no_part_of_a_replay(data: Path, book: Path, tmp_path: Path) -> None:
    series = {
        "kind": "json", "name": "fear", "url": "https://example.com/fear", "time_column": "t",
        "value_column": "v", "above": 30.0, "factor": 0.4,
    }  # fmt: skip
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({**read_yaml(DEMO), "macro": [series]}), encoding="utf-8")
    found = called(
        "replay", "--data", str(data), "-c", str(config), "--book", str(book), "--out",
        str(tmp_path / "out"),
    )  # fmt: skip
    assert "macro: fear is read over HTTP" in one_line(found, 2)


def test_signals_decide_nothing(data: Path, book: Path, tmp_path: Path, kept: Kept) -> None:
    chosen = options(data, tmp_path / "out", book=book, signals=False)
    stage, result = played(chosen)
    assert name_of(stage, chosen) != name_of(
        kept.stage, options(data, tmp_path / "kept", book=book)
    )
    assert result.equity_usd.tolist() == kept.equity_usd.tolist()
    documents, with_signals = cycles_of(chosen.out), cycles_of(kept.out)
    assert any(one["signals"] for one in with_signals)
    # Orders are named after the replay, so their ids are others.
    beside = {"signals", "latency_ms", "orders", "fills", "costs"}
    for one, other in zip(documents, with_signals, strict=True):
        assert not one["signals"]
        assert {k: v for k, v in one.items() if k not in beside} == {
            k: v for k, v in other.items() if k not in beside
        }
        assert [(o["symbol"], o["side"], o["quantity"]) for o in one["orders"]] == [
            (o["symbol"], o["side"], o["quantity"]) for o in other["orders"]
        ]


def with_a_wick(data: Path, folder: Path, hour: int, factor: float) -> Path:
    """The same recording, but within one hour every token goes up so far and back."""
    shutil.copytree(data, folder)
    bars = pd.read_parquet(folder / "hourly.parquet")
    at = pd.Timestamp(FIRST_MS + (hour - 1) * HOUR_MS, unit="ms", tz="UTC")
    struck = bars["timestamp"] == at
    assert struck.any()
    bars.loc[struck, "high"] = factor * bars.loc[struck, ["open", "close"]].max(axis=1)
    bars.to_parquet(folder / "hourly.parquet")
    return folder


def test_a_wick_within_an_hour_liquidates_and_the_engine_goes_on(
    data: Path, book: Path, tmp_path: Path
) -> None:
    calm_stage, calm = played(options(data, tmp_path / "calm", book=book))
    wild = with_a_wick(data, tmp_path / "wild", 20, 6.0)
    stage, found = played(options(wild, tmp_path / "out", book=book))
    assert np.array_equal(found.equity_usd[:20], calm.equity_usd[:20])
    assert found.equity_usd[20] < 0.5 * calm.equity_usd[20], "closed at the top of the wick"
    assert np.array_equal(stage.close, calm_stage.close), "no close tells of it"
    before, after = (cycles_of(tmp_path / "out")[hour] for hour in (19, 20))
    assert any(leg["hedge_before_usd"] for leg in before["legs"])
    assert not any(leg["hedge_before_usd"] for leg in after["legs"])
    assert len(cycles_of(tmp_path / "out")) == HOURS


def test_a_wick_that_liquidates_nobody_leaves_no_trace(
    data: Path, book: Path, tmp_path: Path, kept: Kept
) -> None:
    for factor in (1.05, 1.5):  # too small to look at, and looked at
        wild = with_a_wick(data, tmp_path / f"wild{factor}", 20, factor)
        _, found = played(options(wild, tmp_path / f"out{factor}", book=book))
        assert np.allclose(found.equity_usd[:21], kept.equity_usd[:21], atol=1e-6)
