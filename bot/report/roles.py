"""Who holds what: symbols of the bot and of the hedges, and the signs that mark them."""

from collections.abc import Sequence

from bot.report import words
from bot.report.canvas import inert
from bot.report.history import Document

SIGNS = "● held by the bot, ▼ hedge, ◆ both."


def roles(document: Document) -> tuple[set[str], set[str]]:
    """Symbols that the bot holds, and those that are hedged with after the cycle."""
    legs = document.get("legs") or ()
    bots = {str(leg.get("symbol")) for leg in legs if leg.get("bot_usd")}
    hedges = {str(leg.get("symbol")) for leg in legs if leg.get("hedge_after_usd")}
    return bots, hedges


def marked(symbols: Sequence[str], document: Document) -> list[str]:
    """Names of the symbols with the signs of who holds them."""
    bots, hedges = roles(document)
    if not bots and not hedges:
        bots = {str(symbol) for symbol in (document.get("correlation") or {}).get("held") or ()}
    signs = {(True, True): " ◆", (True, False): " ●", (False, True): " ▼", (False, False): ""}
    return [inert(words.base(s)) + signs[s in bots, s in hedges] for s in symbols]


def parted(symbols: Sequence[str], document: Document) -> list[tuple[str, list[str], str]]:
    """Name, members and colour of the bot's symbols, the hedges' and the rest; none empty."""
    bots, hedges = roles(document)
    groups = [
        ("● bot", [s for s in symbols if s in bots], "bot"),
        ("▼ hedge", [s for s in symbols if s in hedges and s not in bots], "hedge"),
        ("other", [s for s in symbols if s not in bots | hedges], "third"),
    ]
    return [one for one in groups if one[1]]
