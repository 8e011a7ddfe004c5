"""Sweeps: what is tried and when, by properties; then real ones, here and on a Dask cluster."""

import itertools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import JournalError, UsageError
from bot.feeds.tape import DAY_MS
from bot.replay.identity import contents
from bot.sweep.choices import Axis, applied, axis_of, drawn, grid
from bot.sweep.courses import SPREAD
from bot.sweep.plan import SweepOptions, planned
from bot.sweep.runs import Bot, Row, Run, played
from bot.sweep.search import Objective, Rows, Sweep, summary, swept
from bot.sweep.spread import Here
from bot.sweep.windows import Part, Window, walk_forward
from config.load import profile_path
from config.yaml_file import read_yaml
from risk.errors import DataError
from tests.e2e_scene import called, finish, one_line, perphedge, start, until
from tests.evaluate_scene import START, symbol, write_folder

FIRST_MS = int(START.timestamp() * 1000) + 31 * DAY_MS
GROSS = "caps.hedge_gross_equity_fraction"
LONGS = {symbol("FET"): 15_000, symbol("TAO"): 12_000, symbol("NEAR"): 13_000}


# What is tried


def test_axes_as_they_are_typed() -> None:
    assert axis_of("caps.net_usd=10000,2e4,null") == Axis("caps.net_usd", (10_000, 2e4, None))
    assert axis_of("hedge.strategy=pair, basket").values == ("pair", "basket")
    assert axis_of("hedge.shorts_only=true,false").values == (True, False)
    assert axis_of("a.b=1..8") == Axis("a.b", (), 1, 8)
    assert axis_of("a.b=0.5..8").is_range
    for text, why in {
        "caps.net_usd": "must be like caps.net_usd=10000,20000",
        "=1": "must be like",
        "a=1,1": "names a value twice",
        "a=8..1": "a range must be two numbers that rise",
        "a=1..x": "a range must be two numbers that rise",
        "a=[1": "is no plain value",
        "a={b: 1}": "is no plain value",
    }.items():
        with pytest.raises(UsageError, match=f"--set .*{why}"):
            axis_of(text)


def test_a_grid_is_every_combination_once() -> None:
    axes = [Axis("a", (1, 2)), Axis("b.c", ("x", None))]
    assert grid(axes) == [
        {"a": 1, "b.c": "x"},
        {"a": 1, "b.c": None},
        {"a": 2, "b.c": "x"},
        {"a": 2, "b.c": None},
    ]
    with pytest.raises(UsageError, match="a range is drawn from: name --random N"):
        grid([Axis("a", (), 1, 2)])
    with pytest.raises(UsageError, match="110592 combinations, at most"):
        grid([Axis(str(i), tuple(range(48))) for i in range(3)])


@given(st.integers(1, 40), st.integers(0, 2**32))
def test_random_choices_are_inside_each_once_and_named_by_the_seed(count: int, seed: int) -> None:
    axes = [Axis("a", (1, 2, 3)), Axis("b", (), 2, 5), Axis("c", (), 0.5, 1.5)]
    found = drawn(axes, count, seed)
    assert found == drawn(axes, count, seed)
    assert len(found) == count
    for one in found:
        assert one["a"] in (1, 2, 3)
        assert isinstance(one["b"], int)
        assert 2 <= one["b"] <= 5
        assert isinstance(one["c"], float)
        assert 0.5 <= one["c"] <= 1.5
    few = drawn([Axis("a", (1, 2, 3))], count, seed)
    assert len(few) == len({one["a"] for one in few}) == min(3, count)


def test_a_choice_changes_its_settings_alone_and_a_copy() -> None:
    data = {"caps": {"net_usd": 1, "cae_usd": 2}, "mode": "paper"}
    found = applied(data, {"caps.net_usd": 5, "hedge.strategy": "pair"})
    assert found == {
        "caps": {"net_usd": 5, "cae_usd": 2},
        "mode": "paper",
        "hedge": {"strategy": "pair"},
    }
    assert data == {"caps": {"net_usd": 1, "cae_usd": 2}, "mode": "paper"}
    with pytest.raises(UsageError, match=r"--set mode\.x: mode is no section"):
        applied(data, {"mode.x": 1})


