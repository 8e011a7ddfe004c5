"""``python -m benchmarks [--only NAME]... [--quick] [--json]``."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console

# Read once, when numpy is imported below: our matrices are small, and more threads only wait.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from benchmarks.machine import machine, machine_line
from benchmarks.measure import Effort, Line
from benchmarks.suite import BENCHMARKS
from benchmarks.table import print_lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what was asked for and print it."""
    asked = _parser().parse_args(arguments)
    names = asked.only or list(BENCHMARKS)
    facts = machine()
    if not asked.json:
        # Before anything is measured, so that an interrupted run still says where it ran.
        Console().print(machine_line(facts), soft_wrap=True, highlight=False)
    lines: list[Line] = []
    for name in names:
        print(f"{name} …", file=sys.stderr, flush=True)
        lines += BENCHMARKS[name](Effort(quick=asked.quick))
    if asked.json:
        document = {"machine": facts, "lines": [asdict(line) for line in lines]}
        print(json.dumps(document, indent=2, allow_nan=False))
    else:
        print_lines(Console(), lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only",
        action="append",
        choices=list(BENCHMARKS),
        metavar="NAME",
        help=f"one of {', '.join(BENCHMARKS)}; may be given again",
    )
    parser.add_argument("--quick", action="store_true", help="few rounds, small cases only")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


if __name__ == "__main__":
    main()
