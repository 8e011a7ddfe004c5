"""The installed command beside an exchange on sockets: asked, decided, carried out or not.

It takes a while: one engine runs in a process of its own through all of it, on wall time.
"""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e_scene import (
    LONGS,
    ServedExchange,
    called,
    one_line,
    paper_config,
    served_exchange,
    start,
    until,
    write_positions,
)

pytestmark = pytest.mark.long

APPROVE = (r"^autonomy: .*$", "autonomy: approve")


@pytest.fixture(scope="module")
def served() -> Iterator[ServedExchange]:
    with served_exchange() as exchange:
        yield exchange


@contextmanager
def running(config: Path) -> Iterator[subprocess.Popen[str]]:
    """The engine, until the block ends."""
    process = start("run", "-c", str(config), "--json")
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def proposals(config: Path) -> dict[str, Any]:
    """What the command tells of them; asked again and again, but not without a pause."""
    time.sleep(0.25)
    finished = called("proposals", "-c", str(config), "--json")
    if finished.code != 0:
        return {"pending": [], "ended": []}  # no engine has come so far yet
    document: dict[str, Any] = finished.document
    return document


def waits(config: Path, but: str = "") -> dict[str, Any]:
    """The proposal that waits, once there is one beside ``but``."""
    found: list[dict[str, Any]] = []

    def there() -> bool:
        found[:] = [p for p in proposals(config)["pending"] if p["proposal_id"] != but]
        return bool(found)

    until(there)
    return found[0]


def ended(config: Path, proposal_id: str) -> str:
    """How it ended, once it has."""
    found: list[str] = []

    def there() -> bool:
        over = proposals(config)["ended"]
        found[:] = [e["event"] for e in over if e["proposal_id"] == proposal_id]
        return bool(found)

    until(there)
    return found[0]


def stands_still(process: subprocess.Popen[str], config: Path) -> bool:
    """The engine is stopped, not just between one proposal and the next."""
    process.send_signal(signal.SIGSTOP)
    if proposals(config)["pending"]:
        return True
    process.send_signal(signal.SIGCONT)
    return False


def keep_fresh(config: Path, longs: dict[str, float]) -> None:
    write_positions(config.parent / "positions.json", longs)


def test_asked_decided_and_carried_out_over_sockets(served: ServedExchange, tmp_path: Path) -> None:
    config = paper_config(tmp_path, served.host, APPROVE)
    of = ("-c", str(config))
    keep_fresh(config, LONGS)
    with running(config) as process:
        first = waits(config)
        assert first["cures"]
        assert called("status", *of, "--json").document["hedges_base"] == {}
        shown = called("proposals", *of)
        assert first["proposal_id"] in shown.out

        line = one_line(called("approve", "7-abcdef", *of), 2)
        assert line == "perphedge: proposal 7-abcdef: there is none; perphedge proposals lists them"
        assert called("reject", first["proposal_id"], *of, "--by", "ana").code == 0
        assert ended(config, first["proposal_id"]) == "proposal_rejected"
        line = one_line(called("approve", first["proposal_id"], *of), 6)
        assert "it is rejected" in line

        # Another book: what was rejected is asked for again, since it is larger now.
        keep_fresh(config, {symbol: 2 * base for symbol, base in LONGS.items()})
        second = waits(config, but=first["proposal_id"])
        halted = called("halt", *of, "--reason", "lunch")
        assert halted.code == 0
        assert "resume first" in one_line(called("approve", second["proposal_id"], *of), 4)
        assert called("resume", *of, "--reason", "back", "--by", "ana").code == 0
        until(lambda: called("status", *of, "--json").document["halted"] is None)

        # Approved, but the book has grown three times over before the engine looks.
        until(lambda: stands_still(process, config))
        try:
            waiting = proposals(config)["pending"][0]["proposal_id"]
            keep_fresh(config, {symbol: 6 * base for symbol, base in LONGS.items()})
            assert called("approve", waiting, *of, "--by", "ana").code == 0
        finally:
            process.send_signal(signal.SIGCONT)
        assert ended(config, waiting) == "proposal_refused"
        third = waits(config, but=waiting)
        assert called("status", *of, "--json").document["hedges_base"] == {}

        made = called("approve", third["proposal_id"], *of, "--by", "ana", "--json").document
        assert (made["repeated"], made["action"]) == (False, "approve")
        again = called("approve", third["proposal_id"], *of, "--by", "ben")
        assert again.code == 0
        assert again.out.startswith(f"Proposal {third['proposal_id']} was approved already (ana)")
        assert ended(config, third["proposal_id"]) == "proposal_executed"
        assert called("approve", third["proposal_id"], *of).code == 0, "harmless afterwards too"

    hedges = called("status", *of, "--json").document["hedges_base"]
    shown_symbols = {leg["symbol"] for leg in third["legs"]}
    assert {name.split()[1] for name in hedges} == shown_symbols
    told = called("explain", "latest", *of)
    assert f"Proposal {third['proposal_id']} was carried out, as ana had approved it" in told.out
    records = called("log", *of, "--json").document["records"]
    kinds = [one.get("event", "cycle") for one in records]
    executing = kinds.index("proposal_executing")
    assert kinds.count("proposal_executing") == 1
    assert "order_sending" not in kinds[:executing], "nothing left before that"
    assert "order_sending" in kinds[executing:]


def test_an_approval_does_not_wait_for_the_next_look(
    served: ServedExchange, tmp_path: Path
) -> None:
    seldom = (r"^  monitor_every: .*$", "  monitor_every: 30m")
    config = paper_config(tmp_path, served.host, APPROVE, seldom)
    keep_fresh(config, LONGS)
    with running(config):
        waiting = waits(config)["proposal_id"]
        assert called("approve", waiting, "-c", str(config)).code == 0
        assert ended(config, waiting) == "proposal_executed"
