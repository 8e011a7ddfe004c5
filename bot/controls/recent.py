"""What was sent lately, from the journal: it outlives a restart, as a runaway might."""

from decimal import Decimal

from bot.controls.facts import SentOrder
from bot.journal.reader import JournalReader
from bot.trading.orders import OrderRequest, OrderState

_ZERO = Decimal(0)
_NEVER_THERE = (OrderState.REJECTED, OrderState.ABSENT)
_FOR_EVER_MS = 2**62


def sent_lately(
    journal: JournalReader, account: str, symbol: str, since_ms: int
) -> list[SentOrder]:
    """Orders since then that were not surely refused, oldest first."""
    rows = journal.sent_since(account, symbol, since_ms)
    filled: dict[str, Decimal] = {}
    found = []
    for row, trade, inputs in rows:
        intent = row.request.intent_id
        if intent not in filled:
            filled[intent] = journal.filled_of_intent(intent, since_ms)
        if row.state not in _NEVER_THERE:
            found.append(
                SentOrder(
                    client_id=row.client_id,
                    intent_id=intent,
                    side=row.request.side,
                    quantity=row.request.quantity,
                    sent_ms=row.sent_ms,
                    slices=int(inputs.get("slices", 1)),
                    rest_before=abs(trade) - filled[intent],
                )
            )
        filled[intent] += row.filled_quantity
    return found


def rest_of(journal: JournalReader, request: OrderRequest, plan_quantity: Decimal) -> Decimal:
    """What an intent of so much has left to trade, base units."""
    return abs(plan_quantity) - journal.filled_of_intent(request.intent_id, _FOR_EVER_MS)
