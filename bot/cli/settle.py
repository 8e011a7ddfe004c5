"""``perphedge settle``: an operator's word on an order that the engine could not find out about."""

import json as json_text
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.control import By, asked_by, folder_of
from bot.cli.journals import Config, Json, State
from bot.errors import UsageError

if TYPE_CHECKING:
    from bot.trading.settling import Settlement


def settle(
    client_id: Annotated[str, typer.Argument(help="The order, by its client id.")],
    filled: Annotated[
        str | None, typer.Option(metavar="BASE", help="All that it filled, base units.")
    ] = None,
    price: Annotated[
        str | None, typer.Option(help="Average price of what is not booked yet.")
    ] = None,
    absent: Annotated[bool, typer.Option("--absent", help="It filled nothing at all.")] = False,
    reason: Annotated[str, typer.Option(help="How you know, one line.")] = "",
    config: Config = None,
    state: State = None,
    by: By = None,
    json: Json = False,
) -> None:
    """Say what a quarantined order did, after a look at the exchange; recorded with your name."""
    from bot.lock import lock_holder
    from bot.requests import ask_settlement
    from bot.trading.settling import Settlement

    if absent == (filled is not None):
        raise UsageError("give either --filled BASE or --absent")
    if absent and price is not None:
        raise UsageError("--price: what is absent has none")
    folder, asked = folder_of(config, state), asked_by(by, reason)
    told = Settlement(
        client_id,
        _number(filled or "0", "--filled"),
        None if price is None else _number(price, "--price"),
        asked.by,
        asked.reason,
    )
    symbol = _checked(folder, told)
    running = lock_holder(folder)
    if running is None:
        _carry_out(folder, told)
        text = f"Settled and recorded: {client_id} filled {told.filled} ({asked.by})"
    else:
        ask_settlement(folder, told)
        text = f"Asked: the engine (process {running}) takes it up with its next cycle"
    document: dict[str, Any] = {
        "done": running is None,
        "running_process": running,
        "client_id": client_id,
        "symbol": symbol,
        "filled": str(told.filled),
        "price": None if told.price is None else str(told.price),
        "by": asked.by,
        "reason": asked.reason,
    }
    if json:
        print(json_text.dumps(document, allow_nan=False, indent=2))
        return
    print(text)
    print(f"{symbol} stays halted until you run: perphedge resume --reason TEXT")


def _number(text: str, option: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise UsageError(f"{option}: {text!r}, must be a number like 12.5") from error


def _checked(folder: Path, told: "Settlement") -> str:
    """The order's symbol, if the word can be true.

    Raises:
        DataError: what is wrong with it, one line.
    """
    from bot.journal.reader import JOURNAL_NAME, JournalReader
    from bot.journal.settlements import settleable

    with JournalReader.open_reader(folder / JOURNAL_NAME) as journal:
        return settleable(journal, told).symbol


def _carry_out(folder: Path, told: "Settlement") -> None:
    """Takes the engine's place for a moment.

    Raises:
        LockHeldError: an engine has started meanwhile; ask again.
    """
    from bot.clock import SystemClock
    from bot.journal.journal import Journal
    from bot.journal.reader import JOURNAL_NAME
    from bot.lock import EngineLock

    with EngineLock(folder), Journal.open(folder / JOURNAL_NAME, SystemClock()) as journal:
        journal.settle_by_hand(told)
