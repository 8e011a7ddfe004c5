"""``perphedge venue``: the simulated exchange as a server, on wall time."""

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.feeds.tape import Tape
    from bot.ports import Clock
    from bot.venues.http.accounts import AccountSpec
    from bot.venues.http.server import Between

DEFAULT_PORT = 18080


def venue(
    port: Annotated[
        int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.", min=0, max=65535)
    ] = DEFAULT_PORT,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of recorded market data, re-stamped to now; else generated."),
    ] = None,
    accounts: Annotated[
        Path | None,
        typer.Option(help="YAML or JSON list of {name, api_key, api_secret, wallet_usd}."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Names the generated market.", min=0)] = 1,
    faults: Annotated[
        str, typer.Option(help="Faults of HTTP to play at random, as truncated_json,status_429.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="Print the address as JSON.")] = False,
) -> None:
    """Serve a simulated Binance USD-M exchange on this machine until interrupted."""
    import asyncio

    from bot.clock import SystemClock
    from bot.errors import UsageError
    from bot.venues.http.accounts import default_accounts, read_accounts
    from bot.venues.http.runner import run_exchange
    from bot.venues.http.server import LoopbackServer
    from bot.venues.sim.exchange import SimulatedExchange

    clock = SystemClock()
    between = _front(faults, seed, clock)
    specs = default_accounts() if accounts is None else read_accounts(accounts)
    tape = _tape(data, seed, clock.now_ms())
    exchange = SimulatedExchange(tape.instruments.values(), clock, seed)
    for one in specs:
        exchange.open_account(one.name, one.api_key, one.api_secret, one.wallet_usd)

    def announce(server: LoopbackServer) -> None:
        typer.echo(_announcement(server.host, accounts, specs, as_json=json))

    try:
        asyncio.run(run_exchange(exchange, tape, clock, port=port, ready=announce, between=between))
    except OSError as error:
        raise UsageError(f"--port {port}: {error.strerror or error}") from None


def _front(names: str, seed: int, clock: "Clock") -> "Between | None":
    """Plays these faults before the exchange; nobody where none is named.

    Raises:
        UsageError: there is no such fault, or it is not one that a server can play.
    """
    wanted = {name.strip() for name in names.split(",") if name.strip()}
    if not wanted:
        return None
    import asyncio

    from bot.errors import UsageError
    from bot.faults.faultset import FaultSet, Trace
    from bot.faults.http_front import ON_THE_SOCKET, FaultyFront

    unknown = sorted(wanted - ON_THE_SOCKET)
    if unknown:
        allowed = ", ".join(sorted(ON_THE_SOCKET))
        raise UsageError(f"--faults {unknown[0]}: must be of {allowed}")
    faults = FaultSet(seed, Trace(clock.now_ms, keep=False))
    faults.active |= wanted

    def later(milliseconds: int, action: "Callable[[], object]") -> None:
        asyncio.get_running_loop().call_later(milliseconds / 1000, action)

    return FaultyFront(faults, later)


def _tape(data: Path | None, seed: int, now_ms: int) -> "Tape":
    """Recorded prices moved to now, or a generated market that has traded for its history."""
    if data is not None:
        from bot.cli.remarks import told
        from bot.feeds.recorded import recorded_tape
        from config.aliases import load_aliases

        return recorded_tape(data, restamp_to_ms=now_ms, aliases=load_aliases(), tell=told)
    from bot.feeds.generated import HISTORY_DAYS, generated_tape

    return generated_tape(seed, now_ms - HISTORY_DAYS * 86_400_000)


def _announcement(
    host: str, accounts: Path | None, specs: "list[AccountSpec]", *, as_json: bool
) -> str:
    """One line; the secrets of a file are never shown."""
    names = ", ".join(one.name for one in specs)
    if as_json:
        document: dict[str, Any] = {
            "address": f"http://{host}",
            "accounts": [{"name": one.name, "api_key": one.api_key} for one in specs],
            "keys": None if accounts is None else str(accounts),
        }
        return json_text.dumps(document)
    keys = (
        "sandbox keys sandbox-NAME-key and sandbox-NAME-secret"
        if accounts is None
        else f"keys from {accounts}"
    )
    return f"simulated exchange at http://{host}, accounts {names}, {keys}; Ctrl-C ends it"
