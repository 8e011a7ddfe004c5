"""Funding of a paper account for the time in which no engine ran.

A real exchange goes on paying and charging while the engine is down. The exchange of a paper
account lives in the engine's process, so what it missed is made up at the next start, from the
market's own history: settled rates, the mark taken as the close of the hour that ended with the
payment, and what the journal held at that moment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from bot.journal.journal import Journal
from bot.logs import Logger
from bot.ports import Clock, MarketData
from bot.trading.ledger import FundingReceipt, OwnFill, replay
from risk.crowding.report import FundingSeries
from risk.returns import HOUR_MS, BarPanel

_OVERLAP_MS = HOUR_MS  # what was due just before the end may not have been booked any more
_SAME_PAYMENT_MS = HOUR_MS // 2  # no symbol pays more often than once an hour
_STALE_BARS = 24  # an older close is no mark price
_USD_STEP = Decimal("1e-8")
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class _Payment:
    symbol: str
    time_ms: int
    rate: float


async def settle_missed_funding(
    journal: Journal, market: MarketData, clock: Clock, account: str, log: Logger
) -> int:
    """Books the payments since the last booking on what was held then; how many there were.

    Each is booked once however often this runs. One without a mark price is left out and told.

    Raises:
        UnreachableError, VenueError, DataError: the history cannot be read.
        JournalError: the journal cannot be read or written.
    """
    since_ms = journal.funding_wanted_since(account)
    if since_ms is None:
        return 0
    now_ms = clock.now_ms()
    symbols = journal.symbols_traded(account)
    start_ms = since_ms - _OVERLAP_MS
    history = await market.funding(symbols, start_ms, now_ms + 1)
    owed = [p for p in _payments(history) if _held(journal, account, p) and p.time_ms >= start_ms]
    owed = [p for p in owed if not _booked(journal, account, p)]
    receipts = []
    if owed:
        first_ms = min(p.time_ms for p in owed) - (_STALE_BARS + 1) * HOUR_MS
        panel = await market.bars(sorted({p.symbol for p in owed}), first_ms, now_ms)
        for payment in owed:
            mark = _mark(panel, payment)
            if mark is None:
                log.warning("funding_unknown", symbol=payment.symbol, timestamp_ms=payment.time_ms)
                continue
            receipts.append(_receipt(payment, _held(journal, account, payment), mark))
    booked = journal.record_funding(account, receipts, read_ms=now_ms)
    if booked:
        total = sum((r.amount_usd for r in receipts), _ZERO)
        log.info("funding_made_up", payments=booked, amount_usd=str(total))
    return booked


def _payments(history: Mapping[str, FundingSeries]) -> list[_Payment]:
    return [
        _Payment(symbol, int(time_ms), float(rate))
        for symbol, series in sorted(history.items())
        for time_ms, rate in zip(series.time_ms.tolist(), series.rate.tolist(), strict=True)
        if not series.substitute
    ]


def _held(journal: Journal, account: str, payment: _Payment) -> Decimal:
    """Our net quantity in the symbol right before the payment, signed base units."""
    fills: list[OwnFill] = [
        own
        for own in journal.own_fills(account)
        if own.fill.symbol == payment.symbol and own.fill.timestamp_ms < payment.time_ms
    ]
    closes = [
        close
        for close in journal.external_closes(account)
        if close.symbol == payment.symbol and close.timestamp_ms < payment.time_ms
    ]
    held = replay(fills, closes=closes).open_quantity
    return sum(held.values(), _ZERO)


def _booked(journal: Journal, account: str, payment: _Payment) -> bool:
    return any(
        abs(receipt.timestamp_ms - payment.time_ms) < _SAME_PAYMENT_MS
        for receipt in journal.funding_receipts(account, payment.time_ms - HOUR_MS)
        if receipt.symbol == payment.symbol
    )


def _mark(panel: BarPanel, payment: _Payment) -> float | None:
    """Close of the last bar that ended at or before the payment."""
    ended = panel.open_ms + HOUR_MS <= payment.time_ms
    recent = panel.open_ms + (_STALE_BARS + 1) * HOUR_MS > payment.time_ms
    closes = panel.close[ended & recent, panel.symbols.index(payment.symbol)]
    known = closes[~np.isnan(closes)]
    return float(known[-1]) if len(known) else None


def _receipt(payment: _Payment, quantity: Decimal, mark: float) -> FundingReceipt:
    exact = -quantity * Decimal(repr(mark)) * Decimal(repr(payment.rate))
    return FundingReceipt(
        receipt_id=f"{payment.symbol}#missed-{payment.time_ms}",
        symbol=payment.symbol,
        amount_usd=exact.quantize(_USD_STEP),
        timestamp_ms=payment.time_ms,
    )