@given(st.integers(1, 400), st.integers(1, 60), st.integers(1, 60))
def test_walks_cover_the_span_and_never_test_what_they_trained_on(
    days: int, train: int, test: int
) -> None:
    end_ms = FIRST_MS + days * DAY_MS
    if train + test > days:
        with pytest.raises(UsageError, match="is shorter"):
            walk_forward(FIRST_MS, end_ms, train, test)
        return
    walk = walk_forward(FIRST_MS, end_ms, train, test)
    assert walk[0][0].start_ms == FIRST_MS
    for number, (before, after) in enumerate(walk):
        assert (before.number, before.part) == (number, Part.TRAIN)
        assert (after.number, after.part) == (number, Part.TEST)
        assert before.end_ms - before.start_ms == train * DAY_MS
        assert after.end_ms - after.start_ms == test * DAY_MS
        assert before.end_ms == after.start_ms
    for (_, one), (_, next_one) in itertools.pairwise(walk):
        assert one.end_ms == next_one.start_ms, "each day is tested once"
    assert end_ms - walk[-1][1].end_ms < test * DAY_MS


# How it is gone about; the replays are made up


def a_run(tmp_path: Path) -> Run:
    return Run(
        choice={"a": 0},
        window=Window(0, Part.WHOLE, FIRST_MS, FIRST_MS + DAY_MS),
        config={},
        base=tmp_path,
        data=tmp_path,
        bot=Bot(None, None),
    )


class Made:
    """Rows by a formula; notes what it was asked for."""

    def __init__(self, *, lost: frozenset[str] = frozenset()) -> None:
        self.asked: list[Run] = []
        self.lost = lost

    def rows(self, runs: Sequence[Run]) -> Iterator[Row]:
        for run in reversed(runs):  # they end in another order
            self.asked.append(run)
            a = run.choice["a"]
            assert isinstance(a, int)
            lost = run.key in self.lost
            day = (run.window.start_ms - FIRST_MS) // DAY_MS
            value = None if a == 9 else abs(a - day / 2)
            yield {
                "key": run.key, "window": run.window.number, "part": run.window.part.value,
                "a": a, "loss": None if lost else value, "error": "lost" if lost else None,
                "lost": lost, "start_ms": run.window.start_ms, "end_ms": run.window.end_ms,
                "bot_seed": run.bot.seed,
            }  # fmt: skip


def quiet(_done: int, _most: int, _row: Row) -> None:
    pass


def test_each_training_chooses_for_the_days_that_follow_it(tmp_path: Path) -> None:
    walk = walk_forward(FIRST_MS, FIRST_MS + 8 * DAY_MS, 2, 2)
    sweep = Sweep(a_run(tmp_path), [{"a": a} for a in (9, 2, 1, 0)], walk, Objective("loss", -1))
    spread, told = Made(), list[tuple[int, int]]()
    rows = swept(sweep, spread, Rows(tmp_path), lambda done, most, _: told.append((done, most)))
    tests = [row for row in rows if row["part"] == "test"]
    assert [(row["window"], row["a"]) for row in tests] == [(0, 0), (1, 1), (2, 2)]
    assert [row["a"] for row in rows[:8]] == [9, 2, 1, 0] * 2, "in the order of the choices"
    assert told == [(n + 1, 15) for n in range(15)]
    found = summary(sweep, rows)
    assert [one["chosen"] for one in found["windows"]] == [{"a": 0}, {"a": 1}, {"a": 2}]
    assert [one["test"] for one in found["windows"]] == [1.0, 1.0, 1.0]
    assert found["mean_test"] == 1.0
    assert (found["runs"], found["failed"]) == (15, 0)


class Lucky(Made):
    """Choice 0 is the best beside the first bot and the worst beside the others."""

    def rows(self, runs: Sequence[Run]) -> Iterator[Row]:
        loss = {0: (1.0, 9.0, 9.0), 1: (3.0, 4.0, 5.0), 2: (2.0, 2.0, None)}
        for row, run in zip(super().rows(runs), reversed(runs), strict=True):
            found = loss[int(row["a"])][run.bot.random.seed - 42]
            yield {**row, "loss": found, "error": None if found else "no figure"}


def test_what_suits_one_bot_by_luck_is_not_chosen(tmp_path: Path) -> None:
    walk = walk_forward(FIRST_MS, FIRST_MS + 4 * DAY_MS, 2, 2)
    sweep = Sweep(
        a_run(tmp_path), [{"a": a} for a in range(3)], walk, Objective("loss", -1), courses=3
    )
    rows = swept(sweep, Lucky(), Rows(tmp_path), quiet)
    assert len(rows) == sweep.most_runs == 12
    assert [row["bot_seed"] for row in rows] == [42, 43, 44] * 4
    found = summary(sweep, rows)
    assert (found["courses"], found["runs"], found["failed"]) == (3, 12, 1)
    assert found["windows"][0]["chosen"] == {"a": 1}
    assert found["windows"][0]["train"] == found["windows"][0]["test"] == 4.0
    means = sweep.means(rows)
    assert [(row["a"], row["part"]) for row in means] == [
        (0, "train"), (1, "train"), (2, "train"), (1, "test"),
    ]  # fmt: skip
    assert [row["error"] for row in means] == [None, None, "no figure", None]
    assert means[1][SPREAD] == 1.0
    assert means[1]["bot_seed"] is None
    assert means[2]["loss"] is None, "two of three say nothing of the third"


