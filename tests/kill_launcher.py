"""Starts engines as processes of their own, each dead at a boundary if it is told so.

The packages are loaded once; each command runs in a fork of this process, with the command line's
own ``main``, and its death is its own. Commands come as JSON lines on stdin, what became of them
goes as JSON lines to stdout.
"""

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

import ccxt.pro  # noqa: E402 - the path first; then what each fork would load by itself
import pandas as pd  # noqa: E402, F401 - likewise
import pyarrow.compute  # noqa: E402, F401 - likewise
import scipy.cluster  # noqa: E402 - likewise
import scipy.signal  # noqa: E402 - likewise
import scipy.stats  # noqa: E402, F401 - likewise

import bot.cli.live  # noqa: E402 - likewise
import bot.cli.main  # noqa: E402 - likewise
import bot.cli.run  # noqa: E402 - likewise
import bot.report.history  # noqa: E402 - likewise
import bot.riskview  # noqa: E402 - likewise
import bot.runner  # noqa: E402 - likewise
import bot.wiring  # noqa: E402 - likewise
from bot.venues.ccxt_tls import certificates  # noqa: E402 - likewise
from config.aliases import load_aliases  # noqa: E402 - likewise
from strategies import minimum_risk  # noqa: E402, F401 - likewise
from tests import kill_strategy  # noqa: E402, F401 - likewise
from tests.kill_boundaries import Boundaries  # noqa: E402 - likewise


def command(asked: dict[str, Any]) -> None:
    """In the child: the command, to its end or its death."""
    out = os.open(asked["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.environ.update(asked["env"])
    kill_at = asked.get("kill_at")
    boundaries = Boundaries(None if kill_at is None else (kill_at[0], kill_at[1]))
    boundaries.install()
    try:
        bot.cli.main.main(asked["arguments"])
    finally:
        crossed = dict(boundaries.crossed)
        Path(asked["crossed"]).write_text(json.dumps(crossed), encoding="utf-8")


def child(asked: dict[str, Any]) -> int:
    """In the child: its exit code."""
    try:
        command(asked)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - whatever it was, the parent is told
        traceback.print_exc()
        return 70
    return 0


def main() -> None:
    """Until stdin ends."""
    certificates(ccxt.pro.binanceusdm().cafile)
    load_aliases()
    for line in sys.stdin:
        asked = json.loads(line)
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                code = child(asked)
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(json.dumps({"code": os.waitstatus_to_exitcode(status)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
