"""``perphedge web`` and ``web-password``: the dashboard alone, and what opens it."""

from pathlib import Path
from typing import Annotated

import typer


def web(
    config: Annotated[Path, typer.Option("-c", "--config", help="Configuration file.")],
    host: Annotated[
        str | None, typer.Option(help="Where to listen; beyond this machine with a certificate.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Its port.")] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="Certificate chain, PEM.", show_default=False)
    ] = None,
    certificate_key: Annotated[
        Path | None, typer.Option(help="The certificate's private key, PEM.", show_default=False)
    ] = None,
    password_hash: Annotated[
        Path | None, typer.Option(help="File that `perphedge web-password` wrote.")
    ] = None,
    child: Annotated[bool, typer.Option("--child", hidden=True)] = False,
) -> None:
    """Serve the dashboard, until interrupted; also while no engine runs.

    `perphedge run` starts it by itself with --web or where `web.enabled` is set. What is given here
    takes the place of the same in the section `web` of the configuration.
    """
    import asyncio
    import sys

    from bot.web.password import required_hash
    from bot.web.server import address, serve
    from config.load import load_settings

    files = {
        "certificate_file": certificate,
        "certificate_key_file": certificate_key,
        "password_hash_file": password_hash,
    }
    # Those of the command line count from where it is given, not from the configuration's folder.
    given: dict[str, object] = {
        key: str(file.absolute()) for key, file in files.items() if file is not None
    }
    told = {"host": host, "port": port}
    given |= {key: value for key, value in told.items() if value is not None}
    settings = load_settings(config, {"web": given})
    required_hash(settings.web)  # before it is announced
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