def test_of_one_course_nothing_is_averaged(tmp_path: Path) -> None:
    sweep = Sweep(a_run(tmp_path), [{"a": a} for a in range(3)], [], Objective("loss", -1))
    rows = swept(sweep, Made(), Rows(tmp_path), quiet)
    assert sweep.means(rows) == rows


def test_what_ended_is_not_played_again_and_what_was_lost_is(tmp_path: Path) -> None:
    first = a_run(tmp_path)
    sweep = Sweep(first, [{"a": a} for a in range(4)], [], Objective("loss", 1))
    lost = replace(first, choice={"a": 2}).key
    rows = swept(sweep, Made(lost=frozenset({lost})), Rows(tmp_path), quiet)
    assert [row["error"] for row in rows] == [None, None, "lost", None]
    assert summary(sweep, rows)["failed"] == 1
    again = Made()
    rows = swept(sweep, again, Rows(tmp_path), quiet)
    assert [run.choice for run in again.asked] == [{"a": 2}]
    assert summary(sweep, rows)["best"]["a"] == 3
    cut = next((tmp_path / "runs").iterdir())
    cut.write_text(cut.read_text()[:20])
    last = Made()
    swept(sweep, last, Rows(tmp_path), quiet)
    assert len(last.asked) == 1, "a file that was cut off counts for nothing"
    other = Made()
    newer = replace(sweep, first=replace(first, rests_on={"hourly.parquet": "other"}))
    swept(newer, other, Rows(tmp_path), quiet)
    assert len(other.asked) == 4


# Real ones


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_folder(tmp_path_factory.mktemp("sweep"))
    rows = [{"symbol": s, "notional_usd": usd} for s, usd in LONGS.items()]
    (folder / "BOOK.json").write_text(json.dumps(rows), encoding="utf-8")
    return folder


def words(data: Path, out: Path, *more: str) -> list[str]:
    at = START + pd.Timedelta(days=31)
    first, end = at.isoformat(), (at + pd.Timedelta(hours=4)).isoformat()
    return [
        "sweep", "--data", str(data), "-c", "config/profiles/demo.yaml", "--book",
        str(data / "BOOK.json"), "--from", first, "--to", end, "--out", str(out), *more,
    ]  # fmt: skip


def test_a_mistake_is_told_before_anything_is_played(data: Path, tmp_path: Path) -> None:
    for more, why in (
        (["--set", "caps.net=1"], "caps.net: unknown key"),
        (["--set", "caps.net_usd=10,-5"], "caps.net_usd: -5"),
        (["--set", "caps.net_usd=1", "--set", "caps.net_usd=2"], "caps.net_usd: is there twice"),
        (["--set", "caps.net_usd=1", "--train", "3"], "--train and --test: name both or none"),
        (["--set", "caps.net_usd=1", "--courses", "2"], "--courses 2: --book and --positions know"),
        (["--set", "caps.net_usd=1..9"], "a range is drawn from: name --random N"),
        (["--set", "caps.net_usd=1", "--minimize", "a", "--maximize", "b"], "name one of them"),
    ):
        assert why in one_line(called(*words(data, tmp_path / "out", *more)), 2)
    assert not (tmp_path / "out").exists()
    nowhere = called(*words(tmp_path, tmp_path / "out", "--set", "caps.net_usd=1"))
    assert "no hourly.parquet" in one_line(nowhere, 2)


@pytest.mark.long
def test_courses_of_real_replays_differ_and_are_judged_together(data: Path, tmp_path: Path) -> None:
    typed = words(data, tmp_path / "out", "--set", f"{GROSS}=0.05,1.0", "--courses", "2")
    at = typed.index("--book")
    random = typed[:at] + typed[at + 2 :]
    done = perphedge(*random, "--maximize", "hedge_pnl_usd", "--json")
    assert done.code == 0, done.err
    found = done.document
    assert (found["courses"], found["runs"], found["failed"]) == (2, 4, 0)
    table = pq.read_table(found["parquet"]).to_pylist()
    assert [(row[GROSS], row["bot_seed"]) for row in table] == [
        (0.05, 42), (0.05, 43), (1.0, 42), (1.0, 43),
    ]  # fmt: skip
    assert table[0]["unhedged.pnl_usd"] != table[1]["unhedged.pnl_usd"]
    best = [row["hedge_pnl_usd"] for row in table if row[GROSS] == found["best"][GROSS]]
    assert found["best"]["hedge_pnl_usd"] == pytest.approx(sum(best) / 2)
    shown = called(*random, "--maximize", "hedge_pnl_usd")
    assert "± between" in shown.out


