"""The journal as those read it who change nothing: log, status, report, and the engine itself."""

from bot.journal.cycle_reads import CycleReads
from bot.journal.fill_reads import FUNDING_WATERMARK
from bot.journal.log_reads import LogReads
from bot.journal.positions import POSITIONS, PositionReads

__all__ = ["FUNDING_WATERMARK", "JOURNAL_NAME", "POSITIONS", "JournalReader"]

JOURNAL_NAME = "journal.sqlite"


class JournalReader(CycleReads, LogReads, PositionReads):
    """Reads a journal. Every method raises JournalError, in one line, when it cannot."""
