"""What the running engine last said of its streams, for those who only read its journal."""

import json
from typing import Any

from bot.journal.reader import JournalReader

META_KEY = "streams"


def told_streams(journal: JournalReader) -> dict[str, dict[str, Any]]:
    """By name; empty where it has none."""
    told = json.loads(journal.meta(META_KEY) or "{}")
    # What an earlier run said of its streams is not true of this one.
    return dict(told["streams"]) if told.get("epoch") == journal.epoch else {}