def test_a_sweep_of_real_replays_and_its_files(data: Path, tmp_path: Path) -> None:
    tried = ["--set", f"{GROSS}=0.05,1.0", "--jobs", "2", "--json"]
    done = perphedge(*words(data, tmp_path / "out", *tried, "--maximize", "hedge_pnl_usd"))
    assert done.code == 0, done.err
    found = done.document
    assert (found["runs"], found["failed"], found["sign"]) == (2, 0, 1)
    table = pq.read_table(found["parquet"]).to_pylist()
    assert [row[GROSS] for row in table] == [0.05, 1.0]
    assert found["best"]["hedge_pnl_usd"] == max(row["hedge_pnl_usd"] for row in table)
    assert {row["hours"] for row in table} == {4}
    assert table[0]["turnover_per_day"] != table[1]["turnover_per_day"], "the cap was in force"
    for row in table:
        assert 1 <= row["breach_hours.found"] <= row["hours"]
        assert 0 <= row["breach_hours.left"] <= row["hours"]
        assert not any(name.startswith("breaches") for name in row)
    assert Path(found["plot"]).read_bytes().startswith(b"\x89PNG")
    misspelt = called(*words(data, tmp_path / "out", *tried[:-1], "--maximize", "hedge_pnl"))
    assert "--maximize hedge_pnl: no such figure; there are " in one_line(misspelt, 2)
    again = called(*words(data, tmp_path / "out", *tried[:-1], "--maximize", "hedge_pnl_usd"))
    assert again.code == 0
    assert "2 runs, 0 of them failed." in again.out


def test_nothing_old_is_used_when_a_file_has_changed(data: Path, tmp_path: Path) -> None:
    """Its contents count, under whatever name they are read."""
    options = SweepOptions(
        data, ("caps.net_usd=9e3",), None, 42, FIRST_MS, FIRST_MS + DAY_MS, None, None,
        Bot(tmp_path / "BOOK.json", None),
    )  # fmt: skip
    config = tmp_path / "config.yaml"
    sectors = tmp_path / "sectors.yaml"
    crowd = {"title": "AI", "subsectors": {"a": "A"}, "tokens": {"FET": "a", "TAO": "a"}}
    settings = read_yaml(profile_path("demo"))
    settings["universe"] = {**settings.get("universe", {}), "sector": "ai"}
    settings["universe"]["sectors_file"] = "sectors.yaml"
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")

    def keys(book: str = "[]", rest: str = "A") -> str:
        (tmp_path / "BOOK.json").write_text(book, encoding="utf-8")
        told = {"sectors": {"ai": {**crowd, "subsectors": {"a": rest}}}}
        sectors.write_text(yaml.safe_dump(told), encoding="utf-8")
        return planned(config, options, Objective("loss", -1)).first.key

    first = keys()
    assert keys() == first
    assert keys(book="[ ]") != first
    assert keys(rest="B") != first
    assert keys() == first


def test_a_worker_with_other_files_plays_nothing(data: Path, tmp_path: Path) -> None:
    bars = data / "hourly.parquet"
    rests_on = contents([bars])
    run = replace(a_run(tmp_path), rests_on={**rests_on, str(bars): "what another machine has"})
    row = played(run)
    assert row["lost"]
    assert row["error"] == f"this worker has other contents: {bars}"
    row = played(replace(run, rests_on={**rests_on, "version": "0.0.9"}))
    assert row["lost"]
    assert row["error"] == "this worker has other contents: version"


def test_what_lies_with_the_machine_is_lost_and_what_lies_with_the_choice_is_a_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error, lost in ((JournalError("the disk is full"), True), (DataError("no bars"), False)):

        def fails(_run: Run, error: Exception = error) -> dict[str, Any]:
            raise error

        monkeypatch.setattr("bot.sweep.runs._document", fails)
        row = played(a_run(tmp_path))
        assert (row["error"], row["lost"]) == (str(error), lost)


