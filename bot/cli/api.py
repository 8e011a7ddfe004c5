"""``perphedge api``: the server that bots ask and push to, alone."""

from pathlib import Path
from typing import Annotated

import typer


def api(
    config: Annotated[Path, typer.Option("-c", "--config", help="Configuration file.")],
    schema: Annotated[
        bool, typer.Option("--openapi", help="Print the OpenAPI document and end.")
    ] = False,
    child: Annotated[bool, typer.Option("--child", hidden=True)] = False,
) -> None:
    """Serve entry checks and take pushed positions, until interrupted.

    `perphedge run` starts it by itself where `api.enabled` is set.
    """
    import asyncio
    import json

    from bot.api.server import serve, ungated_app
    from config.load import load_settings

    settings = load_settings(config)
    if schema:
        print(json.dumps(ungated_app(settings).openapi(), indent=2))
        return
    asyncio.run(serve(settings, as_child=child))
