"""``perphedge faults``: seeded fault simulation, invariants checked."""

import json as json_text
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bot.faults.schedule import Outcome


def faults(
    seeds: Annotated[int, typer.Option(help="Schedules to play, from seed 0 on.", min=1)] = 100,
    steps: Annotated[int, typer.Option(help="Steps of each schedule.", min=60)] = 500,
    replay: Annotated[
        int | None, typer.Option(help="Play this seed alone and print its trace.", min=0)
    ] = None,
    paper: Annotated[
        bool, typer.Option("--paper", help="With --replay: as an engine on paper plays it.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(help="Processes; one for each core if not given.", min=1)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Play faults on the engine in simulated time and let an oracle look for broken promises."""
    if paper and replay is None:
        from bot.errors import UsageError

        raise UsageError("--paper: needs --replay; without it one seed in forty is on paper")
    if replay is not None:
        from bot.faults.schedule import run_seed

        outcome = run_seed(replay, steps, keep_trace=True, paper=paper)
        _show_one(outcome, as_json=json)
        raise typer.Exit(1 if outcome.violations else 0)
    from bot.faults.runner import run_many

    def tell(done: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done} of {seeds} schedules", end="", file=sys.stderr, flush=True)

    tally = run_many(seeds, steps, jobs=jobs, on_progress=tell)
    document = tally.document()
    if json:
        print(json_text.dumps(document, indent=2))
    else:
        _show(document, steps)
    raise typer.Exit(1 if tally.violations else 0)


def _show_one(outcome: "Outcome", *, as_json: bool) -> None:
    document = {
        "seed": outcome.seed,
        "ended": outcome.ended,
        "steps": outcome.steps,
        "digest": outcome.digest,
        "faults_fired": dict(sorted(outcome.fired.items())),
        "violations": [
            {"invariant": one.invariant, "text": one.text} for one in outcome.violations
        ],
    }
    if as_json:
        print(json_text.dumps({**document, "trace": outcome.lines}, indent=2))
    else:
        for line in outcome.lines:
            print(line)
        print(f"seed {outcome.seed} ended {outcome.ended}, digest {outcome.digest}")
        for one in outcome.violations:
            print(f"{one.invariant}: {one.text}")


def _show(document: dict[str, Any], steps: int) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title="Faults", box=None)
    for title, justify in (("fault", "left"), ("fired", "right")) * 2:
        table.add_column(title, justify="left" if justify == "left" else "right", no_wrap=True)
    cells = [str(cell) for pair in document["faults_fired"].items() for cell in pair]
    for start in range(0, len(cells), 4):
        table.add_row(*cells[start : start + 4])
    console.print(table)
    console.print(
        f"{document['schedules']} schedules, {document['steps']} steps "
        f"({document['steps_per_second']} a second), {document['orders_sent']} orders sent, "
        f"{document['orders_filled']} filled; {document['ended_ready']} ended ready, "
        f"{document['ended_halted']} halted; {document['recovered']} of "
        f"{document['recoverable']} that could recover did."
    )
    for one in document["violations"]:
        console.print(
            f"[red]{one['invariant']}[/red] seed {one['seed']}: {one['text']}", highlight=False
        )
    if document["violations_total"]:
        seed = document["failing_seeds"][0]
        console.print(
            f"{document['violations_total']} broken promises; "
            f"perphedge faults --replay {seed} --steps {steps} shows the first."
        )