def test_a_defect_of_one_run_ends_no_sweep(tmp_path: Path) -> None:
    """Neither one that raises nor one that kills takes another with it."""
    spoilt = replace(a_run(tmp_path), choice={"a": Spoilt()})  # type: ignore[dict-item]
    deadly = replace(a_run(tmp_path), choice={"a": Deadly()})  # type: ignore[dict-item]
    well = [replace(a_run(tmp_path), choice={"a": n}) for n in range(4)]
    rows = list(Here(2).rows([*well[:2], deadly, spoilt, *well[2:]]))
    assert len(rows) == 6
    lost = {row["key"]: row["error"] for row in rows if row["lost"]}
    assert lost.pop(deadly.key) == "processes that played it ended 3 times"
    (why,) = lost.values()
    assert "RuntimeError: cannot be named" in why
    assert {row["key"] for row in rows if not row["lost"]} == {run.key for run in well}


class Spoilt:
    """Cannot be named in any process but the first."""

    def __str__(self) -> str:
        if multiprocessing.parent_process() is not None:
            raise RuntimeError("cannot be named")
        return "spoilt"


@pytest.mark.long
def test_processes_that_die_are_replaced_and_what_always_kills_is_told(tmp_path: Path) -> None:
    """A run that cannot be unpickled ends its process, as a kill would."""
    run = replace(a_run(tmp_path), choice={"a": Deadly()})  # type: ignore[dict-item]
    rows = list(Here(1).rows([run]))
    assert [row["lost"] for row in rows] == [True]
    assert rows[0]["error"] == "processes that played it ended 3 times"


class Deadly:
    """Kills whoever unpacks it."""

    def __reduce__(self) -> Any:
        return _die, ()

    def __repr__(self) -> str:
        return "deadly"


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.long
def test_interrupted_it_waits_for_nobody_and_leaves_no_folder(data: Path, tmp_path: Path) -> None:
    typed = words(data, tmp_path / "out", "--set", "caps.net_usd=10000,20000,30000", "--jobs", "2")
    typed[typed.index("--to") + 1] = (START + pd.Timedelta(days=38)).isoformat()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    running = start(*typed, env={"TMPDIR": str(scratch)})
    try:
        until(lambda: len(list(scratch.glob("perphedge-sweep-*/journal.sqlite"))) == 2)
        running.send_signal(signal.SIGINT)
        assert running.communicate(timeout=20) == ("", "")
    finally:
        running.kill()
    assert running.returncode == 0
    assert not list(scratch.glob("perphedge-sweep-*"))
    assert not (tmp_path / "out" / "runs").exists()


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, list["subprocess.Popen[bytes]"]]]:
    """A Dask scheduler and two workers, all processes of their own."""
    about = folder / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    own = ["--scheduler-file", str(about), "--no-dashboard"]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    with ExitStack() as stack:

        def run(*words: str) -> "subprocess.Popen[bytes]":
            process = subprocess.Popen(  # noqa: S603 - our own
                [*dask, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                cwd=folder, env=environment,
            )  # fmt: skip
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        run("scheduler", *own, "--host", "127.0.0.1", "--port", "0")
        until(lambda: about.exists() and about.stat().st_size > 0)
        workers = [run("worker", *own, "--nthreads", "1", "--no-nanny") for _ in range(2)]
        yield json.loads(about.read_text())["address"], workers


def test_a_killed_worker_of_a_cluster_loses_nothing(data: Path, tmp_path: Path) -> None:
    tried = ["--set", "caps.net_usd=8000,12000,16000,20000,24000,28000"]
    with cluster(tmp_path) as (address, workers):
        process = start(*words(data, tmp_path / "out", *tried, "--scheduler", address, "--json"))
        runs = tmp_path / "out" / "runs"
        until(lambda: process.poll() is not None or (runs.exists() and bool(list(runs.iterdir()))))
        assert process.poll() is None, finish(process)
        workers[0].send_signal(signal.SIGKILL)
        done = finish(process)
    assert done.code == 0, done.err
    assert (done.document["runs"], done.document["failed"]) == (6, 0)
    table = pq.read_table(done.document["parquet"]).to_pylist()
    assert [row["caps.net_usd"] for row in table] == [8000, 12000, 16000, 20000, 24000, 28000]
    assert not any(row["error"] for row in table)


def test_without_a_cluster_at_the_address_it_says_so(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.sweep.spread.CONNECT_S", 1)
    done = called(
        *words(
            data, tmp_path / "out", "--set", "caps.net_usd=9e3", "--scheduler", "tcp://127.0.0.1:1"
        )
    )
    assert done.code == 5
    assert "--scheduler tcp://127.0.0.1:1: " in done.err
