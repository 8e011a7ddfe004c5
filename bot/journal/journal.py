"""The journal: what the engine meant, sent, was told and booked, durable before it acts.

One SQLite file, write-ahead log, every commit on the disk before it returns. An order is in here
as SENDING before a byte of it leaves; whatever happens afterwards, nothing that was sent can be
forgotten, and nothing that was executed can be booked twice.
"""

from bot.journal.settlements import SettlementWrites


class Journal(SettlementWrites):
    """Orders, their outcomes and their executions, over the tables that JournalWriter opens."""
