"""What was sent lately, from the journal: it outlives a restart, as a runaway might."""

import json
from decimal import Decimal
from functools import lru_cache

from bot.controls.facts import SentOrder
from bot.journal.reader import JournalReader
from bot.trading.orders import OrderRequest, OrderState, Side

_ZERO = Decimal(0)
_NEVER_THERE = (OrderState.REJECTED, OrderState.ABSENT)
_FOR_EVER_MS = 2**62
_KEPT_INTENTS = 256


def sent_lately(
    journal: JournalReader, account: str, symbol: str, since_ms: int
) -> list[SentOrder]:
    """Orders since then that were not surely refused, oldest first."""
    rows = journal.sent_since(account, symbol, since_ms)
    filled = journal.filled_before(account, symbol, since_ms) if rows else {}
    found = []
    for row in rows:
        intent = row["intent_id"]
        before = filled.get(intent, _ZERO)
        if row["state"] not in _NEVER_THERE:
            found.append(
                SentOrder(
                    client_id=row["client_id"],
                    intent_id=intent,
                    side=Side(row["side"]),
                    quantity=Decimal(row["quantity"]),
                    sent_ms=row["sent_ms"],
                    slices=_slices(row["inputs"]),
                    rest_before=abs(Decimal(row["trade_quantity"])) - before,
                )
            )
        filled[intent] = before + Decimal(row["filled_quantity"])
    return found


@lru_cache(_KEPT_INTENTS)
def _slices(inputs: str) -> int:
    """How many orders an intent was planned to take; the orders of one have the same inputs."""
    return int(json.loads(inputs).get("slices", 1))


def rest_of(journal: JournalReader, request: OrderRequest, plan_quantity: Decimal) -> Decimal:
    """What an intent of so much has left to trade, base units."""
    return abs(plan_quantity) - journal.filled_of_intent(request.intent_id, _FOR_EVER_MS)
