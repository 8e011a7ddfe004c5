"""Every benchmark runs, and what it times comes to the same result as its peer."""

import json

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.crowd_accounts import HEDGER
from benchmarks.measure import (
    DisagreementError,
    Effort,
    Pairs,
    alternate,
    require_close,
)
from benchmarks.oldjournal import write_old_journal
from benchmarks.shares import Shares
from benchmarks.suite import BENCHMARKS, SLOW
from bot.journal.reader import JournalReader

LONG = {"backfill", "cycle", "decision", "entrycheck"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.long] if name in LONG else [])
        for name in BENCHMARKS
        if name not in SLOW
    ],
)
def test_runs_and_agrees_with_its_peer(name):
    # Each raises DisagreementError by itself where results differ.
    lines = list(BENCHMARKS[name](Effort(quick=True)))
    assert lines
    for line in lines:
        assert line.benchmark == name
        assert line.agreement
        assert 0 < line.ours.least_s <= line.ours.median_s <= line.ours.most_s
        assert 0 < line.theirs.least_s <= line.theirs.median_s <= line.theirs.most_s
        assert line.ratio_least <= line.ratio_most
        assert line.ratio == line.ours.median_s / line.theirs.median_s
    assert len({(line.case, line.peer) for line in lines}) == len(lines)


def test_an_old_journal_is_whole_and_everything_in_it_is_closed(tmp_path):
    path = tmp_path / "journal.sqlite"
    rows = write_old_journal(path, 13_000, until_ms=1_800_000_000_000)
    assert rows > 12_000  # two rounds, of which one repeats the other
    with JournalReader.open_reader(path) as journal:
        assert journal.verify().number > rows  # settings and orders change more than once
        assert journal.own_positions(HEDGER) == {}
        assert journal.unresolved_orders() == ()


def test_sides_take_turns_and_warm_ups_do_not_count():
    calls = []
    pairs = alternate(
        lambda: calls.append("ours"),
        lambda: calls.append("theirs"),
        3,
        before=lambda: calls.append("before"),
        warm_ups=2,
    )
    assert calls == ["before", "ours", "theirs"] * 5
    assert len(pairs.ours_s) == len(pairs.theirs_s) == 3


def test_ratio_is_of_medians_and_range_of_pairs():
    line = Pairs((1.0, 2.0, 9.0), (4.0, 4.0, 4.5)).line("b", "c", "p", "same")
    assert line.ratio == 0.5
    assert (line.ratio_least, line.ratio_most) == (0.25, 2.0)
    assert (line.ours.least_s, line.ours.median_s, line.ours.most_s) == (1.0, 2.0, 9.0)


@pytest.mark.parametrize("difference", [2e-9, np.nan, np.inf])
def test_other_results_stop_the_run(difference):
    require_close("it", 1e-9, 1e-9)
    with pytest.raises(DisagreementError, match="it: differ by"):
        require_close("it", difference, 1e-9)


async def test_shares_count_each_moment_once():
    shares = Shares()
    inner = shares.counted("inner", lambda: 1)

    async def outer():
        return inner() + 1

    counted = shares.counted("outer", outer)
    assert await counted() == 2  # nothing runs: nothing is counted
    assert not shares.seconds
    shares.start()
    assert await counted() == 2
    parts = shares.stop()
    assert set(parts) == {"inner", "outer", "the rest"}
    assert all(seconds > 0 for seconds in parts.values())


def test_prints_one_json_document(capsys):
    main(["--only", "journal", "--quick", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"machine", "lines"}
    assert document["machine"]["cores"] >= 1
    assert {line["benchmark"] for line in document["lines"]} == {"journal"}


def test_prints_a_table_under_the_machine(capsys):
    main(["--only", "journal", "--quick"])
    out = capsys.readouterr().out
    assert "cores" in out.splitlines()[0]
    assert "commits per second" in out


def test_unknown_benchmark_is_refused(capsys):
    with pytest.raises(SystemExit) as refused:
        main(["--only", "nothing"])
    assert refused.value.code == 2
    assert "nothing" in capsys.readouterr().err
