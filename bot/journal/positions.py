"""Our hedges, as everything that was booked adds up to them."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from bot.journal.fill_reads import FillReads
from bot.journal.rows import fill_row
from bot.trading.ledger import Ledger, PositionKey, add_quantities, replay

POSITIONS = "positions:"  # settings, by account: what its first fills add up to


@dataclass(slots=True)
class _Positions:
    """Positions of one account after some of its fills and closes.

    Attributes:
        fill, close: newest row of each table that was looked at.
        closed_ms: time of the latest close by others; -1 without any.
        quantity: signed base units, flat ones too.
    """

    fill: int
    close: int
    closed_ms: int
    quantity: dict[PositionKey, Decimal]

    def document(self) -> dict[str, Any]:
        """In plain JSON types."""
        held = [[*key, str(quantity)] for key, quantity in self.quantity.items()]
        return {"fill": self.fill, "close": self.close, "closed_ms": self.closed_ms, "held": held}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """Out of its document."""
        held = {(symbol, side): Decimal(text) for symbol, side, text in document["held"]}
        return cls(document["fill"], document["close"], document["closed_ms"], held)


class PositionReads(FillReads):
    """Positions follow new fills instead of replaying all of them."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Use ``open``."""
        super().__init__(path, connection)
        self._positions: dict[str, _Positions] = {}

    def ledger(self, account: str) -> Ledger:
        """Positions, entry prices, PnL, fees and funding from everything booked."""
        return replay(
            self.own_fills(account), self.funding_receipts(account), self.external_closes(account)
        )

    def own_positions(self, account: str) -> dict[PositionKey, Decimal]:
        """Our hedges by (symbol, position side): signed base units, only those not zero."""
        booked = ("fills", "external_closes")
        return dict(self._recall(("held", account), booked, lambda: self._held(account)))

    def _held(self, account: str) -> dict[PositionKey, Decimal]:
        newest = self._rows(
            "SELECT (SELECT coalesce(max(rowid), 0) FROM fills) AS fill, "
            "(SELECT coalesce(max(id), 0) FROM external_closes) AS close"
        )[0]
        fill, close = int(newest["fill"]), int(newest["close"])
        known = self._positions.get(account) or self._noted(account)
        if known is None or known.close != close or not self._follow(account, known, fill):
            known = self._replayed(account, fill, close)
        self._positions[account] = known
        return {key: quantity for key, quantity in known.quantity.items() if quantity}

    def _noted(self, account: str) -> _Positions | None:
        """What a writer noted once, so that not all fills since the first must be read."""
        text = self.meta(POSITIONS + account)
        return None if text is None else _Positions.read(json.loads(text))

    def _replayed(self, account: str, fill: int, close: int) -> _Positions:
        closed_ms = max((one.timestamp_ms for one in self.external_closes(account)), default=-1)
        positions = self.ledger(account).positions
        quantity = {key: position.base_quantity for key, position in positions.items()}
        return _Positions(fill, close, closed_ms, quantity)

    def _follow(self, account: str, known: _Positions, fill: int) -> bool:
        """Adds the fills up to row ``fill`` that are new; False where all must be replayed.

        A close by others takes what was held at its time, so a fill from before it changes it.
        """
        if fill == known.fill:
            return True
        # The plus keeps SQLite from reading all fills of the account, by its index.
        rows = self._rows(
            "SELECT * FROM fills WHERE rowid > ? AND rowid <= ? AND +account = ? ORDER BY rowid",
            known.fill,
            fill,
            account,
        )
        fresh = [fill_row(row) for row in rows]
        if any(own.fill.timestamp_ms <= known.closed_ms for own in fresh):
            return False
        add_quantities(known.quantity, fresh)
        known.fill = fill
        return True
