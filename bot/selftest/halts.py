"""What must be so once a control has halted something."""

from bot.selftest.stage import RENDER, Piece, Stage
from bot.selftest.trip import must


def halted_symbol(stage: Stage, symbol: str, control: str) -> str:
    """The symbol is halted, in memory and in the journal; why."""
    halted = stage.engine.guard.halted_symbols
    must(symbol in halted, f"not halted; halted are {dict(halted)}")
    must("symbol_halted" in [e.kind for e in stage.journal.events()], "no record of the halt")
    must(stage.recorded(control), f"the journal does not name {control}")
    return halted[symbol]


def halted_all(stage: Stage) -> str:
    """Everything is halted, and the file shows it; why."""
    halted = stage.engine.guard.halted
    must(halted is not None, "not halted")
    must(stage.switch.reason is not None, "the halt file is not there")
    return str(halted)


async def blocked(stage: Stage) -> None:
    """And nothing leaves any more."""
    before = stage.orders_received
    await stage.send(Piece(RENDER, quantity="20"))
    must(stage.orders_received == before, "an order left although all is halted")
