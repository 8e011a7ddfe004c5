"""``perphedge metrics``: what a Prometheus server is told of an engine."""

from typing import Annotated

import typer

from bot.cli.journals import Config, State, state_dir_of
from bot.errors import UsageError

DEFAULT_PORT = 9464


def metrics(
    config: Config = None,
    state: State = None,
    host: Annotated[
        str, typer.Option(help="Where to listen; beyond this machine only behind a network's wall.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any free one.")] = DEFAULT_PORT,
    once: Annotated[
        bool, typer.Option("--once", help="Print them once, for a textfile collector.")
    ] = False,
) -> None:
    """Exposures, caps, costs, health and controls for a Prometheus server, until interrupted.

    They come from the journal, so they can be asked for while no engine runs, and asking never
    holds one up.
    """
    state_dir = state_dir_of(config, state)
    if not state_dir.is_dir():
        raise UsageError(f"{state_dir}: no engine has run there; name the right -c or --state")
    from bot.metrics.exposition import exposition, registry_of

    if once:
        print(exposition(state_dir), end="")
        return
    from bot.metrics.serve import serve

    serve(
        registry_of(state_dir),
        host,
        port,
        on_ready=lambda at: print(f"Metrics of {state_dir} on http://{host}:{at}/metrics"),
    )
