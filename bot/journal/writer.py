"""Writing to the journal: opening it, settings, cycles and events."""

import secrets
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from bot.errors import JournalError
from bot.journal.anchor import ANCHORED, anchor_accepted, write_anchor
from bot.journal.chain import head_of
from bot.journal.compact import compact_encoder
from bot.journal.schema import Opener, connect_writer, one_line_errors, open_file
from bot.journal.transactions import Transactions
from bot.ports import Clock
from bot.records.cycle import CycleRecord, fields_of

_encode = compact_encoder(allow_nan=False, default=fields_of)
_SET_META = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"


class JournalWriter(Transactions):
    """Reads and writes. Every method raises JournalError, in one line, when it cannot."""

    def __init__(self, path: Path, connection: sqlite3.Connection, clock: Clock) -> None:
        """Use ``open``."""
        super().__init__(path, connection)
        self._clock = clock
        self._anchored = False  # the journal says that there must be an anchor

    @classmethod
    def open(
        cls,
        path: Path,
        clock: Clock,
        *,
        install_key: bytes | None = None,
        busy_timeout_ms: int = 5000,
        opener: Opener = open_file,
    ) -> Self:
        """Opens or creates a journal; ``install_key`` is used once, when it is created.

        ``opener`` stands in for the file where the disk is not a real one.

        Raises:
            JournalError: it cannot be opened, is damaged, or is no journal.
            SafetyError: a newer perphedge wrote it.
        """
        accepted = anchor_accepted(path)
        connection = connect_writer(path, busy_timeout_ms, clock.now_ms(), opener)
        try:
            journal = cls(path, connection, clock)
        except BaseException:  # told on; the file must not stay open
            connection.close()
            raise
        try:
            key = secrets.token_bytes(32) if install_key is None else install_key
            journal.meta_once("install_key", key.hex())
            if accepted:
                journal.record_event("anchor_accepted", {"line": head_of(connection).number})
            journal._anchored = journal.meta(ANCHORED) is not None
            with one_line_errors(path, "be opened"):
                journal._durability.opened(journal._sealer.head(connection))
            journal.anchor()
        except BaseException:  # told on; the file must not stay open
            journal.close()
            raise
        return journal

    def _others_wrote(self) -> None:
        super()._others_wrote()
        self._insert_event(self._connection, "journal_touched", {}, None, None)

    def anchor(self) -> None:
        """Notes beside the journal how far it has surely come, so that a shorter one is found."""
        head, self._durability.safe = self._durability.safe, None
        if head is not None and write_anchor(self.path, head) and not self._anchored:
            self._with_next.append((_SET_META, [(ANCHORED, "1")]))
            self._anchored = True

    def close(self) -> None:
        """Gives the file back."""
        try:
            if not self._broken:
                with suppress(sqlite3.Error):  # then the next start catches up
                    self._durability.catch_up()
            self.anchor()
        finally:
            super().close()

    @property
    def install_key(self) -> bytes:
        """Key of the client ids, made once for each journal."""
        return bytes.fromhex(self.meta("install_key") or "")

    def meta_once(self, key: str, value: str) -> str:
        """Stores a fact unless there is one already; the fact that holds."""
        with self._transaction("store a setting") as db:
            db.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (key, value))
        return self.meta(key) or ""

    def set_meta(self, key: str, value: str) -> None:
        """Stores a fact in place of an older one."""
        with self._transaction("store a setting") as db:
            db.execute(_SET_META, (key, value))

    def start_epoch(self) -> int:
        """Counts one more start of an engine; the new number."""
        with self._transaction("count a start") as db:
            db.execute(
                "INSERT INTO meta VALUES ('epoch', '1') "
                "ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1"
            )
        return self.epoch

    def record_cycle(self, record: CycleRecord) -> None:
        """Stores what a cycle left behind; a second document under one id is refused."""
        text = json_text(record, f"cycle {record.cycle_id}")
        with self._transaction(f"record cycle {record.cycle_id}") as db:
            db.execute(
                "INSERT INTO cycles VALUES (?, ?, ?, ?)",
                (record.cycle_id, record.timestamp_ms, str(record.status), text),
            )
        self.anchor()

    def record_event(
        self,
        kind: str,
        document: Mapping[str, Any],
        *,
        cycle_id: str | None = None,
        client_id: str | None = None,
    ) -> None:
        """Stores one event of plain JSON types."""
        with self._transaction(f"record event {kind}") as db:
            self._insert_event(db, kind, document, cycle_id, client_id)

    def record_change(
        self,
        kind: str,
        document: Mapping[str, Any],
        key: str,
        state: Mapping[str, Any],
        *,
        cycle_id: str | None = None,
    ) -> None:
        """Stores an event and the state that it leads to under ``key``, both or neither."""
        text = json_text(state, f"state {key}")
        with self._transaction(f"record event {kind}") as db:
            self._insert_event(db, kind, document, cycle_id, None)
            db.execute(_SET_META, (key, text))

    def _insert_event(
        self,
        db: sqlite3.Connection,
        kind: str,
        document: Mapping[str, Any],
        cycle_id: str | None,
        client_id: str | None,
    ) -> None:
        text = json_text(document, f"event {kind}")
        db.execute(
            "INSERT INTO events (timestamp_ms, kind, cycle_id, client_id, document) "
            "VALUES (?, ?, ?, ?, ?)",
            (self._clock.now_ms(), kind, cycle_id, client_id, text),
        )


def json_text(document: Mapping[str, Any] | CycleRecord, what: str) -> str:
    """Compact JSON.

    Raises:
        JournalError: something in it has no place in JSON, NaN for instance.
    """
    try:
        return _encode(document)
    except (TypeError, ValueError) as error:
        raise JournalError(f"{what} cannot be written as JSON: {error}") from error
