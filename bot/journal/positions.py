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
from bot.trading.ledger import Holding, Ledger, PositionKey, follow, replay

POSITIONS = "positions:"  # settings, by account: what its first fills add up to
_FIELDS = 5  # of one position in them


@dataclass(slots=True)
class _Positions:
    """Positions of one account after some of its fills and closes.

    Attributes:
        fill, close: newest row of each table that was looked at.
        held: flat ones too.
    """

    fill: int
    close: int
    held: dict[PositionKey, Holding]

    def document(self) -> dict[str, Any]:
        """In plain JSON types."""
        held = [
            [*key, str(one.base_quantity), one.filled_ms, one.closed_ms]
            for key, one in self.held.items()
        ]
        return {"fill": self.fill, "close": self.close, "held": held}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self | None:
        """Out of its document; None for one of an earlier kind, which knew no times."""
        if any(len(row) != _FIELDS for row in document["held"]):
            return None
        held = {
            (symbol, side): Holding(Decimal(text), filled_ms, closed_ms)
            for symbol, side, text, filled_ms, closed_ms in document["held"]
        }
        return cls(document["fill"], document["close"], held)


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
        known = self._positions.pop(account, None) or self._noted(account)
        if known is None or not self._follow(account, known, fill, close):
            known = self._replayed(account, fill, close)
        self._positions[account] = known
        return {key: one.base_quantity for key, one in known.held.items() if one.base_quantity}

    def _noted(self, account: str) -> _Positions | None:
        """What a writer noted once, so that not all fills since the first must be read."""
        text = self.meta(POSITIONS + account)
        return None if text is None else _Positions.read(json.loads(text))

    def _replayed(self, account: str, fill: int, close: int) -> _Positions:
        held: dict[PositionKey, Holding] = {}
        # All at once go in order of their times, so there is none that it could not take.
        follow(held, self.own_fills(account), self.external_closes(account))
        return _Positions(fill, close, held)

    def _follow(self, account: str, known: _Positions, fill: int, close: int) -> bool:
        """Adds fills and closes up to these rows that are new; False where all must be replayed."""
        if (fill, close) == (known.fill, known.close):
            return True
        # The plus keeps SQLite from reading all fills of the account, by its index.
        rows = self._rows(
            "SELECT * FROM fills WHERE rowid > ? AND rowid <= ? AND +account = ? ORDER BY rowid",
            known.fill,
            fill,
            account,
        )
        closes = self.external_closes(account, after=known.close)
        if not follow(known.held, [fill_row(row) for row in rows], closes):
            return False
        known.fill, known.close = fill, close
        return True
