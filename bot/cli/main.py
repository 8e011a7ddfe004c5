"""The ``perphedge`` command. Heavy packages are imported by the commands, so --help stays fast."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer
from typer._click.exceptions import ClickException  # typer re-exports only some of its errors

from bot.cli import assess, check, demo, review, run, venue
from bot.cli.exits import exit_code, one_line
from risk.errors import PerphedgeError

app = typer.Typer(
    name="perphedge",
    help="Correlation-aware hedging beside a crypto perpetuals bot.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
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


app.command("demo")(demo.demo)
app.command("run")(run.run)
app.command("check")(check.check)
app.command("risk")(assess.risk)
app.command("propose")(assess.propose)
app.command("status")(review.status)
app.command("log")(review.log)
app.command("venue")(venue.venue)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code; errors are one line on stderr."""
    sys.exit(_run(sys.argv[1:] if arguments is None else list(arguments)))


def _run(arguments: list[str]) -> int:
    try:
        result = app(arguments, standalone_mode=False)
    except PerphedgeError as error:
        print(f"perphedge: {one_line(error)}", file=sys.stderr)
        return exit_code(error)
    except ClickException as error:
        print(f"perphedge: {error.format_message()} (see perphedge --help)", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, typer.Abort):
        return 0
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    return result if isinstance(result, int) else 0
