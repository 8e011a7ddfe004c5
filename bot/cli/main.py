"""The ``perphedge`` command. Heavy packages are imported by the commands, so --help stays fast."""

import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Annotated

import typer
from typer._click.exceptions import (  # typer re-exports only some of its errors
    ClickException,
    NoArgsIsHelpError,
)

from bot.cli import (
    alerts,
    api,
    approve,
    assess,
    attribution,
    check,
    control,
    data,
    demo,
    evaluate,
    explain,
    faults,
    log,
    metrics,
    replay,
    report,
    run,
    settle,
    status,
    stress,
    sweep,
    venue,
    web,
)
from bot.cli.exits import exit_code, one_line
from risk.errors import PerphedgeError

EXIT_CODES = (
    "Exit codes: 0 done, 2 bad usage, config or data, 3 another instance holds the lock, "
    "4 halted, 5 venue or source unreachable, 6 refused for safety, 1 anything else."
)

app = typer.Typer(
    name="perphedge",
    help="Correlation-aware hedging beside a crypto perpetuals bot.",
    epilog=EXIT_CODES,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"perphedge {version('perphedge')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Correlation-aware hedging beside a crypto perpetuals bot."""


_HELP = {
    "demo": "See it work: simulated exchange, bot and hedges.",
    "run": "Run the engine beside your bot.",
    "check": "Check config, exchange, sources and caps.",
    "risk": "What the positions add up to, and which caps they break.",
    "propose": "The hedge that would be made now; nothing is sent.",
    "proposals": "What waits for approval.",
    "approve": "Let the engine carry out a proposal.",
    "reject": "End a proposal.",
    "status": "What an engine holds and did last.",
    "halt": "The kill switch: nothing more is sent, our open orders are cancelled.",
    "resume": "Lift every halt, by name and with a reason.",
    "alerts": "Open alerts, and whom they were told.",
    "ack": "Acknowledge open alerts.",
    "settle": "Say what an order did of which the engine could not find out.",
    "selftest": "Trip every control on a simulated exchange.",
    "log": "The hedge log: cycles, orders and events.",
    "explain": "Why a cycle did what it did, and what came of it.",
    "report": "One HTML file of what an engine saw, did, paid and earned.",
    "attribution": "Who earned and cost what; held against the exchange's income.",
    "metrics": "Figures for a Prometheus server, from the journal.",
    "api": "The server that bots ask before they enter, and push positions to.",
    "web": "The dashboard: pages for a browser, with a login.",
    "web-password": "Set the password of the dashboard.",
    "replay": "Your bot and the engine over recorded months.",
    "sweep": "Which settings were worth it, on recorded months.",
    "evaluate": "How good hedges are on data they were not made from.",
    "venue": "A simulated exchange on this machine.",
    "faults": "Prove the engine against an exchange that goes wrong.",
}
COMMANDS: dict[str, Callable[..., None]] = {
    "demo": demo.demo,
    "run": run.run,
    "check": check.check,
    "risk": assess.risk,
    "propose": assess.propose,
    "proposals": approve.proposals,
    "approve": approve.approve,
    "reject": approve.reject,
    "status": status.status,
    "halt": control.halt,
    "resume": control.resume,
    "alerts": alerts.alerts,
    "ack": control.acknowledge,
    "settle": settle.settle,
    "selftest": control.selftest,
    "log": log.log,
    "explain": explain.explain,
    "report": report.report,
    "attribution": attribution.attribution,
    "metrics": metrics.metrics,
    "api": api.api,
    "web": web.web,
    "web-password": web.web_password,
    "replay": replay.replay,
    "sweep": sweep.sweep,
    "evaluate": evaluate.evaluate,
    "venue": venue.venue,
    "faults": faults.faults,
}
for _name, _command in COMMANDS.items():
    app.command(_name, short_help=_HELP[_name])(_command)
app.add_typer(data.app, name="data")
app.add_typer(stress.app, name="stress")


def _one_blas_thread() -> None:
    """Our matrices are small: threads cost more than they give, and the last bits depend on them.

    Must run before numpy is imported; what the owner has set stays.
    """
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")


_INTERRUPTED = 130  # what typer makes of Ctrl-C, which is how most commands are meant to end


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code; errors are one line on stderr."""
    _one_blas_thread()
    sys.exit(_run(sys.argv[1:] if arguments is None else list(arguments)))


def _run(arguments: list[str]) -> int:
    try:
        result = app(arguments, prog_name="perphedge", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        return 0
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except (PerphedgeError, ClickException, OSError) as error:
        line, code = _told(error)
        print(line, file=sys.stderr)
        return code
    return result if isinstance(result, int) and result != _INTERRUPTED else 0


def _told(error: PerphedgeError | ClickException | OSError) -> tuple[str, int]:
    """What to print of an error, and the exit code."""
    if isinstance(error, PerphedgeError):
        return f"perphedge: {one_line(error)}", exit_code(error)
    if isinstance(error, NoArgsIsHelpError):
        return error.format_message(), 2
    if isinstance(error, ClickException):
        return f"perphedge: {error.format_message()} (see perphedge --help)", 2
    if error.filename is None:  # a full disk or the like
        return f"perphedge: {error.strerror or error}", 1
    return f"perphedge: {error.filename}: {error.strerror}", 2
