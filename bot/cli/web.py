"""``perphedge web`` and ``web-password``: the dashboard alone, and what opens it."""

from pathlib import Path
from typing import Annotated

import typer


def web(
    config: Annotated[Path, typer.Option("-c", "--config", help="Configuration file.")],
    child: Annotated[bool, typer.Option("--child", hidden=True)] = False,
) -> None:
    """Serve the dashboard, until interrupted; also while no engine runs.

    `perphedge run` starts it by itself with --web or where `web.enabled` is set.
    """
    import asyncio
    import sys

    from bot.web.server import address, serve
    from config.load import load_settings

    settings = load_settings(config)
    if not child:
        print(f"Dashboard: {address(settings.web)}", file=sys.stderr)
    asyncio.run(serve(settings, settings.mode, as_child=child))


def web_password(
    out: Annotated[
        Path, typer.Option(help="File for the hash; only its owner may read it.")
    ] = Path("web-password.hash"),
) -> None:
    """Ask for a password twice, or read a line of standard input, and keep its hash in a file.

    Name the file in `web.password_hash_file`.
    """
    import sys

    from bot.web.password import hashed, write_hash

    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    write_hash(out, hashed(password))
    print(f"Written: {out}\nSet web.password_hash_file to it.")
