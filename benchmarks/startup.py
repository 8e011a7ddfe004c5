"""How long a person waits for the command line, against importing the two heaviest packages."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

from benchmarks.measure import DisagreementError, Effort, Line, alternate

_IMPORTS = (sys.executable, "-c", "import ccxt, cvxpy")


def run(effort: Effort) -> Iterator[Line]:
    """Wall time of whole processes, files in the page cache."""
    command = Path(sys.executable).with_name("perphedge")
    peer = "python -c 'import ccxt, cvxpy'"
    options = (("--help", "Usage"), ("--version", version("perphedge")))
    for option, expected in options[:1] if effort.quick else options:
        pairs = alternate(
            partial(_output, [str(command), option]),
            partial(_output, _IMPORTS),
            effort.rounds(5, 1),
            agree=partial(_require_text, expected),
            warm_ups=effort.warm_ups,
        )
        yield pairs.line("startup", f"perphedge {option}", peer, "output is as expected")
    if effort.quick:  # the demo takes many seconds
        return
    with tempfile.TemporaryDirectory() as folder:
        demo = [str(command), "demo", "--cycles", "1", "--seed", "7", "--out", folder, "--json"]
        pairs = alternate(
            partial(_output, demo),
            partial(_output, _IMPORTS),
            effort.rounds(3, 1),
            agree=_require_one_cycle,
            warm_ups=effort.warm_ups,
        )
    yield pairs.line("startup", "perphedge demo --cycles 1", peer, "one cycle in the document")


def _output(command: Sequence[str]) -> str:
    # Only this project's own command and this interpreter are run.
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own command
    return done.stdout


def _require_text(expected: str, ours: str, _imports: str) -> None:
    if expected not in ours:
        raise DisagreementError(f"startup: {expected!r} is not in what the command printed")


def _require_one_cycle(ours: str, _imports: str) -> None:
    cycles = json.loads(ours)["cycles"]
    if len(cycles) != 1:
        raise DisagreementError(f"startup: the demo's document holds {len(cycles)} cycles")
