"""Takes up what operators say of orders: every word ends in a record, carried out or refused."""

import contextlib
from collections.abc import Mapping
from typing import Any

from bot import requests
from bot.journal.journal import Journal
from bot.journal.settlements import carried_out
from bot.state_files import StateFolder
from bot.trading.settling import Settlement
from risk.errors import DataError

Words = Mapping[str, Settlement | str]
"""By client id: a word, or what cannot be understood of one."""


def take_words(journal: Journal, folder: StateFolder, before: Words) -> Words:
    """Answers every word that waits, of whatever account and state its order is.

    Args:
        before: those that were answered last; one whose file cannot be removed is among them
            again, and is not answered twice.

    Returns:
        Those that waited now.

    Raises:
        JournalError: the journal failed; the words wait on.
    """
    waiting: dict[str, Settlement | str] = {}
    for client_id, found in requests.waiting_settlements(folder).items():
        word = str(found) if isinstance(found, DataError) else found
        waiting[client_id] = word
        if before.get(client_id) != word:
            _answer(journal, client_id, word)
        with contextlib.suppress(OSError):
            requests.answered(folder, client_id, understood=not isinstance(word, str))
    return waiting


def _answer(journal: Journal, client_id: str, word: Settlement | str) -> None:
    if isinstance(word, str):
        _refuse(journal, client_id, {"reason": word})
    elif not carried_out(journal, word):
        try:
            journal.settle_by_hand(word)
        except DataError as error:  # it was true when it was asked, and is not any more
            said = {"by": word.by, "said": word.reason, "filled_quantity": str(word.filled)}
            _refuse(journal, client_id, {**said, "reason": str(error)})


def _refuse(journal: Journal, client_id: str, document: Mapping[str, Any]) -> None:
    name = ascii(client_id).strip("'")  # of a file that anybody may have put there
    row = journal.order(name)
    symbol = {} if row is None else {"symbol": row.symbol}
    journal.record_event("settlement_refused", {**symbol, **document}, client_id=name)
